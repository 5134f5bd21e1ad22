"""Whoever reads our lines may stop reading: nobody waits for that, and afterwards it is told how many are missing."""

import fcntl
import json
import logging
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import structlog

from idp import logs
from tests.world.processes import IDP, environment
from tests.world.waiting import NEVER

F_SETPIPE_SZ = 1031  # Linux
SMALL = 4096


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, F_SETPIPE_SZ, SMALL)
    yield reading, writing
    os.close(reading)


def test_lines_that_nobody_reads_are_dropped_counted_and_told_of(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    before, handlers = structlog.get_config(), logging.getLogger().handlers[:]
    stream = logs.Unhurried(writing, room=10_000)
    try:
        logs.configure(level="info", form="json", stream=stream)
        log = structlog.get_logger("idp.test")
        for number in range(1000):  # a hundred kilobytes: for a stream that waits, this would be the end
            log.info("line", turn=number)
        turns: list[int] = []
        dropped = 0
        with os.fdopen(os.dup(reading), encoding="utf-8") as reader:
            while len(turns) + dropped < 1000:
                line = json.loads(reader.readline())
                if line["event"] == "line":
                    turns.append(line["turn"])
                else:
                    assert (line["event"], line["level"]) == ("lines dropped, for nobody read them", "warning")
                    dropped += line["count"]
    finally:
        structlog.configure(**before)
        logging.getLogger().handlers[:] = handlers
        os.close(writing)
    assert len(turns) + dropped == 1000
    assert dropped > 0
    assert turns == sorted(set(turns))


def test_a_reader_that_is_gone_is_no_trouble(pipe: tuple[int, int]) -> None:
    _, writing = pipe
    stream = logs.Unhurried(os.dup(writing), room=10_000)
    os.close(stream._file)
    for _ in range(100):
        stream.write("x" * 1000 + "\n")
    stream.close()
    os.close(writing)


@pytest.mark.xdist_group("processes")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_whose_lines_nobody_reads_answers(tmp_path: Path, pipe: tuple[int, int], workers: str) -> None:
    _, writing = pipe
    process = subprocess.Popen(
        [*IDP, "serve", "--port", "0", "--workers", workers, "--json"],
        env=environment(tmp_path / "data") | {"IDP_LOG_LEVEL": "info"},
        stdout=subprocess.PIPE,
        stderr=writing,
        text=True,
    )
    os.close(writing)
    try:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["address"]
        with httpx.Client(base_url=address, timeout=NEVER) as http:
            for _ in range(200):  # each of them is a line
                assert http.get("/health/live").status_code == 200
            assert http.get("/health/ready").json()["ready"] is True
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=NEVER)
    assert process.returncode == 0
