"""A group of 2 of 3 on this machine, each node a process of its own."""

import json
import random
import socket
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryFile

# Longer than any request here takes.
PATIENCE = 600


class Group:
    def __init__(self, program, folder):
        self.program = str(Path(program).resolve())
        self.folder = Path(folder)
        self.file = self.folder / "group.roastery"

    def __enter__(self):
        try:
            self.run("local", "--folder", self.folder / "nodes", "--signers", "3",
                     "--threshold", "2", "--port", str(free_ports(3)))
            self.node(0, "group", "export", "local", "--group-file", self.file)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.call("local", "--folder", self.folder / "nodes", "--stop")

    def call(self, *arguments):
        """The command as it ended, with its output."""
        command = [self.program, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)

    def run(self, *arguments):
        """The output of a command that must succeed."""
        ended = self.call(*arguments)
        if ended.returncode != 0:
            raise RuntimeError(f"roastery {arguments[0]}: {ended.stdout}{ended.stderr}")
        return ended.stdout

    def on(self, number, command):
        """A command's words, with the folder of a node."""
        return [*command, "--folder", self.folder / "nodes" / f"node-{number}"]

    def node(self, number, *command):
        return self.run(*self.on(number, command))

    def wallet(self, network="main", *options):
        """The wallet as the group file has it."""
        return json.loads(self.run("wallet", "--group", self.file, "--network", network,
                                   "--json", *options))

    def signed(self, *command):
        """What a command at the first node prints once the second one has approved, from JSON."""
        words = [self.program, *map(str, self.on(0, command)), "--wait", str(PATIENCE), "--json"]
        # Files: a pipe that is not read while the other one approves would fill.
        with TemporaryFile("w+") as said, TemporaryFile("w+") as remarks:
            asking = subprocess.Popen(words, stdout=said, stderr=remarks)
            try:
                while asking.poll() is None:
                    waiting = self.node(1, "requests", "--state", "proposed", "--ids").split()
                    if waiting:
                        # It may be decided already: a decision about a part is about all of them.
                        self.call(*self.on(1, ["approve", waiting[0]]), "--yes", "--wait", "0")
                    time.sleep(0.1)
            finally:
                asking.kill()
            said.seek(0)
            remarks.seek(0)
            if asking.returncode != 0:
                raise RuntimeError(f"roastery {command[0]}: {said.read()}{remarks.read()}")
            return json.load(said)


def free_ports(count):
    """The first of so many ports in a row that are free."""
    while True:
        first = random.randrange(20_000, 30_000)
        try:
            for port in range(first, first + count):
                with socket.socket() as tried:
                    tried.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
