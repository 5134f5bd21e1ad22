"""A name server on this machine, for what `idp doctor` asks. Nothing here is a test."""

import socket
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.world.waiting import NEVER


def _answer(asked: bytes, records: Mapping[str, Sequence[str]], *, cut: bool, code: int) -> bytes:
    at, labels = 12, []
    while size := asked[at]:
        labels.append(asked[at + 1 : at + 1 + size].decode())
        at += 1 + size
    question, name = asked[12 : at + 5], ".".join(labels).lower()
    found = [] if cut or code else list(records.get(name, ()))
    status = code or (0 if name in records else 3)
    head = asked[:2] + struct.pack("!HHHHH", 0x8180 | (0x0200 if cut else 0) | status, 1, len(found), 0, 0)
    body = b""
    for text in found:
        raw = text.encode()
        pieces = [raw[i : i + 255] for i in range(0, len(raw), 255)] or [b""]
        data = b"".join(bytes((len(piece),)) + piece for piece in pieces)
        body += b"\xc0\x0c" + struct.pack("!HHIH", 16, 1, 60, len(data)) + data
    return head + question + body


@contextmanager
def answering(
    records: Mapping[str, Sequence[str]], *, long: bool = False, code: int = 0, silent: bool = False, noise: bytes = b""
) -> Iterator[tuple[str, int]]:
    """Where to ask. `long`: by TCP alone; `noise` stands in place of every answer."""
    stop = threading.Event()
    stream = socket.create_server(("127.0.0.1", 0))
    port = stream.getsockname()[1]
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", port))
    for each in (stream, datagrams):
        each.settimeout(0.05)

    def by_datagram() -> None:
        while not stop.is_set():
            try:
                asked, who = datagrams.recvfrom(4096)
            except TimeoutError:
                continue
            if not silent:
                datagrams.sendto(noise or _answer(asked, records, cut=long, code=code), who)

    def by_stream() -> None:
        while not stop.is_set():
            try:
                peer, _ = stream.accept()
            except TimeoutError:
                continue
            with peer:
                peer.settimeout(NEVER)
                asked = peer.recv(4096)[2:]
                answer = _answer(asked, records, cut=False, code=code)
                peer.sendall(len(answer).to_bytes(2, "big") + answer)

    threads = [threading.Thread(target=work) for work in (by_datagram, by_stream)]
    for thread in threads:
        thread.start()
    try:
        yield "127.0.0.1", port
    finally:
        stop.set()
        for thread in threads:
            thread.join(NEVER)
        stream.close()
        datagrams.close()
