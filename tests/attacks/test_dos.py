"""Too much, too deep, too long (threats.md 3, DOS)."""

import gc
import resource
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.world import hashing
from tests.world.asking import forget_limits
from tests.world.paths import paths
from tests.world.provider import PASSWORD, Provider
from tests.world.stage import own_token

FORM = "application/x-www-form-urlencoded"
MEGABYTE = b"x" * 2**20


async def flood(megabytes: int | None, taken: list[int]) -> AsyncIterator[bytes]:
    """So many megabytes, or as good as without end; `taken` notes how many were read."""
    sent = 0
    while sent < (megabytes or 60):  # "without end", for a provider that never stops reading
        sent += 1
        taken[0] = sent
        yield MEGABYTE


@pytest.mark.parametrize("megabytes", [50, None])
async def test_no_post_reads_more_than_a_form(provider: Provider, megabytes: int | None) -> None:  # DOS-01
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    posts = [path for path, methods in paths(provider) if "POST" in methods]
    assert len(posts) > 20
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in posts:
        taken = [0]
        headers = {"Content-Type": FORM} | ({"Content-Length": str(megabytes * 2**20)} if megabytes else {})
        answer = await browser.http.post(path, content=flood(megabytes, taken), headers=headers)
        assert answer.status_code in {400, 401, 404, 413}, path
        assert taken[0] <= 2, path
        assert answer.headers["content-security-policy"]
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) / 1024 < 20


HOSTILE: list[Any] = [
    "\x00",
    "a\x00b",
    "%00",
    "\u200b" * 100,
    "\uffff",
    "9" * 5000,
    "[" * 8000,
    '{"a":' * 3000,
    "NaN",
    "Infinity",
    "1e999",
    "-0",
    "null",
    "\r\nSet-Cookie: x=y",
    "../../etc/passwd",
    "\u202e" + "x" * 200,
    "'; DROP TABLE account; --",
    "${jndi:ldap://x}",
    "{{7*7}}",
]


@pytest.mark.parametrize("field", ["username", "password", "csrf", "code", "extra"])
async def test_no_value_of_a_form_breaks_anything(provider: Provider, field: str) -> None:  # DOS-03
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    action = browser.form("/password").action
    good = {**own_token(provider, browser, action), "username": "nobody", "password": "guess"}
    for value in HOSTILE:
        answer = await browser.http.post(action, data={**good, field: value})
        assert answer.status_code in {400, 403, 429}, value
    surrogate = f"csrf={good['csrf']}&username=%ED%A0%80&password=x".encode()
    answer = await browser.http.post(action, content=surrogate, headers={"Content-Type": FORM})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "name",
    [
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "nonce",
        "claims",
        "max_age",
        "prompt",
        "acr_values",
        "id_token_hint",
        "login_hint",
        "ui_locales",
        "response_type",
        "response_mode",
        "code_challenge",
        "resource",
    ],
)
async def test_no_value_of_a_request_breaks_anything(provider: Provider, name: str) -> None:  # DOS-03
    absent: dict[str, Any] = {name: None}
    async with provider.browser().http as http:
        for value in HOSTILE:
            answer = await http.get(provider.authorize_url(**{name: value}))
            assert answer.status_code in {200, 303, 400}, (name, value)
        for raw in ("%ED%A0%80", "%ff", "%", "%zz", "a;b", "%C0%AF"):
            answer = await http.get(provider.authorize_url(**absent) + f"&{name}={raw}")
            assert answer.status_code in {200, 303, 400}, (name, raw)


async def test_long_passwords_are_bounded_and_long_phrases_work(provider: Provider) -> None:  # DOS-07
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    action = browser.form("/password").action
    form = own_token(provider, browser, action)
    for password, statuses in (
        ("x" * 2**20, {400, 413}),
        ("\ufdfa" * 100_000, {400, 413}),
        ("\ufdfa" * 5_000, {400}),
        ("x" * 1001, {400}),
    ):
        answer = await browser.http.post(action, data={**form, "username": "alice", "password": password})
        assert answer.status_code in statuses

    async def spent(password: str, username: str) -> float:
        started = time.process_time()
        await browser.http.post(action, data={**form, "username": username, "password": password})
        return time.process_time() - started

    # none of it reached argon2
    with hashing.at(hashing.FULL):
        refused = min([await spent("\ufdfa" * 1001, "alice") for _ in range(5)])
        assert refused < min([await spent("y" * 1000, f"nobody{n}") for n in range(3)])
    await forget_limits(provider)
    for length in (65, 1000):
        answer = await browser.http.post(action, data={**form, "username": "nobody", "password": "y" * length})
        assert answer.status_code == 400
        assert "not right" in answer.text
    assert (
        await browser.http.post(action, data={**form, "username": "alice", "password": PASSWORD})
    ).status_code == 303
