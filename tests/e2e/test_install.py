"""What `make install` puts where, and the manual."""
import os
import re
import subprocess

import pytest

import lab

PROGRAMS = ["tidemark", "tidemark-central", "tidemark-local"]
PAGES = ["man1/tidemark.1", "man1/tidemark-certificates.1", "man5/tidemark.conf.5", "man8/tidemark-central.8", "man8/tidemark-local.8"]
FILES = {f"usr/bin/{p}" for p in [*PROGRAMS, "tidemark-certificates"]} | {f"usr/share/man/{p}" for p in PAGES} | {
    "usr/share/bash-completion/completions/tidemark", "usr/share/zsh/site-functions/_tidemark"} | {
    f"usr/lib/systemd/system/{unit.name}" for unit in (lab.TOP / "deploy/systemd").iterdir()}


def make(*args):
    # what a make that runs these tests hands down is not for this one
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    # one at a time, as both would write the same pages
    return subprocess.run(["flock", lab.TOP / "build", "make", "-s", f"V={lab.BIN.name}", *args], cwd=lab.TOP, env=env, capture_output=True, text=True, timeout=100)


def files(top):
    return {str(p.relative_to(top)) for p in top.rglob("*") if not p.is_dir()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    top = tmp_path_factory.mktemp("installed")
    r = make("install", f"DESTDIR={top}", "PREFIX=/usr")
    assert r.returncode == 0 and not r.stdout and not r.stderr, r
    return top


def test_install_is_complete_and_uninstall_takes_all_of_it_away(installed, tmp_path):
    assert files(installed) == FILES
    for p in PROGRAMS:
        r = subprocess.run([installed / "usr/bin" / p, "--version"], capture_output=True, text=True)
        assert r.returncode == 0 and r.stdout.startswith(p + " "), r
    # without what makes the manual the rest is installed, and that is said
    r = make("install", f"DESTDIR={tmp_path}", "PREFIX=/usr", "SCDOC=")
    assert r.returncode == 0 and "apt-get install scdoc" in r.stderr
    assert files(tmp_path) == {f for f in FILES if "/man/" not in f}
    (tmp_path / "usr/bin/other").touch()
    assert make("uninstall", f"DESTDIR={tmp_path}", "PREFIX=/usr").returncode == 0
    assert files(tmp_path) == {"usr/bin/other"}


def hardening(*files):
    return subprocess.run([lab.TOP / "tests/hardening", *files], capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(lab.sanitized(), reason="a sanitizer has its own way")
def test_the_programs_are_hardened():
    """By compiler and linker: no place where an overrun, a written pointer or a large frame goes further than it must."""
    r = hardening(*(lab.BIN / p for p in PROGRAMS))
    assert r.returncode == 0 and not r.stdout + r.stderr, r
    # the released ones are built with all that these are
    debug, release = (set(make("-n", "-W", "shared/err.c", f"V={v}").stdout.split()) for v in ("debug", "release"))
    wanted = {f for f in debug if f.startswith(("-f", "-D_FORTIFY", "-Wl,"))} - {"-fno-omit-frame-pointer"}
    assert len(wanted) > 4 and wanted <= release, wanted - release


def test_a_program_that_is_not_hardened_is_found_out(tmp_path):
    """What is missing is said, each by its name."""
    (tmp_path / "soft.c").write_text("int main(int n, char **v) { char b[99]; __builtin_strcpy(b, v[0]); return b[n]; }\n")
    subprocess.run(["cc", "-O1", "-fno-stack-protector", "-U_FORTIFY_SOURCE", "-no-pie", "-fcf-protection=none", "-Wl,-z,norelro,-z,lazy,-z,execstack",
                    "-Wl,-rpath,/tmp", "-o", tmp_path / "soft", tmp_path / "soft.c"], check=True, timeout=60)
    r = hardening(tmp_path / "soft")
    words = {line.split(": ")[1] for line in r.stdout.splitlines()}
    wanted = {"no position-independent code", "no read-only relocations", "no stack that is not executable", "no immediate binding",
              "no fixed places of libraries", "no stack protector", "no fortified calls"}
    assert r.returncode == 1 and wanted <= words, (words, r.stderr)
    if os.uname().machine == "x86_64":
        assert words - wanted == {"no control-flow protection", "no landing places of calls", "no stack-clash protection"}
    assert hardening(lab.TOP / "Makefile").returncode == 2


def test_the_manual_says_what_help_says():
    r = subprocess.run([lab.TOP / "deploy/man/renew", "--check", lab.BIN], capture_output=True, text=True)
    assert r.returncode == 0, f"deploy/man/renew mends it:\n{r.stdout}{r.stderr}"


def test_the_units_name_pages_that_are_there():
    named = {page for unit in (lab.TOP / "deploy/systemd").iterdir() for page in re.findall(r"man:(\S+)\((\d)\)", unit.read_text())}
    assert len(named) > 2 and all((lab.TOP / "deploy/man" / f"{name}.{section}.scd").exists() for name, section in named), named


def test_the_manual_is_well_formed(installed):
    for page in PAGES:
        path = installed / "usr/share/man" / page
        r = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], capture_output=True, text=True)
        # of empty paragraphs scdoc makes many
        wrong = [line for line in r.stdout.splitlines() if "skipping paragraph macro" not in line]
        assert not wrong and not r.stderr, wrong
        text = subprocess.run(["mandoc", "-T", "utf8", path], capture_output=True, text=True, check=True).stdout
        text = re.sub(".\b", "", text)  # printed twice: bold
        assert "\nNAME\n" in text and "\nSEE ALSO\n" in text
