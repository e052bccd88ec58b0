"""Tells the story: what is done, what is seen, what held.  Slow enough to be watched, where somebody watches."""
import os
import time


class Broken(Exception):
    """A check did not hold: the story ends."""


class Narrator:
    def __init__(self, out, pace):
        self.out, self.pace, self.checks = out, pace, 0
        self.coloured = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.began = time.monotonic()

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.coloured else text

    def say(self, text=""):
        print(text, file=self.out, flush=True)

    def pause(self, seconds):
        """For people; none where nobody watches."""
        time.sleep(seconds * self.pace)

    def chapter(self, number, of, title):
        self.say()
        self.say(self.paint("1", f"{number}/{of}  {title}") + self.paint("2", f"   ({time.monotonic() - self.began:.0f} s)"))
        self.pause(1.0)

    def do(self, text):
        """Something is done."""
        self.say(f"  > {text}")
        self.pause(1.2)

    def show(self, text):
        """Something is seen."""
        for line in text.splitlines():
            self.say(self.paint("2", f"      {line}"))

    def hold(self, words, result):
        """A check: its words, and (does it hold, what was seen)."""
        holds, seen = result
        if not holds:
            self.say(f"  {self.paint('1;31', '✗')} {words}: {seen}")
            raise Broken(f"{words}: {seen}")
        self.checks += 1
        self.say(f"  {self.paint('32', '✓')} {words}: {seen}")
        self.pause(0.4)
