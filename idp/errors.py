"""The tree of errors. Expected outcomes are values in a union; these are for broken rules and broken machines."""

from datetime import timedelta
from types import TracebackType

_LAST_PLACES = 8


class IdpError(Exception):
    """Any failure of ours. The text is safe to show an operator and holds no secret; `problems` are its sentences."""

    def __init__(self, *problems: str) -> None:
        super().__init__(" ".join(problems))
        self.problems = list(problems)


class OAuthError(IdpError):
    """A request the protocol refuses. `code` and `description` go to the client, `detail` only to the log.

    `code` is a registered error code (RFC 6749 4.1.2.1 and 5.2, OIDC Core 3.1.2.6, RFC 6750 3.1); `status` the HTTP
    status where the answer is not a redirect.
    """

    def __init__(self, code: str, description: str, *, detail: str = "", status: int = 400) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.detail = detail
        self.status = status


class Unavailable(IdpError):
    """The database, a lock or a count cannot be consulted: the answer is "not now", never "yes" (promise 8)."""


class Busy(Unavailable):
    """A queue of this process is full: whatever was asked for was not begun."""


class TooMany(IdpError):
    """This was done too often from one address; again after `retry_after`."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__("Too many from one address.")
        self.retry_after = retry_after


class SettingsError(IdpError):
    """Wrong settings, every mistake in `problems`, one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


class NotThere(IdpError):
    """A name an operator gave does not exist."""


class AlreadyThere(IdpError):
    """A name an operator gave exists already; `field` is where it was given, if that is to be told."""

    def __init__(self, *problems: str, field: str = "") -> None:
        super().__init__(*problems)
        self.field = field


class Outdated(IdpError):
    """What an operator changes is not any more as they saw it. Nothing was changed."""


class SealBroken(IdpError):
    """A sealed value does not open: wrong key, wrong row or changed bytes."""


def places(step: TracebackType | None) -> list[str]:
    """The last files, lines and functions of a traceback, without the values in it."""
    found: list[str] = []
    while step is not None:
        code = step.tb_frame.f_code
        found.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{step.tb_lineno} {code.co_name}")
        step = step.tb_next
    return found[-_LAST_PLACES:]
