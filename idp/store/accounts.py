"""People: make, find, change. Passwords arrive hashed."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import (
    Boolean,
    Integer,
    Text,
    Uuid,
    bindparam,
    func,
    insert,
    literal_column,
    not_,
    null,
    or_,
    select,
    update,
)

from idp.errors import AlreadyThere
from idp.model import Account, Authenticator
from idp.store.composed import Statement
from idp.store.engine import Conn, Connection, Row
from idp.store.people import ACCOUNT_COLUMNS, authenticators_json, read_account, read_authenticators
from idp.store.schema import account, challenge, message

_BY_NAME = Statement(
    select(*ACCOUNT_COLUMNS, authenticators_json(account.c.id)).where(account.c.username == bindparam("username"))
)
_BY_ID = Statement(
    select(*ACCOUNT_COLUMNS, authenticators_json(account.c.id)).where(account.c.id == bindparam("account_id"))
)
_LIST = Statement(select(*ACCOUNT_COLUMNS).order_by(account.c.username).limit(bindparam("limit", type_=Integer)))
_ADD = Statement(
    insert(account)
    .values(
        id=bindparam("id"),
        username=bindparam("username"),
        password_hash=bindparam("password_hash"),
        name=bindparam("name"),
        email=bindparam("email"),
        email_verified=bindparam("email_verified"),
        groups=bindparam("groups"),
        claims=bindparam("claims"),
        locale=bindparam("locale"),
        created_at=bindparam("created_at"),
        updated_at=bindparam("created_at"),
    )
    .returning(account.c.id)
)
_PASSWORD = Statement(
    update(account)
    .where(account.c.id == bindparam("account_id", type_=Uuid))
    .values(password_hash=bindparam("new_hash"), updated_at=bindparam("now"))
    .returning(account.c.id)
)
_REHASH = Statement(
    update(account)
    .where(account.c.id == bindparam("account_id", type_=Uuid), account.c.password_hash == bindparam("old_hash"))
    .values(password_hash=bindparam("new_hash"))
    .returning(account.c.id)
)
_DISABLE = Statement(
    update(account)
    .where(account.c.id == bindparam("account_id", type_=Uuid))
    .values(disabled_at=bindparam("new_disabled_at"), updated_at=bindparam("now"))
    .returning(account.c.id)
)
_LOCK = Statement(
    select(account.c.id).where(account.c.id == bindparam("account_id", type_=Uuid)).with_for_update(key_share=True)
)
_HASH = Statement(select(account.c.password_hash).where(account.c.id == bindparam("account_id", type_=Uuid)))
_CLAIMS = Statement(
    update(account)
    .where(account.c.id == bindparam("account_id", type_=Uuid))
    .values(claims=bindparam("new_claims"), updated_at=bindparam("now"))
    .returning(account.c.id)
)
_GROUPS = Statement(
    update(account)
    .where(account.c.id == bindparam("account_id", type_=Uuid))
    .values(groups=bindparam("new_groups"), updated_at=bindparam("now"))
    .returning(account.c.id)
)
_same = account.c.email.is_not_distinct_from(bindparam("new_email", type_=Text))
_mailbox = (
    update(account)
    .where(
        account.c.id == bindparam("account_id", type_=Uuid),
        or_(not_(_same), account.c.email_verified != bindparam("new_verified", type_=Boolean)),
    )
    .values(
        email=bindparam("new_email", type_=Text),
        email_verified=bindparam("new_verified", type_=Boolean),
        updated_at=bindparam("now"),
    )
    .returning(account.c.id)
    .cte("mailbox")
)
_unsent = (
    update(message)
    .where(
        message.c.account_id == select(_mailbox.c.id).scalar_subquery(),
        message.c.channel == literal_column("'email'", Text),
        message.c.kind == literal_column("'code'", Text),
        message.c.state == literal_column("'waiting'", Text),
    )
    .values(state=literal_column("'expired'", Text), lease_until=null())
    .returning(message.c.id)
    .cte("unsent")
)
_dead = (
    update(challenge)
    .where(
        challenge.c.account_id == select(_mailbox.c.id).scalar_subquery(),
        challenge.c.factor == literal_column("'email'", Text),
        challenge.c.consumed_at.is_(None),
    )
    # Out of tries, whatever any node's clock says.
    .values(attempts=challenge.c.max_attempts)
    .returning(challenge.c.factor)
    .cte("dead")
)
_EMAIL = Statement(select(_mailbox.c.id).add_cte(_mailbox, _unsent, _dead))
_COUNT = Statement(select(func.count()).select_from(account))


async def by_username(conn: Conn, *, username: str) -> tuple[Account, tuple[Authenticator, ...]] | None:
    """A person and their confirmed, open authenticators."""
    row = await conn.one(_BY_NAME, username=username)
    return None if row is None else _person(row)


async def by_id(conn: Conn, *, account_id: UUID) -> tuple[Account, tuple[Authenticator, ...]] | None:
    """A person and their confirmed, open authenticators."""
    row = await conn.one(_BY_ID, account_id=account_id)
    return None if row is None else _person(row)


def _person(row: Row) -> tuple[Account, tuple[Authenticator, ...]]:
    found = read_account(row)
    assert found is not None
    return found, read_authenticators(found.id, row[-1])


async def some(conn: Conn, *, limit: int) -> Sequence[Account]:
    """The first people by username."""
    people = (read_account(row) for row in await conn.all(_LIST, limit=limit))
    return [person for person in people if person is not None]


async def add(conn: Conn, new: Account, *, password_hash: str | None) -> None:
    """Store a new person. Raises `AlreadyThere` when the username is taken."""
    try:
        await conn.one(
            _ADD,
            id=new.id,
            username=new.username,
            password_hash=password_hash,
            name=new.name,
            email=new.email,
            email_verified=new.email_verified,
            groups=sorted(new.groups),
            claims=dict(new.claims),
            locale=new.locale,
            created_at=new.created_at,
        )
    except asyncpg.UniqueViolationError:
        raise AlreadyThere(f"A user named {new.username!r} exists already.") from None


async def lock(conn: Connection, *, account_id: UUID) -> None:
    """Until the transaction ends, nobody else changes how this person signs in."""
    await conn.one(_LOCK, account_id=account_id)


async def password_hash(conn: Conn, *, account_id: UUID) -> str | None:
    """The stored hash of a person's password, None without one."""
    row = await conn.one(_HASH, account_id=account_id)
    return None if row is None else row[0]


async def set_password(conn: Conn, *, account_id: UUID, password_hash: str, now: datetime) -> None:
    """Replace the password. Ending sessions and grants is the flow's business, in the same transaction."""
    await conn.one(_PASSWORD, account_id=account_id, new_hash=password_hash, now=now)


async def rehash(conn: Conn, *, account_id: UUID, old_hash: str, new_hash: str) -> None:
    """The same password under newer parameters, unless it was changed meanwhile."""
    await conn.one(_REHASH, account_id=account_id, old_hash=old_hash, new_hash=new_hash)


async def set_claims(conn: Conn, *, account_id: UUID, claims: Mapping[str, Any], now: datetime) -> None:
    """Replace the further standard claims of a person."""
    await conn.one(_CLAIMS, account_id=account_id, new_claims=dict(claims), now=now)


async def set_groups(conn: Conn, *, account_id: UUID, groups: Iterable[str], now: datetime) -> None:
    """Put a person into exactly these groups."""
    await conn.one(_GROUPS, account_id=account_id, new_groups=sorted(groups), now=now)


async def set_email(conn: Conn, *, account_id: UUID, email: str | None, verified: bool, now: datetime) -> bool:
    """Another address, or another word on whether it is theirs; codes that went to the old one die. False: no change.

    A code that is asked for in the same moment, by who still saw the old address, is derived for that one alone.
    """
    return await conn.one(_EMAIL, account_id=account_id, new_email=email, new_verified=verified, now=now) is not None


async def set_disabled(conn: Conn, *, account_id: UUID, disabled_at: datetime | None, now: datetime) -> None:
    """Disable a person, or enable again with None."""
    await conn.one(_DISABLE, account_id=account_id, new_disabled_at=disabled_at, now=now)


async def count(conn: Conn) -> int:
    """How many people there are."""
    row = await conn.one(_COUNT)
    return int(row[0]) if row else 0
