"""Any two operations on one person, or on one application, in the same moment: as if one had come after the other.

What is stored, what each of the two operators is told, the trail and the notices: all of it is that of one of the two
orders, whichever.
"""

import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import ndiff
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID, uuid4

import pytest

from idp import limits
from idp.errors import IdpError, NotThere, Outdated
from idp.flows.idp import Idp
from idp.flows.operate.authenticators import add_phone, new_recovery_codes, remove_authenticator, totp_ticket
from idp.flows.operate.client_changes import ChangedClient, edit_client
from idp.flows.operate.clients import ClientEnding, remove_client, set_client_disabled
from idp.flows.operate.editing import ChangedPerson, edit_person
from idp.flows.operate.finding import ClientId, find_user
from idp.flows.operate.invitations import invite
from idp.flows.operate.leaving import Ending, end_sessions, forget_devices, remove_person
from idp.flows.operate.logos import set_logo
from idp.flows.operate.passwords import set_password
from idp.flows.operate.people import freeze_user, set_user_disabled
from idp.flows.operate.recovering import confirm, recover
from idp.flows.operate.resets import give_link
from idp.flows.operate.secrets import end_old_secret, new_client_secret
from idp.flows.operate.unlocking import unlock_user
from idp.flows.operate.vouching import GIVEN
from idp.model import Authenticator, Factor
from idp.store.sql import Sql
from tests.world.api import with_roles
from tests.world.mailing import can_mail
from tests.world.parallel import at_once
from tests.world.pictures import png
from tests.world.provider import NOTES_URI, Provider

ROUNDS = 2
OWN = "seven green lanterns above the quay"
PICTURE = png(64, 64)
Does = Callable[[Idp, Any], Awaitable[object]]


@dataclass(frozen=True)
class Ended:
    """What is stored in the end, however it is ordered; what each operation said; the trail in its order."""

    state: tuple[tuple[tuple[str, str], int], ...]
    told: tuple[str, ...]
    trail: tuple[tuple[str, str], ...]

    def lines(self) -> list[str]:
        return [*map(str, self.state), *self.told, *map(str, self.trail)]


async def _app(idp: Idp, who: UUID) -> object:
    theirs = (await find_user(idp, who)).authenticators
    own = (str(one.id) for one in theirs if one.factor is Factor.TOTP and one.hint != GIVEN)
    return await remove_authenticator(idp, who, next(own, "none"))


async def _codes(idp: Idp, who: UUID) -> int:
    return len(await new_recovery_codes(idp, who))


def _edit(**changes: object) -> Does:
    return lambda idp, who: edit_person(idp, who, changes)


ON_PEOPLE: Mapping[str, Does] = {
    "give an app": totp_ticket,
    "replace the app": lambda idp, who: totp_ticket(idp, who, replace=True),
    "remove the app": _app,
    "give a phone": lambda idp, who: add_phone(idp, who, "+37256000001"),
    "replace the phone": lambda idp, who: add_phone(idp, who, "+37256000002", replace=True),
    "make codes": _codes,
    "rename": _edit(username="somebody-else"),
    "name": _edit(name="Somebody Else"),
    "address": _edit(email="else@example.com", email_verified=True),
    "no address": _edit(email=None),
    "group": _edit(groups=["treasury"]),
    "role": _edit(groups=["desk"]),
    "password": lambda idp, who: set_password(idp, who, OWN, temporary=True),
    "link": lambda idp, who: give_link(idp, who, mail=False),
    "mail": lambda idp, who: give_link(idp, who, mail=True),
    "invite": lambda idp, who: invite(idp, username="guest", mail=False, email="guest@example.com", again=who),
    "recover": lambda idp, who: recover(idp, who, reason="Seen in person.", by="shell:ada"),
    "confirm": lambda idp, who: confirm(idp, who, by="shell:ada"),
    "unlock": unlock_user,
    "sign out": end_sessions,
    "forget": forget_devices,
    "freeze": freeze_user,
    "disable": lambda idp, who: set_user_disabled(idp, who, disabled=True),
    "enable": lambda idp, who: set_user_disabled(idp, who, disabled=False),
    "remove": remove_person,
}
ON_CLIENTS: Mapping[str, Does] = {
    "name": lambda idp, which: edit_client(idp, which, {"name": "Somebody Else"}),
    "addresses": lambda idp, which: edit_client(idp, which, {"redirect_uris": ("https://else.example/cb",)}),
    "scopes": lambda idp, which: edit_client(idp, which, {"scopes": ("openid",)}),
    "public": lambda idp, which: edit_client(idp, which, {"auth_method": "none"}),
    "secret": new_client_secret,
    "secret beside": lambda idp, which: new_client_secret(idp, which, keep_old=timedelta(hours=1)),
    "old secret": end_old_secret,
    "logo": lambda idp, which: set_logo(idp, which, PICTURE),
    "no logo": lambda idp, which: set_logo(idp, which, None),
    "disable": lambda idp, which: set_client_disabled(idp, which, disabled=True),
    "enable": lambda idp, which: set_client_disabled(idp, which, disabled=False),
    "remove": remove_client,
}
# Somebody who has all that can end: signed in, known here, used by an application, with links and a count.
_LIVES = Sql("""
WITH signed_in AS (
    INSERT INTO session (id, token_hash, account_id, created_at, seen_at, user_agent, device_key)
    VALUES (gen_random_uuid(), uuid_send(gen_random_uuid()), :who, :now, :now, '', :device)
    RETURNING id
), known AS (
    INSERT INTO device (account_id, key, user_agent, created_at, seen_at, expires_at)
    VALUES (:who, :device, '', :now, :now, :later)
), linked AS (
    INSERT INTO link (hash, purpose, account_id, fields, created_at, expires_at)
    VALUES (uuid_send(gen_random_uuid()), 'recover', :who, :asked, :now, :later),
           (uuid_send(gen_random_uuid()), 'reset', :who, '{}', :now, :later)
), counted AS (
    INSERT INTO rate_limit (key, count, last_at, hits, expires_at) VALUES (:counted, 9, :now, ARRAY[:now], :later)
)
INSERT INTO grant_ (id, client_id, account_id, session_id, scopes, level, auth_time, created_at, expires_at)
SELECT gen_random_uuid(), 'bank', :who, id, '{openid}', 2, :now, :now, :later FROM signed_in""")
_FORGET = Sql("""
WITH people AS (DELETE FROM account WHERE id = :who OR username IN ('guest', 'somebody-else')),
     counted AS (DELETE FROM rate_limit)
DELETE FROM client WHERE id = 'guest'""")
# All that is known of somebody but what is drawn by lot; to whom a message goes is told by its authenticator.
_OF_PERSON = Sql("""
SELECT 'account', to_jsonb(t) - 'password_hash' - 'id' FROM account t WHERE id = :who
UNION ALL SELECT 'password', to_jsonb(password_hash IS NULL) FROM account WHERE id = :who
UNION ALL SELECT 'authenticator', to_jsonb(t) - 'sealed' - 'number_key' FROM authenticator t WHERE account_id = :who
UNION ALL SELECT 'codes', to_jsonb(count(*)) FROM recovery_code c JOIN authenticator t ON t.id = c.authenticator_id
    WHERE t.account_id = :who
UNION ALL SELECT 'session', to_jsonb(t) - 'token_hash' FROM session t WHERE account_id = :who
UNION ALL SELECT 'device', to_jsonb(t) FROM device t WHERE account_id = :who
UNION ALL SELECT 'link', to_jsonb(t) - 'hash' FROM link t WHERE account_id = :who
UNION ALL SELECT 'grant', to_jsonb(t) FROM grant_ t WHERE account_id = :who
UNION ALL SELECT 'message', to_jsonb(t) - 'nonce' - 'sealed_to' || jsonb_build_object('to', a.hint, 'of', a.factor)
    FROM message t LEFT JOIN authenticator a ON a.id = t.authenticator_id WHERE t.account_id = :who
UNION ALL SELECT 'counted', to_jsonb(count(*)) FROM rate_limit""")
_OF_CLIENT = Sql("""
SELECT 'client', to_jsonb(t) - 'secret_hash' - 'old_secret_hash' FROM client t WHERE id = :who
UNION ALL SELECT 'logo', to_jsonb(t) FROM client_logo t WHERE client_id = :who""")
_TRAIL = Sql("""
SELECT name, fields FROM audit_event WHERE (account_id::text = :who OR client_id = :who) AND id > :since
ORDER BY id""")
_LAST = Sql("SELECT coalesce(max(id), 0) FROM audit_event")
# Whatever is drawn by lot.
_LOTS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,}|\\\\x[0-9a-f]+")


def _text(value: object) -> str:
    return _LOTS.sub("…", value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str))


def _told(result: object) -> str:
    """What an operation says, but what it draws by lot."""
    match result:
        case NotThere() | Outdated():
            return "not as it was"  # by whatever name it was found
        case IdpError():
            return f"{type(result).__name__}: {result}"
        case ChangedPerson() | ChangedClient() | Ending() | ClientEnding():
            return " ".join(result.consequences)
        case Authenticator(), int(left):
            return f"{left} left"
        case bool() | int():
            return str(result)
        case [*lifted]:
            return ", ".join(map(str, lifted))
        case _:
            return type(result).__name__


async def _person(provider: Provider) -> UUID:
    """Who is called guest and has all that can end."""
    await provider.idp.db.one(_FORGET, who=uuid4())
    number = "+37256789012"
    changes: dict[str, Any] = {"name": "A Guest", "email": "guest@example.com", "email_verified": True}
    who = await provider.add_person("guest", number=number, app=True, codes=True, **changes)
    now, name = provider.clock.now(), provider.idp.secrets.index("guest", purpose="username")
    counted = limits.subject(provider.idp.limits.password_day, name)
    later = now + timedelta(minutes=30)
    asked = {"by": "shell:eve", "reason": "Seen in person."}
    values = {"who": who, "now": now, "later": later, "device": b"device", "counted": counted, "asked": asked}
    await provider.idp.db.one(_LIVES, **values)
    return who


async def _client(provider: Provider) -> ClientId:
    """What is called guest, with two secrets and a logo."""
    await provider.idp.db.one(_FORGET, who=uuid4())
    await provider.add_client("guest", NOTES_URI)
    await new_client_secret(provider.idp, ClientId("guest"), keep_old=timedelta(days=1))
    await set_logo(provider.idp, ClientId("guest"), png(32, 32))
    return ClientId("guest")


async def _ended(provider: Provider, of: Sql, does: Sequence[Does], *, at_the_same_time: bool) -> Ended:
    """What somebody new is like when these were done, what each of them said, and what the trail says in its order."""
    who: UUID | ClientId = await (_person(provider) if of is _OF_PERSON else _client(provider))
    since = await provider.idp.db.value(_LAST)

    async def do(number: int) -> str:
        try:
            return _told(await does[number](provider.idp, who))
        except IdpError as error:
            return _told(error)

    if at_the_same_time:
        told = await at_once(len(does), do)
    else:
        told = [await do(number) for number in range(len(does))]
    state = Counter((name, _text(value)) for name, value in await provider.rows(of, who=who))
    rows = [(name, _text(fields)) for name, fields in await provider.rows(_TRAIL, who=str(who), since=since)]
    # Of several that one operation closes none is first.
    trail = [row for _, alike in groupby(rows, key=itemgetter(0)) for row in sorted(alike)]
    return Ended(tuple(sorted(state.items())), tuple(_LOTS.sub("…", each) for each in told), tuple(trail))


async def _as_one_after_the_other(provider: Provider, of: Sql, first: Does, second: Does) -> None:
    turned = await _ended(provider, of, [second, first], at_the_same_time=False)
    orders = [
        await _ended(provider, of, [first, second], at_the_same_time=False),
        replace(turned, told=turned.told[::-1]),
    ]
    for _ in range(ROUNDS):
        found = await _ended(provider, of, [first, second], at_the_same_time=True)
        assert found in orders, _apart(found, orders)


def _apart(found: Ended, orders: Sequence[Ended]) -> str:
    """What of it is in neither order."""
    lines = []
    for each in orders:
        lines += ["", *(str(one) for one in ndiff(each.lines(), found.lines()) if one[0] in "+-")]
    return "\n".join(lines)


@pytest.fixture
async def house(provider: Provider) -> Provider:
    with_roles(provider)
    can_mail(provider)
    return provider


@pytest.mark.parametrize("first", ON_PEOPLE)
async def test_two_operations_on_one_person(house: Provider, first: str) -> None:
    names = list(ON_PEOPLE)
    for second in names[names.index(first) :]:
        await _as_one_after_the_other(house, _OF_PERSON, ON_PEOPLE[first], ON_PEOPLE[second])


@pytest.mark.parametrize("first", ON_CLIENTS)
async def test_two_operations_on_one_application(house: Provider, first: str) -> None:
    names = list(ON_CLIENTS)
    for second in names[names.index(first) :]:
        await _as_one_after_the_other(house, _OF_CLIENT, ON_CLIENTS[first], ON_CLIENTS[second])
