"""Advisory locks on files. They end with the last process that has them open, whatever ended it; files stay."""

import fcntl
import os
import time
from datetime import timedelta
from pathlib import Path

from idp.localpg.account import open_private

POLL = timedelta(milliseconds=5)


def take(path: Path, *, shared: bool = False, within: timedelta | None = timedelta(0)) -> int | None:
    """A descriptor that holds the lock until it is closed, or None if others have it still after `within`.

    Without `within` it waits for ever.
    """
    fd = open_private(path, os.O_RDWR)
    deadline = None if within is None else time.monotonic() + within.total_seconds()
    try:
        while True:
            try:
                fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            except BlockingIOError:
                if deadline is not None and time.monotonic() >= deadline:
                    os.close(fd)
                    return None
                time.sleep(POLL.total_seconds())
            else:
                return fd
    except BaseException:
        os.close(fd)
        raise


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock exclusively now. Creates nothing."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)
