"""The pages behind the link of a notice: what its button does, and what to do afterwards."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from idp.model import Notice
from idp.sms.notices import said


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Where the link leads: a question, because GET changes nothing. An empty form to `action`.

    `notice` is what the person was told; times are written in `zone`.
    """

    template: ClassVar[str] = "freeze.html"
    action: str
    notice: Notice
    at: datetime
    zone: str | None = None
    device: str | None = None
    address: str | None = None

    @property
    def what(self) -> str:
        """What happened, in English, with `{brand}` in it."""
        return said(self.notice, str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """It is done, now or before. Links to `home`, and to `forgot` where a new password can be had by e-mail."""

    template: ClassVar[str] = "frozen.html"
    home: str
    forgot: str | None = None
