"""An export gives everything back: every column of every table comes again, or is named here with its reason."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from joserfc.jwk import ECKey

from idp.crypto import KeyChain, SecretKey, digest, random_bytes
from idp.flows.delivery.suppressions import suppress
from idp.flows.operate import importing
from idp.flows.operate.arriving import Terms
from idp.flows.operate.exporting import export
from idp.flows.operate.logos import set_logo
from idp.flows.sealed import NUMBER, bound
from idp.importing import envelope, stile
from idp.importing.envelope import Secrets
from idp.model import AppCodes, AssuranceLevel, Authenticator, Factor
from idp.sms import phone
from idp.store.delivery import suppressions
from idp.store.people import authenticators
from idp.store.schema import metadata
from idp.store.sql import Sql
from tests.world import databases
from tests.world.authenticator import Key, keep
from tests.world.pictures import png
from tests.world.provider import ALICE_PHONE, Provider

if TYPE_CHECKING:
    import sqlalchemy as sa

_AN_HOUR = "of an hour or a day: nothing of it is anybody's afterwards"
_SESSION = "of one browser: everybody signs in anew"
_KEYS = "made with keys that stay where they are"
_SPENT = "what was spent and counted there"
_SHELL = "who imports is at a shell, and what was chosen there stays"
TABLES = {  # that are no part of an export
    "verification": _AN_HOUR,
    "link": "its token is in a mail with the address of the provider before",
    "used_challenge": _AN_HOUR,
    "device": _SESSION,
    "session": _SESSION,
    "authentication_event": _SESSION,
    "interaction": _SESSION,
    "challenge": _SESSION,
    "grant_": "what was issued there is good there",
    "refresh_token": "what was issued there is good there",
    "pushed_request": _AN_HOUR,
    "approved_sum": _AN_HOUR,
    "parked_code": _AN_HOUR,
    "client_assertion": _AN_HOUR,
    "api_request": _AN_HOUR,
    "removal": _AN_HOUR,
    "signing_key": _KEYS,
    "secret_key": _KEYS,
    "message": "what was sent there",
    "message_attempt": "what was sent there",
    "gateway_breaker": _AN_HOUR,
    "rate_limit": _AN_HOUR,
    "audit_event": "a trail that could be brought along would prove nothing",
    **{f"spending_{each}": _SPENT for each in ("number", "block", "region", "closed", "money", "denied")},
}
COLUMNS = {  # that are not as they were
    "account.password_by": _SHELL,
    "account.provisional_until": "who registers is nobody yet, and is left out",
    "authenticator.expires_at": "an enrolment that nobody confirmed is left out",
    "authenticator.given_by": _SHELL,
    "authenticator.session_id": _SESSION,
    "authenticator.enrolled_in": "an authorization of minutes, which is over",
    "authenticator.sealed": "sealed for other keys; what is in it is compared instead",
    "authenticator.lookup": "hashed with other keys",
    "authenticator.tell_at": "owners are told again in 15 minutes",
    "recovery_code.used_at": "what was used is left out",
    "suppressed_number.hash": "hashed with other keys; of numbers that nobody has any more nothing is known",
}
AT = datetime(2026, 1, 3, 4, 5, 6, 789, tzinfo=UTC)
EVERY: dict[str, dict[str, Any]] = {  # a value that is not the usual, for each column that the fixture has not filled
    "account": {
        "locale": "et", "prefers": "totp", "disabled_at": AT, "frozen_at": AT, "strong_from": AT, "password_until": AT,
        "former_email": "before@example.com", "former_until": AT, "email": "alice@example.com", "email_verified": True,
        "email_trusted_at": AT, "email_refused_at": AT, "name": "Alice", "claims": {"nickname": "a"},
        "groups": ["treasury"], "created_at": AT, "updated_at": AT + timedelta(days=1),
    },
    "authenticator": {
        "created_at": AT, "confirmed_at": AT + timedelta(seconds=9), "last_used_at": AT, "swapped_at": AT,
        "preferred_at": AT, "told_until": AT, "checked_at": AT, "last_step": 7,
    },
    "client": {
        "old_secret_hash": digest("old"), "old_secret_until": AT, "old_secret_used_at": AT, "created_at": AT,
        "disabled_at": AT, "userinfo_alg": "ES256", "home_uri": "https://bank.example.com/", "level": 3,
        "assertion_audience": "issuer", "audience": ["https://api.example.com"], "groups": ["treasury"],
        "id_token_claims": ["name"], "origins": ["https://bank.example.com"], "rotate_refresh": False,
        "require_pushed": True, "details_types": ["payment"],
        "native": True, "first_party": True, "signing_alg": "ES256", "require_pkce": False,
        "post_logout_redirect_uris": ["https://bank.example.com/bye"], "scopes": ["email", "openid", "profile"],
    },
    "consent": {"granted_at": AT},
}  # fmt: skip
CONSENTS = Sql("""
INSERT INTO consent (account_id, client_id, scopes, granted_at)
SELECT a.id, c.id, '{openid}', now() FROM account a CROSS JOIN client c""")
PASSKEY = Sql("""
UPDATE authenticator
SET eligible = true, copied = true, attested = true, transports = '{usb}', sign_count = 5, aaguid = 'a-model'
WHERE factor = 'passkey'""")
SIGNS = Sql("UPDATE client SET auth_method = 'private_key_jwt', secret_hash = NULL, jwks = :jwks WHERE id = 'notes'")
CLOSED = Sql("""
UPDATE authenticator
SET closed_at = :now, told_until = :told, digits = :digits::smallint,
    algorithm = CASE WHEN :digits::smallint IS NOT NULL THEN 'SHA256' END,
    period = CASE WHEN :digits::smallint IS NOT NULL THEN interval '60 seconds' END
WHERE id = :id""")


def test_every_table_is_exported_or_named_here() -> None:
    exported = {"account", "authenticator", "recovery_code", "consent", "client", "client_logo", "suppressed_number"}
    assert set(metadata.tables) == exported | set(TABLES)
    assert not exported & set(TABLES)


async def text_of(provider: Provider) -> bytes:
    way = envelope.new(Secrets.CLEAR, None)
    return "".join([f"{line}\n" async for line in export(provider.idp, way)]).encode()


async def all_rows(provider: Provider) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for table in metadata.sorted_tables:
        if table.name not in TABLES:
            names = [f'"{each.name}"' for each in table.columns]
            order = ", ".join(f'"{each.name}"' for each in table.primary_key)
            every = f"SELECT {', '.join(names)} FROM {table.name} ORDER BY {order}"  # noqa: S608 - names of the schema
            rows = await provider.idp.db.all(Sql(every))
            found[table.name] = [dict(row) for row in rows]
    return found


async def fill(provider: Provider) -> None:
    """People and clients in whose rows every column has something else than the usual."""
    idp = provider.idp
    await keep(provider, Key())
    await set_logo(idp, "bank", png())
    await idp.db.one(CONSENTS)
    await suppress(idp, ALICE_PHONE, reason="stop", gateway="smspm", account_id=uuid4())
    key = ECKey.generate_key("P-256").as_dict(private=False)
    await idp.db.one(SIGNS, jwks={"keys": [{**key, "kid": "one"}]})
    for table, values in EVERY.items():
        given = ", ".join(f"{name} = :{name}" for name in values)
        whose = {"account": " WHERE username = 'alice'", "client": " WHERE id = 'bank'"}.get(table, "")
        await idp.db.one(Sql(f"UPDATE {table} SET {given}{whose}"), **values)  # noqa: S608 - names of the schema
    await idp.db.one(PASSKEY)
    ((alice,),) = await provider.rows(Sql("SELECT id FROM account WHERE username = 'alice'"))
    for factor in (Factor.TOTP, Factor.SMS, Factor.RECOVERY):
        id_, sms, codes = uuid4(), factor is Factor.SMS, AppCodes("SHA256", 8, timedelta(seconds=60))
        hint = phone.hint(ALICE_PHONE) if sms else ""
        removed = Authenticator(id_, alice, factor, "removed", hint, AT, None, AT, hold=timedelta(days=1), codes=codes)
        sealed = idp.secrets.seal(ALICE_PHONE.encode(), purpose=NUMBER, bound_to=bound(alice, id_)) if sms else None
        await authenticators.add(idp.db, replace(removed, number_key=b"other" if sms else None), sealed=sealed)
        values = {"id": id_, "now": provider.clock.now(), "told": provider.clock.now() + timedelta(days=2)}
        await idp.db.one(CLOSED, **values, digits=None if factor is not Factor.TOTP else 8)


def usual(column: "sa.Column[Any]") -> set[Any]:
    """What a column holds where nobody has said anything, as SQL and as Python have it."""
    return {None, "", False, "{}", "[]"} if column.server_default is not None else {None}


async def test_every_column_of_every_table_comes_back(provider: Provider) -> None:
    provider.idp.policy = replace(provider.idp.policy, groups={"treasury": AssuranceLevel.TWO_FACTOR})
    await fill(provider)
    before, first = await all_rows(provider), await text_of(provider)
    for table, rows in before.items():
        for column in metadata.tables[table].columns:
            said = any(_plain(row[column.name]) not in usual(column) for row in rows)
            assert said or f"{table}.{column.name}" in COLUMNS, f"{table}.{column.name} is filled in no row"
    await databases.empty(provider.idp.db._url)
    provider.idp.secrets = KeyChain([SecretKey("other", random_bytes(32))])
    rp_id, kept = stile.read(first, passphrase=None, now=provider.clock.now())
    done = await importing.bring(provider.idp, list(kept), Terms("stile"), rp_id=rp_id)
    assert done.left == ()
    number_keys = provider.idp.secrets.indexes(ALICE_PHONE, purpose=suppressions.PURPOSE)
    assert list(await suppressions.reasons(provider.idp.db, number_keys)) == number_keys
    after = await all_rows(provider)
    for table, rows in before.items():
        for name in metadata.tables[table].columns.keys():  # noqa: SIM118 - a collection of columns
            if f"{table}.{name}" not in COLUMNS:
                assert [row[name] for row in after[table]] == [row[name] for row in rows], f"{table}.{name}"
    head, _, rest = first.partition(b"\n")
    again_head, _, again = (await text_of(provider)).partition(b"\n")
    assert again == rest
    assert json.loads(again_head) == json.loads(head)  # of the same moment: the clock of tests stands still


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value
