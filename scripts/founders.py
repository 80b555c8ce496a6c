"""People at terminals, for scripts that play them: a person with a machine, what they type and read, and
the network between the machines."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
import time

# How fast a person is.
READS_WORDS = 4
TYPES_CHARACTERS = 3
SPEAKS_A_WORD = 4
WRITES_A_WORD = 5

PATIENCE = 90
# What is said while the inviter is not reached.
AWAY = "the node that invites does not answer"
PASSPHRASE = "a-passphrase-of-the-tests"


def fail(text):
    raise SystemExit(f"founding: {text}")


class Network:
    """One bridge, and on it a namespace for each node; or this machine alone."""

    def __init__(self):
        self.spaces = []
        self.hub = f"roastery-{os.getpid()}-founders"
        self.has_spaces = False
        if os.getuid() == 0 and shutil.which("ip"):
            made = ip("netns", "add", self.hub, may_fail=True)
            self.has_spaces = made and ip("-n", self.hub, "link", "add", "name", "side", "type",
                                          "bridge", may_fail=True)
            if self.has_spaces:
                ip("-n", self.hub, "link", "set", "side", "up")
            elif made:
                ip("netns", "del", self.hub)
        if not self.has_spaces:
            self.port = free_ports(4)

    def place(self, number):
        """How a command begins there, and the node's address and port."""
        if not self.has_spaces:
            return [], "127.0.0.1", self.port + number
        # One of an example, which is of no private network.
        space, address = f"{self.hub}-{number}", f"203.0.113.{number + 1}"
        ip("netns", "add", space)
        self.spaces.append(space)
        port = f"port-{number}"
        ip("-n", self.hub, "link", "add", "name", port, "type", "veth", "peer", "name", "net",
           "netns", space)
        ip("-n", self.hub, "link", "set", port, "master", "side", "up")
        ip("-n", space, "address", "add", f"{address}/24", "dev", "net")
        for link in ["net", "lo"]:
            ip("-n", space, "link", "set", link, "up")
        return ["ip", "netns", "exec", space], address, 7400

    def is_away(self, person, seconds):
        """This person's machine has no network for a while."""
        port = f"port-{person.number}"
        ip("-n", self.hub, "link", "set", port, "down")
        time.sleep(seconds)
        ip("-n", self.hub, "link", "set", port, "up")

    def end(self):
        if self.has_spaces:
            for space in [*self.spaces, self.hub]:
                ip("netns", "del", space, may_fail=True)


def ip(*arguments, may_fail=False):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode != 0 and not may_fail:
        fail(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.returncode == 0


def end_nodes(folder):
    """Ends the nodes whose folders are in this one, whatever has started them."""
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            if b"node" in words and any(word.startswith(folder.encode() + b"/") for word in words):
                os.kill(int(process), signal.SIGKILL)
        except OSError:
            continue


def free_ports(count):
    """The first of so many ports in a row that are not in use."""
    for first in range(24800, 32000, count):
        sockets = [socket.socket() for _ in range(count)]
        try:
            for number, one in enumerate(sockets):
                one.bind(("127.0.0.1", first + number))
            return first
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    fail("no free ports")


class Person:
    """A person, their machine, and what founding costs them."""

    def __init__(self, run, number, name):
        self.run, self.number, self.name = run, number, name
        self.prefix, self.address, self.port = run.network.place(number)
        self.home = os.path.join(run.folder, name)
        os.mkdir(self.home)
        self.pid = None
        self.log = os.path.join(self.home, ".roastery", "log")
        self.forget_costs()

    def forget_costs(self):
        self.commands, self.words, self.characters = 0, 0, 0
        self.read, self.said, self.written = 0, 0, 0

    def environment(self):
        return {
            "PATH": os.environ["PATH"], "HOME": self.home, "USER": self.name, "TERM": "xterm",
            "LANG": "C", "NO_COLOR": "1",
        }

    def argv(self, *arguments):
        return [*self.prefix, self.run.program, *arguments]

    def types_command(self, *arguments, pasted=0):
        """A command at a terminal of its own. The pasted arguments at its end cost no typing."""
        self.commands += 1
        typed = ["roastery", *arguments[:len(arguments) - pasted]]
        self.characters += len(" ".join(typed)) + 1
        return Screen(self, arguments)

    def tell(self, *arguments):
        """A command without a terminal: its exit status and what it says."""
        done = subprocess.run(self.argv(*arguments), env=self.environment(), text=True, cwd=self.home,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
        return done.returncode, done.stdout + done.stderr

    def start(self):
        """What starts the machine's services does: the node runs."""
        with open(self.log, "ab") as log:
            environment = {**self.environment(), "ROASTERY_PASSPHRASE": PASSPHRASE}
            folder = os.path.dirname(self.log)
            node = subprocess.Popen(self.argv("node", "--folder", folder), env=environment,
                                    stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.pid = node.pid

    def is_started(self):
        """A command of this person has started the node."""
        self.answers()
        self.pid = json.loads(self.tell("status", "--json")[1])["pid"]

    def runs(self):
        try:
            # A child that has ended is gone once it was waited for.
            os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            pass
        try:
            with open(f"/proc/{self.pid}/stat") as file:
                return file.read().rsplit(") ", 1)[1][0] != "Z"
        except OSError:
            return False

    def answers(self):
        begun = time.monotonic()
        while self.tell("health")[0] != 0:
            ended = self.pid is not None and not self.runs()
            if ended or time.monotonic() - begun > PATIENCE:
                fail(f"the node of {self.name} does not run: {open(self.log).read()[-2000:]}")
            time.sleep(0.05)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        while self.runs():
            time.sleep(0.01)

    def seconds(self):
        """How long this takes a person."""
        return (self.read / READS_WORDS + self.characters / TYPES_CHARACTERS
                + self.said * SPEAKS_A_WORD + self.written * WRITES_A_WORD)


class Screen:
    """A terminal of 80 columns: a command in it, what it shows, and what is typed."""

    def __init__(self, person, arguments):
        self.person, self.arguments = person, arguments
        self.shown, self.at = "", 0
        argv, environment = person.argv(*arguments), person.environment()
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.chdir(person.home)
            os.execvpe(argv[0], argv, environment)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        person.run.screens.append(self)

    def sees(self, words):
        """Waits for these words; what the expression's group has."""
        begun = time.monotonic()
        while True:
            found = re.compile(words).search(self.shown, self.at)
            if found:
                self.person.read += len(self.shown[self.at:found.end()].split())
                self.at = found.end()
                return found.group(1) if found.groups() else found.group()
            if not self.reads(begun + PATIENCE - time.monotonic()):
                fail(f"{self.person.name}, roastery {self.arguments[0]}: no {words!r} in\n"
                     f"{self.shown}")

    def reads(self, patience):
        ready, _, _ = select.select([self.terminal], [], [], max(0, patience))
        if not ready:
            return False
        try:
            text = os.read(self.terminal, 65536)
        except OSError:
            return False
        self.shown += text.decode(errors="backslashreplace").replace("\r\n", "\n")
        # The ten words are on the terminal's alternate screen.
        self.shown = re.sub("\x1b\\[(?:\\?1049[hl]|2J|H)", "", self.shown)
        return bool(text)

    def types(self, text, hidden=False):
        """A line, after a prompt."""
        self.person.words += len(text.split())
        self.person.characters += len(text) + 1
        os.write(self.terminal, text.encode() + b"\n")
        if not hidden and text:
            # The terminal shows what was typed; it is no answer.
            read = self.person.read
            self.sees(re.escape(text))
            self.person.read = read

    def leaves(self):
        """Ctrl-C, once the command is there: before, Ctrl-C reaches no process."""
        while not self.shown:
            self.reads(0.05)
        os.write(self.terminal, b"\x03")
        self.ends()

    def ends(self):
        """Waits for its end: its exit status, or less than 0 for a signal."""
        begun = time.monotonic()
        ended = 0
        while not ended:
            # The terminal is open as long as the command is.
            self.reads(0.05)
            ended, status = os.waitpid(self.process, os.WNOHANG)
            if time.monotonic() - begun > PATIENCE:
                fail(f"{self.person.name}, roastery {self.arguments[0]} does not end:\n{self.shown}")
        while self.reads(0):
            pass
        os.close(self.terminal)
        self.process = None
        return os.waitstatus_to_exitcode(status)

    def ends_well(self):
        status = self.ends()
        if status != 0:
            fail(f"{self.person.name}, roastery {self.arguments[0]}: status {status}\n{self.shown}")

    def check(self):
        """What is shown is plain, and as wide as the terminal."""
        strange = re.search(r"[^\n -~]", self.shown)
        if strange:
            fail(f"roastery {self.arguments[0]} shows {strange.group()!r} with LANG=C NO_COLOR=1")
        for line in self.shown.split("\n"):
            # A line is copied whole, and what is wrong is said in one line, however long.
            if len(line) > 80 and not line.startswith(("roast1", "error: ", "note: ", AWAY)):
                fail(f"roastery {self.arguments[0]} shows more than 80 columns: {line}")
