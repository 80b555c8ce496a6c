"""A program for Node that answers questions, each question and each answer a line of JSON."""

import json
import subprocess
from pathlib import Path


class Node:
    def __init__(self, libraries, program):
        self.process = subprocess.Popen(
            ["node", Path(libraries) / program], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **question):
        print(json.dumps(question), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["answer"]


def node_version(libraries, name):
    return json.loads((Path(libraries) / "package.json").read_text())["dependencies"][name]
