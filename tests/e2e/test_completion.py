"""Command lines are completed, by real shells, with what the program itself says."""
import os
import re
import select
import shutil
import subprocess
import time

import pytest

import lab

SCRIPTS = lab.TOP / "central" / "tool"
BASH = r"""PS1='> '; bind 'set enable-bracketed-paste off'; bind 'set completion-query-items 0'; bind 'set page-completions off'
bind -x '"\C-o": printf "<%s>\n" "$READLINE_LINE"'
source <(tidemark completion bash); echo rea''dy
"""
ZSH = r"""PS1='> '; unsetopt zle_bracketed_paste beep; autoload -Uz compinit; compinit -u -D
dump() { print -r -- "<$BUFFER>" }; zle -N dump; bindkey '^O' dump
echo rea''dy
"""


class Shell:
    """One that somebody types at."""

    def __init__(self, argv, centre, directory, setup):
        ours, theirs = os.openpty()
        self.terminal, self.shown = ours, ""
        env = {**os.environ, "PATH": f"{lab.BIN}:{os.environ['PATH']}", "TERM": "dumb", "HOME": str(directory), "INPUTRC": "/dev/null",
               "TIDEMARK_CENTRAL": centre.url, "COLUMNS": "200"}
        self.process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=directory, start_new_session=True)
        os.close(theirs)
        self.type(setup)
        self.sees("\nready")

    def type(self, text):
        os.write(self.terminal, text.encode())

    def sees(self, pattern, seconds=20):
        """What was shown up to this, and the match."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.shown)):
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.terminal], [], [], left)[0], f"no {pattern} in {self.shown!r}"
            self.shown += os.read(self.terminal, 65536).decode().replace("\r", "")
        before, self.shown = self.shown[:found.start()], self.shown[found.end():]
        return before, found

    def completes(self, typed):
        """The line that it becomes."""
        self.type(typed + "\t\x0f")
        line = self.sees(r"<(.*)>\n")[1].group(1)
        self.type("\x15\x0b")
        return line

    def end(self):
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)


@pytest.fixture(params=["bash", "zsh"])
def shell(request, site):
    a, b = site.local("berlin-1"), site.local("paris")
    centre = site.centre(a, b)
    if request.param == "bash":
        argv, setup = ["bash", "--norc", "--noprofile", "-i"], BASH
    else:
        functions = site.path / "functions"
        functions.mkdir()
        shutil.copy(SCRIPTS / "completion.zsh", functions / "_tidemark")
        argv, setup = ["zsh", "-f", "-i"], f"fpath=({functions} $fpath); " + ZSH
    (site.path / "only.ndjson").touch()
    s = Shell(argv, centre, site.path, setup)
    s.name, s.centre = request.param, centre
    yield s
    s.end()


def test_a_shell_completes_what_is_typed(shell):
    for typed, line in (("tidemark stat", "tidemark status "),
                        ("tidemark events --lev", "tidemark events --level "),
                        ("tidemark events --level wa", "tidemark events --level warn "),
                        ("tidemark events --level=wa", "tidemark events --level=warn "),
                        ("tidemark node pau", "tidemark node pause "),
                        ("tidemark node pause ber", "tidemark node pause berlin-1 "),
                        ("tidemark pull p", "tidemark pull paris "),
                        (f"tidemark --central {shell.centre.url} wait berlin-1 pa", f"tidemark --central {shell.centre.url} wait berlin-1 paris "),
                        ("tidemark record pa", "tidemark record paris/"),
                        ("tidemark records --owner be", "tidemark records --owner berlin-1 "),
                        ("tidemark export --order w", "tidemark export --order written "),
                        ("tidemark import onl", "tidemark import only.ndjson "),
                        ("tidemark pull nobody", "tidemark pull nobody"),
                        ("true && tidemark verify ber", "true && tidemark verify berlin-1 ")):
        assert shell.completes(typed) == line
    # nobody there: nothing is completed, and nothing said
    shell.centre.stop()
    shell.type("tidemark pull p\t\x0f")
    said, found = shell.sees(r"<(.*)>\n")
    assert found.group(1) == "tidemark pull p" and "tidemark:" not in said, said
    shell.type("\x15\x0b")


def test_a_shell_lists_what_may_be_typed(shell):
    shell.type("tidemark node \t\t\x0f")
    said, _ = shell.sees(r"<tidemark node .*>")
    assert all(word in said for word in ("pause", "rotate", "berlin-1", "paris")), said
    if shell.name == "zsh":
        assert re.search(r"paris +-- (in_sync|catching_up)", said), said


def candidates(line, **kw):
    r = subprocess.run([lab.BIN / "tidemark", "__complete", line], capture_output=True, text=True, timeout=20, **kw)
    assert r.returncode == 0 and not r.stderr
    return [x.split("\t")[0] for x in r.stdout.splitlines()]


def test_everything_that_help_names_is_completed():
    text = subprocess.run([lab.BIN / "tidemark", "--help"], capture_output=True, text=True, check=True).stdout
    usages = {line.split()[0]: line for line in re.search(r"Commands:\n(.*?)\n\n", text, re.S)[1].splitlines() if re.match("  [a-z]", line)}
    assert set(candidates("tidemark ")) == set(usages) and len(usages) > 20
    completed = {command: set(candidates(f"tidemark {command} --")) for command in usages}
    for command, usage in usages.items():
        assert set(re.findall(r"--[a-z-]+", usage)) <= completed[command], command
    options = set(re.findall(r"^  (--[a-z-]+)", text, re.M))
    assert set().union(*completed.values()) == options
    assert "--owner" not in completed["nodes"] and "--json" in completed["nodes"] and "--json" in candidates("tidemark --j")


def test_the_scripts_are_those_that_are_installed():
    for shell in "bash", "zsh":
        r = subprocess.run([lab.BIN / "tidemark", "completion", shell], capture_output=True, text=True, check=True)
        assert r.stdout == (SCRIPTS / f"completion.{shell}").read_text()
        subprocess.run([shell, "-n", SCRIPTS / f"completion.{shell}"], check=True)
    r = subprocess.run([lab.BIN / "tidemark", "completion", "fish"], capture_output=True, text=True)
    assert r.returncode == 2 and "bash, or zsh" in r.stderr
