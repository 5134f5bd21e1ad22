"""The pages of one's own phones: name one, type its code, change or remove it. What they show, nothing else."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from idp.web.pages.loss import Loss
from idp.web.pages.parts import Delivery, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPhone:
    """The number of a phone that is to be added. Posts `number` to `action`.

    `replaces` is the hint of the one that it takes the place of. `hold`: for so long it does not help to enrol others.
    """

    template: ClassVar[str] = "new_phone.html"
    action: str
    back: str
    number: str = ""
    replaces: str | None = None
    hold: timedelta | None = None
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyPhone:
    """The code that went to a new phone. Posts `code` and `label` to `action`, an empty form to `resend`.

    With `valid_for` None no code is outstanding. `resend_in` is how long until `resend` is possible, None for now.
    """

    template: ClassVar[str] = "verify_phone.html"
    action: str
    resend: str
    other: str
    back: str
    hint: str
    label: str = ""
    replaces: bool = False
    hold: timedelta | None = None
    valid_for: timedelta | None = None
    resend_in: timedelta | None = None
    tries_left: int | None = None
    delivery: Delivery = Delivery.UNKNOWN
    wait: timedelta | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPhone:
    """One phone. Posts `label` to `rename`, empty forms to `prefer` and `remove`; `replace` is a link.

    `prefer` is None where it comes first already; `others`: there are more phones.
    """

    template: ClassVar[str] = "edit_phone.html"
    hint: str
    label: str
    rename: str
    replace: str
    remove: str
    back: str
    loss: Loss
    prefer: str | None = None
    others: bool = False
    problems: tuple[Problem, ...] = ()
