"""Every step of a sign-in that changes something, and what must hold in the tables after it."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import httpx
from sqlalchemy import delete

from idp.flows.delivery.linking import LINK_PATH, link_token
from idp.flows.people import links
from idp.model import Notice
from idp.model.links import LinkFor
from idp.store.people import accounts
from idp.store.people import links as store_links
from idp.store.schema.people import link
from tests.world.asking import Asked, ask_second_factor, offline_code
from tests.world.authenticator import Key, keep, options_in
from tests.world.composed import Statement
from tests.world.provider import BANK_URI, PASSWORD, Provider, parameters

# What must be empty, whatever happened.
BROKEN = {
    "an event whose challenge is not consumed, or the other way round": """
        SELECT i.id FROM interaction i
        LEFT JOIN challenge c ON c.interaction_id = i.id AND c.factor = 'sms' AND c.consumed_at IS NOT NULL
        LEFT JOIN authentication_event e ON e.interaction_id = i.id AND e.factor = 'sms'
        WHERE (c.interaction_id IS NULL) <> (e.id IS NULL)""",
    "an event without a spent attempt": """
        SELECT e.id FROM authentication_event e JOIN challenge c USING (interaction_id, factor) WHERE c.attempts < 1""",
    "a session of somebody without a proof, or a proof in nobody's session": """
        SELECT s.id FROM session s
        WHERE (s.account_id IS NOT NULL) <> EXISTS (SELECT FROM authentication_event e WHERE e.session_id = s.id)""",
    "a question without its message": """
        SELECT c.interaction_id FROM challenge c WHERE c.factor = 'sms'
        AND NOT EXISTS (SELECT FROM message m WHERE m.interaction_id = c.interaction_id)""",
    "two proofs from one code": """
        SELECT interaction_id FROM authentication_event WHERE factor = 'sms'
        GROUP BY interaction_id HAVING count(*) > 1""",
    "two exchanged codes of one interaction": """
        SELECT s.id FROM session s WHERE
        (SELECT count(*) FROM grant_ g WHERE g.session_id = s.id) -
        (SELECT count(*) FROM interaction i WHERE i.session_id = s.id AND i.finished_at IS NOT NULL)
        -- One more for whoever lost the answer and came again: the request began anew, and was answered at once.
        > 1""",
    "two live refresh tokens of one family": """
        SELECT grant_id FROM refresh_token WHERE used_at IS NULL GROUP BY grant_id HAVING count(*) > 1""",
    "an exchange that brought no refresh token, or one without its lines in the trail": """
        SELECT g.id FROM grant_ g WHERE 'offline_access' = ANY (g.scopes)
        AND (NOT EXISTS (SELECT FROM refresh_token r WHERE r.grant_id = g.id)
             OR (SELECT count(*) FROM audit_event WHERE fields->>'grant' = g.id::text
                 AND name IN ('authorization.granted', 'tokens.issued')) < 2)""",
    "an answer of a passkey without its challenge used, or the other way round": """
        SELECT 1 WHERE (SELECT count(*) FROM authentication_event WHERE factor = 'passkey') <>
        (SELECT count(*) FROM used_challenge)""",
    "a passkey whose count is not that of its last answer": """
        SELECT a.id FROM authenticator a WHERE a.factor = 'passkey' AND a.sign_count <> 1 +
        (SELECT count(*) FROM authentication_event e WHERE e.authenticator_id = a.id)""",
    "a link that was used up and froze nothing, or froze and left somebody signed in": """
        SELECT l.hash FROM link l JOIN account p ON p.id = l.account_id
        WHERE l.purpose = 'freeze' AND l.used_at IS NOT NULL
        AND (p.frozen_at IS NULL OR EXISTS (
            SELECT FROM session s WHERE s.account_id = p.id AND s.ended_at IS NULL AND s.created_at < p.frozen_at))""",
    "an account that was frozen without a line in the trail": """
        SELECT p.id FROM account p WHERE p.frozen_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM audit_event e WHERE e.account_id = p.id AND e.name = 'account.frozen')""",
    "an effect without its line in the audit trail": """
        SELECT 1 WHERE (SELECT count(*) FROM authentication_event) <>
        (SELECT count(*) FROM audit_event WHERE name = 'factor.verified')""",
}


async def check(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        for what, query in BROKEN.items():
            assert not await connection.fetch(query), what
    finally:
        await connection.close()


@dataclass(frozen=True, slots=True)
class Step:
    """`prepare` leads to the request; `goes_on` is what the person does after it failed or succeeded."""

    prepare: Callable[[Provider], Awaitable[Callable[[], Awaitable[httpx.Response]]]]
    goes_on: Callable[[Provider, httpx.Response], Awaitable[None]]
    again: frozenset[int] = frozenset({200, 303, 400, 410})
    """What the same request may be answered after its answer was lost."""


async def _accepted(provider: Provider, response: httpx.Response) -> None:
    """What was acknowledged is true: the cookie we were given is a session."""
    if response.status_code == 303 and "set-cookie" in response.headers:
        browser = provider.browser()
        browser.http.cookies.set("stile", response.cookies["stile"])
        if response.headers["location"].startswith(BANK_URI):
            await _issued(provider, response)
        else:
            page = await browser.get(response.headers["location"], follow=False)
            assert page.status_code in {200, 303}


async def _password(provider: Provider) -> Callable[[], Awaitable[httpx.Response]]:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    return lambda: browser.submit("/password", follow=False, username="alice", password=PASSWORD)


async def _asked_for_code(provider: Provider) -> tuple[Asked, str]:
    asked = await ask_second_factor(provider)
    return asked, (await provider.deliver())[-1]


async def _sms(provider: Provider) -> Callable[[], Awaitable[httpx.Response]]:
    asked, code = await _asked_for_code(provider)
    return lambda: asked.browser.submit("/sms", follow=False, code=code)


async def _passkey(provider: Provider) -> Callable[[], Awaitable[httpx.Response]]:
    key, browser = Key(), provider.browser()
    await keep(provider, key)
    page = await browser.get(provider.authorize_url())
    answer = json.dumps(key.answer(options_in(page.text)))
    form = browser.form("/with-passkey")
    data = {each.name: each.value for each in form.fields} | {"code": answer}
    return lambda: browser.http.post(form.action, data=data)


async def _consent(provider: Provider) -> Callable[[], Awaitable[httpx.Response]]:
    asked = await ask_second_factor(provider, prompt="consent")
    await asked.browser.submit("/sms", code=(await provider.deliver())[-1])
    return lambda: asked.browser.submit("/consent", follow=False, decision="allow")


async def _issued(provider: Provider, response: httpx.Response) -> None:
    if response.status_code == 303 and "code=" in response.headers["location"]:
        assert (await provider.redeem(parameters(response)["code"])).status_code == 200


async def _redeem(provider: Provider) -> Callable[[], Awaitable[httpx.Response]]:
    code = await offline_code(provider)
    return lambda: provider.redeem(code)


async def _refresh(provider: Provider) -> Callable[[], Awaitable[httpx.Response]]:
    first = (await provider.redeem(await offline_code(provider))).json()["refresh_token"]
    return lambda: provider.token(grant_type="refresh_token", refresh_token=first)


async def _tokens_work(provider: Provider, response: httpx.Response) -> None:
    if response.status_code == 200:
        body = response.json()
        assert (await provider.introspect(body["access_token"]))["active"]
        assert (await provider.introspect(body["refresh_token"]))["active"]


_NO_LINKS = Statement(delete(link).returning(link.c.hash))


async def _freeze(provider: Provider) -> Callable[[], Awaitable[httpx.Response]]:
    await provider.sign_in(provider.browser())
    idp, now = provider.idp, provider.idp.clock.now()
    found = await accounts.by_username(idp.db, username="alice")
    assert found is not None
    # As if nobody had frozen anything before.
    await provider.rows(_NO_LINKS)
    await accounts.thaw(idp.db, account_id=found[0].id, now=now)
    fields = {"kind": Notice.PASSWORD_CHANGED.value}
    made = links.new(idp, LinkFor.FREEZE, found[0].id, ttl=timedelta(days=7), now=now, fields=fields)
    await store_links.add(idp.db, made.link)
    path = f"{LINK_PATH}/freeze/{link_token(idp, LinkFor.FREEZE, nonce=made.nonce, key_id=made.key_id)}"
    browser = provider.browser()
    await browser.get(path)
    return lambda: browser.submit(path, follow=False)


async def _frozen(provider: Provider, response: httpx.Response) -> None:
    if response.status_code == 303:
        page = await provider.browser().get(response.headers["location"])
        assert "Your account is frozen" in page.text


STEPS = {
    "password": Step(_password, _accepted),
    "text message": Step(_sms, _accepted),
    "passkey": Step(_passkey, _accepted),
    "consent": Step(_consent, _issued),
    "code exchange": Step(_redeem, _tokens_work),
    "refresh": Step(_refresh, _tokens_work, frozenset({200})),
    "freezing": Step(_freeze, _frozen, frozenset({303})),
}
