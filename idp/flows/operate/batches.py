"""An operator invites many at once, from a table: all lines are judged first, then everybody is stored together."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

from idp.audit import AccountChanged
from idp.flows.delivery.linking import link_address, link_token
from idp.flows.idp import Idp
from idp.flows.operate.claims import SETTABLE, parse_claims
from idp.flows.operate.confirming import at_work
from idp.flows.operate.invitations import Invited
from idp.flows.operate.people import (
    NotAcceptable,
    known_group,
    parse_email,
    parse_locale,
    parse_name,
    parse_phone,
    parse_username,
)
from idp.flows.operate.permitting import NotPermitted, permit
from idp.flows.operate.spending import closed_country
from idp.flows.operate.terms import settle
from idp.flows.operate.vouching import added, vouched_phone
from idp.flows.people import links
from idp.importing.incoming import Unreadable
from idp.importing.table import opened
from idp.model import Account, Change
from idp.model.links import LinkFor
from idp.policy import Act
from idp.sms.phone import Phone
from idp.store import audits
from idp.store.batches import BATCH
from idp.store.people import arrivals, newcomers
from idp.store.people import links as store_links
from idp.store.people.arrivals import Arrival, Enrolled

T = TypeVar("T")
COLUMNS = ("username", "name", "email", "phone", "groups", "locale", *SETTABLE)


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why one line of the table cannot be taken."""

    line: int
    username: str
    why: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Who was invited, whose username was there already, and what is wrong; `done`: it was stored.

    With a mistake nobody is, unless wrong lines were to be left out. Who was there is as they were; of them are
    `waiting` those who have set no password yet: if their link was lost, with a process that was killed, they need one.
    `closed` are those who are invited and whose phone gets no code, by the reason.
    """

    invited: tuple[Invited, ...]
    there: tuple[str, ...]
    wrong: tuple[Mistake, ...]
    done: bool
    waiting: tuple[str, ...] = ()
    closed: Mapping[str, Sequence[str]] = field(default_factory=dict)


async def invite_many(
    idp: Idp,
    table: bytes,
    *,
    mail: bool,
    skip_wrong: bool = False,
    dry_run: bool = False,
    keep: Callable[[Sequence[Invited]], None] = lambda _: None,
) -> Batch:
    """Invite everybody in a CSV table whose first line has names of `COLUMNS`: all of them or, with a mistake, nobody.

    A phone is one that the operator knows to be theirs. With `mail` each link goes to the address, which it proves;
    else it is in the answer, once. `keep` is given them before anything is certain, so that no link is lost with the
    process: if it raises, nobody was invited. Run again it invites nobody twice. Raises `Unreadable`, `NotAcceptable`.
    """
    permit(idp, Act.INVITE)
    if mail and idp.settings.smtp_url is None:
        raise NotAcceptable("Nothing here sends mail: set IDP_SMTP_URL, or ask for the links without mail.")
    now = idp.clock.now()
    wrong: list[Mistake] = []
    wanted: dict[str, Arrival] = {}
    closed: dict[str, str] = {}
    for line, cells in _lines(table):
        read = _judge(idp, cells, mail=mail, now=now)
        username = cells.get("username", "")
        if isinstance(read, Arrival) and read.account.username in wanted:
            wrong.append(Mistake(line, username, "an earlier line has this username."))
        elif isinstance(read, Arrival):
            wanted[read.account.username] = read
            if (why := _closed(idp, cells)) is not None:
                closed[read.account.username] = why
        else:
            wrong += [Mistake(line, username, why) for why in read]
    if dry_run or (wrong and not skip_wrong):
        would = await arrivals.would_add(idp.db, list(wanted.values()))
        new = [each.account for each in wanted.values() if each.account.id in would]
        known = wanted.keys() - {one.username for one in new}
        until = now + idp.policy.links.invite
        invited: Sequence[Invited] = [Invited(one, until, None) for one in new]
        return await _told(idp, invited, sorted(known), wrong, closed, done=False)
    invited = await _store(idp, list(wanted.values()), mail=mail, keep=keep, now=now)
    there = sorted(wanted.keys() - {each.account.username for each in invited})
    return await _told(idp, invited, there, wrong, closed, done=True)


async def _told(
    idp: Idp,
    invited: Sequence[Invited],
    there: Sequence[str],
    wrong: Sequence[Mistake],
    closed: Mapping[str, str],
    *,
    done: bool,
) -> Batch:
    waiting = await newcomers.waiting(idp.db, usernames=there) if there else ()
    whose: dict[str, list[str]] = {}
    for each in invited:
        if (why := closed.get(each.account.username)) is not None:
            whose.setdefault(why, []).append(each.account.username)
    return Batch(tuple(invited), tuple(there), tuple(wrong), done=done, waiting=waiting, closed=whose)


def _closed(idp: Idp, cells: Mapping[str, str]) -> str | None:
    """Why the phone of a line that was judged gets no code."""
    typed = cells.get("phone")
    return closed_country(idp, parse_phone(typed, region=idp.settings.sms_region).region) if typed else None


async def _store(
    idp: Idp, wanted: Sequence[Arrival], *, mail: bool, keep: Callable[[Sequence[Invited]], None], now: datetime
) -> Sequence[Invited]:
    """Three statements for each five hundred, in one transaction."""
    invited: list[Invited] = []
    async with idp.db.transaction() as conn:
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + BATCH]
            stored = await arrivals.add(conn, batch, now=now)
            new = [each for each in batch if each.account.id in stored]
            made = []
            for each in new:
                account = each.account
                await settle(conn, idp, account, Change.OPERATOR_INVITES, why="invited", now=now)
                ttl, told = idp.policy.links.invite, {"mailed": mail}
                link = links.new(idp, LinkFor.INVITE, account.id, ttl=ttl, now=now, fields=told)
                token = link_token(idp, LinkFor.INVITE, nonce=link.nonce, key_id=link.key_id)
                address = None if mail else link_address(idp, LinkFor.INVITE, token)
                invited.append(Invited(account, link.link.expires_at, address))
                made.append((link, account.locale))
            await store_links.add_many(conn, made, mail=mail)
            phones = [one.authenticator for each in new for one in each.enrolled]
            await audits.add_many(conn, [(added(one), one.account_id) for one in phones], now=now)
        await at_work(conn, idp)
        keep(invited)
    return invited


def _lines(table: bytes) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Each line with its cells by column; what is too many is under the empty name. Raises `Unreadable`."""
    columns, rows = opened(table, known=COLUMNS)
    for column in columns:
        if column not in COLUMNS:
            raise Unreadable(f"There is no column {column[:60]!r}. Columns are {', '.join(COLUMNS)}.")
    for line, row in rows:
        cells = dict(zip(columns, (cell.strip() for cell in row), strict=False))
        yield line, {**cells, "": "".join(row[len(columns) :])} if len(row) > len(columns) else cells


def _judge(idp: Idp, cells: Mapping[str, str], *, mail: bool, now: datetime) -> Arrival | list[str]:
    """The person of a line, or everything that is wrong with it."""
    wrong: list[str] = []

    def tried(parse: Callable[[str], T], text: str | None) -> T | None:
        try:
            return parse(text) if text else None
        except (NotAcceptable, NotPermitted) as error:
            wrong.append(str(error))
            return None

    def group_of(text: str) -> str:
        permit(idp, Act.SET_GROUPS, into=[group := known_group(text, idp.policy)])
        return group

    def phone_of(text: str) -> Phone:
        permit(idp, Act.VOUCH)
        return parse_phone(text, region=idp.settings.sms_region)

    username = tried(parse_username, cells.get("username"))
    name, email = tried(parse_name, cells.get("name")), tried(parse_email, cells.get("email"))
    locale = tried(parse_locale, cells.get("locale"))
    number = tried(phone_of, cells.get("phone"))
    names = re.split(r"[\s;,|]+", cells.get("groups", ""))
    groups = frozenset(group for each in names if (group := tried(group_of, each)) is not None)
    claims: Mapping[str, Any] = {}
    for claim in SETTABLE:
        said = tried(partial(_claimed, claim, claims), cells.get(claim))
        claims = claims if said is None else said
    if not cells.get("username"):
        wrong.append("There is no username.")
    if mail and not cells.get("email"):
        wrong.append("There is no e-mail address that the link could go to.")
    if "" in cells:
        wrong.append("There are more cells than columns.")
    if wrong or username is None:
        return wrong
    account = Account(
        id=uuid4(),
        username=username,
        created_at=now,
        updated_at=now,
        name=name,
        email=email,
        groups=groups,
        claims=claims,
        locale=locale,
        invited=True,
    )
    enrolled = () if number is None else (Enrolled(*vouched_phone(idp, account.id, number, now=now)),)
    return Arrival(account, AccountChanged(change="invited"), enrolled=enrolled)


def _claimed(claim: str, known: Mapping[str, Any], value: str) -> Mapping[str, Any]:
    return parse_claims([f"{claim}={value}"], known=known)
