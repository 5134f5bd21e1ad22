"""The only wall clock of the product. PostgreSQL is the clock: this one follows it (design 6)."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

MAX_DRIFT = timedelta(seconds=2)


class Clock(Protocol):
    """Anything that tells the time; tests pass one that stands still."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...


class DatabaseClock:
    """The monotonic clock plus an offset measured against the database's.

    Until the first `follow` it shows this machine's own time and `trusted()` is False.
    """

    def __init__(self) -> None:
        self._base = datetime.now(UTC) - timedelta(seconds=time.monotonic())  # noqa: TID251 - the one place
        self._measured_at: float | None = None
        self.drift = timedelta(0)

    def now(self) -> datetime:
        """The database's time, to within half a round trip."""
        return self._base + timedelta(seconds=time.monotonic())

    def follow(self, database_time: datetime, *, asked: float, answered: float) -> None:
        """Take over the database's time, read between the monotonic instants `asked` and `answered` (seconds)."""
        base = database_time - timedelta(seconds=(asked + answered) / 2)
        self.drift = base - self._base if self._measured_at is not None else timedelta(0)
        self._base = base
        self._measured_at = answered

    def trusted(self, *, within: timedelta = timedelta(seconds=30)) -> bool:
        """Whether the offset was measured lately and did not jump."""
        if self._measured_at is None or abs(self.drift) > MAX_DRIFT:
            return False
        return time.monotonic() - self._measured_at <= within.total_seconds()
