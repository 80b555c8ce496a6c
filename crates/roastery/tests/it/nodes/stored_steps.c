/* Preloaded into a node: once the file ROASTERY_TEST_ARMED exists, the process is killed before its
   ROASTERY_TEST_STEP-th call that changes what is on the disk for good. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_int calls;

static void step(void) {
    const char *armed = getenv("ROASTERY_TEST_ARMED"), *last = getenv("ROASTERY_TEST_STEP");
    if (armed && last && access(armed, F_OK) == 0 && atomic_fetch_add(&calls, 1) + 1 == atoi(last))
        kill(getpid(), SIGKILL);
}

int fsync(int file) {
    step();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
}

int fdatasync(int file) {
    step();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(file);
}

int rename(const char *from, const char *to) {
    step();
    return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(from, to);
}

int unlink(const char *path) {
    step();
    return ((int (*)(const char *))dlsym(RTLD_NEXT, "unlink"))(path);
}
