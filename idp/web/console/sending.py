"""Money, gateways and closed blocks of numbers in the console; a block is opened. See `numbers` for one number."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from idp.catalogue import mark
from idp.errors import IdpError, NotThere
from idp.flows.idp import Idp
from idp.flows.operate.sending import Sending, closed_blocks, open_block, sending_now
from idp.flows.operate.spending import Counters, spending_counters
from idp.flows.people.console import MESSAGES_PATH, NUMBER_PATH, SPENDING_PATH
from idp.policy import Act
from idp.sentences import sentence
from idp.spending import Period, Rule, denies
from idp.store.delivery import breakers
from idp.store.delivery.looking import Block
from idp.web.answers import trouble
from idp.web.console.door import come_in, come_in_with, done, frame, gone, missing, said, show
from idp.web.door import idp_of
from idp.web.pages import Trouble
from idp.web.pages.console import Cell, Detail, Edit, Fact, Link, Section
from idp.web.rooms import url

_PERIODS = {
    Period.HOUR: mark("Spent this hour"),
    Period.DAY: mark("Spent today"),
    Period.MONTH: mark("Spent this month"),
}


async def spending(request: Request) -> Response:
    """GET /admin/messages/spending."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp = idp_of(request)
    counters, now, blocks = await spending_counters(idp), await sending_now(idp), await closed_blocks(idp)
    told, here = said(request), url(request, SPENDING_PATH)
    may = staff.may(idp, Act.CHANGE_SENDING)
    shown = Detail(
        frame=frame(request, staff),
        title=mark("Money and closed numbers"),
        ours=True,
        back=Link(mark("Messages"), url(request, MESSAGES_PATH)),
        sections=(
            _money(idp, counters),
            _blocks(blocks, here if may else None),
            _rules(idp, counters),
            _countries(counters),
            *_gateways(now),
        ),
        acts=(Link(mark("Ask about a number"), url(request, NUMBER_PATH)),),
        done=told.done,
    )
    return show(request, staff, shown)


def _money(idp: Idp, counters: Counters) -> Section:
    money = idp.spending.money
    return Section(
        mark("Money"),
        facts=[
            Fact(term, (_spent(f"{counters.spent[period]:.2f}", f"{money.budgets[period]:.2f} {money.currency}"),))
            for period, term in _PERIODS.items()
        ],
    )


def _spent(spent: str, budget: str) -> Cell:
    return Cell(sentence("%(spent)s of %(budget)s", spent=spent, budget=budget), ours=True)


def _blocks(blocks: Sequence[Block], here: str | None) -> Section:
    """Closed blocks; with the address `here` each leads to the page where it is opened."""
    return Section(
        mark("Closed blocks of numbers"),
        columns=(mark("Block"), mark("Country"), mark("Closed until")),
        rows=[
            (
                Cell(one.key.hex()[:12], href=f"{here}/{one.key.hex()}" if here else None),
                Cell(one.region),
                Cell(at=one.closed_until),
            )
            for one in blocks
        ],
    )


def _rules(idp: Idp, counters: Counters) -> Section:
    def count(rule: Rule, mode: str) -> Cell:
        return Cell(str(sum(one.count for one in counters.denied if one.rule == rule and one.mode == mode)))

    return Section(
        mark("Rules, and what they denied in 24 hours"),
        columns=(mark("Rule"), mark("Mode"), mark("Denies"), mark("Denied"), mark("Would have")),
        rows=[
            (
                Cell(rule.value),
                Cell(mode.value),
                Cell(denies(idp.spending, rule), ours=True),
                count(rule, "enforce"),
                count(rule, "shadow"),
            )
            for rule, mode in idp.spending.modes.items()
        ],
    )


def _countries(counters: Counters) -> Section:
    return Section(
        mark("Codes to numbers that nobody verified before"),
        columns=(mark("Country"), mark("Sent"), mark("Verified"), mark("Closed until")),
        rows=[
            (Cell(one.region), Cell(str(one.sends)), Cell(str(one.verified)), Cell(at=one.closed_until))
            for one in counters.traffic
        ],
    )


def _gateways(now: Sending) -> Sequence[Section]:
    columns = (mark("Gateway"), mark("Country"), mark("Tries"), mark("Taken"), mark("Refused"), mark("Failed"))
    return (
        Section(
            mark("Gateways, the first is used"),
            columns=(mark("Gateway"), mark("Left alone in"), mark("Left alone until")),
            rows=[row for gateway in now.order for row in _pauses(gateway, now)],
        ),
        Section(
            mark("What they did in 24 hours"),
            columns=(*columns, mark("Arrived")),
            rows=[
                (
                    Cell(one.gateway),
                    _country(one.region),
                    *(Cell(str(count)) for count in (one.tries, one.accepted, one.rejected, one.failed, one.delivered)),
                )
                for one in now.tries
            ],
        ),
    )


def _pauses(gateway: str, now: Sending) -> Sequence[Sequence[Cell]]:
    paused = [(Cell(gateway), _country(one.region), Cell(at=one.until)) for one in now.paused if one.gateway == gateway]
    return paused or [(Cell(gateway), Cell(), Cell())]


def _country(region: str) -> Cell:
    match region:
        case breakers.EVERYWHERE:
            return Cell(mark("Every country"), ours=True)
        case breakers.NOWHERE:
            return Cell(mark("No country"), ours=True)
        case _:
            return Cell(region)


async def ask_open(request: Request) -> Response:
    """GET /admin/messages/spending/BLOCK."""
    staff = await come_in(request)
    if isinstance(staff, Response):
        return staff
    idp = idp_of(request)
    if not staff.may(idp, Act.CHANGE_SENDING):
        return trouble(request, Trouble.FORBIDDEN)
    try:
        found = {one.key.hex(): one for one in await closed_blocks(idp)}.get(request.path_params["block"])
    except IdpError as error:
        return missing(request, error)
    if found is None:
        return gone(request, SPENDING_PATH)
    told = said(request)
    shown = Edit(
        frame=frame(request, staff),
        title=mark("Open a block of numbers"),
        about=f"{found.key.hex()[:12]} ({found.region})",
        action=request.url.path,
        back=url(request, SPENDING_PATH),
        button=mark("Open it"),
        consequences=(
            mark("Codes go to these numbers again, whether somebody verified them before or not."),
            mark("It was closed because many numbers in a row were asked for: somebody may be after the money."),
        ),
        grave=True,
        wrong=told.at,
        waiting=told.waiting,
    )
    return show(request, staff, shown, status=told.status)


async def open_again(request: Request) -> Response:
    """POST /admin/messages/spending/BLOCK."""
    found = await come_in_with(request)
    if isinstance(found, Response):
        return found
    try:
        key = bytes.fromhex(request.path_params["block"])
        await open_block(idp_of(request), key)
    except (NotThere, ValueError):
        return gone(request, SPENDING_PATH)
    except IdpError as error:
        return missing(request, error)
    return done(request, SPENDING_PATH, mark("The block of numbers is open again."))
