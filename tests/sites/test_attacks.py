"""Who should not get in: with forged headers, somebody else's cookies and answers, and by ways that lead elsewhere."""

import asyncio
import base64
from datetime import timedelta
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from idp.flows.sites import passes
from idp.flows.sites.passes import Person
from idp.web import forward_auth
from tests.world.composed import Statement
from tests.world.databases import execute
from tests.world.guarded import LOGS, PAGE, WIKI, Surfer, rows, rule
from tests.world.provider import BANK_URI, ISSUER, Provider, parameters
from tests.world.stage import post

PASS, KEY = "stile-site-8081", "stile-going-8081"
ENTERED = Statement(
    text("SELECT count(*) FROM audit_event WHERE name = 'authorization.granted' AND client_id LIKE 'site:%'")
)


def ours(**told: str) -> dict[str, str]:
    return {**PAGE, "X-Forwarded-Host": WIKI, "X-Forwarded-Uri": "/", "X-Forwarded-Method": "GET", **told}


_BYTES = {name.encode(): value.encode() for name, value in PAGE.items()}


async def asked(surfer: Surfer, headers: list[tuple[str, str]] | dict[str, str]) -> httpx.Response:
    return await surfer.http.get(f"{ISSUER}/forward-auth", headers=headers)


async def answered(alice: Surfer, path: str = "/", host: str = WIKI) -> str:
    """Signed in at the provider, up to the address of the callback, which nobody has opened yet."""
    sent = await alice.ask(path, host=host)
    answer = await alice.authenticates(await alice.goes(sent.headers["location"]))
    return str(answer.headers["location"])


async def test_only_a_proxy_that_is_trusted_is_answered(provider: Provider, alice: Surfer) -> None:
    await alice.signs_in()
    assert (await asked(alice, ours())).status_code == 200
    outside = provider.browser(address="192.0.2.1")
    outside.http.cookies = alice.http.cookies
    answer = await outside.http.get("/forward-auth", headers={**ours(), "X-Forwarded-For": "127.0.0.1"})
    assert answer.status_code == 403
    assert "remote-user" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([("X-Forwarded-Uri", "/")], id="no host"),
        pytest.param([("X-Forwarded-Host", WIKI)], id="no target"),
        pytest.param(
            [("X-Forwarded-Host", WIKI), ("X-Forwarded-Host", LOGS), ("X-Forwarded-Uri", "/")], id="two hosts"
        ),
        pytest.param([("X-Forwarded-Host", f"{WIKI}, {LOGS}"), ("X-Forwarded-Uri", "/")], id="two hosts in one"),
        pytest.param([("X-Forwarded-Host", WIKI), ("X-Forwarded-Uri", "/"), ("X-Forwarded-Uri", "/x")], id="targets"),
        pytest.param([("X-Forwarded-Host", "other.example"), ("X-Forwarded-Uri", "/")], id="another host"),
        pytest.param([("X-Forwarded-Host", WIKI), ("X-Forwarded-Uri", "/x/../admin")], id="dots"),
        pytest.param(
            [("X-Original-URL", f"http://{LOGS}/"), ("X-Forwarded-Host", WIKI), ("X-Forwarded-Uri", "/")],
            id="one of them is the client's",
        ),
        pytest.param([("X-Original-URL", f"http://{WIKI}")], id="no path"),
        pytest.param([("X-Original-URL", f"http://x@{WIKI}/")], id="userinfo"),
        pytest.param([("X-Original-URL", f"//{WIKI}/")], id="no scheme"),
        pytest.param([("X-Original-URL", f"http://{WIKI}\\@{LOGS}/")], id="backslash"),
        pytest.param([("X-Original-URL", f"http://{WIKI}/"), ("X-Original-URL", f"http://{LOGS}/")], id="twice"),
        pytest.param([], id="nothing"),
    ],
)
async def test_what_does_not_say_one_thing_is_refused(alice: Surfer, headers: list[tuple[str, str]]) -> None:
    await alice.signs_in()
    answer = await asked(alice, [*PAGE.items(), *headers])
    assert answer.status_code == 403
    assert "remote-user" not in answer.headers


async def test_a_pass_is_for_its_site_alone(provider: Provider, alice: Surfer) -> None:
    await alice.signs_in(host=LOGS)
    held = alice.http.cookies.get("stile-site-8082") or ""
    assert (await alice.ask("/", host=LOGS)).status_code == 200
    own = alice.token or ""
    for forged in (held, own, "", "x", "é", held[:-1], held[:-4] + "AAAA", f"{held}=", held + "A" * 9000, "A" * 3000):
        answer = await Surfer(provider).ask("/", headers={**_BYTES, b"Cookie": f"{PASS}={forged}".encode()})
        assert answer.status_code == 303, forged
    await alice.signs_in_silently(WIKI)
    good = alice.http.cookies.get(PASS)
    for sent, status in ((f"{PASS}={good}", 200), (f"{PASS}={good}; {PASS}={good}", 303), (f"\xa0{PASS}={good}", 303)):
        answer = await Surfer(provider).ask("/", headers={**_BYTES, b"Cookie": sent.encode("latin-1")})
        assert answer.status_code == status, sent


def elsewhere() -> list[str]:
    plain = [
        "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example",
        "https:evil.example", "javascript:alert(1)", "/%2f%2fevil.example/..", "/x\r\nSet-Cookie: a=b", "/ü", " /x", "",
        "/..//evil.example", "@evil.example", ".evil.example", "/.stile/start?rd=/", "/.stile/sign-out", "/x y",
        f"http://{LOGS}/", "/#@evil", "\t//evil.example", "/%0d%0aLocation:x",
    ]  # fmt: skip
    return [*plain, "/" + "x" * 5000]


@pytest.mark.parametrize("to", elsewhere())
async def test_nobody_is_led_elsewhere(provider: Provider, alice: Surfer, to: str) -> None:
    begun = await alice.http.get(f"http://{WIKI}/.stile/start?{urlencode({'rd': to})}")
    assert begun.status_code == 303
    assert begun.headers["location"].startswith(f"{ISSUER}/authorize?")
    state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
    going = passes.going(provider.idp, provider.idp.policy.sites[WIKI], state)
    assert going is not None
    assert going.to == "/"


async def test_an_answer_is_good_once_and_in_the_browser_that_asked(provider: Provider, alice: Surfer) -> None:
    there = await answered(alice, "/page")
    before = await provider.idp.db.value(ENTERED)
    for thief in (Surfer(provider), provider.browser(address="127.0.0.1")):
        stolen = await thief.http.get(there)
        assert (stolen.status_code, stolen.headers.get("set-cookie")) == (400, None)
    other = Surfer(provider)  # who has begun too, in a browser of their own
    await other.goes((await other.ask("/page")).headers["location"])
    assert (await other.http.get(there)).status_code == 400
    first, second = await alice.http.get(there), await alice.http.get(there)
    assert "stile-site-8081" in first.headers["set-cookie"]
    assert (second.status_code, second.headers["location"]) == (303, "/page")
    assert "set-cookie" not in second.headers
    assert await provider.idp.db.value(ENTERED) == before + 1


async def test_of_twenty_at_once_one_gets_in(provider: Provider, alice: Surfer) -> None:
    await alice.signs_in(host=LOGS)
    for _ in range(10):
        begun = await alice.http.get((await alice.ask("/")).headers["location"])
        there = str((await alice.http.get(begun.headers["location"])).headers["location"])
        known = {"Cookie": f"{KEY}={alice.http.cookies.get(KEY)}"}
        before = await provider.idp.db.value(ENTERED)
        barrier = asyncio.Barrier(20)

        async def comes(there: str, known: dict[str, str], barrier: asyncio.Barrier) -> bool:
            surfer = Surfer(provider)
            await barrier.wait()
            answer = await surfer.http.get(there, headers=known)
            assert answer.status_code == 303
            return "set-cookie" in answer.headers

        assert sum(await asyncio.gather(*(comes(there, known, barrier) for _ in range(20)))) == 1
        assert await provider.idp.db.value(ENTERED) == before + 1


async def test_an_answer_is_no_good_late_or_for_another_site_or_once_they_signed_out(
    provider: Provider, alice: Surfer
) -> None:
    there = await answered(alice)
    query = urlsplit(there).query
    # the code of one site at another: its state is of the first, and with a state of its own the code is not its own
    assert (await alice.http.get(f"http://{LOGS}/.stile/callback?{query}")).status_code == 400
    begun = await alice.http.get(f"http://{LOGS}/.stile/start?rd=/")
    state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
    code = parse_qs(query)["code"][0]
    mixed = urlencode({"code": code, "state": state, "iss": ISSUER})
    answer = await alice.http.get(f"http://{LOGS}/.stile/callback?{mixed}")
    assert "stile-site" not in answer.headers.get("set-cookie", "")
    # an issuer that is another, or none (RFC 9207)
    for changed in ({"iss": "https://evil.example"}, {"iss": ""}):
        told = {name: values[0] for name, values in parse_qs(query).items()} | changed
        assert (await alice.http.get(f"http://{WIKI}/.stile/callback?{urlencode(told)}")).status_code == 400
    provider.clock.move(timedelta(seconds=61))
    assert "set-cookie" not in (await alice.http.get(there)).headers
    again = await alice.http.get((await alice.ask("/")).headers["location"])
    there = str((await alice.http.get(again.headers["location"])).headers["location"])
    await alice.get("/account")
    await alice.submit("/account/sign-out")
    assert "set-cookie" not in (await alice.http.get(there)).headers
    assert (await alice.ask("/")).status_code == 303


async def test_a_code_of_a_site_is_exchanged_by_nobody_else(provider: Provider, alice: Surfer) -> None:
    code = parse_qs(urlsplit(await answered(alice)).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": f"http://{WIKI}/.stile/callback"}
    name = f"site:{WIKI}"
    for who, more in (
        ({}, {"client_id": name}),
        ({"auth": (quote(name), "")}, {}),
        ({"auth": (quote(name), "\0" * 32)}, {}),
        ({}, {"client_id": name, "client_secret": ""}),
        ({"auth": ("bank", provider.secrets["bank"])}, {}),
    ):
        answer = await post(provider, "/token", {**form, **more, "code_verifier": "x" * 43}, **who)
        assert answer.status_code in {400, 401}, answer.text
        assert answer.json()["error"] in {"invalid_client", "invalid_grant"}


async def test_an_application_gets_no_row_of_a_site_and_a_site_no_scope_of_applications(
    provider: Provider, alice: Surfer
) -> None:
    code = await provider.code(alice, scope=f"openid site:{WIKI}/admin")
    body = (await provider.redeem(code)).json()
    assert body["scope"] == "openid"
    asks = {
        "client_id": f"site:{WIKI}",
        "redirect_uri": f"http://{WIKI}/.stile/callback",
        "response_type": "code",
        "scope": f"openid transfers:write site:{LOGS}/admin profile",
        "code_challenge": base64.urlsafe_b64encode(b"x" * 32).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    answer = await alice.http.get(f"{ISSUER}/authorize?{urlencode(asks)}")
    assert "code" in parameters(answer), "nothing of it is asked for, as nothing of it is given"
    for uri in (BANK_URI, f"http://{LOGS}/.stile/callback", f"http://{WIKI}/", f"http://{WIKI}/.stile/callback/x"):
        refused = await alice.http.get(f"{ISSUER}/authorize?{urlencode({**asks, 'redirect_uri': uri})}")
        assert (refused.status_code, refused.headers.get("location")) == (400, None)


async def test_a_site_that_the_policy_has_no_more_is_nobody(provider: Provider, alice: Surfer) -> None:
    there, asks = await answered(alice), None
    begun = await alice.http.get(f"http://{WIKI}/.stile/start?rd=/")
    asks = begun.headers["location"]
    await alice.http.get(there)
    assert (await alice.ask("/")).status_code == 200
    rule(provider, rows(wiki="localhost:9999"))
    assert (await alice.ask("/")).status_code == 403
    for gone in (there, f"http://{WIKI}/.stile/start?rd=/", f"http://{WIKI}/.stile/signed-out"):
        assert (await alice.http.get(gone)).status_code == 404
    assert (await alice.http.get(asks)).status_code == 400
    # nor is a pass of it good for one that comes in its place
    cookie = f"stile-site-9999={alice.http.cookies.get(PASS)}"
    assert (
        await Surfer(provider).ask("/", host="localhost:9999", headers={**PAGE, "Cookie": cookie})
    ).status_code == 303


async def test_nothing_that_a_person_is_called_becomes_a_header(provider: Provider) -> None:
    site = provider.idp.policy.sites[LOGS]
    answer = forward_auth._passed(
        site, Person("x\r\nRemote-Groups: root\0", "Zoë\n", ("a,root", "b\n", "č"), "é@x\r\n", "y"), None
    )
    told = {name: value for name, value in answer.raw_headers if name.startswith((b"remote", b"x-stile"))}
    assert told == {
        b"remote-user": b"xRemote-Groups: root",
        b"remote-name": "Zoë".encode(),
        b"remote-groups": "b,č".encode(),
        b"remote-email": "é@x".encode(),
        b"x-stile-acr": b"y",
    }


async def test_a_session_that_a_link_opened_is_none(provider: Provider, alice: Surfer, database_url: str) -> None:
    await alice.signs_in()
    await execute(database_url, "UPDATE session SET link = 'invite'")
    provider.clock.move(timedelta(minutes=2))
    assert (await alice.ask("/")).status_code == 303


@given(
    st.dictionaries(
        st.sampled_from(
            ["X-Forwarded-Host", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Original-URL", "X-Original-Method",
             "Cookie", "Accept", "Referer", "Host", "Upgrade"]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60)
        | st.sampled_from([WIKI, "/", "text/html"]),
    )
)  # fmt: skip
async def test_no_header_breaks_anything(stage: Provider, headers: dict[str, str]) -> None:
    surfer = Surfer(stage)
    encoded = {name.encode(): value.strip().encode("latin-1") for name, value in headers.items()}
    for path in ("/forward-auth", "/forward-auth/x", "/.stile/start", "/.stile/callback", "/.stile/refused"):
        answer = await surfer.http.get(f"{ISSUER}{path}", headers=encoded)
        assert answer.status_code < 500


@pytest.mark.parametrize(
    "query",
    [
        "", "code=x", "code=x&state=y", "state=%00", "code=x&code=y", "state=" + "A" * 5000, "error=access_denied",
        "code=%ff", "state=%c3%28", "code=" + "A" * 43, "iss=x&iss=y", "error=%3Cscript%3E&state=x",
    ],
)  # fmt: skip
async def test_an_answer_of_nobody_is_refused(provider: Provider, alice: Surfer, query: str) -> None:
    provider.count()
    answer = await alice.http.get(f"http://{WIKI}/.stile/callback?{query}")
    assert answer.status_code == 400
    assert "<script>" not in answer.text
    assert provider.statements == []
