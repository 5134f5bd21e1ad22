"""Rows to begin from, written in bulk: people with an app each, sessions, codes, refresh tokens, paused logins."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pyotp

from idp.crypto import KeyChain, digest, mac, parse_secret_keys, random_token
from idp.factors import password as passwords
from idp.flows.idp import Visitor, session_token
from idp.flows.sealed import SEED, bound
from idp.flows.tokens.codes import Carried, written
from idp.model import AssuranceLevel, AuthMethod, AuthorizationCode, AuthorizationRequest, Client, Grant
from idp.store.engine import Database
from idp.store.tokens import clients

PASSWORD = "correct horse battery staple"
REDIRECT_URI = "https://bank.example/callback"
SCOPES = ("openid", "profile", "email", "offline_access")
VERIFIER = secrets.token_urlsafe(32)
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
Rows = list[tuple[Any, ...]]


@dataclass(slots=True)
class Person:
    """Somebody with a password and an app, and the address they come from."""

    id: UUID
    username: str
    authenticator: UUID
    seed: bytes
    address: str
    last_step: int = 0

    def code(self, now: datetime) -> str:
        """A code that was not used yet: that of the next half minute is accepted too."""
        totp = pyotp.TOTP(base64.b32encode(self.seed).decode())
        step = max(self.last_step + 1, int(now.timestamp()) // 30)
        self.last_step = step
        return totp.generate_otp(step)


@dataclass(slots=True)
class Paused:
    """A login whose password was right: only the second factor is missing."""

    interaction_id: UUID
    session_id: UUID
    token: str
    person: Person


@dataclass(slots=True)
class Seeds:
    """What the loads use up."""

    client: Client
    secret: str
    keys: KeyChain
    people: list[Person] = field(default_factory=list)

    @property
    def basic(self) -> str:
        """The client's Authorization header."""
        joined = base64.b64encode(f"{self.client.id}:{self.secret}".encode()).decode()
        return f"Authorization: Basic {joined}\r\n"

    def csrf(self, session_id: UUID, path: str) -> str:
        """What the hidden field of a page would hold."""
        return mac(self.keys.subkey("csrf"), session_id.bytes, path.encode()).hex()


async def client(url: str, secret_keys: str) -> Seeds:
    """One first-party client that gets ES256 tokens."""
    secret = random_token()
    made = Client(
        id="bench",
        name="Bench",
        auth_method=AuthMethod.BASIC,
        redirect_uris=(REDIRECT_URI,),
        grant_types=frozenset({"authorization_code", "refresh_token"}),
        scopes=frozenset({*SCOPES, "transfers:write"}),
        secret_hash=digest(secret),
        first_party=True,
        signing_alg="ES256",
        details_types=frozenset({"payment"}),
    )
    db = Database(url, size=2)
    await db.open()
    try:
        await clients.remove(db, client_id=made.id, now=_now())
        await clients.add(db, made, now=_now())
    finally:
        await db.close()
    return Seeds(made, secret, KeyChain(parse_secret_keys(secret_keys)[0]))


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the bench and its database share a machine


async def people(raw: "asyncpg.Connection[Any]", seeds: Seeds, count: int) -> list[Person]:
    """So many more people, each with an app."""
    now = _now() - timedelta(days=30)
    hashed = passwords.hash_password(passwords.Password(PASSWORD))
    accounts: Rows = []
    apps: Rows = []
    made: list[Person] = []
    for number in range(len(seeds.people), len(seeds.people) + count):
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        person = Person(uuid4(), f"person-{secrets.token_hex(6)}", uuid4(), secrets.token_bytes(20), address)
        hidden = seeds.keys.seal(person.seed, purpose=SEED, bound_to=bound(person.id, person.authenticator))
        accounts.append((person.id, person.username, hashed, f"Person {number}", f"p{number}@example.com", now, now))
        apps.append((person.authenticator, person.id, "totp", "Pixel", "", hidden, now, now, now))
        made.append(person)
    columns = ["id", "username", "password_hash", "name", "email", "created_at", "updated_at"]
    await raw.copy_records_to_table("account", records=accounts, columns=columns)
    columns = ["id", "account_id", "factor", "label", "hint", "sealed", "created_at", "confirmed_at", "trusted_at"]
    await raw.copy_records_to_table("authenticator", records=apps, columns=columns)
    seeds.people += made
    return made


async def sessions(
    raw: "asyncpg.Connection[Any]", keys: KeyChain, of: list[Person], *, proved: tuple[str, ...]
) -> list[str]:
    """A browser for each of these people, in which these factors were proved: the tokens."""
    now = _now()
    rows: Rows = []
    events: Rows = []
    tokens: list[str] = []
    for person in of:
        session_id = uuid4()
        tokens.append(session_token(keys, session_id))
        rows.append((session_id, digest(tokens[-1]), person.id, now, now, "bench"))
        for factor in proved:
            used = person.authenticator if factor == "totp" else None
            events.append((session_id, person.id, factor, now, "bench", uuid4(), used))
    columns = ["id", "token_hash", "account_id", "created_at", "seen_at", "user_agent"]
    await raw.copy_records_to_table("session", records=rows, columns=columns)
    columns = ["session_id", "account_id", "factor", "at", "client_id", "interaction_id", "authenticator_id"]
    await raw.copy_records_to_table("authentication_event", records=events, columns=columns)
    return tokens


async def grants(raw: "asyncpg.Connection[Any]", of: list[Person], count: int) -> list[UUID]:
    """So many grants with `SCOPES`, shared out among these people."""
    now = _now()
    rows: Rows = []
    for number in range(count):
        person = of[number % len(of)]
        proof = (4 - 1, "urn:stile:2fa-strong", ["pwd", "otp", "mfa"], now, now)
        rows.append(
            (uuid4(), "bench", person.id, uuid4(), list(SCOPES), *proof, "{}", now, now + timedelta(days=90)),
        )
    columns = ["id", "client_id", "account_id", "session_id", "scopes", "level", "acr", "amr", "auth_time", "strong_at"]
    columns += ["claims", "created_at", "expires_at"]
    await raw.copy_records_to_table("grant_", records=rows, columns=columns)
    return [row[0] for row in rows]


async def codes(raw: "asyncpg.Connection[Any]", keys: KeyChain, of: list[Person], count: int) -> list[str]:
    """So many codes, ready to be exchanged, of people who are signed in."""
    now = _now()
    where = [Visitor("", token).session_id for token in await sessions(raw, keys, of, proved=("password", "totp"))]
    made: list[str] = []
    for number in range(count):
        grant = Grant(
            id=uuid4(),
            client_id="bench",
            scopes=SCOPES,
            created_at=now,
            account_id=of[number % len(of)].id,
            session_id=where[number % len(of)],
            level=AssuranceLevel.STRONG,
            acr="urn:stile:2fa-strong",
            amr=("pwd", "otp", "mfa"),
            auth_time=now,
            strong_at=now,
        )
        code = AuthorizationCode(grant, REDIRECT_URI, CHALLENGE, "n-0", now + timedelta(minutes=10))
        made.append(written(keys, Carried(code, 0)))
    return made


async def refresh_tokens(raw: "asyncpg.Connection[Any]", of: list[Person], count: int) -> list[str]:
    """So many families, each with its first token."""
    tokens = [random_token() for _ in range(count)]
    rows = [
        (digest(token), grant_id, _now(), _now() + timedelta(days=30))
        for token, grant_id in zip(tokens, await grants(raw, of, count), strict=True)
    ]
    columns = ["hash", "grant_id", "issued_at", "expires_at"]
    await raw.copy_records_to_table("refresh_token", records=rows, columns=columns)
    return tokens


async def paused(raw: "asyncpg.Connection[Any]", keys: KeyChain, of: list[Person]) -> list[Paused]:
    """For each of these people a login that waits for the second factor."""
    now = _now()
    tokens = await sessions(raw, keys, of, proved=("password",))
    request = AuthorizationRequest(
        client_id="bench",
        redirect_uri=REDIRECT_URI,
        scopes=("openid",),
        state="state",
        nonce="n-0",
        code_challenge=CHALLENGE,
    )
    stored = json.dumps(request.as_json())
    made: list[Paused] = []
    rows: Rows = []
    for person, token in zip(of, tokens, strict=True):
        login = Paused(uuid4(), UUID(hex=token.partition(".")[0]), token, person)
        rows.append((login.interaction_id, login.session_id, "bench", stored, now, now + timedelta(minutes=10)))
        made.append(login)
    columns = ["id", "session_id", "client_id", "request", "started_at", "expires_at"]
    await raw.copy_records_to_table("interaction", records=rows, columns=columns)
    return made


async def signed_in(raw: "asyncpg.Connection[Any]", keys: KeyChain, of: list[Person]) -> list[Paused]:
    """Each of these people, signed in by password and app; what they are to approve is pushed by the load itself."""
    tokens = await sessions(raw, keys, of, proved=("password", "totp"))
    return [
        Paused(uuid4(), UUID(hex=token.partition(".")[0]), token, person)
        for person, token in zip(of, tokens, strict=True)
    ]


async def crowd(raw: "asyncpg.Connection[Any]", count: int) -> None:
    """So many people with an app who are only there."""
    await raw.execute(
        """
        WITH crowd AS (
            INSERT INTO account (id, username, name, email, created_at, updated_at)
            SELECT gen_random_uuid(), 'crowd' || gen_random_uuid(), 'Crowd', 'c' || n || '@example.com', now(), now()
            FROM generate_series(1, $1::integer) AS n
            RETURNING id
        )
        INSERT INTO authenticator (id, account_id, factor, label, hint, sealed, created_at, confirmed_at, trusted_at)
        SELECT gen_random_uuid(), id, 'totp', 'Pixel', '', sha256(id::text::bytea), now(), now(), now() FROM crowd
        """,
        count,
        timeout=300,
    )


async def history(raw: "asyncpg.Connection[Any]", count: int) -> None:
    """What a provider that has been at work for a while holds: plans made for nearly empty tables would be others."""
    await crowd(raw, count)
    await raw.execute(
        """
        INSERT INTO rate_limit (key, count, last_at, hits, expires_at)
        SELECT sha256(('h' || n || random())::bytea), 1, now(), '{}', now() + interval '1 d'
        FROM generate_series(1, $1::integer) AS n
        """,
        count,
    )


async def leftovers(raw: "asyncpg.Connection[Any]", count: int) -> None:
    """So many expired rows in each table that fills up: sessions with proofs, logins, grants with codes and tokens."""
    statements = (
        """
        INSERT INTO session (id, token_hash, created_at, seen_at, ended_at)
        SELECT gen_random_uuid(), sha256(('s' || n)::bytea), now() - interval '40 d', now() - interval '40 d',
               now() - interval '39 d'
        FROM generate_series(1, $1::integer) AS n
        """,
        """
        INSERT INTO interaction (id, session_id, client_id, request, started_at, expires_at, finished_at)
        SELECT gen_random_uuid(), id, 'bench', '{}', created_at, created_at, created_at
        FROM (SELECT * FROM session WHERE ended_at IS NOT NULL LIMIT $1::integer) AS gone
        """,
        """
        INSERT INTO rate_limit (key, count, last_at, hits, expires_at)
        SELECT sha256(('r' || n)::bytea), 1, now() - interval '2 d', '{}', now() - interval '1 d'
        FROM generate_series(1, $1::integer) AS n
        """,
        """
        WITH old AS (
            INSERT INTO grant_ (id, client_id, scopes, level, created_at, expires_at)
            SELECT gen_random_uuid(), 'bench', '{openid}', 3, now() - interval '99 d', now() - interval '9 d'
            FROM generate_series(1, $1::integer) AS n
            RETURNING id
        )
        INSERT INTO refresh_token (hash, grant_id, issued_at, expires_at, used_at)
        SELECT sha256(('t' || id)::bytea), id, now() - interval '99 d', now() - interval '9 d',
               now() - interval '98 d'
        FROM old
        """,
    )
    for statement in statements:
        await raw.execute(statement, count, timeout=300)
