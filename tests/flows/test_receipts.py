"""Receipts: early, late, twice, out of order, forged. They only move a message forward, and nothing needs them."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select, update

from idp.crypto import KeyChain, SecretKey, random_bytes
from idp.flows.delivery import deliver, receipts
from idp.settings import Settings
from idp.sms import BadSignature, Callback, Delivery, Message, Outcome, Reason, Receipt, Sent, latest, smspm
from idp.store import sweep
from idp.store.delivery import leases
from idp.store.schema.records import message_attempt
from idp.testing import FakeGateway
from tests.world.asking import forget_limits
from tests.world.composed import Statement
from tests.world.databases import empty
from tests.world.parallel import at_once
from tests.world.provider import ALICE_PHONE, BANK_URI, ISSUER, Provider, parameters
from tests.world.running import running, settings_for
from tests.world.sending import IN_TURN, asks_for_a_code, deliver_all, page_of, states, use, why_suppressed

REPORTED = Statement(
    select(message_attempt.c.delivery, message_attempt.c.provider_id, message_attempt.c.delivery_reason).order_by(
        *IN_TURN
    )
)

FORGET = Statement(update(message_attempt).values(delivery=None).returning(message_attempt.c.id))


@pytest.fixture
async def reachable(database_url: str, key_chain: KeyChain, tmp_path: Path) -> AsyncIterator[Provider]:
    """A provider that gateways can call back, with alice and bob."""
    await empty(database_url)
    async with running(database_url, key_chain, settings_for(tmp_path, receipt_url=ISSUER)) as made:
        await made.add_client("bank", BANK_URI)
        await made.add_person("alice", number=ALICE_PHONE, app=True)
        yield made


async def sent_one(provider: Provider) -> tuple[Message, str]:
    """A message that left, and the path of its receipts."""
    await forget_limits(provider)
    await asks_for_a_code(provider)
    await provider.deliver()
    message = provider.gateway.sent[-1]
    assert message.receipt_url is not None
    return message, message.receipt_url.removeprefix(ISSUER)


async def call(provider: Provider, path: str, *told: Receipt, method: str = "POST") -> httpx.Response:
    provider.gateway.receipts = list(told)
    async with provider.browser().http as http:
        return await http.request(method, path)


async def reported(provider: Provider) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await provider.rows(REPORTED)]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_receipt_is_noted_and_the_page_says_so(reachable: Provider, method: str) -> None:
    browser = await asks_for_a_code(reachable)
    await reachable.deliver()
    message = reachable.gateway.sent[-1]
    path = (message.receipt_url or "").removeprefix(ISSUER)
    answer = await call(reachable, path, Receipt(str(message.attempt_id), Delivery.DELIVERED), method=method)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await reported(reachable))[0][0] == "delivered"
    assert "has received a 6-digit code" in await page_of(browser)
    await call(reachable, path, Receipt(str(message.attempt_id), Delivery.UNDELIVERED), method=method)
    assert "has received a 6-digit code" in await page_of(browser)


async def test_what_was_not_delivered_is_said_with_what_else_works_and_the_code_still_does(
    reachable: Provider,
) -> None:
    browser = await asks_for_a_code(reachable)
    (code,) = await reachable.deliver()
    message = reachable.gateway.sent[-1]
    told = Receipt(str(message.attempt_id), Delivery.UNDELIVERED, Reason.UNREACHABLE)
    await call(reachable, (message.receipt_url or "").removeprefix(ISSUER), told)
    page = await page_of(browser)
    assert "has not reached your phone" in page
    assert "Use your authenticator app" in page
    assert "code" in parameters(await browser.submit("/sms", code=code))


async def test_no_receipt_is_needed_for_a_code_to_work(reachable: Provider) -> None:
    assert "code" in parameters(await reachable.sign_in(reachable.browser()))
    assert (await reported(reachable))[0][0] is None


async def test_it_moves_as_latest_says_whatever_comes_after_whatever(reachable: Provider) -> None:
    message, path = await sent_one(reachable)
    for first, second in product([None, *Delivery], Delivery):
        await reachable.rows(FORGET)
        for status in (first, second):
            if status is not None:
                await call(reachable, path, Receipt(str(message.attempt_id), status))
        expected = second if first is None else latest(first, second)
        assert [row[0] for row in await reported(reachable)] == [expected], (first, second)


async def test_twenty_receipts_at_once_are_one(reachable: Provider) -> None:
    message, path = await sent_one(reachable)
    reachable.gateway.receipts = [Receipt(str(message.attempt_id), Delivery.DELIVERED)]
    attempt_id = UUID(path.split("/")[3])
    callback = Callback("POST", path, received_at=reachable.clock.now())
    new = await at_once(20, lambda _: receipts.take(reachable.idp, reachable.gateway, attempt_id, callback))
    assert max(map(list, new), key=len) == ["delivered"]
    assert sum(map(len, new)) == 1


async def test_an_early_receipt_counts_and_its_name_for_the_message_stays(reachable: Provider) -> None:
    """The provider calls back before it answers, and its answer is lost."""

    class Early(FakeGateway):
        async def send(self, message: Message) -> Sent:
            await super().send(message)
            self.receipts = [Receipt("theirs-1", Delivery.SENT)]
            async with reachable.browser().http as http:
                answer = await http.post((message.receipt_url or "").removeprefix(ISSUER))
            assert answer.status_code == 204
            return Sent(Outcome.AMBIGUOUS, reason=Reason.TIMEOUT)

    await asks_for_a_code(reachable)
    gateway = Early()
    use(reachable, gateway)
    await deliver_all(reachable, gateway)
    reachable.clock.move(timedelta(seconds=60))
    await deliver_all(reachable, gateway)
    # it was sent, so nobody sends it again
    assert len(gateway.sent) == 1
    assert await states(reachable) == ["sent"]
    assert await reported(reachable) == [("sent", "theirs-1", None)]


async def test_a_receipt_for_a_dead_senders_try_spares_the_second_message(reachable: Provider) -> None:
    await asks_for_a_code(reachable)
    claimed = await deliver.claim(reachable.idp, (reachable.gateway,))
    assert claimed is not None
    attempt_id, now = uuid4(), reachable.clock.now()
    await leases.begin(reachable.idp.db, claimed, attempt_id=attempt_id, gateway="fake", region="EE", most=3, now=now)
    path = (receipts.url(reachable.idp, "fake", attempt_id) or "").removeprefix(ISSUER)
    await call(reachable, path, Receipt("theirs-2", Delivery.QUEUED))
    reachable.clock.move(leases.LEASE)
    assert await reachable.deliver() == []
    assert await states(reachable) == ["sent"]


async def test_a_late_receipt_after_the_message_was_swept_is_answered_alike(reachable: Provider) -> None:
    message, path = await sent_one(reachable)
    now = reachable.clock.move(timedelta(days=40))
    await sweep.sweep(reachable.idp.db, idle=reachable.idp.policy.sessions.idle, now=now)
    await sweep.sweep(reachable.idp.db, idle=reachable.idp.policy.sessions.idle, now=now)
    assert await reported(reachable) == []
    answer = await call(reachable, path, Receipt(str(message.attempt_id), Delivery.DELIVERED))
    assert (answer.status_code, answer.content) == (204, b"")


class Signed(FakeGateway):
    def receipt(self, callback: Callback) -> list[Receipt]:  # noqa: ARG002 - whatever comes
        raise BadSignature("no")


class Broken(FakeGateway):
    def receipt(self, callback: Callback) -> list[Receipt]:  # noqa: ARG002 - whatever comes
        raise KeyError(ALICE_PHONE)


async def test_whoever_calls_is_answered_alike_and_only_the_right_address_is_looked_up(reachable: Provider) -> None:
    message, path = await sent_one(reachable)
    _, _, gateway, attempt, key = path.split("/")
    reachable.gateway.receipts = [Receipt(str(message.attempt_id), Delivery.DELIVERED)]
    other = FakeGateway(name="other", receipts=list(reachable.gateway.receipts))
    use(reachable, reachable.gateway, other, Signed(name="signed"), Broken(name="broken"))
    own = {name: receipts.url(reachable.idp, name, UUID(attempt)) or "" for name in ("signed", "broken", "other")}
    forged = {
        "another key": f"/receipts/{gateway}/{attempt}/{'0' * 32}",
        "half a key": f"/receipts/{gateway}/{attempt}/{key[:16]}",
        "no ASCII": f"/receipts/{gateway}/{attempt}/ü",
        "another try": f"/receipts/{gateway}/{uuid4()}/{key}",
        "no try": f"/receipts/{gateway}/x/{key}",
        "another gateway": f"/receipts/other/{attempt}/{key}",
        "no gateway": f"/receipts/nobody/{attempt}/{key}",
    }
    signed = {"bad signature": own["signed"], "broken plug-in": own["broken"], "not its try": own["other"]}
    faces = set()
    async with reachable.browser().http as http:
        for what, address in {**forged, **signed}.items():
            for method in ("GET", "POST"):
                reachable.count()
                answer = await http.request(method, address, params={"id": "1", "status": "delivered"})
                headers = tuple(sorted(name for name in answer.headers))
                faces.add((answer.status_code, answer.content, headers))
                assert len(reachable.statements) == (what == "not its try"), what
    assert len(faces) == 1
    assert faces.pop()[:2] == (204, b"")
    assert (await reported(reachable))[0][0] is None
    answer = await call(reachable, path, Receipt("somebody-elses", Delivery.DELIVERED))
    assert answer.status_code == 204
    assert (await reported(reachable))[0][0] is None
    await call(reachable, path, Receipt(str(message.attempt_id), Delivery.DELIVERED))
    assert (await reported(reachable))[0][0] == "delivered"


async def test_a_body_that_is_too_long_is_not_read_and_a_strange_query_breaks_nothing(reachable: Provider) -> None:
    _, path = await sent_one(reachable)
    async with reachable.browser().http as http:
        assert (await http.post(path, content=b"x" * 100_000)).status_code == 413
        for strange in ("%ff", "a=%00", "&".join("a=1" for _ in range(200))):
            assert (await http.get(f"{path}?{strange}")).status_code == 204


@pytest.mark.parametrize("provider_id", ["\x00", "a b\n", "ü", "\ud800"])
async def test_a_name_that_no_provider_gives_is_not_stored(reachable: Provider, provider_id: str) -> None:
    _, path = await sent_one(reachable)
    assert (await call(reachable, path, Receipt(provider_id, Delivery.DELIVERED))).status_code == 204
    assert (await reported(reachable))[0][0] is None


async def test_addresses_given_away_before_the_keys_changed_still_work(reachable: Provider) -> None:
    message, path = await sent_one(reachable)
    old = [SecretKey(name, value) for name, value in reachable.idp.secrets._keys.items()]
    reachable.idp.secrets = KeyChain([SecretKey("t2", random_bytes(32)), *old])
    assert receipts.url(reachable.idp, "fake", message.attempt_id) != message.receipt_url
    await call(reachable, path, Receipt(str(message.attempt_id), Delivery.DELIVERED))
    assert (await reported(reachable))[0][0] == "delivered"


@pytest.mark.parametrize(
    ("reason", "blocked"), [(Reason.INVALID_NUMBER, True), (Reason.OPTED_OUT, True), (Reason.UNREACHABLE, False)]
)
async def test_a_receipt_that_says_the_number_is_dead_suppresses_it(
    reachable: Provider, reason: Reason, blocked: bool
) -> None:
    message, path = await sent_one(reachable)
    await call(reachable, path, Receipt(str(message.attempt_id), Delivery.UNDELIVERED, reason))
    assert await why_suppressed(reachable, ALICE_PHONE) == (reason if blocked else None)


async def test_the_address_goes_to_a_real_provider_and_its_query_comes_back(
    reachable: Provider, tmp_path: Path
) -> None:
    """SMSPM reports by an unsigned GET with id and status."""
    bodies: list[bytes] = []

    def provider(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(200, json={"messages": [{"id": 77, "toNumber": "1", "status": "Added to queue"}]})

    async with httpx.AsyncClient(transport=httpx.MockTransport(provider)) as client:
        gateway = smspm.create(settings_for(tmp_path, smspm_hash=SecretStr("h"), smspm_token=SecretStr("t")), client)
        use(reachable, gateway)
        await asks_for_a_code(reachable)
        await deliver_all(reachable, gateway)
        path = json.loads(bodies[0])["report"].removeprefix(ISSUER)
        async with reachable.browser().http as http:
            answer = await http.get(path, params={"id": "77", "status": "delivered", "toNumber": "1"})
        assert answer.status_code == 204
        assert (await reported(reachable))[0][:2] == ("delivered", "77")


@pytest.mark.parametrize(
    ("issuer", "receipt_url", "given"),
    [
        pytest.param("https://login.example.com", None, True, id="https"),
        pytest.param("https://login.example.com", "off", False, id="off"),
        pytest.param("http://localhost:8000", None, False, id="loopback"),
        pytest.param("https://localhost:8000", None, False, id="https loopback"),
        pytest.param("http://localhost:8000", "http://localhost:8000", True, id="settable"),
        pytest.param("https://in.example", "https://out.example/x/", True, id="elsewhere"),
    ],
)
async def test_an_address_is_given_away_only_where_it_can_be_reached(
    provider: Provider, issuer: str, receipt_url: str | None, given: bool
) -> None:
    provider.idp.settings = Settings.model_validate({"issuer": issuer, "receipt_url": receipt_url})
    made = receipts.url(provider.idp, "fake", uuid4())
    assert (made is not None) is given
    if made is not None:
        base = (receipt_url or issuer).rstrip("/")
        assert made.startswith(f"{base}/receipts/fake/")
        assert len(made.rsplit("/", 1)[1]) == 32  # 128 bits
