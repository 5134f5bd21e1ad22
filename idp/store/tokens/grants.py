"""What was granted to whom: stored, loaded, ended. The codes and refresh tokens that stand for it are elsewhere."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from idp.audit import Event
from idp.model import Account, AssuranceLevel, ClaimsRequest, Grant, Holder
from idp.store.audits import AUDITED, audit_values
from idp.store.engine import Conn, Row
from idp.store.people.columns import ACCOUNT, read_account
from idp.store.sql import Sql
from idp.store.tokens.holders import HOLDER, HOLDER_OF, read_holder

GRANT = """g.id AS grant_id, g.client_id, g.scopes, g.created_at AS granted_at, g.account_id, g.session_id,
    g.level, g.acr, g.amr, g.auth_time, g.strong_at, g.fresh_at, g.claims AS asked_claims, g.revoked_at"""

# Stores a grant if the CTE `may` has a row and the client is still there: what this process knows of clients by heart
# may be old, the row decides. It is locked as the foreign key would lock it. `grant_values` are its values.
GRANTED = """
    INSERT INTO grant_ (id, client_id, account_id, session_id, scopes, level, acr, amr, auth_time, strong_at, fresh_at,
                        claims, created_at, expires_at)
    SELECT :grant_id, :client_id, :account_id, :session_id, :scopes, :level, :acr, :amr, :auth_time, :strong_at,
           :fresh_at, :claims, :granted_at, :grant_expires_at
    FROM client WHERE client.id = :client_id AND disabled_at IS NULL AND EXISTS (SELECT FROM may)
    FOR KEY SHARE OF client
    ON CONFLICT (id) DO NOTHING"""

# The row of the audit trail for the grant in `used`, which only the statement itself finds out. Who asked for no scopes
# in particular gets those of the grant.
AUDITED_USE = """
    INSERT INTO audit_event (at, name, account_id, client_id, fields)
    SELECT :now, :audit_name, g.account_id, :audit_client, :audit_fields::jsonb || jsonb_build_object(
        'grant', g.id,
        'scopes', CASE WHEN :audit_fields::jsonb->'scopes' = '[]' THEN to_jsonb(g.scopes)
                       ELSE :audit_fields::jsonb->'scopes' END)
    FROM used g"""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a grant is about, as they are now. `phone` is sealed; its authenticator's id is what it is bound to."""

    account: Account | None
    phone: bytes | None = None
    phone_authenticator: UUID | None = None


def read_grant(row: Row) -> Grant:
    """The grant in the columns `GRANT`."""
    claims = row["asked_claims"]
    return Grant(
        id=row["grant_id"],
        client_id=row["client_id"],
        scopes=tuple(row["scopes"]),
        created_at=row["granted_at"],
        account_id=row["account_id"],
        session_id=row["session_id"],
        level=AssuranceLevel(row["level"]),
        acr=row["acr"],
        amr=tuple(row["amr"]),
        auth_time=row["auth_time"],
        strong_at=row["strong_at"],
        fresh_at=row["fresh_at"],
        claims=ClaimsRequest(
            userinfo=frozenset(claims.get("userinfo", ())), id_token=frozenset(claims.get("id_token", ()))
        ),
        revoked_at=row["revoked_at"],
    )


def grant_values(new: Grant, *, expires_at: datetime) -> dict[str, Any]:
    """The values of `GRANTED`."""
    return {
        "grant_id": new.id,
        "client_id": new.client_id,
        "account_id": new.account_id,
        "session_id": new.session_id,
        "scopes": new.scopes,
        "level": int(new.level),
        "acr": new.acr,
        "amr": new.amr,
        "auth_time": new.auth_time,
        "strong_at": new.strong_at,
        "fresh_at": new.fresh_at,
        "claims": {"userinfo": sorted(new.claims.userinfo), "id_token": sorted(new.claims.id_token)},
        "granted_at": new.created_at,
        "grant_expires_at": expires_at,
    }


_MACHINE = Sql(f"""
WITH may AS (SELECT),
granted AS ({GRANTED} RETURNING id),
audited AS ({AUDITED} WHERE EXISTS (SELECT FROM granted))
SELECT EXISTS (SELECT FROM granted) AS stored""")


async def issue_machine(conn: Conn, new: Grant, *, expires_at: datetime, audit: Event) -> bool:
    """Store a client_credentials grant, so that its token can be revoked and introspected. False: no such client."""
    values = audit_values(audit, client_id=new.client_id)
    return bool(await conn.value(_MACHINE, **grant_values(new, expires_at=expires_at), **values, now=new.created_at))


def _revoke(which: str) -> Sql:
    return Sql(f"""
WITH revoked AS (
    UPDATE grant_ SET revoked_at = :now WHERE {which} AND revoked_at IS NULL RETURNING id
),
audited AS ({AUDITED} WHERE EXISTS (SELECT FROM revoked))
SELECT count(*) FROM revoked""")


_REVOKE = _revoke("id = :grant_id")
_REVOKE_OF_CLIENT = _revoke("account_id = :account_id AND client_id = :client_id")
_REVOKE_OF_ACCOUNT = _revoke("account_id = :account_id AND session_id IS DISTINCT FROM :except_session")


async def revoke(conn: Conn, found: Grant, *, audit: Event, now: datetime) -> bool:
    """End a grant and with it every token of the family. True if it was alive."""
    values = audit_values(audit, account_id=found.account_id, client_id=found.client_id)
    return bool(await conn.value(_REVOKE, grant_id=found.id, now=now, **values))


async def revoke_of_client(conn: Conn, *, account_id: UUID, client_id: str, audit: Event, now: datetime) -> int:
    """End all of a person's grants to one client."""
    values = audit_values(audit, account_id=account_id, client_id=client_id)
    return int(await conn.value(_REVOKE_OF_CLIENT, account_id=account_id, client_id=client_id, now=now, **values))


async def revoke_of_account(
    conn: Conn, *, account_id: UUID, except_session: UUID | None, audit: Event, now: datetime
) -> int:
    """End all of a person's grants but those of one session."""
    values = audit_values(audit, account_id=account_id)
    return int(
        await conn.value(_REVOKE_OF_ACCOUNT, account_id=account_id, except_session=except_session, now=now, **values)
    )


_HELD = Sql(f"""
SELECT {GRANT}, {HOLDER}, holder.username
FROM grant_ g {HOLDER_OF}
WHERE g.id = :grant_id""")


async def held(conn: Conn, *, grant_id: UUID) -> tuple[Grant, Holder | None, str | None] | None:
    """A grant, revoked or not, with its holder as they are now and their username; nobody for a client's own."""
    row = await conn.one(_HELD, grant_id=grant_id)
    return None if row is None else (read_grant(row), read_holder(row), row["username"])


_LOAD = Sql(f"""
SELECT {GRANT}, {ACCOUNT}, phone.sealed AS phone, phone.id AS phone_authenticator
FROM grant_ g
LEFT JOIN account p ON p.id = g.account_id
LEFT JOIN authenticator phone ON phone.account_id = p.id AND phone.factor = 'sms'
    AND phone.confirmed_at IS NOT NULL AND phone.closed_at IS NULL
WHERE g.id = :grant_id
ORDER BY coalesce(phone.preferred_at, phone.created_at) DESC
LIMIT 1""")


async def load(conn: Conn, *, grant_id: UUID) -> tuple[Grant, Person] | None:
    """A grant, revoked or not, with whom it is about and their newest phone."""
    row = await conn.one(_LOAD, grant_id=grant_id)
    if row is None:
        return None
    return read_grant(row), Person(read_account(row), row["phone"], row["phone_authenticator"])
