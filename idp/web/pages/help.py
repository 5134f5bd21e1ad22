"""What helps where somebody is stuck on the way in: one table of situations and of what they lead to. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from types import MappingProxyType

from idp.catalogue import mark
from idp.model import Factor
from idp.web.pages.parts import Alternative, Problem
from idp.web.pages.prompts import AuthenticatorCode, EmailCode, RecoveryCode, SignIn, SmsCode, UsePasskey

Asking = SignIn | SmsCode | EmailCode | AuthenticatorCode | RecoveryCode | UsePasskey


class Stuck(Enum):
    """Where somebody is stuck, in their own words."""

    PASSWORD_WRONG = mark("Still not right? Look whether capital letters are on, and at the language of your keyboard.")
    NO_PHONE = mark("No phone here, or a new number?")
    TEXT_WRONG = mark("Still not right? Only the newest text message counts.")
    NO_MAIL = mark("Cannot read your email here?")
    MAIL_WRONG = mark("Still not right? Only the newest email counts.")
    APP_LOST = mark("New phone, or app lost?")
    APP_WRONG = mark("Still not right? Let your phone set its clock by itself, and look at the entry for this account.")
    PASSKEY_ELSEWHERE = mark("Passkey on another device, or lost?")
    CODES_LOST = mark("Codes lost, or all used?")
    CODES_WRONG = mark("Still not right? Only codes of the newest set work, and each works once.")


class Offer(StrEnum):
    """What a line leads to."""

    SAVED = "saved"  # a recovery code
    OTHERS = "others"  # the other ways that the page lists
    RESET = "reset"  # the page for who forgot the password
    ASK = "ask"  # the operator's help, where it has an address, else the people; and the page for who lost all they had


# Where a page asks for this, and what is wrong with an answer that came before.
_SITUATIONS: Mapping[type[Asking], tuple[Stuck | None, Problem, Stuck]] = MappingProxyType(
    {
        SignIn: (None, Problem.SIGN_IN_WRONG, Stuck.PASSWORD_WRONG),
        SmsCode: (Stuck.NO_PHONE, Problem.CODE_WRONG, Stuck.TEXT_WRONG),
        EmailCode: (Stuck.NO_MAIL, Problem.CODE_WRONG, Stuck.MAIL_WRONG),
        AuthenticatorCode: (Stuck.APP_LOST, Problem.CODE_WRONG, Stuck.APP_WRONG),
        UsePasskey: (Stuck.PASSKEY_ELSEWHERE, Problem.PASSKEY_WRONG, Stuck.PASSKEY_ELSEWHERE),
        RecoveryCode: (Stuck.CODES_LOST, Problem.RECOVERY_WRONG, Stuck.CODES_WRONG),
    }
)
# What helps, best first. Of what is not there nothing is said; somebody can always be asked.
OFFERS: Mapping[Stuck, tuple[Offer, ...]] = MappingProxyType(
    {
        Stuck.PASSWORD_WRONG: (Offer.RESET, Offer.ASK),
        Stuck.NO_PHONE: (Offer.SAVED, Offer.OTHERS, Offer.ASK),
        Stuck.TEXT_WRONG: (Offer.OTHERS, Offer.SAVED, Offer.ASK),
        Stuck.NO_MAIL: (Offer.OTHERS, Offer.SAVED, Offer.ASK),
        Stuck.MAIL_WRONG: (Offer.OTHERS, Offer.SAVED, Offer.ASK),
        Stuck.APP_LOST: (Offer.SAVED, Offer.OTHERS, Offer.ASK),
        Stuck.APP_WRONG: (Offer.OTHERS, Offer.SAVED, Offer.ASK),
        Stuck.PASSKEY_ELSEWHERE: (Offer.OTHERS, Offer.SAVED, Offer.ASK),
        Stuck.CODES_LOST: (Offer.OTHERS, Offer.ASK),
        Stuck.CODES_WRONG: (Offer.OTHERS, Offer.ASK),
    }
)


@dataclass(frozen=True, slots=True)
class Help:
    """One line: the situation, and the best thing that is there for it, at `href` where that is another page."""

    stuck: Stuck
    offer: Offer
    href: str | None = None


def help_of(page: Asking) -> Help | None:
    """The line of this page; None for a sign-in at which nothing went wrong yet."""
    first, wrong, again = _SITUATIONS[type(page)]
    stuck = again if wrong in page.problems else first
    if stuck is None:
        return None
    there = _there(page)
    offer = next(offer for offer in OFFERS[stuck] if offer in there)
    return Help(stuck, offer, there[offer])


def _there(page: Asking) -> Mapping[Offer, str | None]:
    """What this page can lead to, and where that is, if it is another page."""
    ways: tuple[Alternative, ...] = () if isinstance(page, SignIn) else page.alternatives
    if isinstance(page, AuthenticatorCode | UsePasskey) and page.strong:
        ways = tuple(way for way in ways if not way.sent)  # what the page does not show
    saved = next((way.href for way in ways if way.factor is Factor.RECOVERY), None)
    who = None if isinstance(page, SignIn) else page.who
    there: dict[Offer, str | None] = {Offer.ASK: None if who is None else who.lost}
    if isinstance(page, SignIn) and page.forgot is not None:
        there[Offer.RESET] = page.forgot
    if saved is not None:
        there[Offer.SAVED] = saved
    if any(way.factor is not Factor.RECOVERY for way in ways):
        there[Offer.OTHERS] = None
    return there
