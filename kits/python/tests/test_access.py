"""Access tokens at an API: what is believed, how it says no, and how often the provider is asked."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey

from stile_rp import (
    AsyncRelyingParty,
    BearerAuth,
    Misconfigured,
    Need,
    ProviderUnavailable,
    Refused,
    RelyingParty,
    StepUp,
    StepUpRequired,
    require,
    step_up,
)
from stile_rp.effects import ProcessMemory
from stile_rp.testing import FakeProvider, new_key

SCOPE = "transfers:write"


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def party(provider: FakeProvider) -> RelyingParty:
    return RelyingParty(provider.settings(), http=provider.http, clock=provider.clock)


def refusal(party: RelyingParty, token: str, need: Need) -> Refused:
    with pytest.raises(Refused) as refused:
        party.check(f"Bearer {token}", need)
    return refused.value


def test_a_token_that_has_what_is_needed_gets_through(provider: FakeProvider, party: RelyingParty) -> None:
    token = party.check(f"Bearer {provider.access_token(scope=f'openid {SCOPE}')}", require(SCOPE))
    assert (token.subject, token.client_id, token.acr) == ("sub-alice", "shop", "urn:stile:2fa")
    assert token.scopes == {"openid", SCOPE}
    assert (token.auth_time, token.expires_at, token.details) == (provider.now, provider.now + 300, ())


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"iss": "https://evil.example"}, "somebody else"),
        ({"aud": "https://other.example"}, "somebody else"),
        ({"aud": ["https://other.example"]}, "somebody else"),
        ({"aud": None}, "somebody else"),
        ({"exp": 1_800_000_000 - 30}, "30 s ago"),
        ({"exp": None}, "exp is missing"),
        ({"iat": 1_800_000_000 + 31}, "future"),
        ({"sub": None}, "lacks claims"),
        ({"sub": ["x"]}, "lacks claims"),
        ({"client_id": None}, "lacks claims"),
        ({"cnf": {"jkt": "x"}}, "bound to a key"),
        ({"scope": ["transfers:write"]}, "no sense"),
        ({"authorization_details": {"type": "x"}}, "no sense"),
        ({"authorization_details": ["x"]}, "no sense"),
        ({"typ": "JWT"}, "another kind"),
        ({"typ": ""}, "another kind"),
    ],
)
def test_a_token_that_is_not_for_us_or_over_is_invalid(
    provider: FakeProvider, party: RelyingParty, changed: dict[str, Any], why: str
) -> None:
    refused = refusal(party, provider.access_token(**{"scope": SCOPE, **changed}), require(SCOPE))
    assert (refused.status, refused.error) == (401, "invalid_token")
    assert why in str(refused)
    assert refused.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token", error_description="')


def test_an_id_token_is_no_access_token(provider: FakeProvider, party: RelyingParty) -> None:
    claims = {"iss": provider.issuer, "sub": "s", "aud": provider.audience, "client_id": "shop", "exp": 1_800_000_300}
    assert refusal(party, provider.sign({**claims, "iat": 1_800_000_000}), require("openid")).error == "invalid_token"


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "AT+JWT"])
def test_the_type_is_a_media_type(provider: FakeProvider, party: RelyingParty, typ: str) -> None:
    party.check(f"bearer {provider.access_token(typ=typ)}", require("openid"))


def test_providers_older_than_rfc_9068_are_believed_where_that_is_said(provider: FakeProvider) -> None:
    settings = provider.settings(access_token_types=("at+jwt", "JWT"))
    party = RelyingParty(settings, http=provider.http, clock=provider.clock)
    old = provider.access_token(typ="JWT", client_id=None, azp="shop")
    assert party.check(f"Bearer {old}", require("openid")).client_id == "shop"


@pytest.mark.parametrize("header", ["", "Basic YTpi", "Bearer", "Bearer  ", "token"])
def test_who_brings_no_token_is_told_nothing_more(party: RelyingParty, header: str) -> None:
    with pytest.raises(Refused) as refused:
        party.check(header, require("openid"))
    assert (refused.value.status, refused.value.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    "token", ["a", "a.b.c", "a.b.c.d.e", "é.b.c", "\ud800.b.c", "." * 9, "eyJ9.e30.AA", "a" * 70_000]
)
def test_nonsense_is_invalid(party: RelyingParty, provider: FakeProvider, token: str) -> None:
    assert refusal(party, token, require("openid")).error == "invalid_token"
    assert provider.reads == [], "and the provider is not asked about it"


def test_a_missing_scope_is_said(provider: FakeProvider, party: RelyingParty) -> None:
    refused = refusal(party, provider.access_token(), require(SCOPE, "other"))
    assert (refused.status, refused.error) == (403, "insufficient_scope")
    assert f'scope="{SCOPE} other"' in refused.headers["WWW-Authenticate"]


def test_a_level_that_is_missing_is_asked_for_as_rfc_9470_says(provider: FakeProvider, party: RelyingParty) -> None:
    need = require(SCOPE, acr=("urn:stile:2fa-strong", "phr"), max_age=timedelta(minutes=5))
    refused = refusal(party, provider.access_token(scope=SCOPE), need)
    assert (refused.status, refused.error) == (401, "insufficient_user_authentication")
    challenge = refused.headers["WWW-Authenticate"]
    assert 'acr_values="urn:stile:2fa-strong phr", max_age="300"' in challenge
    answer = httpx.Response(401, headers=refused.headers)
    assert step_up(answer) == StepUp(("urn:stile:2fa-strong", "phr"), timedelta(minutes=5), (SCOPE,))


@pytest.mark.parametrize(("age", "good"), [(0, True), (90, True), (91, False), (None, False), (True, False)])
def test_a_proof_must_be_young_enough(
    provider: FakeProvider, party: RelyingParty, age: int | None, *, good: bool
) -> None:
    proved = age if age is None or age is True else int(provider.now) - age
    token = provider.access_token(auth_time=proved)
    need = require(max_age=timedelta(minutes=1))
    if good:
        party.check(f"Bearer {token}", need)
    else:
        refused = refusal(party, token, need)
        assert refused.error == "insufficient_user_authentication"
        assert "acr_values" not in refused.headers["WWW-Authenticate"]


def test_a_level_without_an_age_is_a_mistake_unless_it_is_meant() -> None:
    with pytest.raises(Misconfigured, match="add max_age=timedelta"):
        require(SCOPE, acr="phr")
    assert require(acr="phr", session_ok=True).acr_values == ("phr",)
    for wrong in ((), ("a b",), ('a"b',), ("",), ("é",)):
        with pytest.raises(Misconfigured):
            require(*wrong)
    with pytest.raises(Misconfigured, match="one word"):
        require(details='a"b')
    with pytest.raises(Misconfigured, match="max_age"):
        require(max_age=timedelta(seconds=-1))


DETAILS = [{"type": "transfer", "payee": "Jana", "amount": "25.50"}]


def test_details_are_used_once(provider: FakeProvider, party: RelyingParty) -> None:
    need = require(SCOPE, details="transfer")
    token = provider.access_token(scope=SCOPE, authorization_details=DETAILS)
    assert party.check(f"Bearer {token}", need).details == tuple(DETAILS)
    refused = refusal(party, token, need)
    assert (refused.error, str(refused)) == ("invalid_token", "this access token was used already")
    assert refusal(party, provider.access_token(scope=SCOPE), need).error == "insufficient_scope"
    no_name = provider.access_token(scope=SCOPE, authorization_details=DETAILS, jti=None)
    assert "no jti" in str(refusal(party, no_name, need))


def test_a_token_that_is_refused_is_not_used_up(provider: FakeProvider, party: RelyingParty) -> None:
    token = provider.access_token(scope=SCOPE)
    refusal(party, token, require("other", once=True))
    party.check(f"Bearer {token}", require(SCOPE, once=True))


def test_of_many_at_once_one_gets_through(provider: FakeProvider, party: RelyingParty) -> None:
    need, ready = require(SCOPE, once=True), threading.Barrier(8)

    def one(token: str) -> bool:
        ready.wait()
        try:
            party.check(f"Bearer {token}", need)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            assert sum(threads.map(one, [provider.access_token(scope=SCOPE)] * 8)) == 1


class Slow(str):
    """A key that others overtake while a dictionary looks for it."""

    __slots__ = ()

    def __hash__(self) -> int:
        threading.Event().wait(0.001)
        return str.__hash__(self)


def test_what_is_kept_as_new_is_new_for_one_of_all(provider: FakeProvider) -> None:
    memory, ready = ProcessMemory(provider.clock), threading.Barrier(8)

    def one(key: str) -> bool:
        ready.wait()
        return memory.keep(key, "", until=provider.now + 1, new=True)

    with ThreadPoolExecutor(8) as threads:
        for number in range(20):
            assert sum(threads.map(one, [Slow(number) for _ in range(8)])) == 1
    provider.now += 1
    assert memory.recall("7") is None
    assert memory.keep("7", "again", until=provider.now + 1, new=True)
    assert memory.recall("7") == "again"


def test_what_is_over_is_forgotten(provider: FakeProvider) -> None:
    memory = ProcessMemory(provider.clock)
    for number in range(5000):
        memory.keep(str(number), "", until=provider.now + 1, new=True)
        provider.now += 0.01
    assert len(memory._kept) < 2 * ProcessMemory.SWEEP


def test_keys_are_read_once(provider: FakeProvider, party: RelyingParty) -> None:
    for _ in range(50):
        party.check(f"Bearer {provider.access_token()}", require("openid"))
    assert provider.reads.count("/jwks") == 1


def test_a_new_key_costs_one_look_and_so_do_a_thousand_made_up_ones(
    provider: FakeProvider, party: RelyingParty
) -> None:
    party.check(f"Bearer {provider.access_token()}", require("openid"))
    provider.now += 10
    provider.keys = [new_key("two"), *provider.keys]
    party.check(f"Bearer {provider.access_token()}", require("openid"))
    assert provider.reads.count("/jwks") == 2
    provider.now += 10
    made_up = [provider.sign({}, typ="at+jwt", key=new_key(f"made-up-{number}")) for number in range(100)]
    for token in made_up * 10:
        assert refusal(party, token, require("openid")).error == "invalid_token"
    assert provider.reads.count("/jwks") == 3
    party.check(f"Bearer {provider.access_token()}", require("openid"))


def test_a_key_that_is_withdrawn_is_forgotten(provider: FakeProvider, party: RelyingParty) -> None:
    token = provider.access_token(exp=1_800_009_999)
    party.check(f"Bearer {token}", require("openid"))
    provider.keys = [new_key("two")]
    provider.now += 599
    party.check(f"Bearer {token}", require("openid"))
    provider.now += 1
    assert refusal(party, token, require("openid")).error == "invalid_token"


def test_while_the_provider_is_down_its_keys_are_believed_for_a_day(
    provider: FakeProvider, party: RelyingParty
) -> None:
    party.check(f"Bearer {provider.access_token()}", require("openid"))
    provider.down = True
    for _ in range(23):
        provider.now += 3600
        party.check(f"Bearer {provider.access_token()}", require("openid"))
    provider.now += 3600
    with pytest.raises(ProviderUnavailable):
        party.check(f"Bearer {provider.access_token()}", require("openid"))
    with pytest.raises(ProviderUnavailable, match="a moment ago"):
        party.check(f"Bearer {provider.access_token()}", require("openid"))
    provider.down = False
    provider.now += 10
    party.check(f"Bearer {provider.access_token()}", require("openid"))


def test_many_threads_that_need_the_keys_read_them_once(provider: FakeProvider) -> None:
    def slowly(request: httpx.Request) -> httpx.Response:
        threading.Event().wait(0.1)  # the others come meanwhile
        return provider.respond(request)

    def http() -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(slowly))

    party = RelyingParty(provider.settings(), http=http, clock=provider.clock)
    party.start({})  # its metadata are known
    ready = threading.Barrier(8)

    def one(token: str) -> str:
        ready.wait()
        return party.check(f"Bearer {token}", require("openid")).subject

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(one, [provider.access_token()] * 8)) == {"sub-alice"}
    assert provider.reads.count("/jwks") == 1


def test_keys_that_are_not_understood_are_passed_over(provider: FakeProvider, party: RelyingParty) -> None:
    good = provider.keys[0].as_dict(private=False)
    small = RSAKey.generate_key(2048, {"kid": "rsa"}).as_dict(private=False) | {"n": "AQAB"}
    provider.listed = ["text", {"kty": "odd"}, {"kty": "EC", "crv": "BP-256", "kid": "b"}, {"kty": "RSA"}, small]
    provider.listed += [ECKey.generate_key("P-384", {"kid": "one", "alg": "ES384"}).as_dict(private=False), good]
    party.check(f"Bearer {provider.access_token()}", require("openid"))


@pytest.mark.parametrize("change", [{"use": "enc"}, {"key_ops": ["sign"]}, {"alg": "ES384"}, {"kty": "OKP"}])
def test_a_key_for_something_else_verifies_nothing(
    provider: FakeProvider, party: RelyingParty, change: dict[str, Any]
) -> None:
    provider.listed = [provider.keys[0].as_dict(private=False) | change, new_key("two").as_dict(private=False)]
    assert refusal(party, provider.access_token(), require("openid")).error == "invalid_token"


def test_a_token_need_not_name_the_only_key(provider: FakeProvider, party: RelyingParty) -> None:
    claims = {"iss": provider.issuer, "sub": "s", "aud": provider.audience, "client_id": "shop", "scope": "openid"}
    token = provider.sign({**claims, "iat": 1_800_000_000, "exp": 1_800_009_000}, typ="at+jwt", kid=None)
    party.check(f"Bearer {token}", require("openid"))
    provider.keys.append(new_key("two"))
    provider.now += 600
    assert refusal(party, token, require("openid")).error == "invalid_token", "which of the two?"


async def test_an_api_that_wants_more_says_where_to_go(provider: FakeProvider) -> None:
    asks = {"error": "insufficient_user_authentication", "acr_values": "phr", "max_age": "60"}
    challenge = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in asks.items())
    api = httpx.MockTransport(lambda _: httpx.Response(401, headers={"www-authenticate": challenge}))
    party = AsyncRelyingParty(provider.settings(), http=provider.async_http, clock=provider.clock)
    async with httpx.AsyncClient(transport=api, auth=BearerAuth(party, "t", then="/t/7", action=SCOPE)) as client:
        with pytest.raises(StepUpRequired) as raised:
            await client.get("https://api.example/")
    provider.browse(raised.value.url)
    [asked] = provider.asked
    assert (asked["acr_values"], asked["max_age"], asked["scope"]) == ("phr", "60", f"openid {SCOPE}")
    assert [login["then"] for login in raised.value.logins.values()] == ["/t/7"]


def test_a_missing_scope_is_a_step_up_too_and_everything_else_is_an_answer(
    provider: FakeProvider, party: RelyingParty
) -> None:
    answer = httpx.Response(403, headers={"www-authenticate": f'Bearer error="insufficient_scope", scope="{SCOPE}"'})
    seen: list[str] = []

    def api(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return answer

    with httpx.Client(transport=httpx.MockTransport(api), auth=BearerAuth(party, "t")) as client:
        with pytest.raises(StepUpRequired):
            client.get("https://api.example/")
        for status, challenge in [(401, "Bearer"), (403, 'Bearer error="invalid_token"'), (401, "Basic"), (200, "")]:
            answer = httpx.Response(status, headers={"www-authenticate": challenge})
            assert client.get("https://api.example/").status_code == status
    assert set(seen) == {"Bearer t"}
