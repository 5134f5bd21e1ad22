"""Every address of the console, those added later too: strangers, forms of others, nonsense, and what it costs."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

import httpx
import pytest

from idp.flows.idp import Visitor
from idp.flows.people.console import (
    AUDIT_PATH,
    CHECKUP_PATH,
    CLIENTS_PATH,
    NUMBER_PATH,
    PEOPLE_PATH,
    SPENDING_PATH,
    TRY_PATH,
)
from idp.store.sql import Sql
from idp.web.console import ROUTES
from idp.web.console.changes import PEOPLE
from idp.web.console.client_changes import APPLICATIONS
from idp.web.door import csrf
from tests.world.console import opened, signed_in
from tests.world.provider import Browser, Provider, forms

CHANGES = {PEOPLE_PATH: PEOPLE.changes, CLIENTS_PATH: APPLICATIONS.changes}
LOOKING = {TRY_PATH, CHECKUP_PATH, NUMBER_PATH}  # whose forms change nothing, so that every role may send them
# The most statements of a page, that of its room included; of those that are not here, three.
STATEMENTS = {
    "/admin": 6,
    "/admin/people/{id}": 7,
    "/admin/people/{id}/{change}": 10,  # a removal says what goes with it
    "/admin/applications/{id}/{change}": 6,  # so does this, asked of the operator as they are now
    "/admin/messages/spending": 10,
    "/admin/audit.csv": 4,
}
NASTY = [
    *(
        "",
        " ",
        "0",
        "-1",
        "1e309",
        "9" * 40,
        "NaN",
        "null",
        "[]",
        "{",
        "true",
        "on",
        "2026-13-45T99:99:99Z",
        "0001-01-01",
    ),
    *("' OR 1=1 --", "%", "_", "\\", "*", "../../etc/passwd", "a.b", "a:b", "@", "<b>", "{{7*7}}", "%(x)s", "=1+1"),
    *("\u202e", "\uffff", "\U0001f600", "\x00", "a\x00b", "\r\nSet-Cookie: a=b", "x" * 299, "x" * 9000, "€" * 2000),
    *(str(uuid4()), str(uuid4()).upper(), "0" * 32, "shell:ada", "account.changed", "asc", "DESC; DROP TABLE account"),
]
NAMES = ("q", "after", "person", "event", "limit", "sort", "since", "until", "scope", "note", "max_age", "acr_values")
STRANGE = [
    "x",
    "0",
    "%00",
    "%ff",
    "..",
    "%2e%2e",
    "a" * 64,
    "a" * 9000,
    "%F0%9F%98%80",
    "9" * 30,
    "-1",
    str(uuid4()),
    "edit",
]


def patterns(method: str) -> Sequence[str]:
    return list(dict.fromkeys(route.path for route in ROUTES if method in (route.methods or ())))


def expanded(pattern: str, good: Mapping[str, str]) -> Sequence[str]:
    """The addresses of a route. Below a new kind of thing there is to be an example of one, here in `things`."""
    above = pattern.partition("/{")[0]
    path = re.sub(r"\{(?!change)[^}]*\}", lambda _: quote(good[above]), pattern)
    return [path.replace("{change}", change) for change in CHANGES[above]] if "{change}" in path else [path]


async def things(provider: Provider, at: int = 0) -> Mapping[str, str]:
    """One of each kind, by the address that it stands below."""
    someone = await provider.add_person(f"someone-{at}", number=f"+3725550{at:04}", email=f"someone-{at}@example.com")
    client = await provider.add_client(f"client-{at}", f"https://client-{at}.example/cb")
    event = await provider.idp.db.value(
        Sql("INSERT INTO audit_event (at, name) VALUES (clock_timestamp(), 'session.ended') RETURNING id")
    )
    key, until = bytes([at % 256]) * 32, provider.clock.now() + timedelta(hours=12)
    await provider.idp.db.one(
        Sql("""INSERT INTO spending_block (key, region, numbers, times, closed_until, expires_at)
            VALUES (:key, 'EE', '{}', '{}', :until, :until) ON CONFLICT DO NOTHING"""),
        key=key,
        until=until,
    )
    return {PEOPLE_PATH: str(someone), CLIENTS_PATH: client.id, AUDIT_PATH: str(event), SPENDING_PATH: key.hex()}


async def stored(provider: Provider) -> Any:
    """What people and applications are."""
    return await provider.idp.db.value(
        Sql("""SELECT (SELECT string_agg(md5(a::text), ',' ORDER BY id) FROM account a)
            || (SELECT string_agg(md5(c::text), ',' ORDER BY id) FROM client c)
            || (SELECT count(*) FROM audit_event WHERE fields ? 'operator')""")
    )


def token(provider: Provider, browser: Browser, path: str) -> str:
    """The token of a form at this path, in this browser."""
    return csrf(provider.idp, Visitor("", browser.token).session_id, path)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_for_whoever_has_no_role_there_is_nothing(provider: Provider, method: str) -> None:
    good = await things(provider)
    browser = await signed_in(provider, "treasury")
    before = await stored(provider)
    for pattern in patterns(method):
        for path in expanded(pattern, good):
            if method == "GET":
                page = await browser.get(path)
            else:
                page = await browser.post(path, {"csrf": token(provider, browser, path)})
            assert page.status_code == 404, path
            assert "someone" not in page.text, path
    assert await stored(provider) == before


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_who_is_not_signed_in_sees_how_to_sign_in_and_nothing_else(provider: Provider, method: str) -> None:
    good = await things(provider)
    for pattern in patterns(method):
        for path in expanded(pattern, good):
            browser = provider.browser()
            page = await browser.get(path) if method == "GET" else await browser.post(path, {"csrf": "0" * 64})
            assert page.status_code == (200 if method == "GET" else 403), path
            assert "someone" not in page.text, path
            assert (f'action="{path}"' in page.text) is False, path


async def test_a_form_without_its_own_token_does_nothing(provider: Provider) -> None:
    good = await things(provider)
    browser = await signed_in(provider)
    other = await signed_in(provider, username="grace")
    before = await stored(provider)
    for pattern in patterns("POST"):
        for path in expanded(pattern, good):
            await opened(provider, browser, path)
            elsewhere = token(provider, browser, "/admin/people/invite-them")
            others = token(provider, other, path)
            for sent in ({}, {"csrf": ""}, {"csrf": "0" * 64}, {"csrf": elsewhere}, {"csrf": others}, {"csrf": "é"}):
                page = await browser.post(path, {**sent, "username": "eve", "reason": "x", "early": "on"})
                assert page.status_code == 403, (path, sent)
    assert await stored(provider) == before


async def test_an_auditor_changes_nothing_whatever_form_they_send(provider: Provider) -> None:
    good = await things(provider)
    browser = await signed_in(provider, "audit")
    before = await stored(provider)
    for pattern in patterns("POST"):
        for path in expanded(pattern, good):
            page = await opened(provider, browser, path)
            assert page.status_code == (200 if path in LOOKING else 403), path
            page = await browser.post(path, {"csrf": token(provider, browser, path), "username": "eve"})
            assert page.status_code in ({200, 422} if path in LOOKING else {403}), (path, page.status_code)
    assert await stored(provider) == before


@pytest.mark.parametrize("group", ["admins", "desk", "audit"])
async def test_no_address_and_no_query_breaks_a_page(provider: Provider, group: str) -> None:
    good = await things(provider)
    browser = await signed_in(provider, group)
    for pattern in patterns("GET"):
        for path in expanded(pattern, good)[:1]:
            page = await opened(provider, browser, path)
            assert page.status_code in {200, 403}, path
            asked = {
                field.name for form in forms(page.text) for field in form.fields if not form.action.startswith("/i/")
            }
            names = [*dict.fromkeys((*NAMES, *sorted(asked - {"csrf", ""})))] if group == "admins" else NAMES[:3]
            for value in NASTY if group == "admins" else NASTY[::4]:
                await fine(
                    browser, f"{path}?{urlencode(dict.fromkeys(names[: 3 if len(value) > 99 else None], value))}"
                )
            for query in ("q=1&q=2&after=1&after=2", "%", "%ff=%ff", "&&=&", "q=%C3%28", "q=%00", "=", "a&" * 2000):
                await fine(browser, f"{path}?{query}")
        for strange in STRANGE if "{" in pattern else ():
            path = re.sub(r"\{[^}]*\}", strange, pattern)
            page = await browser.get(path)
            assert page.status_code in {400, 403, 404, 414} or page.url.path != path, (path, page.status_code)


async def fine(browser: Browser, address: str) -> None:
    """Whatever it answers, it is an answer."""
    page = await browser.http.get(address)
    assert page.status_code < 500, (address[:200], page.status_code)
    if page.status_code == 200 and "csv" not in urlsplit(address).path:
        assert "<b>" not in page.text.replace("<bdi>", "")
        assert "Set-Cookie: a=b" not in str(page.headers)


async def test_no_form_breaks_a_page(provider: Provider) -> None:
    browser = await signed_in(provider)
    at = 0
    for pattern in patterns("POST"):
        for number, _ in enumerate(expanded(pattern, await things(provider, at))):
            for sending in range(4):
                at += 2
                path = expanded(pattern, await things(provider, at + 1))[number]
                page = await opened(provider, browser, path)
                assert (page.status_code, page.url.path) == (200, path), "a form that may be sent"
                names = {field.name for form in forms(page.text) if form.action == path for field in form.fields}
                names = names - {"", "csrf"} or {"which"}
                made = {"csrf": token(provider, browser, path)}
                for body in bodies(sorted(names), made, sending):
                    answer = await browser.http.post(path, **body)
                    assert answer.status_code < 500, (path, str(body)[:300], answer.status_code)


def bodies(names: Sequence[str], made: Mapping[str, str], sending: int) -> Sequence[Mapping[str, Any]]:
    match sending:
        case 0:  # too little, one after the other
            return [{"data": made}, *({"data": {**made, name: "x"}} for name in names)]
        case 1:
            return [{"data": {**made, **dict.fromkeys(names, value)}} for value in NASTY]
        case 2:  # twice, and what no form has
            strange = [{**made, name: ["1", "2"]} for name in names]
            return [{"data": each} for each in (*strange, {**made, "version": "x" * 500}, {**made, "x" * 3000: "y"})]
        case _:
            kinds = (
                "application/json",
                "multipart/form-data; boundary=x",
                "text/plain",
                "application/xml; charset=utf-7",
            )
            sent = (b"", b"\xff", b"csrf=%ff", b"{}", b"--x\r\n\r\n", b"a=b&" * 5000, b"csrf=" + made["csrf"].encode())
            return [
                {"content": raw, "headers": {"Content-Type": kinds[(number + turn) % len(kinds)]}}
                for number, raw in enumerate(sent)
                for turn in range(2)
            ]


async def test_a_page_costs_no_more_statements_than_this(provider: Provider) -> None:
    good = await things(provider)
    browser = await signed_in(provider)
    dear: dict[str, int] = {}
    for pattern in patterns("GET"):
        for path in expanded(pattern, good):
            await opened(provider, browser, path)
            provider.count()
            page: httpx.Response = await browser.get(path)
            if page.status_code == 200 and page.url.path == path:
                dear[pattern] = max(dear.get(pattern, 0), len(provider.statements))
    assert {pattern: count for pattern, count in dear.items() if count > STATEMENTS.get(pattern, 3)} == {}
    assert set(STATEMENTS) <= set(patterns("GET"))


async def test_a_table_to_take_away_holds_no_formula_whoever_wrote_it(provider: Provider) -> None:
    for at, formula in enumerate(("=1+1", "+1", "-1", "@SUM(A1)", "  =1", "\u00a0=1", "\uff1d1+1", "|calc")):
        await provider.add_person(f"named-{at}", name=formula)
        await provider.add_client(f"named-{at}", f"https://named-{at}.example/cb", name=formula)
    browser = await signed_in(provider)
    for path in [pattern for pattern in patterns("GET") if pattern.endswith(".csv")]:
        page = await opened(provider, browser, path)
        assert page.status_code == 200, path
        assert page.headers["content-type"] == "text/csv; charset=utf-8"
        assert page.headers["content-disposition"].startswith("attachment;")
        cells = [cell for line in page.text.splitlines() for cell in re.findall('"((?:[^"]|"")*)"', line)]
        assert len(cells) > 3
        assert [cell for cell in cells if cell.strip()[:1] in {"=", "+", "-", "@", "\uff1d"}] == [], path


async def test_who_is_removed_or_loses_the_role_sees_nothing_from_the_next_request_on(provider: Provider) -> None:
    good = await things(provider)
    browser = await signed_in(provider)
    await provider.idp.db.one(Sql("UPDATE account SET groups = '{}' WHERE username = 'ada'"))
    for pattern in patterns("GET"):
        for path in expanded(pattern, good):
            page = await browser.get(path)
            assert page.status_code == 404, path
