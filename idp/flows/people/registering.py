"""Making an account by oneself, where the policy lets people: a mailbox first, and a phone before it is one.

Everybody hears the same, in the same time, whatever address was typed (promise 9); no text message leaves before a
mailbox was proved (threat 12). What follows is in `welcome`.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from idp import limits
from idp.audit import Registering
from idp.flows.idp import Idp, Visitor, address_key, exempt
from idp.flows.language import page_language
from idp.flows.people import links
from idp.limits import Closed, Limit, Refused
from idp.model.links import LinkFor
from idp.model.mail import is_address
from idp.store import rate_limits
from idp.store.people import newcomers
from idp.typed import fold

REGISTER_PATH = "/register"
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """A link is on its way: to make an account, or to the one that there is."""


@dataclass(frozen=True, slots=True)
class AskedTooOften:
    """Nothing was sent; again after `retry_after`."""

    retry_after: timedelta


@dataclass(frozen=True, slots=True)
class Unfit:
    """Nothing was sent: what cannot be. `email`: the address, else the name."""

    email: bool


def offers(idp: Idp) -> bool:
    """Whether people make accounts by themselves here."""
    return idp.policy.registration.open and idp.settings.smtp_url is not None


async def ask(idp: Idp, visitor: Visitor, *, email: str, name: str) -> Asked | AskedTooOften | Unfit:
    """Have a link sent to this address. Two statements, whosever it is.

    Whoever has an account gets the link for a forgotten password instead, which says whose account it is.
    """
    now, email, shown = idp.clock.now(), email.strip(), " ".join(name.split())
    if not is_address(email):
        return Unfit(email=True)
    if len(shown) > LONGEST_NAME or not shown.isprintable():
        return Unfit(email=False)
    # On the disk with the trail's row below, before anybody hears of it.
    match await rate_limits.spend(idp.db, _charges(idp, visitor, fold(email)), now=now, waits=False):
        case Refused(retry_after):
            return AskedTooOften(retry_after)
        case Closed():
            return AskedTooOften(limits.FOR_EVER)
        case None:
            pass
    account_id, ttl = uuid4(), idp.policy.links.register
    await newcomers.register(
        idp.db,
        new=links.new(idp, LinkFor.REGISTER, account_id, ttl=ttl, now=now, fields={"mailed": True}),
        known=links.new(idp, LinkFor.RESET, account_id, ttl=min(ttl, idp.policy.links.reset), now=now),
        username=f"~{account_id.hex}",
        name=shown or None,
        email=email,
        locale=page_language(idp, visitor),
        until=now + ttl + idp.policy.sessions.life,
        audit=Registering(),
        now=now,
    )
    return Asked()


def _charges(idp: Idp, visitor: Visitor, email: str) -> list[tuple[Limit, bytes]]:
    table, mailbox = idp.limits, idp.secrets.index(email, purpose="username")
    charges = [(table.register_mailbox, limits.subject(table.register_mailbox, mailbox))]
    if not exempt(idp, visitor):
        charges.append((table.register_address, limits.subject(table.register_address, address_key(idp, visitor))))
    return charges
