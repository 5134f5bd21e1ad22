"""Signing in: what is asked, what is believed, and that nothing else is."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry

from stile_rp import (
    AsyncRelyingParty,
    Declined,
    Misconfigured,
    Outdated,
    ProviderUnavailable,
    RelyingParty,
    SignedIn,
    Untrusted,
    jose,
)
from stile_rp.testing import FakeProvider, new_key


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def party(provider: FakeProvider) -> RelyingParty:
    return RelyingParty(provider.settings(), http=provider.http, clock=provider.clock)


def sign_in(provider: FakeProvider, party: RelyingParty, **asked: Any) -> SignedIn:
    logins: dict[str, Any] = {}
    url = party.start(logins, **asked)
    logins = json.loads(json.dumps(logins))  # through whatever session
    outcome = party.finish(logins, provider.come_back(url))
    assert isinstance(outcome, SignedIn)
    assert logins == {}
    return outcome


def test_a_person_signs_in(provider: FakeProvider, party: RelyingParty) -> None:
    signed_in = sign_in(provider, party, then="/here?a=b")
    assert signed_in.then == "/here?a=b"
    assert (signed_in.person.subject, signed_in.person.name) == ("sub-alice", "Alice Ader")
    assert (signed_in.person.acr, signed_in.person.amr) == ("urn:stile:2fa", ("pwd", "otp"))
    assert signed_in.expires_at == provider.now + 300


async def test_the_same_awaited(provider: FakeProvider) -> None:
    party = AsyncRelyingParty(provider.settings(), http=provider.async_http, clock=provider.clock)
    logins: dict[str, Any] = {}
    outcome = await party.finish(logins, provider.come_back(await party.start(logins)))
    assert isinstance(outcome, SignedIn)
    await party.aclose()


def test_the_request_carries_pkce_state_and_nonce_anew_each_time(provider: FakeProvider, party: RelyingParty) -> None:
    sign_in(provider, party)
    sign_in(provider, party, acr_values=("a", "urn:stile:2fa"), max_age=timedelta(minutes=1))
    first, second = provider.asked
    assert (first["response_type"], first["scope"], first["code_challenge_method"]) == (
        "code",
        "openid profile",
        "S256",
    )
    assert "acr_values" not in first
    assert (second["acr_values"], second["max_age"]) == ("a urn:stile:2fa", "60")
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) == 43
        assert first[name] != second[name]
    assert json.loads(first["claims"]) == {"id_token": {"name": None}}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"state": "guessed"}, id="state-of-somebody-else"),
        pytest.param({"state": None}, id="no-state"),
        pytest.param({"iss": "https://evil.example"}, id="mix-up"),
        pytest.param({"iss": None}, id="no-iss"),
        pytest.param({"code": None}, id="no-code"),
        pytest.param({"code": "guessed"}, id="code-that-the-provider-does-not-know"),
    ],
)
def test_an_answer_that_is_not_ours_signs_nobody_in(
    provider: FakeProvider, party: RelyingParty, answer: dict[str, str | None]
) -> None:
    provider.answer = answer
    with pytest.raises(Untrusted):
        sign_in(provider, party)


def test_a_parameter_that_comes_twice_is_refused(provider: FakeProvider, party: RelyingParty) -> None:
    logins: dict[str, Any] = {}
    answer = provider.come_back(party.start(logins))
    with pytest.raises(Untrusted, match="twice"):
        party.finish(logins, [*answer, ("code", "another")])


def test_an_answer_works_in_the_session_that_asked_and_once(provider: FakeProvider, party: RelyingParty) -> None:
    logins: dict[str, Any] = {}
    answer = provider.come_back(party.start(logins))
    with pytest.raises(Outdated, match="session lost"):
        party.finish({}, answer)
    assert isinstance(party.finish(logins, answer), SignedIn)
    with pytest.raises(Outdated):
        party.finish(logins, answer)
    assert len(provider.posted) == 1


@pytest.mark.parametrize(("seconds", "good"), [(1799, True), (1800, False), (-61, False)])
def test_an_answer_that_took_too_long_is_refused(
    provider: FakeProvider, party: RelyingParty, seconds: int, *, good: bool
) -> None:
    logins: dict[str, Any] = {}
    answer = provider.come_back(party.start(logins))
    provider.now += seconds
    if good:
        assert isinstance(party.finish(logins, answer), SignedIn)
    else:
        with pytest.raises(Outdated, match="too old"):
            party.finish(logins, answer)


def test_what_a_session_holds_that_is_no_login_is_no_login(party: RelyingParty) -> None:
    held: object
    for held in (None, 7, "text", [], {"nonce": "n"}, {"unknown": 1}):
        with pytest.raises(Outdated):
            party.finish({"s": held}, [("state", "s"), ("code", "c")])


def test_only_the_newest_logins_of_a_browser_are_kept(party: RelyingParty) -> None:
    logins: dict[str, Any] = {}
    for number in range(12):
        party.start(logins, then=f"/{number}")
    assert [login["then"] for login in logins.values()] == [f"/{number}" for number in range(2, 12)]


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"iss": "https://id.example/"}, id="iss"),
        pytest.param({"iss": None}, id="no-iss"),
        pytest.param({"aud": "notes"}, id="aud-of-another-client"),
        pytest.param({"aud": ["shop", "notes"]}, id="aud-with-somebody-else"),
        pytest.param({"aud": ["shop", "notes"], "azp": "shop"}, id="aud-with-somebody-else-and-azp"),
        pytest.param({"aud": None}, id="no-aud"),
        pytest.param({"azp": "notes"}, id="azp-of-another-client"),
        pytest.param({"nonce": "another"}, id="nonce"),
        pytest.param({"nonce": None}, id="no-nonce"),
        pytest.param({"nonce": ["x"]}, id="nonce-of-another-kind"),
        pytest.param({"exp": None}, id="no-exp"),
        pytest.param({"exp": "2000000000"}, id="exp-as-text"),
        pytest.param({"exp": True}, id="exp-as-truth"),
        pytest.param({"exp": float("nan")}, id="exp-not-a-number"),
        pytest.param({"exp": 1_800_000_000 - 30}, id="exp-past"),
        pytest.param({"iat": None}, id="no-iat"),
        pytest.param({"iat": 1_800_000_000 + 31}, id="iat-to-come"),
        pytest.param({"nbf": 1_800_000_000 + 31}, id="nbf-to-come"),
        pytest.param({"nbf": "now"}, id="nbf-as-text"),
        pytest.param({"sub": None}, id="no-sub"),
        pytest.param({"sub": ""}, id="empty-sub"),
        pytest.param({"sub": 7}, id="sub-as-number"),
        pytest.param({"at_hash": "another"}, id="at-hash"),
        pytest.param({"at_hash": ""}, id="empty-at-hash"),
    ],
)
def test_an_id_token_with_a_wrong_claim_signs_nobody_in(
    provider: FakeProvider, party: RelyingParty, changed: dict[str, Any]
) -> None:
    provider.id_claims = changed
    with pytest.raises(Untrusted):
        sign_in(provider, party)


@pytest.mark.parametrize(
    "changed",
    [
        {"at_hash": None},
        {"name": None},
        {"aud": ["shop"]},
        {"azp": "shop"},
        {"auth_time": None},
        {"exp": 1_800_000_000 - 29},
        {"iat": 1_800_000_000 + 30},
    ],
)
def test_an_id_token_may_leave_out_what_is_optional_and_clocks_differ_a_little(
    provider: FakeProvider, party: RelyingParty, changed: dict[str, Any]
) -> None:
    provider.id_claims = changed
    sign_in(provider, party)


def test_other_audiences_are_believed_where_they_are_named(provider: FakeProvider) -> None:
    settings = provider.settings(trusted_audiences=("project",))
    party = RelyingParty(settings, http=provider.http, clock=provider.clock)
    provider.id_claims = {"aud": ["shop", "project"], "azp": "shop"}
    sign_in(provider, party)
    for wrong in (
        {"aud": ["shop", "project"]},
        {"aud": ["project"], "azp": "shop"},
        {"aud": ["shop", "x"], "azp": "shop"},
    ):
        provider.id_claims = wrong
        with pytest.raises(Untrusted):
            sign_in(provider, party)


def test_a_skewed_clock_is_a_sentence_that_says_what_to_do(provider: FakeProvider, party: RelyingParty) -> None:
    provider.id_claims = {"iat": 1_800_000_000 + 95}
    with pytest.raises(Untrusted, match="95 s in the future: set the clocks of both machines by NTP, or raise leeway"):
        sign_in(provider, party)


def test_acr_must_be_one_of_those_asked_for(provider: FakeProvider, party: RelyingParty) -> None:
    asked = ("urn:stile:2fa-strong", "urn:stile:2fa")
    sign_in(provider, party, acr_values=asked)
    for acr in (None, "urn:stile:2", "urn:stile:2fa ", ["urn:stile:2fa"]):
        provider.id_claims = {"acr": acr}
        with pytest.raises(Untrusted, match="acr"):
            sign_in(provider, party, acr_values=asked)


@pytest.mark.parametrize(("age", "good"), [(0, True), (90, True), (91, False), (None, False), ("now", False)])
def test_auth_time_must_be_within_max_age(
    provider: FakeProvider, party: RelyingParty, age: int | str | None, *, good: bool
) -> None:
    provider.id_claims = {"auth_time": int(provider.now) - age if isinstance(age, int) else age}
    if good:
        sign_in(provider, party, max_age=timedelta(minutes=1))
    else:
        with pytest.raises(Untrusted, match="auth_time"):
            sign_in(provider, party, max_age=timedelta(minutes=1))


@pytest.mark.parametrize(
    ("error", "cancelled", "cannot"),
    [("access_denied", True, False), ("unmet_authentication_requirements", False, True), ("<script>", False, False)],
)
def test_a_refusal_says_why(
    provider: FakeProvider, party: RelyingParty, error: str, *, cancelled: bool, cannot: bool
) -> None:
    provider.refuse = (error, "From tomorrow, 12:00.")
    logins: dict[str, Any] = {}
    outcome = party.finish(logins, provider.come_back(party.start(logins, then="/there")))
    assert isinstance(outcome, Declined)
    assert (outcome.cancelled, outcome.cannot, outcome.then) == (cancelled, cannot, "/there")
    assert "<" not in outcome.error
    assert provider.posted == []


def test_a_refresh_brings_new_tokens_of_the_same_sign_in(provider: FakeProvider, party: RelyingParty) -> None:
    before = sign_in(provider, party, scopes=("openid", "offline_access"))
    provider.now += 400
    after = party.refresh(before)
    assert after is not None
    assert after.access_token != before.access_token
    assert (after.refresh_token != before.refresh_token, after.person) == (True, before.person)
    assert after.expires_at == provider.now + 300
    assert party.refresh(before) is None, "the provider has ended it"
    assert party.refresh(replace(after, refresh_token=None)) is None
    provider.subject = "sub-mallory"
    with pytest.raises(Untrusted, match="another sign-in"):
        party.refresh(after)


def test_the_address_of_signing_out_names_the_session(provider: FakeProvider, party: RelyingParty) -> None:
    signed_in = sign_in(provider, party)
    url = party.sign_out(signed_in.id_token, ui_locales=("es",))
    for part in (
        "https://id.example/logout?",
        signed_in.id_token,
        "post_logout_redirect_uri=https%3A%2F%2Fshop",
        "=es",
    ):
        assert part in url


DETAILS = [{"type": "transfer", "payee": "Jana", "amount": "25.50"}]
PUSHES = {"pushed_authorization_request_endpoint": "https://id.example/par"}


@pytest.mark.parametrize("metadata", [{}, PUSHES])
def test_details_are_asked_for_and_have_to_come_back_as_they_were(
    provider: FakeProvider, party: RelyingParty, metadata: dict[str, Any]
) -> None:
    provider.metadata = metadata
    assert sign_in(provider, party, details=DETAILS).details == tuple(DETAILS)
    provider.tokens = {"authorization_details": [{**DETAILS[0], "account": "EE1"}]}
    assert sign_in(provider, party, details=DETAILS).details[0]["account"] == "EE1"
    for other in ([], [{**DETAILS[0], "amount": "2550"}], DETAILS * 2, None, "text", [7]):
        provider.tokens = {"authorization_details": other}
        with pytest.raises(Untrusted, match="authorization_details"):
            sign_in(provider, party, details=DETAILS)


def test_details_do_not_stand_in_the_address_where_the_provider_lets_them_be_pushed(
    provider: FakeProvider, party: RelyingParty
) -> None:
    provider.metadata = PUSHES
    url = party.start({}, details=DETAILS)
    assert "Jana" not in url
    assert "request_uri=" in url


@pytest.mark.parametrize("then", ["//evil.example", "/\\evil", "https://evil.example", "there", "/a b", "/\n", ""])
def test_people_come_back_to_this_application_alone(party: RelyingParty, then: str) -> None:
    with pytest.raises(Misconfigured, match="path of this application"):
        party.start({}, then=then)


def test_a_provider_that_is_down_is_said_to_be_and_works_later(provider: FakeProvider, party: RelyingParty) -> None:
    provider.down = True
    with pytest.raises(ProviderUnavailable, match=r"https://id\.example/\S+ did not answer \(ConnectError\)"):
        party.start({})
    provider.down = False
    sign_in(provider, party)


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"issuer": "https://id.example/"}, Misconfigured),
        ({"token_endpoint": None}, ProviderUnavailable),
        ({"token_endpoint": "http://id.example/token"}, ProviderUnavailable),
    ],
)
def test_metadata_of_another_issuer_or_without_endpoints_are_not_used(
    provider: FakeProvider, party: RelyingParty, metadata: dict[str, Any], error: type[Exception]
) -> None:
    provider.metadata = metadata
    with pytest.raises(error):
        sign_in(provider, party)


def test_a_wrong_secret_is_our_own_mistake_and_says_so(provider: FakeProvider) -> None:
    party = RelyingParty(provider.settings(client_secret="wrong"), http=provider.http, clock=provider.clock)
    with pytest.raises(Misconfigured, match="look at client_id, client_secret"):
        sign_in(provider, party)


@pytest.mark.parametrize("client_auth", ["post", "private_key", "none"])
def test_clients_authenticate_as_they_are_registered(provider: FakeProvider, client_auth: str) -> None:
    secret = None if client_auth == "none" else provider.client_secret
    given = {"client_auth": client_auth, "client_secret": secret, "private_key": new_key("mine")}
    party = RelyingParty(provider.settings(**given), http=provider.http, clock=provider.clock)
    sign_in(provider, party)
    [form] = provider.posted
    assert form["client_id"] == "shop"
    assert ("client_secret" in form, "client_assertion" in form) == (
        client_auth == "post",
        client_auth == "private_key",
    )


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"issuer": "http://id.example"}, "give an https address"),
        ({"base_url": "https://shop.example/"}, "leave the slash at its end out"),
        ({"client_secret": None, "client_auth": "basic"}, "give client_secret"),
        ({"client_auth": "private_key"}, "give private_key"),
        ({"client_id": None}, "give both"),
        ({"scopes": ["profile"]}, "must have 'openid'"),
        ({"prefix": "auth/"}, "begins with a slash"),
        ({"home": "//evil"}, "give a path"),
        ({"algorithms": ["none"]}, "none that is believed"),
        ({"algorithms": ["HS256"]}, "none that is believed"),
        ({"leeway": timedelta(hours=1)}, "set the clocks right"),
    ],
)
def test_wrong_settings_are_sentences(provider: FakeProvider, wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(Misconfigured, match=says):
        provider.settings(**wrong)


def test_every_mistake_is_told_at_once_and_the_environment_is_read(provider: FakeProvider) -> None:
    with pytest.raises(Misconfigured, match=r"issuer is .*; base_url is .*; scopes must"):
        provider.settings(issuer="id", base_url="shop", scopes=())
    settings = type(provider.settings())
    with pytest.raises(Misconfigured, match="OIDC_ISSUER is not set"):
        settings.from_environ({})
    read = settings.from_environ({"OIDC_ISSUER": "https://id.example", "OIDC_CLIENT_SECRET": "s"}, client_id="c")
    assert (read.issuer, read.client_id, read.client_secret, read.method) == ("https://id.example", "c", "s", "basic")


def test_nothing_secret_is_shown_by_repr(provider: FakeProvider, party: RelyingParty) -> None:
    signed_in = sign_in(provider, party, scopes=("openid", "offline_access"))
    shown = repr((party.steps.settings, signed_in))
    for secret in (provider.client_secret, signed_in.access_token, signed_in.id_token, signed_in.refresh_token):
        assert secret is not None
        assert secret not in shown


def signed(provider: FakeProvider, header: str, claims: dict[str, Any]) -> str:
    """A good signature under a bad header."""
    text = f"{jose.encoded(header.encode())}.{jose.encoded(json.dumps(claims).encode())}"
    signature = JWSRegistry.algorithms["ES256"].sign(text.encode(), provider.keys[0])
    return f"{text}.{jose.encoded(signature)}"


ROTTEN: list[Callable[[FakeProvider, dict[str, Any]], str]] = [
    lambda provider, claims: provider.sign(claims, key=new_key("one")),
    lambda provider, claims: provider.sign(claims, key=new_key("two")),
    lambda provider, claims: provider.sign(claims)[:-8] + "AAAAAAAA",
    lambda provider, claims: provider.sign(claims)[:-8],
    lambda provider, claims: provider.sign(claims, typ="at+jwt"),
    lambda provider, claims: signed(provider, '{"alg":"ES256","kid":"one","crit":["bork"],"bork":1}', claims),
    lambda provider, claims: signed(provider, '{"alg":"ES256","kid":"one","kid":"one"}', claims),
    lambda provider, claims: provider.sign(claims, key=ECKey.generate_key("P-384", {"kid": "one", "alg": "ES384"})),
    lambda provider, claims: signed(provider, '{"alg":"ES256","kid":"one","typ":"at+jwt"}', claims),
    lambda *_: "eyJhbGciOiJub25lIn0.e30.",
    lambda *_: "no.jwt",
    lambda *_: "WyJhbGciXQ.e30.AA",
    lambda *_: "a." + "b" * 20_000 + ".c",
]


@pytest.mark.parametrize("forge", ROTTEN)
def test_a_forged_id_token_signs_nobody_in(
    provider: FakeProvider, party: RelyingParty, forge: Callable[[FakeProvider, dict[str, Any]], str]
) -> None:
    claims = {"iss": provider.issuer, "sub": "sub-alice", "aud": "shop", "iat": 1_800_000_000, "exp": 1_800_000_600}
    logins: dict[str, Any] = {}
    answer = provider.come_back(party.start(logins))
    provider.tokens = {"id_token": forge(provider, {**claims, "nonce": provider.asked[0]["nonce"]})}
    with pytest.raises(Untrusted):
        party.finish(logins, answer)


def test_what_is_signed_so_by_hand_is_good_but_for_its_header(provider: FakeProvider, party: RelyingParty) -> None:
    claims = {"iss": provider.issuer, "sub": "sub-alice", "aud": "shop", "iat": 1_800_000_000, "exp": 1_800_000_600}
    logins: dict[str, Any] = {}
    answer = provider.come_back(party.start(logins))
    nonce = {"nonce": provider.asked[0]["nonce"]}
    provider.tokens = {"id_token": signed(provider, '{"alg":"ES256","kid":"one"}', claims | nonce)}
    assert isinstance(party.finish(logins, answer), SignedIn)


class _Queue:
    """A lock that knows how many have come to it."""

    def __init__(self) -> None:
        self._lock, self._come, self._more = threading.Lock(), 0, threading.Condition()

    def acquire(self) -> bool:
        with self._more:
            self._come += 1
            self._more.notify_all()
        return self._lock.acquire()

    def release(self) -> None:
        self._lock.release()

    def until(self, count: int) -> None:
        with self._more:
            assert self._more.wait_for(lambda: self._come >= count, timeout=120)


def test_whoever_waited_while_another_asked_in_vain_waits_no_longer(provider: FakeProvider) -> None:
    """Of twenty people who press at once, the last does not wait for twenty attempts."""
    tried: list[str] = []
    lock = _Queue()

    def slow(request: httpx.Request) -> httpx.Response:
        tried.append(request.url.path)
        lock.until(20)
        raise httpx.ConnectTimeout("nobody listens", request=request)

    def http() -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(slow))

    party = RelyingParty(provider.settings(), http=http, clock=provider.clock)
    party.world._lock = lock  # type: ignore[assignment]  # one that knows who waits

    def comes(_: int) -> bool:
        try:
            party.start({})
        except ProviderUnavailable:
            return True
        return False

    with ThreadPoolExecutor(20) as threads:
        assert all(threads.map(comes, range(20)))
    assert len(tried) == 1
    with pytest.raises(ProviderUnavailable, match="did not answer"):
        party.start({})
    assert len(tried) == 2, "who comes later asks anew"
