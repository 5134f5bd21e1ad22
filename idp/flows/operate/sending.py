"""An operator's look at sending: what left, by which gateway, what waits, what is closed. See `spending` for money."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from idp.audit import BlockOpened
from idp.errors import NotThere
from idp.flows.idp import Idp
from idp.flows.operate.confirming import at_work
from idp.flows.operate.deliveries import masked_address
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.permitting import permit
from idp.flows.operate.spending import LOOK_BACK
from idp.policy import Act
from idp.sentences import sentence
from idp.store import audits
from idp.store.delivery import looking, messages
from idp.store.delivery.looking import Block, Hour, Paused, Tries
from idp.store.delivery.messages import Logged
from idp.typed import fold

STATES = ("waiting", "sent", "failed", "expired", "denied")


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """Messages, newest first, one line for each try, each with its masked address; the next page begins `after`."""

    lines: Sequence[tuple[str, Logged]]
    after: UUID | None


async def deliveries_page(
    idp: Idp,
    *,
    username: str | None = None,
    state: str | None = None,
    after: UUID | None = None,
    limit: int = 100,
    back: timedelta = LOOK_BACK,
) -> DeliveryPage:
    """What was to be sent in the time `back`, to anybody or to who has this `username`.

    Raises `NotAcceptable` for a state that there is not, and `NotPermitted` for who may not look any more `after` a
    page before.
    """
    permit(idp, Act.SEE_SENDING)
    if after is not None:
        await at_work(idp.db, idp)
    if state is not None and state not in STATES:
        raise NotAcceptable(
            sentence(
                "%(state)s is no state of a message: there are %(states)s.", state=repr(state), states=", ".join(STATES)
            )
        )
    since, name = idp.clock.now() - back, None if username is None else fold(username)
    found = await looking.page(idp.db, since=since, username=name, state=state, after=after, limit=limit)
    shown = dict.fromkeys(line.message.id for line in found)
    last = list(shown)[-1] if len(shown) == limit else None
    return DeliveryPage([(masked_address(idp, line), line) for line in found], last)


@dataclass(frozen=True, slots=True)
class Sending:
    """The last 24 hours of sending, and how it stands now.

    `order` are the gateways as they are set, the first is used; `waiting` messages have not left, the oldest of them
    `since` then.
    """

    order: Sequence[str]
    tries: Sequence[Tries]
    paused: Sequence[Paused]
    hours: Sequence[Hour]
    waiting: int
    since: datetime | None


async def sending_now(idp: Idp) -> Sending:
    """Gateways, hours and the queue."""
    permit(idp, Act.SEE_SENDING)
    now = idp.clock.now()
    waiting, oldest = await messages.backlog(idp.db, now=now)
    return Sending(
        order=idp.settings.gateways_to_open,
        tries=await looking.tries(idp.db, since=now - LOOK_BACK),
        paused=await looking.paused(idp.db),
        hours=await looking.hours(idp.db, since=now - LOOK_BACK),
        waiting=waiting,
        since=oldest,
    )


async def closed_blocks(idp: Idp) -> Sequence[Block]:
    """The blocks of numbers that are closed now to those who never verified theirs."""
    permit(idp, Act.SEE_SENDING)
    return await looking.blocks(idp.db, now=idp.clock.now())


async def open_block(idp: Idp, key: bytes) -> str:
    """Open a block again; its country. Raises `NotThere` if it is not closed."""
    permit(idp, Act.CHANGE_SENDING)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        region = await looking.open_block(conn, key=key, now=now)
        await at_work(conn, idp)
        if region is None:
            raise NotThere(sentence("This block of numbers is not closed."))
        await audits.add(conn, BlockOpened(region=region), now=now)
    return region
