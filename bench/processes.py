"""Processes of the run: on which cores, how much processor time, how much memory. Linux, from /proc."""

import os
import resource
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))


def cores() -> tuple[set[int], set[int]]:
    """The core of what is measured, and those of the load; the same one where there is only one."""
    return {CORES[0]}, set(CORES[1:]) or {CORES[0]}


def pin(pid: int, where: set[int]) -> None:
    """Every thread of a process, and the children it will have. One that has ended needs no core."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), where)


def _fields(pid: int) -> list[str]:
    # After the name, which may hold anything: state, parent, …
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu(pid: int) -> float:
    """Seconds of processor time of one process, threads that ended included."""
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_of_thread(pid: int, thread: int) -> float:
    """Seconds of processor time of one thread. A process's first one, where its event loop runs, has its number."""
    fields = Path(f"/proc/{pid}/task/{thread}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def family(pid: int) -> list[int]:
    """A process and its children."""
    found = [pid]
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int(_fields(int(entry.name))[1])
            except (OSError, IndexError):
                continue
            if parent == pid:
                found.append(int(entry.name))
    return found


def cpu_of_family(pid: int) -> float:
    """Seconds of a process, its children, and those of its children that ended."""
    total = sum(map(int, _fields(pid)[13:15])) / TICKS
    for each in family(pid):
        try:
            total += cpu(each)
        except OSError:
            continue
    return total


def resident(pid: int) -> float:
    """Megabytes in memory, shared libraries included."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6
