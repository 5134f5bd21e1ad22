"""People by username, a page at a time: searched here, for there may be a hundred thousand."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from idp.model import Account
from idp.store.engine import Conn
from idp.store.people.columns import ACCOUNT, read_account
from idp.store.sql import Sql


class State(StrEnum):
    """How an account stands. `INVITED`: nobody has set a password yet."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    FROZEN = "frozen"
    INVITED = "invited"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whom to find. `containing` is part of a username, name or e-mail address, in whatever case."""

    containing: str = ""
    group: str | None = None
    state: State | None = None


_STATE = {
    None: "true",
    State.ENABLED: "p.disabled_at IS NULL AND p.frozen_at IS NULL AND p.password_hash IS NOT NULL",
    State.DISABLED: "p.disabled_at IS NOT NULL",
    State.FROZEN: "p.frozen_at IS NOT NULL",
    State.INVITED: "p.password_hash IS NULL AND p.disabled_at IS NULL",
}


def _folded(text: str) -> str:
    """Both sides by one hand: what Python and PostgreSQL make of a letter differs, and some have two small ones."""
    return f"replace(translate(lower({text}), '\u03c2\u017f\u0131', '\u03c3si'), '\xdf', 'ss')"


def _which(state: State | None, *, searched: bool) -> str:
    # Whoever began to register and has not come to an end is nobody's business yet.
    which = f"p.provisional_until IS NULL AND {_STATE[state]} AND (:group::text IS NULL OR :group = ANY (p.groups))"
    if searched:
        text = _folded("p.username || ' ' || coalesce(p.name, '') || ' ' || coalesce(p.email, '')")
        which += f" AND strpos({text}, {_folded(':containing::text')}) > 0"
    return which


def _page(state: State | None, *, searched: bool) -> Sql:
    return Sql(f"""
WITH matching AS NOT MATERIALIZED (
    SELECT p.* FROM account p WHERE {_which(state, searched=searched)}
)
SELECT found.*, (SELECT count(*) FROM matching) AS count
FROM (SELECT) AS always
LEFT JOIN (
    SELECT {ACCOUNT} FROM matching p
    WHERE :after::text IS NULL OR p.username > :after
    ORDER BY p.username
    LIMIT :limit
) AS found ON true
ORDER BY found.username""")


# To take all of them away nobody is counted: each page would read everybody.
_UNCOUNTED = {
    searched: Sql(f"""
SELECT {ACCOUNT} FROM account p
WHERE {_which(None, searched=searched)} AND p.username > coalesce(:after, '')
ORDER BY p.username
LIMIT :limit""")
    for searched in (True, False)
}
_PAGES = {(state, searched): _page(state, searched=searched) for state in _STATE for searched in (True, False)}


async def some(conn: Conn, wanted: Wanted, *, after: str | None, limit: int) -> tuple[Sequence[Account], int]:
    """The first of them by username, from `after` that one on, and how many there are in all."""
    statement = _PAGES[wanted.state, bool(wanted.containing)]
    rows = await conn.all(statement, containing=wanted.containing, group=wanted.group, after=after, limit=limit)
    people = (read_account(row) for row in rows)
    return [person for person in people if person is not None], int(rows[0]["count"])


async def uncounted(conn: Conn, wanted: Wanted, *, after: str | None, limit: int) -> Sequence[Account]:
    """The first of them by username, from `after` that one on, however they stand."""
    statement = _UNCOUNTED[bool(wanted.containing)]
    rows = await conn.all(statement, containing=wanted.containing, group=wanted.group, after=after, limit=limit)
    people = (read_account(row) for row in rows)
    return [person for person in people if person is not None]
