"""A command run in this process, and what it came to."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PASSWORD = "tulip gravel 77 ocean"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        read = json.loads(self.out)
        assert isinstance(read, dict)
        assert self.out.count("\n") == 1
        return read


Run = Callable[..., Ran]
