"""The link of a notice: it freezes and signs out, once, for whoever has the mail; it restores and opens nothing."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from idp.crypto import digest
from idp.flows.delivery import notices as flow
from idp.flows.operate.recovering import Recovered, recover
from idp.flows.people import freezing
from idp.formats import moment
from idp.model import Notice
from idp.policy import Vouched
from idp.sms import Channel, Outcome, Reason, Sent
from idp.store.people import accounts
from idp.store.schema.people import account, link
from idp.store.schema.records import audit_event, message
from idp.store.signin import sessions
from idp.store.sql import Sql
from tests.world.account_pages import come_in, enrol, forged, having, is_signed_in, refresh_token
from tests.world.asking import offline_code
from tests.world.composed import Statement
from tests.world.faces import face
from tests.world.mailing import can_mail, mails, newest_link
from tests.world.parallel import at_once
from tests.world.provider import ISSUER, Browser, Provider, parameters

LINK = re.compile(rf"^{ISSUER}(/link/freeze/([A-Za-z0-9_-]{{43}}))$", re.MULTILINE)
ACCOUNTS = Statement(select(account.c.username, account.c.frozen_at))
LINKS = Statement(select(link.c.hash, link.c.purpose, link.c.fields, link.c.used_at).order_by(link.c.created_at))
FROZEN = Statement(select(audit_event.c.fields).where(audit_event.c.name == "account.frozen"))
MESSAGES = Statement(select(message.c.kind, message.c.channel, message.c.nonce).where(message.c.kind != "code"))
REMOVED = Statement(select(audit_event.c.fields).where(audit_event.c.name == "authenticator.removed"))
ROUNDS = range(3)


@pytest.fixture(autouse=True)
async def _mail(provider: Provider) -> None:
    can_mail(provider)
    provider.gateway.channels = frozenset(Channel)
    alice = await find(provider)
    await accounts.set_email(
        provider.idp.db, account_id=alice.id, email="alice@example.com", verified=True, now=provider.clock.now()
    )


async def find(provider: Provider, username: str = "alice") -> Any:
    found = await accounts.by_username(provider.idp.db, username=username)
    assert found is not None
    return found[0]


async def noticed(provider: Provider, notice: Notice = Notice.PASSWORD_CHANGED) -> str:
    """Tell alice of something; the path of the link in her mail."""
    await flow.tell(provider.idp, provider.idp.db, await find(provider), notice, now=provider.clock.now())
    await provider.deliver()
    return newest_link(provider, LINK)


async def frozen(provider: Provider, username: str = "alice") -> bool:
    return dict(await provider.rows(ACCOUNTS))[username] is not None


async def press(provider: Provider, path: str, browser: Browser | None = None) -> str:
    """Open the link and press its button; the page afterwards."""
    browser = browser or provider.browser()
    page = await browser.get(path)
    assert "press the button" in page.text, page.text
    return (await browser.submit(path)).text


async def test_looking_changes_nothing_and_pressing_freezes_and_signs_out(provider: Provider) -> None:
    hers, thief = provider.browser(), provider.browser()
    await come_in(provider, hers, "alice")
    await come_in(provider, thief, "alice")
    path = await noticed(provider)
    stranger = provider.browser()
    for _ in range(3):
        page = await stranger.get(path)
        assert page.status_code == 200
        assert "The password of your <bdi>Acme ID</bdi> account was changed." in page.text
    assert not await frozen(provider)
    assert await is_signed_in(hers)
    text = await press(provider, path, stranger)
    assert "Your account is frozen" in text
    assert "What to do now" in text
    assert await frozen(provider)
    assert not await frozen(provider, "bob")
    assert not await is_signed_in(hers)
    assert not await is_signed_in(thief)
    assert not await is_signed_in(stranger)


async def test_it_ends_refresh_tokens_and_codes_on_their_way(provider: Provider) -> None:
    browser = provider.browser()
    token = await refresh_token(provider, browser)
    # What outlives its session ends too.
    await browser.get("/account")
    await browser.submit("/account/sign-out")
    on_its_way = await offline_code(provider)
    path = await noticed(provider)
    await press(provider, path)
    refreshed = await provider.token(grant_type="refresh_token", refresh_token=token)
    assert refreshed.json()["error"] == "invalid_grant"
    redeemed = await provider.redeem(on_its_way)
    assert redeemed.json()["error"] == "invalid_grant"


async def test_a_frozen_person_signs_in_and_is_told_and_nothing_sensitive_opens(provider: Provider) -> None:
    await press(provider, await noticed(provider))
    provider.clock.move(timedelta(minutes=5))
    browser = provider.browser()
    page = await come_in(provider, browser, "alice")
    assert "Your account is frozen." in page.text
    answer = await browser.get(provider.authorize_url(scope="openid transfers:write"), follow=False)
    assert parameters(answer)["error"] == "unmet_authentication_requirements"
    for room in ("/account/password", "/account/authenticators/new", "/account/recovery-codes"):
        page = await browser.get(room)
        assert page.status_code == 403, room
        assert "Your account is frozen" in page.text


async def test_a_wrong_password_says_nothing_of_it(provider: Provider) -> None:
    await press(provider, await noticed(provider))
    pages = []
    for name in ("alice", "nobody"):
        browser = provider.browser()
        await browser.get("/account")
        pages.append(face((await browser.submit("/password", username=name, password="wrong one")).text, name))
    assert pages[0] == pages[1]
    assert "frozen" not in pages[0]


async def test_a_link_works_once_and_a_second_press_or_link_says_that_it_is_done(provider: Provider) -> None:
    first, second = await noticed(provider), await noticed(provider, Notice.NEW_BROWSER)
    browser = provider.browser()
    await browser.get(first)
    form = browser.form(first)
    data = {each.name: each.value for each in form.fields}
    for _ in range(3):
        assert "Your account is frozen" in (await browser.post(first, data)).text
    assert "Your account is frozen" in await press(provider, second)
    assert "Your account is frozen" in (await provider.browser().get(second)).text
    assert len(await provider.rows(FROZEN)) == 1
    told = [kind for kind, channel, _ in await provider.rows(MESSAGES) if channel == "email"]
    assert told.count("frozen") == 1


async def test_a_second_link_ends_what_was_begun_since_the_first(provider: Provider) -> None:
    first, second = await noticed(provider), await noticed(provider)
    await press(provider, first)
    provider.clock.move(timedelta(minutes=5))
    thief = provider.browser()
    await come_in(provider, thief, "alice")
    assert await is_signed_in(thief)
    await press(provider, second)
    assert not await is_signed_in(thief)


async def test_a_link_that_was_used_says_so_after_a_recovery_and_freezes_nothing(provider: Provider) -> None:
    path = await noticed(provider)
    await press(provider, path)
    await provider.idp.db.one(Statement(account.update().values(frozen_at=None)))
    browser = provider.browser()
    page = await browser.get(path)
    assert "has been recovered since" in page.text
    await freezing.press(provider.idp, path.rpartition("/")[2])
    assert not await frozen(provider)


async def test_a_link_from_before_a_recovery_freezes_nothing_and_that_of_the_recovery_does(provider: Provider) -> None:
    before = await noticed(provider)
    provider.clock.move(timedelta(minutes=1))
    made = await recover(provider.idp, "alice", reason="lost everything; seen in person", by="olga")
    assert isinstance(made, Recovered)
    await provider.deliver()
    after = newest_link(provider, LINK)
    assert after != before
    page = await provider.browser().get(before)
    assert "has been recovered since" in page.text
    assert f'action="{before}"' not in page.text
    await freezing.press(provider.idp, before.rpartition("/")[2])
    assert not await frozen(provider)
    assert "Your account is frozen" in await press(provider, after)
    assert await frozen(provider)


async def test_an_old_link_and_an_invented_one_have_one_face(provider: Provider) -> None:
    path = await noticed(provider)
    provider.clock.move(timedelta(days=7, minutes=1))
    old = await provider.browser().get(path)
    invented = await provider.browser().get("/link/freeze/" + "A" * 43)
    assert (old.status_code, invented.status_code) == (404, 404)
    assert old.text.replace(path, "") == invented.text.replace("/link/freeze/" + "A" * 43, "")
    await freezing.press(provider.idp, path.rpartition("/")[2])
    assert not await frozen(provider)


@pytest.mark.parametrize(
    "token", ["x", "A" * 44, "%00" * 43, "é" * 43, "..%2f..%2faccount", "A" * 20000, "{43}", "'--"]
)
async def test_what_is_no_link_is_no_page(provider: Provider, token: str) -> None:
    browser = provider.browser()
    for answer in (await browser.get(f"/link/freeze/{token}"), await browser.http.post(f"/link/freeze/{token}")):
        assert 400 <= answer.status_code < 500
    assert not await frozen(provider)


async def test_a_link_for_something_else_freezes_nothing(provider: Provider) -> None:
    path = await noticed(provider)
    for purpose in ("reset", "invite", "verify_email"):
        page = await provider.browser().get(path.replace("freeze", purpose))
        assert page.status_code in {400, 404, 405}
    await provider.idp.db.one(Statement(link.update().values(purpose="reset")))
    assert (await provider.browser().get(path)).status_code == 404


async def test_many_presses_at_once_freeze_once(provider: Provider) -> None:
    for number in ROUNDS:
        paths = [await noticed(provider) for _ in range(2)]
        tokens = [path.rpartition("/")[2] for path in paths]

        async def work(each: int, tokens: list[str] = tokens) -> None:
            await freezing.press(provider.idp, tokens[each % 2])

        await at_once(12, work)
        assert await frozen(provider)
        assert len(await provider.rows(FROZEN)) == number + 1
        await provider.idp.db.one(Statement(account.update().values(frozen_at=None)))


async def test_what_breaks_in_the_middle_leaves_the_link_good(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await noticed(provider)

    async def broken(*_: object, **__: object) -> int:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(sessions, "end_others", broken)
        with pytest.raises(RuntimeError):
            await freezing.press(provider.idp, path.rpartition("/")[2])
    assert not await frozen(provider)
    assert "Your account is frozen" in await press(provider, path)


async def test_only_mail_to_an_address_that_is_known_to_be_theirs_carries_the_link(provider: Provider) -> None:
    alice = await find(provider)
    await accounts.set_email(
        provider.idp.db, account_id=alice.id, email="alice@example.com", verified=False, now=provider.clock.now()
    )
    await flow.tell(provider.idp, provider.idp.db, alice, Notice.PASSWORD_CHANGED, now=provider.clock.now())
    await provider.deliver()
    assert "/link/" not in mails(provider)[-1].text
    assert "Sign in as you always do" in mails(provider)[-1].text
    assert await provider.rows(LINKS) == []


async def test_nothing_of_the_link_is_stored_or_logged_and_no_text_message_carries_one(
    provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    path = await noticed(provider)
    browser = provider.browser()
    page = await browser.get(path)
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    token = path.rpartition("/")[2]
    [[hashed, purpose, fields, used]] = await provider.rows(LINKS)
    assert (hashed, purpose, used) == (digest(token), "freeze", None)
    assert fields["kind"] == "password_changed"
    assert token not in str(await provider.rows(MESSAGES))
    await press(provider, path, browser)
    logged = capsys.readouterr()
    assert "route='look'" in logged.out
    assert token not in logged.out + logged.err
    texts = [each.text for each in provider.gateway.sent if each.channel is Channel.SMS]
    assert texts
    assert not any("link" in text or "http" in text for text in texts)


async def test_it_restores_nothing_and_leaves_every_way_to_sign_in(provider: Provider) -> None:
    before = await accounts.by_username(provider.idp.db, username="alice")
    await press(provider, await noticed(provider))
    after = await accounts.by_username(provider.idp.db, username="alice")
    assert before is not None
    assert after is not None
    assert after[1] == before[1]
    assert after[0].email == before[0].email


async def test_another_round_of_notices_carries_links_that_work(provider: Provider) -> None:
    bob = await find(provider, "bob")
    await accounts.set_email(
        provider.idp.db, account_id=bob.id, email="bob@example.com", verified=True, now=provider.clock.now()
    )
    browser = provider.browser()
    await come_in(provider, browser)
    await enrol(provider, browser)
    provider.gateway.answers = [Sent(Outcome.NOT_SENT, reason=Reason.NETWORK)] * 1000
    await provider.deliver()
    provider.clock.move(timedelta(days=2))
    added_at = (await accounts.by_username(provider.idp.db, username="bob"))[1][-1].confirmed_at  # type: ignore[index]
    assert await flow.tell_again(provider.idp) >= 2
    provider.gateway.answers = []
    sent = len(provider.gateway.sent)
    await provider.deliver()
    [mail] = [each for each in provider.gateway.sent[sent:] if each.subject and "authenticator app" in each.subject]
    assert added_at is not None
    assert f"When: {moment(added_at, 'en')}" in mail.text
    found = LINK.search(mail.text)
    assert found is not None
    await press(provider, found[1])
    assert await frozen(provider, "bob")


async def test_a_notice_of_freezing_has_no_link(provider: Provider) -> None:
    await press(provider, await noticed(provider))
    await provider.deliver()
    last = mails(provider)[-1]
    assert last.subject == "Your Acme ID account was frozen and signed out everywhere"
    assert "/link/" not in last.text
    assert "Forgot your password?" in last.text


async def test_the_page_costs_two_statements_and_a_press_is_one_transaction(provider: Provider) -> None:
    path = await noticed(provider)
    browser = provider.browser()
    provider.count()
    await browser.get(path)
    assert len(provider.statements) == 2


async def test_whoever_is_signed_in_needs_the_form_of_their_own_session(provider: Provider) -> None:
    path = await noticed(provider)
    browser = provider.browser()
    await come_in(provider, browser, "bob")
    answer = await browser.http.post(path, data={"csrf": "0" * 64})
    assert answer.status_code == 403
    assert not await frozen(provider)
    answer = await forged(provider, browser, path)
    assert answer.status_code == 303
    assert await frozen(provider)
    assert await is_signed_in(browser)


async def test_an_operator_freezes_once(provider: Provider) -> None:
    alice = await find(provider)
    told = []
    for _ in range(2):
        async with provider.idp.db.transaction() as conn:
            now = provider.clock.now()
            told.append(
                await freezing.freeze(conn, provider.idp, alice, by="operator", vouched=Vouched.OPERATOR, now=now)
            )
    assert told == [True, False]
    assert [row[0]["by"] for row in await provider.rows(FROZEN)] == ["operator"]


async def told_bob(provider: Provider, notice: Notice) -> str:
    bob = await find(provider, "bob")
    now = provider.clock.now()
    await accounts.set_email(provider.idp.db, account_id=bob.id, email="bob@example.com", verified=True, now=now)
    await flow.tell(provider.idp, provider.idp.db, await find(provider, "bob"), notice, now=now)
    await provider.deliver()
    return newest_link(provider, LINK)


async def open_of_bob(provider: Provider) -> set[str]:
    return {str(row["factor"]) for row in await having(provider, "bob") if row["closed_at"] is None}


async def test_what_was_on_hold_is_closed_for_ever_and_what_was_trusted_stays(provider: Provider) -> None:
    """Whoever has password and phone enrols an app and waits for its hold: recovering must not help them."""
    thief = provider.browser()
    await come_in(provider, thief)
    await enrol(provider, thief)
    assert await open_of_bob(provider) == {"sms", "totp", "recovery"}
    await press(provider, await told_bob(provider, Notice.TOTP_ADDED))
    assert await open_of_bob(provider) == {"sms"}
    removed = {fields["factor"]: fields["by"] for (fields,) in await provider.rows(REMOVED)}
    assert removed == {"totp": "freeze", "recovery": "freeze"}
    await provider.idp.db.one(Sql("UPDATE account SET frozen_at = NULL"))
    provider.clock.move(timedelta(days=3))
    assert await open_of_bob(provider) == {"sms"}


async def test_the_last_way_in_is_not_closed(provider: Provider) -> None:
    await provider.idp.db.one(
        Sql("UPDATE authenticator SET trusted_at = :at"), at=provider.clock.now() + timedelta(days=1)
    )
    await press(provider, await told_bob(provider, Notice.PASSWORD_CHANGED))
    assert await open_of_bob(provider) == {"sms"}
