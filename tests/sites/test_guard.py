"""What a proxy is answered: who gets in where, for how long, and at what price."""

import secrets
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest

from idp.crypto import KeyChain
from idp.errors import Unavailable
from idp.store.people import accounts
from idp.store.signin import sites as store
from idp.store.sql import Sql
from tests.world.guarded import LOGS, PAGE, WIKI, Surfer, rows, rule
from tests.world.provider import PASSWORD, Provider
from tests.world.running import running
from tests.world.stage import STRONG, TWO_FACTOR

LAST = Sql("""
SELECT client_id, fields FROM audit_event WHERE name = 'authorization.granted' ORDER BY at DESC, id DESC LIMIT 1""")
LEFT = 3 * 80  # https: `__Host-`, Secure and Strict-Transport-Security; the server's own lines; the status
MINUTE = timedelta(minutes=1)
SCRIPT = {"Accept": "application/json"}


def told(answer: httpx.Response) -> dict[str, str]:
    names = ("remote-user", "remote-name", "remote-groups", "remote-email", "x-stile-acr")
    return {name: answer.headers[name] for name in names}


async def elevates(alice: Surfer, path: str = "/admin", *, host: str = WIKI) -> httpx.Response:
    """By the app, from a request that is turned away to the answer of the callback."""
    sent = await alice.ask(path, host=host)
    assert sent.status_code == 303, sent.text
    await alice.goes(sent.headers["location"])
    return await alice.back(await alice.submit("/totp", code=alice.provider.totp()))


async def test_who_signed_in_gets_in_and_the_application_is_told_who_it_is(alice: Surfer) -> None:
    answer = await alice.signs_in("/page?a=%20b&c=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/page?a=%20b&c=1")
    page = await alice.ask("/page?a=%20b&c=1")
    assert page.status_code == 200
    assert told(page) == {
        "remote-user": "alice",
        "remote-name": "Alice Åder",
        "remote-groups": "staff",
        "remote-email": "alice@example.com",
        "x-stile-acr": TWO_FACTOR,
    }


async def test_everything_told_is_there_even_if_it_is_empty(provider: Provider) -> None:
    bob = Surfer(provider)
    await bob.signs_in(host=LOGS, who="bob")
    assert told(await bob.ask("/", host=LOGS)) == {
        "remote-user": "bob",
        "remote-name": "",
        "remote-groups": "",
        "remote-email": "",
        "x-stile-acr": TWO_FACTOR,
    }


async def test_a_password_alone_opens_no_site(provider: Provider, alice: Surfer) -> None:
    sent = await alice.ask("/")
    await alice.goes(sent.headers["location"])
    await alice.submit("/password", username="alice", password=PASSWORD)
    assert (await alice.ask("/")).status_code == 303
    # and who is signed in elsewhere gets in without being asked
    await alice.submit("/sms", code=await provider.texted(alice))
    other = await alice.http.get((await alice.ask("/", host=LOGS)).headers["location"])
    answer = await alice.http.get(other.headers["location"])
    assert (await alice.back(answer)).headers["location"] == "/"
    assert (await alice.ask("/", host=LOGS)).status_code == 200


async def test_a_path_that_needs_more_asks_for_it_and_for_as_long_as_it_says(provider: Provider, alice: Surfer) -> None:
    await alice.signs_in()
    sent = await alice.ask("/admin/users?all")
    page = await alice.goes(sent.headers["location"])
    assert "Wiki" in page.text
    assert "/sms" not in page.text, "a text message would never do"
    answer = await alice.back(await alice.submit("/totp", code=provider.totp()))
    assert answer.headers["location"] == "/admin/users?all"
    page = await alice.ask("/admin/users?all")
    assert (page.status_code, page.headers["x-stile-acr"]) == (200, STRONG)
    provider.clock.move(14 * MINUTE)
    assert (await alice.ask("/ADMIN")).status_code == 200
    provider.clock.move(1 * MINUTE)
    assert (await alice.ask("/admin")).status_code == 303
    assert (await alice.ask("/page")).status_code == 200


async def test_a_step_up_at_one_site_opens_nothing_at_another(provider: Provider, alice: Surfer) -> None:
    await alice.signs_in()
    await elevates(alice)
    await alice.signs_in_silently(LOGS)
    assert (await alice.ask("/")).headers["x-stile-acr"] == STRONG
    assert (await alice.ask("/", host=LOGS)).headers["x-stile-acr"] == TWO_FACTOR
    sent = await alice.ask("/admin", host=LOGS)
    assert sent.status_code == 303
    page = await alice.goes(sent.headers["location"])
    assert "authenticator app" in page.text
    # nor does one for an application that knows OpenID, nor one of a site for that
    provider.clock.move(timedelta(seconds=30))
    assert (await alice.back(await alice.submit("/totp", code=provider.totp()))).status_code == 303
    page = await alice.get(provider.authorize_url(scope="openid transfers:write"))
    assert page.status_code == 200
    assert "authenticator app" in page.text


async def test_who_is_in_no_group_of_the_site_does_not_get_in(provider: Provider) -> None:
    bob = Surfer(provider)
    page = await bob.authenticates(await bob.goes((await bob.ask("/")).headers["location"]), "bob")
    assert page.status_code == 200
    assert "Not for this account" in page.text


async def test_who_is_in_no_group_of_a_path_is_told_so_and_asked_for_nothing(alice: Surfer) -> None:
    await alice.signs_in()
    refused = await alice.ask("/books/2026")
    assert refused.status_code == 403
    assert "Not for this account" in refused.text
    assert 'href="/.stile/sign-out"' in refused.text
    assert (await alice.ask("/books", headers=SCRIPT)).json() == {"error": "access_denied"}
    # also when the first thing they want to see is that
    late = Surfer(alice.provider)
    alice.provider.clock.move(MINUTE)
    refused = await late.signs_in("/books")
    assert refused.status_code == 403
    assert "Not for this account" in refused.text
    assert (await late.ask("/books")).status_code == 303, "nothing was given"


async def test_a_request_costs_nothing_while_the_pass_is_young_and_one_statement_after(
    provider: Provider, alice: Surfer
) -> None:
    await alice.signs_in()
    provider.count()
    for path in ("/", "/page", "/style.css"):
        assert (await alice.ask(path)).status_code == 200
    assert (await alice.ask("/admin")).status_code == 303
    assert (await Surfer(provider).ask("/")).status_code == 303
    assert len(provider.statements) == 1, "the row of /admin was not looked at before"
    provider.clock.move(MINUTE)
    provider.count()
    again = await alice.ask("/")
    assert (again.status_code, len(provider.statements)) == (200, 1)
    # and where the proxy passes the newer pass on, nothing again
    assert "stile-site-8081" in again.headers["set-cookie"]
    provider.count()
    assert (await alice.ask("/")).status_code == 200
    assert provider.statements == []


async def test_where_no_newer_pass_is_passed_on_every_request_is_one_statement(
    provider: Provider, alice: Surfer
) -> None:
    await alice.signs_in()
    old = alice.http.cookies.get("stile-site-8081")
    for _ in range(50):  # longer than an hour without a page of ours: what is used there is use
        provider.clock.move(2 * MINUTE)
        provider.count()
        alice.http.cookies.delete("stile-site-8081")
        alice.http.cookies.set("stile-site-8081", old or "", domain="localhost.local")
        assert (await alice.ask("/")).status_code == 200
        assert len(provider.statements) == 1


async def test_signing_in_to_a_site_keeps_its_budget(provider: Provider, alice: Surfer) -> None:
    sent = await alice.ask("/")
    provider.count()
    begun = await alice.http.get(sent.headers["location"])
    assert provider.statements == [], "nothing is stored for a stranger"
    await alice.get(begun.headers["location"])
    answer = await alice.authenticates(alice.page or begun)
    provider.count()
    assert (await alice.back(answer)).status_code == 303
    assert len(provider.statements) == 2


async def test_whoever_is_disabled_or_signed_out_is_out_within_a_minute(provider: Provider, alice: Surfer) -> None:
    await alice.signs_in()
    found = await accounts.by_username(provider.idp.db, username="alice")
    assert found is not None
    await accounts.set_disabled(
        provider.idp.db, account_id=found[0].id, disabled_at=provider.clock.now(), now=provider.clock.now()
    )
    provider.clock.move(provider.idp.policy.sessions.site)
    provider.clock.move(timedelta(seconds=1))
    assert (await alice.ask("/", headers=SCRIPT)).status_code == 401
    await accounts.set_disabled(provider.idp.db, account_id=found[0].id, disabled_at=None, now=provider.clock.now())
    assert (await alice.ask("/", headers=SCRIPT)).status_code == 200
    await alice.get("/account")
    await alice.submit("/account/sign-out")
    provider.clock.move(MINUTE)
    assert (await alice.ask("/", headers=SCRIPT)).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Accept": "*/*"}, id="curl"),
        pytest.param({"Accept": "application/json"}, id="API"),
        pytest.param({**PAGE, "X-Requested-With": "XMLHttpRequest"}, id="XHR"),
        pytest.param({**PAGE, "Sec-Fetch-Mode": "cors"}, id="fetch"),
        pytest.param({**PAGE, "Sec-Fetch-Dest": "iframe"}, id="frame"),
        pytest.param({**PAGE, "Upgrade": "websocket", "Connection": "Upgrade"}, id="websocket"),
        pytest.param({**PAGE, "Sec-WebSocket-Key": "x"}, id="websocket behind nginx"),
        pytest.param({}, id="nothing"),
    ],
)
async def test_a_program_is_told_and_not_led(alice: Surfer, headers: dict[str, str]) -> None:
    answer = await alice.ask("/api?x=1", headers={"Accept": "*/*", **headers})
    assert answer.status_code == 401
    assert "location" not in answer.headers
    assert answer.headers["www-authenticate"] == 'Stile realm="localhost:8081", error="login_required"'
    body = answer.json()
    assert body == {"error": "login_required", "sign_in": f"http://{WIKI}/.stile/start?rd=%2Fapi%3Fx%3D1"}
    await alice.signs_in()
    further = await alice.ask("/admin", headers=SCRIPT)
    assert (further.status_code, further.json()["error"]) == (401, "insufficient_user_authentication")


async def test_who_posts_comes_back_to_the_page_that_the_form_was_on(alice: Surfer) -> None:
    for referer, onward in (
        (f"http://{WIKI}/edit?id=1", "/edit?id=1"),
        ("http://evil.example/edit", "/"),
        (f"http://{WIKI}.evil.example/edit", "/"),
        ("", "/"),
    ):
        answer = await alice.ask("/save", method="POST", headers={**PAGE, "Referer": referer})
        assert parse_qs(urlsplit(answer.headers["location"]).query)["rd"] == [onward]


async def test_two_tabs_both_arrive(provider: Provider, alice: Surfer) -> None:
    first, second = await alice.ask("/one"), await alice.ask("/two")
    begun = [await alice.http.get(each.headers["location"]) for each in (first, second)]
    await alice.get(begun[0].headers["location"])
    assert alice.page is not None
    assert (await alice.back(await alice.authenticates(alice.page))).headers["location"] == "/one"
    answer = await alice.http.get(begun[1].headers["location"])
    assert (await alice.back(answer)).headers["location"] == "/two"


async def test_who_stops_is_told_so_and_may_start_again(alice: Surfer) -> None:
    await alice.goes((await alice.ask("/page")).headers["location"])
    stopped = await alice.back(await alice.submit("/cancel"))
    assert stopped.status_code == 403
    assert "You are not signed in" in stopped.text
    assert 'href="/page"' in stopped.text
    assert "/.stile/static/stile.css" in stopped.text


async def test_who_cannot_prove_enough_is_told_what_to_do(provider: Provider) -> None:
    bob = Surfer(provider)
    await bob.signs_in(host=LOGS, who="bob")
    sent = await bob.ask("/admin", host=LOGS)
    begun = await bob.http.get(sent.headers["location"])
    beyond = await bob.back(await bob.http.get(begun.headers["location"]))
    assert beyond.status_code == 403
    assert "You cannot open this page yet" in beyond.text
    assert 'href="http://localhost:8000/account"' in beyond.text


async def test_signing_out_of_a_site_forgets_the_pass_and_asks_about_the_rest(alice: Surfer) -> None:
    await alice.signs_in()
    page = await alice.get(f"http://{WIKI}/.stile/sign-out")
    assert "Sign out" in page.text
    assert (await alice.ask("/")).status_code == 303
    done = await alice.submit("/logout/confirm", decision="sign_out")
    assert f"http://{WIKI}/.stile/signed-out" in done.text
    gone = await alice.http.get(f"http://{WIKI}/.stile/signed-out")
    assert "You are signed out" in gone.text


async def test_no_answer_is_too_long_for_nginx_as_it_comes(provider: Provider, alice: Surfer) -> None:
    names = [f"{number}-{secrets.token_hex(12)}" for number in range(80)]
    rule(provider, rows() + "".join(f"[groups.{name}]\nlevel = 'two_factor'\n" for name in names))
    found = await accounts.by_username(provider.idp.db, username="alice")
    assert found is not None
    now = provider.clock.now()
    await accounts.set_groups(provider.idp.db, account_id=found[0].id, groups={"staff", *names}, now=now)
    to = f"/admin/{secrets.token_urlsafe(850)}"
    sent = await alice.ask(to)
    begun = await alice.http.get(sent.headers["location"])
    await alice.get(begun.headers["location"])
    assert alice.page is not None
    await alice.submit("/password", username="alice", password=PASSWORD)
    answer = await alice.submit("/totp", code=provider.totp())
    back = await alice.back(answer)
    assert back.headers["location"] == to
    passed = await alice.ask(to)
    assert passed.status_code == 200
    provider.clock.move(2 * MINUTE)
    renewed = await alice.ask(to)
    for one in (sent, begun, answer, back, passed, renewed):
        size = sum(len(name) + len(value) + 4 for name, value in one.headers.raw)
        assert size + LEFT < 4096, one.request.url
    await accounts.set_groups(provider.idp.db, account_id=found[0].id, groups={"staff"}, now=now)


async def test_a_site_stands_among_the_applications_of_a_person(provider: Provider, alice: Surfer) -> None:
    await alice.signs_in()
    page = await alice.get("/account")
    assert f"http://{WIKI}/" in page.text
    assert "Open while you are signed in here" in page.text
    bob = Surfer(provider)
    await bob.signs_in(host=LOGS, who="bob")
    page = await bob.get("/account")
    assert f"http://{LOGS}/" in page.text
    assert f"http://{WIKI}/" not in page.text


async def test_a_pass_that_would_be_too_long_is_none_and_costs_a_statement(provider: Provider, alice: Surfer) -> None:
    many = "".join(f"[groups.g{number:x}{'y' * 40}{number * 7919:x}]\nlevel = 'two_factor'\n" for number in range(400))
    rule(provider, rows() + many)
    found = await accounts.by_username(provider.idp.db, username="alice")
    assert found is not None
    groups = frozenset({"staff", *(name for name in provider.idp.policy.groups if name.startswith("g"))})
    await accounts.set_groups(provider.idp.db, account_id=found[0].id, groups=groups, now=provider.clock.now())
    await alice.signs_in()
    assert len(alice.http.cookies.get("stile-site-8081") or "") < 1000
    provider.count()
    page = await alice.ask("/")
    assert (page.status_code, page.headers["remote-user"], len(provider.statements)) == (200, "alice", 1)
    await accounts.set_groups(
        provider.idp.db, account_id=found[0].id, groups=frozenset({"staff"}), now=provider.clock.now()
    )


async def test_an_issuer_below_a_path_and_a_name_of_its_own_for_the_host(
    provider: Provider, database_url: str, key_chain: KeyChain, tmp_path: Path
) -> None:
    settings = provider.idp.settings.model_copy(update={"issuer": "https://id.example.com/auth"})
    async with running(database_url, key_chain, settings) as below:
        rule(below, '[sites."wiki.example.com"]\nlevel = "two_factor"\n')
        http = Surfer(below).http
        told = {"X-Forwarded-Host": "wiki.example.com", "X-Forwarded-Uri": "/x", **PAGE}
        asked = await http.get("http://localhost:8000/auth/forward-auth", headers=told)
        envoys = await http.get(
            "http://localhost:8000/auth/forward-auth/x", headers={**PAGE, "Host": "wiki.example.com"}
        )
        assert asked.headers["location"] == envoys.headers["location"]
        begun = await http.get("http://localhost:8000/.stile/start?rd=/x", headers={"Host": "wiki.example.com"})
        assert begun.headers["location"].startswith(
            "https://id.example.com/auth/authorize?client_id=site%3Awiki.example.com"
        )
        cookie = begun.headers["set-cookie"]
        assert cookie.startswith("__Host-stile-going=")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
        style = await http.get("http://localhost:8000/.stile/static/stile.css", headers={"Host": "wiki.example.com"})
        for answer in (asked, begun, style):
            # of the hosts below an application's we know nothing
            assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_doubt_lets_nobody_pass(provider: Provider, alice: Surfer, monkeypatch: pytest.MonkeyPatch) -> None:
    await alice.signs_in()
    provider.clock.move(2 * MINUTE)

    async def gone(*_: object, **__: object) -> None:
        raise Unavailable("The database is gone.")

    monkeypatch.setattr(provider.idp.db, "one", gone)
    answer = await alice.ask("/")
    assert answer.status_code == 503
    assert "remote-user" not in answer.headers
    assert "/.stile/static/stile.css" in answer.text


async def test_the_database_too_knows_nobody_by_a_password_alone(provider: Provider, alice: Surfer) -> None:
    sent = await alice.ask("/")
    await alice.goes(sent.headers["location"])
    await alice.submit("/password", username="alice", password=PASSWORD)
    found = await accounts.by_username(provider.idp.db, username="alice")
    assert found is not None
    assert alice.token is not None
    session, sessions, now = UUID(hex=alice.token.partition(".")[0]), provider.idp.policy.sessions, provider.clock.now()
    whom = {"session_id": session, "account_id": found[0].id}
    before = await store.look(provider.idp.db, **whom, sessions=sessions, now=now)
    assert before.session is None
    await alice.submit("/sms", code=await provider.texted(alice))
    after = await store.look(provider.idp.db, **whom, sessions=sessions, now=provider.clock.now())
    assert after.session is not None
    other = await store.look(provider.idp.db, session_id=session, account_id=session, sessions=sessions, now=now)
    assert other.session is None


async def test_what_is_used_goes_on_until_the_life_of_the_session_ends(provider: Provider, alice: Surfer) -> None:
    await alice.signs_in()
    for _ in range(28):
        provider.clock.move(50 * MINUTE)
        assert (await alice.ask("/")).status_code == 200
    provider.clock.move(50 * MINUTE)
    assert (await alice.ask("/")).status_code == 303


async def test_rows_that_became_stricter_meanwhile_lead_to_a_page_and_in_no_circle(
    provider: Provider, alice: Surfer
) -> None:
    await alice.goes((await alice.ask("/page")).headers["location"])
    assert alice.page is not None
    answer = await alice.authenticates(alice.page)
    rule(provider, f'[sites."{WIKI}"]\nlevel = "strong"\nfresh = "5m"\n')
    told = await alice.back(answer)
    assert (told.status_code, told.headers.get("location")) == (400, None)
    assert 'href="/page"' in told.text
    sent = await alice.ask("/page")
    assert (await alice.goes(sent.headers["location"])).status_code == 200
    done = await alice.back(await alice.submit("/totp", code=provider.totp()))
    assert done.headers["location"] == "/page"
    assert (await alice.ask("/page")).status_code == 200


async def test_the_trail_knows_who_came_in_where(provider: Provider, alice: Surfer) -> None:
    await alice.signs_in("/page")
    (fields,) = await provider.idp.db.all(LAST)
    assert fields["client_id"] == f"site:{WIKI}"
    assert fields["fields"]["scopes"] == ["openid", f"site:{WIKI}/"]
    assert fields["fields"]["address"] == "127.0.0.1"
    assert (await alice.http.head(f"http://{WIKI}/.stile/start?rd=/")).headers.get("set-cookie") is None


async def test_whoever_loses_the_answer_gets_in_all_the_same(provider: Provider, alice: Surfer) -> None:
    await alice.goes((await alice.ask("/page")).headers["location"])
    assert alice.page is not None
    answer = await alice.authenticates(alice.page)
    await alice.back(answer)
    alice.http.cookies.delete("stile-site-8081")  # it never arrived: the worker was killed, the train was in a tunnel
    again = await alice.back(answer)
    assert again.headers["location"] == "/page"
    assert (await alice.ask("/page")).status_code == 303
    await alice.signs_in_silently(WIKI)
    assert (await alice.ask("/page")).status_code == 200
