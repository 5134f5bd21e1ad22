"""Asking for a link, for whoever forgot the password. Everybody hears the same, in the same time (promise 9)."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from idp import limits
from idp.audit import ResetAsked
from idp.flows.idp import Idp, Visitor, address_key, exempt
from idp.flows.language import page_language
from idp.flows.people import links
from idp.limits import Closed, Limit, Refused
from idp.model.links import LinkFor
from idp.store import rate_limits
from idp.store.people import resets
from idp.typed import fold

FORGOT_PATH = "/forgot"
LOST_PATH = "/lost"
_NOBODY = UUID(int=0)
_ACCOUNTS = 3  # people of one address who are written to


@dataclass(frozen=True, slots=True)
class Asked:
    """If there is such a person, a link is on its way."""


@dataclass(frozen=True, slots=True)
class AskedTooOften:
    """Nothing was sent; again after `retry_after`."""

    retry_after: timedelta


def offers(idp: Idp) -> bool:
    """Whether a link can be sent here at all."""
    return idp.settings.smtp_url is not None


async def ask(idp: Idp, visitor: Visitor, *, typed: str) -> Asked | AskedTooOften:
    """Have a link sent to the verified address of this username, or to this address where it is somebody's.

    Two statements, whoever it is. Charged under what was typed, existing or not, and to the visitor's address.
    """
    now, name = idp.clock.now(), fold(typed)
    # On the disk with the trail's row below, before anybody hears of it.
    match await rate_limits.spend(idp.db, _charges(idp, visitor, name), now=now, waits=False):
        case Refused(retry_after):
            return AskedTooOften(retry_after)
        case Closed():
            return AskedTooOften(limits.FOR_EVER)
        case None:
            pass
    ttl = idp.policy.links.reset
    made = [links.new(idp, LinkFor.RESET, _NOBODY, ttl=ttl, now=now) for _ in range(_ACCOUNTS)]
    await resets.ask(
        idp.db,
        typed=name,
        hashes=[each.link.hash for each in made],
        nonces=[each.nonce for each in made],
        key_id=made[0].key_id,
        locale=page_language(idp, visitor),
        expires_at=now + ttl,
        audit=ResetAsked(),
        now=now,
    )
    return Asked()


def _charges(idp: Idp, visitor: Visitor, name: str) -> list[tuple[Limit, bytes]]:
    table = idp.limits
    charges = [(table.reset_person, limits.subject(table.reset_person, idp.secrets.index(name, purpose="username")))]
    if not exempt(idp, visitor):
        charges.append((table.reset_address, limits.subject(table.reset_address, address_key(idp, visitor))))
    return charges
