"""What the kernel says of a process (/proc), by its pid."""
import os
import pathlib
import re

TICKS = os.sysconf("SC_CLK_TCK")  # a second


def status(pid, key):
    """The first word of that line of its status."""
    return re.search(rf"^{key}:\s*(\S+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]


def threads(pid):
    return int(status(pid, "Threads"))


def resident_mib(pid, peak=False):
    return int(status(pid, "VmHWM" if peak else "VmRSS")) / 1024


def stat(pid):
    """The fields of its stat behind the name, the state first (the third of proc(5)); FileNotFoundError: it is gone."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def has_ended(pid):
    """Also where nobody has waited for it yet."""
    try:
        return stat(pid)[0] == "Z"
    except FileNotFoundError:
        return True


def cpu_s(pid, children=False):
    """User and system time of its own, and also of its children that it has waited for."""
    return sum(map(int, stat(pid)[11:15 if children else 13])) / TICKS


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def open_files(pid):
    """Where its descriptors lead."""
    links = []
    for f in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(os.readlink(f))
        except FileNotFoundError:
            pass  # closed meanwhile
    return links
