"""What grows with the number of people and of leftovers."""

from pathlib import Path


def run(data_dir: Path, *, seconds: float, scale: float) -> str:
    raise NotImplementedError
