"""What stops working when a way to sign in is removed, as pages say it before the button."""

from dataclasses import dataclass
from enum import Enum

from idp.catalogue import mark
from idp.web.pages.parts import ScopeLine


class Kept(Enum):
    """Why a way to sign in cannot be removed now."""

    LAST = mark("It is your only way to sign in besides the password, so it cannot be removed. Add another one first.")
    GROUP = mark("Everything you sign in to asks you for it, so it cannot be removed. Add another one first.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What stops working with an authenticator: these scopes, or signing in by anything but a saved code.

    `kept`: it cannot be removed, and why.
    """

    scopes: tuple[ScopeLine, ...] = ()
    codes_only: bool = False
    no_phone: bool = False
    kept: Kept | None = None
