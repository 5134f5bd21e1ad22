"""`idp serve` as a process of its own, and what descends from it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.world.waiting import NEVER

IDP = [sys.executable, "-m", "idp"]


def environment(home: Path, **changes: str) -> dict[str, str]:
    return {**os.environ, "IDP_DATA_DIR": str(home), "IDP_METRICS": "off", **changes}


@contextmanager
def serving(home: Path, *arguments: str, **changes: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """A server that says where it listens; killed at the end if it still lives."""
    process = subprocess.Popen(
        [*IDP, "serve", "--port", "0", "--json", *arguments],
        env=environment(home, **changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        yield process, json.loads(line)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=NEVER)


def lives(process: int) -> bool:
    try:
        return "zombie" not in Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return False


def children(process: int) -> set[int]:
    return {int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()}
