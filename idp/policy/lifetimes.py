"""How long things live: the rows of the policy, and the bounds within which an operator sets them. No values here."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from operator import attrgetter
from types import MappingProxyType

from idp.model import EVERYWHERE, Notice
from idp.policy.reading import Bounds, Table
from idp.policy.table import (
    Challenges,
    Enrolments,
    Interactions,
    Links,
    Notices,
    Policy,
    Recovery,
    Registration,
    Sessions,
    Tokens,
    in_units,
)
from idp.sentences import Sentence, sentence

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)

LONGEST_INTERACTION = _HOUR
"""The grant does not name the interaction of its proof; this is the most that "made in this request" can mean."""
LONGEST_ACCESS = _DAY
"""A grant without refresh tokens is kept for so long, and a retired key for a day more."""
LONGEST_HOLD = timedelta(days=30)
"""What was removed within the longest hold still holds up what follows it."""

_SOON = sentence("nobody could answer in time")
_PRESSED_TWICE = sentence("whoever presses twice, or loses an answer, would be refused")
_COPIED = sentence("whoever copied it could use it for as long")

# Each row by its name in the file, which is where `Policy` has it too.
LIFETIMES: Mapping[str, Bounds[timedelta]] = MappingProxyType(
    {
        # NIST SP 800-63B-4 2.2.3: SHOULD be no more than 1 hour and 24 hours; 2.1.3: 30 days are for one factor.
        # A session is seen once a minute, and a person may need some to find a phone.
        "sessions.idle": Bounds(
            5 * _MINUTE, 30 * _DAY, sentence("it would end while somebody signs in"), sentence("no session may live on")
        ),
        "sessions.life": Bounds(
            5 * _MINUTE,
            30 * _DAY,
            sentence("it would end while somebody signs in"),
            sentence("a person signs in once a month at least"),
        ),
        "sessions.forgiven": Bounds(_SECOND, _MINUTE, _PRESSED_TWICE, _COPIED),
        "sessions.known": Bounds(
            _DAY, 400 * _DAY, sentence("everybody would be a stranger"), sentence("browsers keep no cookie longer")
        ),
        "sessions.site": Bounds(
            _SECOND,
            5 * _MINUTE,
            sentence("every request would ask the database"),
            sentence("whoever is signed out stays in for so long"),
        ),
        "interaction.ttl": Bounds(
            2 * _MINUTE,
            LONGEST_INTERACTION,
            _SOON,
            sentence("what was proved before would count as made in the same request"),
        ),
        # NIST SP 800-63B-4 3.1.3.2: at most 10 minutes. Nothing is sent that lives for 30 seconds or less.
        "challenge.ttl": Bounds(
            _MINUTE, 10 * _MINUTE, _SOON, sentence("no code may be good for longer (NIST SP 800-63B-4)")
        ),
        "enrolment.hold": Bounds(
            _SECOND, LONGEST_HOLD, sentence("there would be none"), sentence("what was removed counts for so long")
        ),
        "enrolment.ttl": Bounds(2 * _MINUTE, _HOUR, _SOON, sentence("a secret on a screen would be good for too long")),
        "tokens.code": Bounds(
            # FAPI 2.0 Security Profile 5.3.2.1: at most 60 seconds; RFC 6749 4.1.2 lets others have 10 minutes.
            5 * _SECOND,
            _MINUTE,
            sentence("an application far away could not redeem it"),
            sentence("a code is redeemed at once (FAPI 2.0)"),
        ),
        "tokens.id_token": Bounds(
            _MINUTE,
            LONGEST_ACCESS,
            sentence("an application whose clock is late would refuse it"),
            sentence("the key that signed it may be gone"),
        ),
        "tokens.access": Bounds(
            30 * _SECOND,
            LONGEST_ACCESS,
            sentence("it would be gone before it is used"),
            sentence("nothing is kept of it for longer"),
        ),
        "tokens.refresh": Bounds(
            5 * _MINUTE,
            365 * _DAY,
            sentence("a grant would end before it is used"),
            sentence("a person is asked once a year at least"),
        ),
        "tokens.refresh_max": Bounds(
            5 * _MINUTE,
            365 * _DAY,
            sentence("a grant would end before it is used"),
            sentence("a person is asked once a year at least"),
        ),
        # RFC 9700 4.14.2: what comes back later is theft.
        "tokens.forgiven": Bounds(
            _SECOND, _MINUTE, sentence("an application that lost an answer would be refused"), _COPIED
        ),
        # RFC 9126 2.2: 5 to 600 seconds
        "tokens.pushed": Bounds(
            5 * _SECOND,
            10 * _MINUTE,
            sentence("no browser could get there"),
            sentence("whoever asked for it comes at once (RFC 9126)"),
        ),
        "notices.ttl": Bounds(
            _HOUR, 7 * _DAY, sentence("a phone that is off would miss it"), sentence("it would be news no more")
        ),
        "notices.tried_for": Bounds(
            _DAY,
            90 * _DAY,
            sentence("a gateway that is down would end a hold for ever"),
            sentence("an operator has to vouch some day"),
        ),
        # NIST SP 800-63B-4 4.2.1.2: a recovery code sent to a verified address is valid for 24 hours at most.
        "links.reset": Bounds(
            5 * _MINUTE, _DAY, sentence("mail takes its time"), sentence("a mailbox is read by others some day")
        ),
        "links.verify_email": Bounds(
            5 * _MINUTE, 7 * _DAY, sentence("mail takes its time"), sentence("who gave the address has forgotten it")
        ),
        "links.freeze": Bounds(
            _DAY, 30 * _DAY, sentence("not everybody reads mail each day"), sentence("an old mail would stop somebody")
        ),
        "recovery.nudge": Bounds(
            7 * _DAY, 730 * _DAY, sentence("nobody reads what is always there"), sentence("nobody would be asked")
        ),
        "links.register": Bounds(
            5 * _MINUTE, 7 * _DAY, sentence("mail takes its time"), sentence("it lies about for so long")
        ),
        "links.invite": Bounds(
            _HOUR, 30 * _DAY, sentence("nobody could act on it in time"), sentence("it lies about for so long")
        ),
        "links.ticket": Bounds(
            5 * _MINUTE, 7 * _DAY, sentence("it has to reach the person first"), sentence("it lies about for so long")
        ),
    }
)

# NIST SP 800-63B-4 3.2.2 lets 100 pass in a row; of one code of six digits it is three.
ATTEMPTS = Bounds(1, 3, sentence("nobody could sign in"), sentence("a code dies after three wrong tries"))
WRONG_CODES = Bounds(1, 100, sentence("every notice has a cause"), sentence("nobody types more of them"))


def lifetimes_of(policy: Policy) -> dict[str, timedelta]:
    """Every lifetime of a policy by the name of its row."""
    return {row: attrgetter(row)(policy) for row in LIFETIMES}


def sessions(table: Table) -> Sessions:
    """`[sessions]`."""
    told = len(table.problems)
    read = Sessions(
        idle=_span(table, "idle"),
        life=_span(table, "life"),
        forgiven=_span(table, "forgiven"),
        known=_span(table, "known"),
        site=_span(table, "site"),
    )
    if read.life < read.idle and len(table.problems) == told:
        table.clash("life", read.life, _not_shorter("sessions.idle", read.idle))
    table.close()
    return read


def interaction(table: Table) -> Interactions:
    """`[interaction]`."""
    read = Interactions(ttl=_span(table, "ttl"))
    table.close()
    return read


def challenge(table: Table) -> Challenges:
    """`[challenge]`."""
    read = Challenges(
        ttl=_span(table, "ttl"),
        attempts=table.number("attempts", ATTEMPTS),
        message_at_once=table.flag("message_at_once", default=False),
    )
    table.close()
    return read


def enrolment(table: Table) -> Enrolments:
    """`[enrolment]`."""
    read = Enrolments(hold=_span(table, "hold"), ttl=_span(table, "ttl"))
    table.close()
    return read


def tokens(table: Table) -> Tokens:
    """`[tokens]`."""
    told = len(table.problems)
    read = Tokens(
        code=_span(table, "code"),
        id_token=_span(table, "id_token"),
        access=_span(table, "access"),
        refresh=_span(table, "refresh"),
        refresh_max=_span(table, "refresh_max"),
        forgiven=_span(table, "forgiven"),
        pushed=_span(table, "pushed"),
    )
    if read.refresh_max < read.refresh and len(table.problems) == told:
        table.clash("refresh_max", read.refresh_max, _not_shorter("tokens.refresh", read.refresh))
    table.close()
    return read


def notices(table: Table) -> Notices:
    """`[notices]`."""
    read = Notices(
        ttl=_span(table, "ttl"),
        tried_for=_span(table, "tried_for"),
        wrong_codes=table.number("wrong_codes", WRONG_CODES),
        texts=_which(table, "texts"),
        no_texts=_which(table, "no_texts"),
    )
    for notice in sorted(read.no_texts & (read.texts | EVERYWHERE)):
        if notice in read.texts:
            why = sentence("%(notice)s stands in notices.texts too", notice=notice.value)
        else:
            why = sentence("%(notice)s changes how somebody signs in: it is texted", notice=notice.value)
        table.wrong("no_texts", why)
    table.close()
    return read


def recovery(table: Table) -> Recovery:
    """`[recovery]`."""
    read = Recovery(second_operator=table.flag("second_operator", default=False), nudge=_span(table, "nudge"))
    table.close()
    return read


def registration(table: Table) -> Registration:
    """`[registration]`."""
    read = Registration(open=table.flag("open", default=False))
    table.close()
    return read


def links(table: Table) -> Links:
    """`[links]`."""
    read = Links(**{each.name: _span(table, each.name) for each in fields(Links)})
    table.close()
    return read


def _which(table: Table, key: str) -> frozenset[Notice]:
    """The notices of a list."""
    value = table.left.pop(key, table.usual[key])
    if not isinstance(value, list):
        table.wrong(key, sentence("must be a list of notices, not %(value)s", value=repr(value)))
        value = []
    known = {notice.value for notice in Notice}
    named = [each for each in value if isinstance(each, str) and each in known]
    for each in value:
        if each not in named:
            names = ", ".join(sorted(known))
            table.wrong(key, sentence("there is no notice %(name)s; there are %(names)s", name=repr(each), names=names))
    return frozenset(Notice(each) for each in named)


def _not_shorter(row: str, span: timedelta) -> Sentence:
    return sentence("must not be shorter than %(row)s, which is %(span)s", row=row, span=in_units(span))


def _span(table: Table, key: str) -> timedelta:
    return table.span(key, LIFETIMES[f"{table.where}.{key}"])
