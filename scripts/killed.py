"""A group is founded while one node is killed in each state of its pairing, and its terminals are
left with Ctrl-C; then without a network for a while."""

import time

from founders import fail

# The states, as a person meets them, in their order.
STATES = ["lines wait", "the line was typed", "asked whether to take part", "waiting for the others",
          "words are shown", "half of the words are typed", "the last question is asked",
          "the key is awaited", "the paper is shown", "the host key has left"]


class Killed:
    """A group of its own for each node that is killed. Where the network is away for so many
    seconds, it is while words are compared."""

    def __init__(self, people, victim, group, away=0):
        self.people, self.victim, self.group, self.away = people, victim, group, away
        self.screens, self.kills, self.begun = {}, [], time.monotonic()

    def is_hit(self, state):
        """Ctrl-C at the victim's terminal, and its node is killed; the same command goes on."""
        screen = self.screens.get(self.victim.name)
        if screen:
            screen.leaves()
        self.victim.kill()
        self.victim.start()
        self.victim.answers()
        self.kills.append(state)
        if screen:
            command = "invite" if self.victim is self.people[0] else "join"
            self.screens[self.victim.name] = self.victim.types_command(command)

    def words(self):
        return {name: screen.sees(r"your word, say it: (\w+)\n")
                for name, screen in self.screens.items()}

    def types_word(self, name, other, words):
        screen = self.screens[name]
        screen.sees(f"{other}'s word: ")
        screen.types(words[other])
        screen.sees(r"\bright\b")

    def the_words_stay(self, words):
        name = self.victim.name
        again = self.screens[name].sees(r"your word, say it: (\w+)\n")
        if again != words[name]:
            fail(f"{name}'s word is another after a restart: {again}, not {words[name]}")

    def plays(self, is_ready, writes_paper):
        anna, bert, cleo = self.people
        self.screens["anna"] = anna.types_command("invite", "--group", self.group, "bert", "cleo")
        lines = {name: self.screens["anna"].sees(rf"{name}:\n(roast1\w+)\n")
                 for name in ["bert", "cleo"]}
        self.is_hit("lines wait")
        for person in [bert, cleo]:
            self.screens[person.name] = person.types_command("join", lines[person.name])
        self.is_hit("the line was typed")
        for person in [bert, cleo]:
            self.screens[person.name].sees(r"Take part \[y/N\]: ")
        self.is_hit("asked whether to take part")
        if self.victim is not anna:
            self.screens[self.victim.name].sees(r"Take part \[y/N\]: ")
        first, last = (cleo, bert) if self.victim is cleo else (bert, cleo)
        self.screens[first.name].types("y")
        self.screens["anna"].sees(f"{first.name} is here")
        self.is_hit("waiting for the others")
        self.screens[last.name].types("y")

        words = self.words()
        self.is_hit("words are shown")
        self.the_words_stay(words)
        if self.away:
            self.people[0].run.network.is_away(self.victim, self.away)
        pairs = [("anna", "bert"), ("bert", "anna"), ("cleo", "anna")]
        for name, other in pairs:
            self.types_word(name, other, words)
        self.is_hit("half of the words are typed")
        self.the_words_stay(words)
        for name, other in [("anna", "cleo"), ("bert", "cleo"), ("cleo", "bert")]:
            self.types_word(name, other, words)
        self.is_hit("the last question is asked")
        for person in [self.victim, *[one for one in self.people if one is not self.victim]]:
            self.screens[person.name].sees(r"Has each of the others told you.*\[y/N\]: ")
            self.screens[person.name].types("y")
            if person is self.victim:
                self.screens[person.name].sees("All words are right")
                self.is_hit("the key is awaited")
        is_ready(self.screens.values(), self.group)
        self.screens[self.victim.name].sees("Enter when they are on paper: ")
        self.is_hit_at_paper()
        for screen in self.screens.values():
            writes_paper(screen)
        for screen in self.screens.values():
            screen.ends_well()
        self.screens = {}
        self.is_hit("the host key has left")
        status, said = self.victim.tell("kit")
        if status != 0 or said.count("has left this machine") < 1:
            fail(f"{self.victim.name} has a host key after a restart: {said}")
        if self.kills != STATES:
            fail(f"killed in {self.kills}, not in each state")

    def is_hit_at_paper(self):
        """Words that were shown and not typed back are void: others are shown."""
        self.screens.pop(self.victim.name).leaves()
        self.is_hit("the paper is shown")
        self.screens[self.victim.name] = self.victim.types_command("kit", "words", self.group)
