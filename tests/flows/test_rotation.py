"""IDP_SECRET_KEYS rotated in the middle, and on several nodes one after the other, costs nobody anything.

The documented order: the new key second on every node, then first on every node. Between two steps some nodes are a
step ahead, and a request may reach any of them: here each one goes to another than the one before.
"""

from datetime import timedelta
from itertools import cycle

import httpx
import pytest
from sqlalchemy import bindparam, select

from idp.crypto import KeyChain, SecretKey, random_bytes
from idp.flows.delivery import suppressions
from idp.flows.idp import Visitor, address_key, device_key
from idp.flows.sealed import PHONE_INDEX
from idp.flows.tokens import sealed_keys
from idp.model import Account
from idp.store.people import accounts
from idp.store.schema.people import account, device
from tests.world.account_pages import enrol
from tests.world.composed import Statement
from tests.world.provider import ALICE_PHONE, PASSWORD, Browser, Provider, parameters

KNOWN_TO = Statement(
    select(account.c.username).select_from(device.join(account)).where(device.c.key == bindparam("key"))
)
STEPS = {"old": ("t1",), "old,new": ("t1", "t2"), "new,old": ("t2", "t1")}
PAIRS = [("old", "old,new"), ("old,new", "old"), ("old,new", "new,old"), ("new,old", "old,new")]


class Nodes:
    """Two nodes of one provider, whose lists of keys differ by a step. Each request goes to the other."""

    def __init__(self, provider: Provider, chains: list[KeyChain]) -> None:
        self.provider, self.chains = provider, chains
        self._turn = cycle(chains)
        self.turn()

    def turn(self) -> None:
        self.provider.idp.secrets = next(self._turn)

    def browser(self) -> Browser:
        made = self.provider.browser()

        async def turn(_: httpx.Request) -> None:
            self.turn()

        made.http.event_hooks = {"request": [turn]}
        return made


@pytest.fixture(params=PAIRS, ids=" and ".join)
async def nodes(request: pytest.FixtureRequest, provider: Provider, key_chain: KeyChain) -> Nodes:
    values = {"t1": SecretKey("t1", key_chain._keys["t1"]), "t2": SecretKey("t2", random_bytes(32))}
    chains = [KeyChain([values[name] for name in STEPS[step]]) for step in request.param]
    return Nodes(provider, [await sealed_keys.agreed(provider.idp.db, chain) for chain in chains])


async def person(provider: Provider, username: str) -> Account:
    found = await accounts.by_username(provider.idp.db, username=username)
    assert found is not None
    return found[0]


async def test_a_sign_in_ends_where_it_began(nodes: Nodes) -> None:
    provider, browser = nodes.provider, nodes.browser()
    answer = await provider.sign_in(browser, scope="openid offline_access", prompt="consent")
    if answer.status_code == 200:
        answer = await browser.submit("/consent", decision="allow")
    issued = (await provider.redeem(parameters(answer)["code"])).json()
    for _ in range(3):
        nodes.turn()
        refreshed = await provider.token(grant_type="refresh_token", refresh_token=issued["refresh_token"])
        assert refreshed.status_code == 200
        nodes.turn()
        # a second one, whose answer was lost, is forgiven and gets the same
        again = await provider.token(grant_type="refresh_token", refresh_token=issued["refresh_token"])
        assert again.json()["refresh_token"] == refreshed.json()["refresh_token"]
        issued = refreshed.json()
    assert (await provider.introspect(issued["access_token"]))["active"]


async def test_every_form_of_the_account_is_taken(nodes: Nodes) -> None:
    provider, browser = nodes.provider, nodes.browser()
    await provider.sign_in(provider.browser())
    provider.clock.move(timedelta(minutes=2))
    await provider.sign_in(browser)
    assert (await browser.get("/account")).status_code == 200
    done = await browser.submit("/account/sessions/end-others")
    assert done.status_code == 200
    assert 'role="status"' in done.text
    out = await browser.submit("/account/sign-out")
    assert out.status_code == 200
    assert browser.token is None


async def test_an_app_is_enrolled(nodes: Nodes) -> None:
    provider, browser = nodes.provider, nodes.browser()
    await browser.get("/account/authenticators/new")
    await browser.submit("/password", username="bob", password=PASSWORD)
    await browser.submit("/sms", code=await provider.texted(browser))
    assert (await enrol(provider, browser)).status_code == 200


async def test_a_browser_stays_known_for_everybody_who_used_it(nodes: Nodes) -> None:
    provider, browser = nodes.provider, nodes.browser()
    seen: set[str] = set()
    for name in ("alice", "bob", "alice"):
        provider.clock.move(timedelta(minutes=2))
        await provider.sign_in(browser, name)
        await browser.get("/account")
        await browser.submit("/account/sign-out")
        cookie = browser.http.cookies["stile-device"]
        assert len(cookie) < 200
        seen.add(name)
        for chain in nodes.chains:
            provider.idp.secrets = chain
            key = device_key(provider.idp, Visitor("192.0.2.1", device=cookie))
            assert {row[0] for row in await provider.rows(KNOWN_TO, key=key)} == seen


async def test_no_limit_begins_anew(nodes: Nodes) -> None:
    async def wrong(number: int) -> int:
        nodes.turn()
        browser = nodes.provider.browser()
        await browser.get(nodes.provider.authorize_url())
        return (await browser.submit("/password", username=f"nobody{number}", password="guess")).status_code

    statuses = [await wrong(number) for number in range(7)]
    assert statuses == [400] * 5 + [429] * 2


async def test_what_is_looked_up_is_found(nodes: Nodes) -> None:
    provider = nodes.provider
    found = set()
    for chain in nodes.chains:
        provider.idp.secrets = chain
        found.add((address_key(provider.idp, Visitor("192.0.2.1")), chain.index(ALICE_PHONE, purpose=PHONE_INDEX)))
    assert len(found) == 1
    provider.idp.secrets = nodes.chains[0]
    alice = await person(provider, "alice")
    assert await suppressions.suppress(
        provider.idp, ALICE_PHONE, reason="opted_out", gateway="fake", account_id=alice.id
    )
    nodes.turn()
    nodes.turn()
    browser = nodes.browser()
    await browser.get(provider.authorize_url())
    await browser.submit("/password", username="alice", password=PASSWORD)
    await provider.deliver()
    assert not provider.gateway.codes()


async def test_every_process_agrees_which_key_is_the_oldest(provider: Provider) -> None:
    db = provider.idp.db
    old, new, newer = (SecretKey(name, random_bytes(32)) for name in ("k1", "k2", "k3"))
    # the list of a version that did not ask yet: its first key is what was looked up by
    assert (await sealed_keys.agreed(db, KeyChain([new, old]))).oldest == "k2"
    assert (await sealed_keys.agreed(db, KeyChain([old, new]))).oldest == "k2"
    assert (await sealed_keys.agreed(db, KeyChain([newer, old, new]))).oldest == "k2"
    assert (await sealed_keys.agreed(db, KeyChain([newer, old]))).oldest == "k1"
    assert (await sealed_keys.agreed(db, KeyChain([newer]))).oldest == "k3"
