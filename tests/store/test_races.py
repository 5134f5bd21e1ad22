"""Once is once, three is three (promise 5): many callers in the same moment, from two pools, several rounds."""

import asyncio
import base64
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import bindparam, select, update

from idp import limits
from idp.audit import FactorVerified
from idp.crypto import KeyChain, SecretKey, digest, random_token
from idp.errors import OAuthError
from idp.factors import password as passwords
from idp.flows.idp import Visitor
from idp.flows.operate.editing import set_email
from idp.flows.operate.keys import rotate_keys
from idp.flows.signin import challenge, choices, login
from idp.flows.signin.authorize import Gone, ToClient, ToInteraction, Unstored, paused
from idp.flows.signin.outcomes import DeadCode, Paused, WrongCode
from idp.flows.tokens import token
from idp.model import Authenticator, Factor, Session
from idp.oidc.keys import ALGORITHMS
from idp.store import migrations, rate_limits, revision
from idp.store.people import accounts, authenticators
from idp.store.people.devices import Browser
from idp.store.refunds import Refund
from idp.store.schema.people import account
from idp.store.schema.people import challenge as challenge_table
from idp.store.signin import attempts, proofs, sessions
from idp.store.signin.attempts import Attempt, Spent
from idp.store.signin.challenges import Question
from idp.store.signin.consuming import Compared, Mailed
from idp.store.signin.proofs import Beginning, Proof, Rotation
from idp.store.tokens import clients, consents
from idp.store.tokens import keys as store_keys
from tests.world import databases
from tests.world.asking import (
    LIVE_REFRESH_TOKENS,
    Asked,
    ask_second_factor,
    asked_here,
    count,
    forget_limits,
    offline_code,
    wrong,
)
from tests.world.composed import Statement
from tests.world.hashing import hashed
from tests.world.mailing import allow_mail, mails
from tests.world.parallel import at_once
from tests.world.provider import BANK_URI, PASSWORD, Provider, claims
from tests.world.waiting import comes

NONCE = Statement(
    select(challenge_table.c.nonce).where(challenge_table.c.interaction_id == bindparam("interaction_id"))
)
SET_EMAIL = Statement(
    update(account)
    .where(account.c.id == bindparam("account_id"))
    .values(email=bindparam("to"), email_verified=bindparam("sure"))
    .returning(account.c.id)
)
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
Twins = tuple[Provider, Provider]
ROUNDS = range(3)


def tokens(outcomes: Sequence[object]) -> list[str]:
    """The different session tokens that were given: one for each browser that goes on, however often it answered."""
    return list(
        {each.token for each in outcomes if isinstance(each, ToInteraction | ToClient) and each.token is not None}
    )


async def proofs_made(twins: Twins) -> int:
    return await count(twins[0], "authentication_event")


async def answers(twins: Twins, asked: Sequence[Asked], factor: Factor, code: str, times: int) -> list[Any]:
    async def answer(number: int) -> object:
        one = asked[number % len(asked)]
        return await challenge.answer(twins[number % 2].idp, one.interaction_id, one.visitor, factor, code)

    return await at_once(times, answer)


async def test_forty_wrong_codes_at_once_are_three_comparisons(twins: Twins) -> None:
    """OTP-01."""
    for _ in ROUNDS:
        await forget_limits(twins[0])
        asked = await ask_second_factor(twins[0])
        right = (await twins[0].deliver())[-1]
        outcomes = await answers(twins, [asked], Factor.SMS, wrong(right), 40)
        compared = [each.attempts_left for each in outcomes if isinstance(each, WrongCode)]
        assert sorted(compared) == [0, 1, 2]
        assert sum(isinstance(each, DeadCode) for each in outcomes) == 37
        assert isinstance((await answers(twins, [asked], Factor.SMS, right, 1))[0], DeadCode)
        sent = await challenge.send(twins[1].idp, asked.interaction_id, asked.visitor, Factor.SMS)
        assert isinstance(sent, Paused)
        await forget_limits(twins[0])
        assert sent.retry_after is not None
        assert sent.retry_after <= timedelta(minutes=1)
        await challenge.send(twins[1].idp, asked.interaction_id, asked.visitor, Factor.SMS)
        again = (await twins[0].deliver())[-1]
        assert tokens(await answers(twins, [asked], Factor.SMS, again, 1))


async def test_twenty_right_codes_at_once_are_one_proof(twins: Twins) -> None:
    for number in ROUNDS:
        await forget_limits(twins[0])
        asked = await ask_second_factor(twins[0])
        right = (await twins[0].deliver())[-1]
        outcomes = await answers(twins, [asked], Factor.SMS, right, 20)
        assert len(tokens(outcomes)) == 1
        assert all(isinstance(each, ToClient | ToInteraction | DeadCode | Gone) for each in outcomes)
        assert await count(twins[0], "authentication_event") == 2 * (number + 1)


async def test_a_new_browser_is_told_of_once_and_by_whoever_proved_it_alone(twins: Twins) -> None:
    for number in ROUNDS:
        await forget_limits(twins[0])
        asked = await ask_second_factor(twins[0])
        right = (await twins[0].deliver())[-1]
        before = await count(twins[0], "message")
        await answers(twins, [asked], Factor.SMS, right, 20)
        # The first sign-in ever is no news.
        assert await count(twins[0], "message") == before + min(number, 1)


async def test_a_time_step_is_accepted_once_from_whatever_browser(twins: Twins) -> None:
    """TOTP-01."""
    for _ in ROUNDS:
        await forget_limits(twins[0])
        asked = [await ask_second_factor(twins[0], address=f"192.0.2.{one}") for one in range(4)]
        before = await proofs_made(twins)
        assert len(tokens(await answers(twins, asked, Factor.TOTP, twins[0].totp(), 12))) == 1
        assert await proofs_made(twins) == before + 1
        late = [await ask_second_factor(twins[0], address="192.0.2.9")]
        (refused,) = await answers(twins, late, Factor.TOTP, twins[0].totp(), 1)
        assert isinstance(refused, WrongCode)
        assert refused.used
        twins[0].clock.move(timedelta(seconds=30))


async def test_a_try_is_given_back_without_ending_another(twins: Twins, database_url: str) -> None:
    """Locks in one order, for a caller too who cannot see the question yet that the one before it asked."""
    asked = await ask_second_factor(twins[0])
    now, failures = twins[0].clock.now(), b"failures of an app"
    person = await accounts.by_username(twins[0].idp.db, username="alice")
    assert person is not None
    question = Question(
        interaction_id=asked.interaction_id,
        factor=Factor.TOTP,
        account_id=person[0].id,
        authenticator_id=None,
        purpose="totp",
        nonce=bytes(16),
        key_id="t1",
        expires_at=now + timedelta(minutes=5),
        max_attempts=3,
    )

    session_id, token_hash = asked.visitor.session_id, asked.visitor.token_hash
    assert session_id is not None
    assert token_hash is not None

    async def spend() -> object:
        charges = [(twins[0].idp.limits.code_failures, failures)]
        attempt = Attempt(question, charges, session_id, token_hash)
        return await attempts.spend(twins[0].idp.db, attempt, now=now)

    async def give_back(spent: Spent) -> None:
        refund = Refund(twins[0].idp.limits.code_failures, failures)
        await attempts.give_back(twins[1].idp.db, question, nonce=spent.nonce, refund=refund, now=now)

    watch, paused, counted = [await asyncpg.connect(database_url) for _ in range(3)]

    async def are_waiting(count: int) -> bool:
        return int(await watch.fetchval(WAITING)) == count

    try:
        spent = await spend()
        assert isinstance(spent, Spent)
        row = await watch.fetchval("DELETE FROM challenge WHERE factor = 'totp' RETURNING to_jsonb(challenge)")
        async with counted.transaction():
            await counted.execute("SELECT FROM rate_limit WHERE key = $1 FOR UPDATE", failures)
            async with paused.transaction():
                await paused.execute("SELECT FROM interaction WHERE id = $1 FOR NO KEY UPDATE", asked.interaction_id)
                another = asyncio.create_task(spend())
                await comes(lambda: are_waiting(1))
                again = "INSERT INTO challenge SELECT * FROM jsonb_populate_record(NULL::challenge, $1)"
                await paused.execute(again, row)
            returning = asyncio.create_task(give_back(spent))
            await comes(lambda: are_waiting(2))
        assert isinstance(await another, Spent)
        await returning
    finally:
        for connection in (watch, paused, counted):
            await connection.close()


async def test_a_recovery_code_is_accepted_once_from_whatever_browser(twins: Twins) -> None:
    """REC-01."""
    for number in ROUNDS:
        await forget_limits(twins[0])
        asked = [await ask_second_factor(twins[0], address=f"192.0.2.{one}") for one in range(4)]
        saved = twins[0].saved["alice"][number]
        before = await proofs_made(twins)
        assert len(tokens(await answers(twins, asked, Factor.RECOVERY, saved, 12))) == 1
        assert await proofs_made(twins) == before + 1
        late = [await ask_second_factor(twins[0], address="192.0.2.9")]
        assert isinstance((await answers(twins, late, Factor.RECOVERY, saved, 1))[0], WrongCode)


async def test_more_than_three_answers_for_an_app_are_never_compared(twins: Twins) -> None:
    for _ in ROUNDS:
        await forget_limits(twins[0])
        asked = await ask_second_factor(twins[0])
        outcomes = await answers(twins, [asked], Factor.TOTP, wrong(twins[0].totp()), 24)
        assert sum(isinstance(each, WrongCode) for each in outcomes) == 3
        assert not tokens(await answers(twins, [asked], Factor.TOTP, twins[0].totp(), 8))
        twins[0].clock.move(timedelta(minutes=2))


async def test_a_session_token_changes_for_one_of_many(twins: Twins) -> None:
    provider = twins[0]
    now = provider.clock.now()
    person = await accounts.by_username(provider.idp.db, username="alice")
    assert person is not None
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    session_id = Visitor("", browser.token).session_id
    assert session_id is not None
    assert browser.token is not None
    started = paused(provider.idp, asked_here(provider, browser).request, uuid4(), session_id, now=now)
    interaction_id, old = started.id, digest(browser.token)
    for number in ROUNDS:
        new = [digest(random_token()) for _ in range(20)]
        # the first of all begins the session, too
        first = None if number else Beginning(started, new_session=True, user_agent="")

        async def prove(caller: int, old: bytes = old, new: list[bytes] = new, first: Beginning | None = first) -> bool:
            return await proofs.record(
                twins[caller % 2].idp.db,
                Proof(Compared(hashed()), person[0].id, "bank", interaction_id),
                rotation=Rotation(session_id, old, new[caller]),
                audit=FactorVerified(factor="password", interaction=str(interaction_id)),
                beginning=first,
                now=now,
            )

        won = await at_once(20, prove)
        assert won.count(True) == 1
        assert await count(provider, "authentication_event") == number + 1
        old = new[won.index(True)]


async def test_passwords_are_compared_no_more_often_than_the_limits_allow(twins: Twins) -> None:
    now = twins[0].clock.now()
    name = twins[0].idp.secrets.index("alice", purpose="username")
    everybody = [(twins[0].idp.limits.password_day, limits.subject(twins[0].idp.limits.password_day, name))]
    for same_name, same_address, before in ((True, True, 0), (False, True, 0), (True, False, 95)):
        await forget_limits(twins[0])
        for _ in range(before):
            assert await rate_limits.spend(twins[0].idp.db, everybody, now=now) is None
        browser = twins[0].browser()
        await browser.get(twins[0].authorize_url())
        asked = asked_here(twins[0], browser)

        async def guess(
            number: int,
            asked: Unstored = asked,
            cookie: str | None = browser.token,
            same_name: bool = same_name,
            same_address: bool = same_address,
        ) -> object:
            # One person, many names from one address, then one person from many addresses at the end of the day's 100.
            visitor = Visitor("198.51.100.1" if same_address else f"198.51.100.{number}", cookie)
            return await login.password(
                twins[number % 2].idp,
                asked,
                visitor,
                username="alice" if same_name else f"nobody{number}",
                typed=passwords.Password("wrong password"),
            )

        outcomes = await at_once(24, guess)
        assert sum(isinstance(each, login.WrongPassword) for each in outcomes) == 5
        assert sum(isinstance(each, login.Wait) for each in outcomes) == 19


async def test_twenty_resends_at_once_are_one_message(twins: Twins) -> None:
    """OTP-13."""
    asked = await ask_second_factor(twins[0])
    for _ in ROUNDS:
        await forget_limits(twins[0])
        before = await count(twins[0], "message")

        async def send(number: int) -> object:
            return await challenge.send(twins[number % 2].idp, asked.interaction_id, asked.visitor, Factor.SMS)

        outcomes = await at_once(20, send)
        waits = [each.retry_after for each in outcomes if isinstance(each, Paused)]
        assert len(waits) == 19
        assert all(wait is not None and timedelta(0) < wait <= timedelta(minutes=1) for wait in waits)
        assert await count(twins[0], "message") == before + 1
    codes = await twins[0].deliver()
    assert len(set(codes)) == 1


async def test_sending_and_answering_at_once_never_wait_for_each_other(twins: Twins) -> None:
    """Locks are taken in one order: else PostgreSQL ends one of the two, and the person sees an error page."""
    for _ in range(6):
        await forget_limits(twins[0])
        await twins[0].deliver()  # what the round before left: of the same moment, it might come after
        asked = await ask_second_factor(twins[0])
        right = (await twins[0].deliver())[-1]
        twins[0].clock.move(timedelta(seconds=61))

        async def both(number: int, asked: Asked = asked, right: str = right) -> object:
            idp = twins[number % 2].idp
            if number % 4:
                return await challenge.send(idp, asked.interaction_id, asked.visitor, Factor.SMS)
            return await challenge.answer(idp, asked.interaction_id, asked.visitor, Factor.SMS, right)

        before = await proofs_made(twins)
        assert len(tokens([each for each in await at_once(8, both) if each is not None])) == 1
        assert await proofs_made(twins) == before + 1


async def test_signing_in_often_at_once_works(twins: Twins) -> None:
    for _ in ROUNDS:
        await forget_limits(twins[0])
        browsers = [twins[number % 2].browser() for number in range(4)]
        for browser in browsers:
            await browser.get(twins[0].authorize_url())

        async def sign_in(number: int, browsers: Any = browsers) -> object:
            return await login.password(
                twins[number % 2].idp,
                asked_here(twins[number % 2], browsers[number]),
                Visitor("192.0.2.1", browsers[number].token),
                username="alice",
                typed=passwords.Password(PASSWORD),
            )

        assert len(tokens(await at_once(4, sign_in))) == 4


async def test_an_interaction_ends_in_one_code(twins: Twins) -> None:
    for _ in ROUNDS:
        await forget_limits(twins[0])
        asked = await ask_second_factor(twins[0], prompt="consent")
        right = (await twins[0].deliver())[-1]
        (new,) = tokens(await answers(twins, [asked], Factor.SMS, right, 1))
        visitor = Visitor("192.0.2.1", new)

        async def agree(caller: int, asked: Asked = asked, visitor: Visitor = visitor) -> object:
            idp = twins[caller % 2].idp
            return await choices.consent(idp, asked.interaction_id, visitor, allow=True, ticked=frozenset({"openid"}))

        outcomes = await at_once(20, agree)
        assert sum(isinstance(each, ToClient) for each in outcomes) == 1
        assert sum(isinstance(each, ToInteraction | Gone) for each in outcomes) == 19
        assert await count(twins[0], "grant_") == 0  # nobody came to exchange it


def basic(provider: Provider) -> str:
    return "Basic " + base64.b64encode(f"bank:{provider.secrets['bank']}".encode()).decode()


async def token_answers(twins: Twins, params: dict[str, str], times: int) -> list[dict[str, Any] | str]:
    """The bodies of those that succeeded, the error codes of the others."""

    async def ask(number: int) -> dict[str, Any] | str:
        try:
            return await token.token(twins[number % 2].idp, basic(twins[0]), params, Visitor("192.0.2.2"))
        except OAuthError as error:
            return error.code

    return await at_once(times, ask)


def code_params(provider: Provider, code: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BANK_URI,
        "code_verifier": provider.pkce.verifier,
    }


@pytest.mark.parametrize("times", [12, 40])
async def test_a_code_redeemed_often_at_once_brings_nothing_that_lasts(twins: Twins, times: int) -> None:
    """RFC 6749 4.1.2: used more than once, the request is denied and what the code brought is revoked.

    One caller is first and gets tokens. As soon as another one came too, they are dead: nobody can tell who was right.
    """
    provider = twins[0]
    for _ in ROUNDS:
        await forget_limits(provider)
        code = await offline_code(provider)
        outcomes = await token_answers(twins, code_params(provider, code), times)
        won = [each for each in outcomes if isinstance(each, dict)]
        assert len(won) <= 1
        assert outcomes.count("invalid_grant") == times - len(won)
        for body in won:
            assert await provider.introspect(body["access_token"]) == {"active": False}
            again = await provider.token(grant_type="refresh_token", refresh_token=body["refresh_token"])
            assert again.json()["error"] == "invalid_grant"
        assert (await provider.redeem(code)).json()["error"] == "invalid_grant"


async def refresh_token_of(provider: Provider) -> str:
    await forget_limits(provider)
    code = await offline_code(provider)
    body = (await provider.redeem(code)).json()
    refresh: str = body["refresh_token"]
    return refresh


async def live(provider: Provider) -> int:
    return int((await provider.rows(LIVE_REFRESH_TOKENS))[0][0])


async def refresh(provider: Provider, presented: str) -> dict[str, Any]:
    body: dict[str, Any] = (await provider.token(grant_type="refresh_token", refresh_token=presented)).json()
    return body


@pytest.mark.parametrize("rotated", [pytest.param(False, id="same keys"), pytest.param(True, id="keys turning")])
async def test_a_refresh_token_used_often_at_once_gives_everybody_the_same_successor(
    twins: Twins, key_chain: KeyChain, rotated: bool
) -> None:
    """OAU-15. Whichever answer the application keeps goes on working, also while the secret keys are being turned."""
    provider = twins[0]
    if rotated:
        old, new = SecretKey("t1", key_chain._keys["t1"]), SecretKey("t2", bytes(range(32)))
        twins[0].idp.secrets, twins[1].idp.secrets = KeyChain([old, new]), KeyChain([new, old])
    for number in range(8):
        presented = await refresh_token_of(provider)
        params = {"grant_type": "refresh_token", "refresh_token": presented}
        outcomes = await token_answers(twins, params, 40)
        won = [each["refresh_token"] if isinstance(each, dict) else each for each in outcomes]
        assert len(won) == 40
        assert len(set(won)) == 1, set(won)
        assert await live(provider) == number + 1
        assert await refresh_state(provider, won[0])
        for each in outcomes:
            assert isinstance(each, dict)
            assert (await provider.introspect(each["access_token"]))["active"]
        assert "access_token" in await refresh(provider, won[0])
        assert await live(provider) == number + 1


async def test_a_successor_cannot_be_told_without_the_key(provider: Provider) -> None:
    presented = await refresh_token_of(provider)
    foreign = KeyChain([SecretKey("other", bytes(range(32)))])
    successor = (await refresh(provider, presented))["refresh_token"]
    assert successor not in foreign.successors(presented, purpose="refresh")
    # Whoever is first was served under a key that is gone: nothing can be repeated, and nobody is taken for a thief.
    provider.idp.secrets, kept = foreign, provider.idp.secrets
    assert (await refresh(provider, presented))["error"] == "invalid_grant"
    provider.idp.secrets = kept
    assert await refresh_state(provider, successor)


async def refresh_state(provider: Provider, presented: str) -> bool:
    """Whether the token is the live one, asked without using it."""
    return bool((await provider.introspect(presented)).get("active"))


async def test_retries_of_a_lost_answer_bring_the_same_successor(provider: Provider) -> None:
    presented = await refresh_token_of(provider)
    successors = set()
    for _ in range(4):
        provider.clock.move(timedelta(seconds=5))
        successors.add((await refresh(provider, presented))["refresh_token"])
        assert await live(provider) == 1
    provider.clock.move(timedelta(seconds=31))
    (successor,) = successors
    assert "access_token" in await refresh(provider, successor)


@pytest.mark.parametrize("late", [pytest.param(True, id="after 30 s"), pytest.param(False, id="successor used")])
async def test_a_refresh_token_that_comes_back_ends_the_family(provider: Provider, late: bool) -> None:
    first = await refresh_token_of(provider)
    body = await refresh(provider, first)
    if late:
        provider.clock.move(timedelta(seconds=31))
        newest = body
    else:
        newest = await refresh(provider, body["refresh_token"])
    assert (await refresh(provider, first))["error"] == "invalid_grant"
    assert (await refresh(provider, newest["refresh_token"]))["error"] == "invalid_grant"
    assert await provider.introspect(newest["access_token"]) == {"active": False}


@pytest.mark.parametrize("scope", [" ", "transfers:write", "openid transfers:write", "openid unheard-of"])
async def test_a_scope_that_a_refresh_cannot_have_costs_nothing(provider: Provider, scope: str) -> None:
    """STP-08: refused before the token is used up, and the family lives."""
    browser = provider.browser()
    await provider.sign_in(browser)
    await browser.get(provider.authorize_url(scope="openid offline_access transfers:write", prompt="consent"))
    await browser.submit("/totp", code=provider.totp())
    done = await browser.submit("/consent", decision="allow")
    code = done.headers["location"].partition("code=")[2].partition("&")[0]
    first = (await provider.redeem(code)).json()
    assert "transfers:write" in claims(first["access_token"])["scope"].split()
    answer = await provider.token(grant_type="refresh_token", refresh_token=first["refresh_token"], scope=scope)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
    again = await refresh(provider, first["refresh_token"])
    assert again["scope"].split() == ["openid", "offline_access"]


async def test_a_client_assertion_is_accepted_once(twins: Twins) -> None:
    expires_at = twins[0].clock.now() + timedelta(minutes=1)
    for _ in ROUNDS:
        name = digest(random_token())

        async def use(number: int, name: bytes = name) -> bool:
            return await clients.use_assertion(twins[number % 2].idp.db, assertion_hash=name, expires_at=expires_at)

        assert (await at_once(20, use)).count(True) == 1


async def test_an_enrolment_is_confirmed_once(twins: Twins) -> None:
    """ENR-07."""
    provider, now = twins[0], twins[0].clock.now()
    person = await accounts.by_username(provider.idp.db, username="bob")
    assert person is not None
    for _ in ROUNDS:
        session_id = uuid4()
        day = timedelta(days=1)
        pending = Authenticator(uuid4(), person[0].id, Factor.TOTP, "", "", created_at=now, trusted_at=None, hold=day)
        await authenticators.add(
            provider.idp.db, pending, sealed=b"sealed", session_id=session_id, expires_at=now + day
        )

        async def confirm(number: int, pending: UUID = pending.id, session_id: UUID = session_id) -> bool:
            return await authenticators.confirm(
                twins[number % 2].idp.db,
                authenticator_id=pending,
                account_id=person[0].id,
                session_id=session_id,
                label="Pixel",
                hold=timedelta(days=1),
                step=7,
                now=now,
            )

        assert (await at_once(20, confirm)).count(True) == 1


async def test_signing_keys_rotated_by_two_processes_stay_one_current_and_one_next(twins: Twins) -> None:
    async def rotate(number: int) -> list[str]:
        return await rotate_keys(twins[number % 2].idp, early=True)

    code = await twins[0].code(twins[0].browser())
    before = (await twins[0].redeem(code)).json()["access_token"]
    await at_once(3, rotate)
    stored = await store_keys.all_keys(twins[0].idp.db)
    for state in ("current", "next"):
        assert sorted(key.alg for key in stored if key.state == state) == sorted(ALGORITHMS)
    assert (await twins[0].introspect(before))["active"]


async def test_many_processes_migrate_one_database_once(server_url: str) -> None:
    async with databases.another(server_url, f"stile_migrated_{uuid4().hex}") as url:
        moves = await at_once(4, lambda _: migrations.migrate(url))
        assert sorted(before or "" for before, _ in moves) == ["", *[revision.WANTED] * 3]
        assert {after for _, after in moves} == {revision.WANTED}


async def test_a_consent_given_for_one_person_never_serves_the_next(provider: Provider) -> None:
    """Two tabs of one browser: consent is allowed while somebody else takes the request over."""
    now, db = provider.clock.now(), provider.idp.db
    asked = await ask_second_factor(provider)
    old = asked.visitor.session_id
    assert old is not None
    fresh = Session(uuid4(), None, now, now)
    assert await sessions.replace(
        db,
        interaction_id=asked.interaction_id,
        old=old,
        new=fresh,
        token_hash=digest(random_token()),
        shown=b"",
        now=now,
    )
    assert not await sessions.choose_account(db, interaction_id=asked.interaction_id, session_id=old)
    person = await accounts.by_username(db, username="alice")
    assert person is not None
    assert not await consents.answer(
        db,
        interaction_id=asked.interaction_id,
        session_id=old,
        account_id=person[0].id,
        client_id="bank",
        ticked=["openid"],
        remember=["openid"],
        refuse=[],
        audit=FactorVerified(factor="", interaction=""),
        now=now,
    )


async def mail_asked(twins: Twins) -> tuple[Asked, str]:
    """Dora asked for a code by e-mail, and got it."""
    asked = await ask_second_factor(twins[0], "dora")
    await twins[0].deliver()
    return asked, mails(twins[0])[-1].code or ""


async def dora(twins: Twins) -> None:
    for provider in twins:
        allow_mail(provider)
    await twins[0].add_person("dora", email="dora@example.com", email_verified=True)


async def test_a_code_by_mail_is_three_comparisons_and_one_proof(twins: Twins) -> None:
    await dora(twins)
    for _ in ROUNDS:
        await forget_limits(twins[0])
        asked, right = await mail_asked(twins)
        outcomes = await answers(twins, [asked], Factor.EMAIL, wrong(right), 40)
        assert sorted(each.attempts_left for each in outcomes if isinstance(each, WrongCode)) == [0, 1, 2]
        assert not tokens(await answers(twins, [asked], Factor.EMAIL, right, 1))
        await forget_limits(twins[0])
        asked, right = await mail_asked(twins)
        before = await proofs_made(twins)
        outcomes = await answers(twins, [asked], Factor.EMAIL, right, 20)
        assert len(tokens(outcomes)) == 1
        assert await proofs_made(twins) == before + 1
        assert all(isinstance(each, ToClient | ToInteraction | DeadCode | Gone) for each in outcomes)


async def test_twenty_who_ask_for_mail_at_once_get_one(twins: Twins) -> None:
    await dora(twins)
    for number in ROUNDS:
        await forget_limits(twins[0])
        asked = await ask_second_factor(twins[0], "dora")
        await forget_limits(twins[0])
        before = len(mails(twins[0]))

        async def ask(caller: int, asked: Asked = asked) -> object:
            idp = twins[caller % 2].idp
            return await challenge.send(idp, asked.interaction_id, asked.visitor, Factor.EMAIL)

        outcomes = await at_once(20, ask)
        assert sum(isinstance(each, Paused) for each in outcomes) == 19
        await twins[0].deliver()
        # One with the password, and one that was asked for; both carry the same code.
        assert len({mail.code for mail in mails(twins[0])[before:]}) == 1
        assert len(mails(twins[0])) == 2 * (number + 1)


async def test_who_changes_the_address_and_who_answers_do_not_both_win_later(twins: Twins) -> None:
    """After the address was changed no code that went to the old one makes a proof, in whatever order they came."""
    await dora(twins)
    for _ in range(6):
        await forget_limits(twins[0])
        asked, right = await mail_asked(twins)

        async def change_or_answer(caller: int, asked: Asked = asked, right: str = right) -> object:
            if caller == 0:
                return await set_email(twins[0].idp, "dora", "dora@example.org", verified=True)
            idp = twins[caller % 2].idp
            return await challenge.answer(idp, asked.interaction_id, asked.visitor, Factor.EMAIL, right)

        before = await proofs_made(twins)
        outcomes = await at_once(8, change_or_answer)
        assert await proofs_made(twins) == before + len(tokens(outcomes)) <= before + 1
        assert not tokens(await answers(twins, [asked], Factor.EMAIL, right, 4))
        await set_email(twins[0].idp, "dora", "dora@example.com", verified=True)


async def test_a_proof_by_mail_needs_the_address_it_went_to_to_be_theirs_still(twins: Twins) -> None:
    """The last moment: the code was compared, and then the address changed."""
    await dora(twins)
    provider = twins[0]
    person = await accounts.by_username(provider.idp.db, username="dora")
    assert person is not None
    for email, verified in (("dora@example.org", True), ("dora@example.com", False)):
        await forget_limits(provider)
        asked, _ = await mail_asked(twins)
        ((nonce,),) = await provider.rows(NONCE, interaction_id=asked.interaction_id)
        await provider.rows(SET_EMAIL, account_id=person[0].id, to=email, sure=verified)
        session_id = asked.visitor.session_id
        assert session_id is not None
        assert asked.visitor.token_hash is not None

        async def prove(nonce: bytes = nonce, asked: Asked = asked, session_id: UUID = session_id) -> bool:
            assert asked.visitor.token_hash is not None
            question = Question(
                asked.interaction_id,
                Factor.EMAIL,
                person[0].id,
                None,
                "",
                nonce,
                "t1",
                provider.clock.now(),
                max_attempts=3,
            )
            proved = await proofs.answer(
                provider.idp.db,
                Proof(Mailed("dora@example.com", nonce), person[0].id, "bank", asked.interaction_id),
                attempt=Attempt(question, [], session_id, asked.visitor.token_hash),
                finishes=False,
                rotation=Rotation(session_id, asked.visitor.token_hash, digest(random_token())),
                browser=Browser(b"", "", None, Factor.EMAIL, provider.clock.now()),
                audit=FactorVerified(factor="email", interaction=str(asked.interaction_id)),
                now=provider.clock.now(),
            )
            return proved is True

        assert not await prove()
        await provider.rows(SET_EMAIL, account_id=person[0].id, to="dora@example.com", sure=True)
        assert await prove()
        assert not await prove()
