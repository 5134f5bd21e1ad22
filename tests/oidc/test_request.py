"""The authorization request, group B and C of the protocol list."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from idp.model import AuthMethod, AuthorizationRequest, Client, Prompt, ResponseMode
from idp.oidc.errors import PageError, RedirectError
from idp.oidc.keys import KeyRing

Parse = Callable[..., AuthorizationRequest]


def refused(parse: Parse, *more: tuple[str, str], **changes: Any) -> RedirectError:
    with pytest.raises(RedirectError) as caught:
        parse(*more, **changes)
    return caught.value


def page(parse: Parse, *more: tuple[str, str], **changes: Any) -> PageError:
    with pytest.raises(PageError) as caught:
        parse(*more, **changes)
    return caught.value


def test_an_ordinary_request_is_valid(parse: Parse, bank: Client, challenge: str) -> None:
    assert parse() == AuthorizationRequest(
        client_id=bank.id,
        redirect_uri="https://bank.example/cb",
        scopes=("openid", "profile"),
        state="xyz",
        nonce="n-0S6_WzA2Mj",
        code_challenge=challenge,
    )


def test_a_valid_request_survives_being_stored(parse: Parse) -> None:
    asked = parse(
        prompt="login consent",
        max_age="60",
        scope="openid offline_access",
        acr_values="urn:stile:2fa",
        ui_locales="et en-GB",
        login_hint="mari@example.ee",
        claims='{"id_token":{"acr":{"essential":true,"value":"urn:stile:2fa-strong"},"email":null}}',
    )
    assert AuthorizationRequest.from_json(asked.as_json()) == asked


# --- client and redirect_uri: a page, never a redirect ---

OTHER_FAULTS: list[dict[str, str | None]] = [
    {},
    {"scope": "unknown"},
    {"scope": "\\"},
    {"response_type": "token"},
    {"response_type": None},
    {"response_type": "a\\b"},
    {"prompt": "none login"},
    {"code_challenge": None},
    {"code_challenge_method": "plain"},
    {"request": "eyJ.e30."},
    {"response_mode": "form_post"},
    {"max_age": "-1"},
    {"claims": "["},
    {"id_token_hint": "x"},
    {"state": "a\x00b"},
]


@pytest.mark.parametrize("fault", OTHER_FAULTS, ids=lambda fault: " ".join(fault) or "no other fault")
@pytest.mark.parametrize(
    "redirect_uri",
    [
        None,
        "",
        "https://evil.example/cb",
        "https://bank.example/cb/",
        "https://bank.example/cb#x",
        "https://bank.example/cb?tenant=a b",
        "https://bank.example:443/cb",
        "https://BANK.example/cb",
        "http://bank.example/cb",
        "http://127.0.0.1:8000/cb",
        'https://bank.example/"',
        "https://bank.example/\x00",
        "https://bänk.example/cb",
        "javascript:alert(1)",
    ],
)
def test_oau_01_a_wrong_redirect_uri_is_a_page_whatever_else_is_wrong(
    parse: Parse, redirect_uri: str | None, fault: dict[str, str | None]
) -> None:
    error = page(parse, redirect_uri=redirect_uri, **fault)
    assert (error.code, error.status) == ("invalid_request", 400)
    assert error.description.startswith("redirect_uri ")
    assert "example" not in error.description


@pytest.mark.parametrize("client_id", [None, "", "nobody", "BANK:1+x", "closed", "bank:1+x\x00", "x" * 9000])
def test_b7_an_unknown_or_closed_client_is_a_page(parse: Parse, client_id: str | None) -> None:
    error = page(parse, client_id=client_id)
    assert (error.code, error.status) == ("invalid_request", 400)
    assert error.description.startswith("client_id ")


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_b8_client_id_or_redirect_uri_twice_is_a_page(parse: Parse, good: dict[str, str], name: str) -> None:
    assert page(parse, (name, good[name])).description == f"{name} occurs twice."


def test_b5_redirect_uri_is_required_even_with_one_registered(parse: Parse, bank: Client) -> None:
    one = replace(bank, redirect_uris=("https://bank.example/cb",))
    assert page(parse, redirect_uri=None, using={bank.id: one}).description == "redirect_uri is missing."


def test_b4_a_native_client_may_vary_the_loopback_port(parse: Parse, app: Client) -> None:
    assert parse(client_id=app.id, redirect_uri="http://127.0.0.1:51004/cb").redirect_uri == "http://127.0.0.1:51004/cb"


def test_b6_a_registered_uri_with_a_query_is_accepted(parse: Parse) -> None:
    assert parse(redirect_uri="https://bank.example/cb?tenant=a%20b").redirect_uri.endswith("?tenant=a%20b")


# --- everything else: told to the client ---


def test_an_error_goes_to_the_proved_redirect_uri_with_the_state(parse: Parse) -> None:
    error = refused(parse, scope=None, state="s p&=%2Fü" * 30)
    assert error.redirect_uri == "https://bank.example/cb"
    assert error.state == "s p&=%2Fü" * 30
    assert error.response_mode is ResponseMode.QUERY
    assert not error.fragment


@pytest.mark.parametrize("name", ["scope", "response_type", "nonce", "prompt", "code_challenge", "claims", "unknown"])
def test_b8_any_parameter_twice_is_an_invalid_request(parse: Parse, name: str) -> None:
    error = refused(parse, (name, "x"), (name, "x"))
    assert (error.code, error.description, error.state) == ("invalid_request", f"{name} occurs twice.", "xyz")


def test_b8_a_state_that_occurs_twice_is_not_returned(parse: Parse) -> None:
    error = refused(parse, ("state", "other"))
    assert (error.code, error.state) == ("invalid_request", None)


@pytest.mark.parametrize("name", ["foo", "display", "claims_locales", "login_hint", "ui_locales", "id_token_hint_x"])
def test_b9_an_unknown_or_optional_parameter_is_no_error(parse: Parse, name: str) -> None:
    assert parse((name, "ä ?!")).client_id


def test_b2_a_missing_response_type_is_an_invalid_request(parse: Parse) -> None:
    assert refused(parse, response_type=None).code == "invalid_request"


@pytest.mark.parametrize(
    ("response_type", "fragment"),
    [
        ("token", True),
        ("id_token", True),
        ("code token", True),
        ("id_token token", True),
        ("foo", False),
        ("none", False),
        ("code foo", False),
        ("code code", False),
        ("CODE", False),
        ("code\\", False),
        ('"', False),
        ("ü", False),
        ("code\n", False),
    ],
)
def test_b14_another_response_type_is_unsupported(parse: Parse, response_type: str, fragment: bool) -> None:
    error = refused(parse, response_type=response_type)
    assert (error.code, error.fragment) == ("unsupported_response_type", fragment)
    assert error.description == "Only response_type=code is supported."


def test_b14_an_implicit_request_is_answered_where_it_asked_to_be(parse: Parse) -> None:
    assert refused(parse, response_type="token", response_mode="fragment").fragment
    assert not refused(parse, response_type="token", response_mode="query").fragment
    posted = refused(parse, response_type="token", response_mode="form_post")
    assert (posted.fragment, posted.response_mode) == (False, ResponseMode.FORM_POST)


def test_a_client_without_the_code_grant_is_unauthorized(parse: Parse, bank: Client) -> None:
    machine = replace(bank, grant_types=frozenset({"client_credentials"}))
    assert refused(parse, using={bank.id: machine}).code == "unauthorized_client"


def test_b15_form_post_is_taken_for_success_and_error(parse: Parse) -> None:
    assert parse(response_mode="form_post").response_mode is ResponseMode.FORM_POST
    assert refused(parse, response_mode="form_post", scope=None).response_mode is ResponseMode.FORM_POST
    assert parse(response_mode="query").response_mode is ResponseMode.QUERY


@pytest.mark.parametrize("mode", ["fragment", "jwt", "query.jwt", "QUERY", "foo"])
def test_b16_an_unknown_response_mode_is_an_invalid_request(parse: Parse, mode: str) -> None:
    error = refused(parse, response_mode=mode)
    assert (error.code, error.response_mode) == ("invalid_request", ResponseMode.QUERY)


def test_a_form_is_not_posted_to_another_scheme(parse: Parse, app: Client) -> None:
    error = refused(parse, client_id=app.id, redirect_uri="com.example.app:/cb", response_mode="form_post")
    assert (error.code, error.response_mode) == ("invalid_request", ResponseMode.QUERY)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
        ("registration", "registration_not_supported"),
    ],
)
def test_b17_request_objects_are_refused_by_name(parse: Parse, name: str, code: str) -> None:
    assert refused(parse, (name, "eyJhbGciOiJub25lIn0.e30.")).code == code


def request_object(payload: bytes, signature: str = "") -> str:
    return f"eyJhbGciOiJub25lIn0.{base64.urlsafe_b64encode(payload).rstrip(b'=').decode()}.{signature}"


INSIDE = b'{"response_mode":"form_post","state":"inside","redirect_uri":"https://evil.example/","client_id":"x"}'


def test_b17_a_request_object_is_refused_in_the_response_mode_it_asks_for(parse: Parse, good: dict[str, str]) -> None:
    for signature in ("", "AAAA"):
        error = refused(parse, ("request", request_object(INSIDE, signature)))
        assert (error.code, error.response_mode) == ("request_not_supported", ResponseMode.FORM_POST)
        # and for nothing else is it read
        assert (error.redirect_uri, error.state) == (good["redirect_uri"], good["state"])
    outside = refused(parse, ("request", request_object(INSIDE)), response_mode="query")
    assert outside.response_mode is ResponseMode.QUERY


def test_b17_a_request_object_posts_no_form_to_another_scheme(parse: Parse, app: Client) -> None:
    error = refused(parse, ("request", request_object(INSIDE)), client_id=app.id, redirect_uri="com.example.app:/cb")
    assert (error.code, error.response_mode) == ("request_not_supported", ResponseMode.QUERY)


@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(".", id="empty"),
        pytest.param("x", id="no parts"),
        pytest.param("a.é.c", id="not ascii"),
        pytest.param("a.a.c", id="not base64"),
        pytest.param(request_object(b"\xff\xfe"), id="not utf-8"),
        pytest.param(request_object(b"[" * 3000), id="deep"),
        pytest.param(request_object(b'{"a":' * 900 + b"1" + b"}" * 900), id="deep objects"),
        pytest.param(request_object(b'{"response_mode":' + b"9" * 5000 + b"}"), id="a number without end"),
        pytest.param(request_object(b'["form_post"]'), id="a list"),
        pytest.param(request_object(b'{"response_mode":["form_post"]}'), id="a list within"),
        pytest.param(request_object(b'{"response_mode":null}'), id="null"),
        pytest.param(request_object(b'{"response_mode":"fragment"}'), id="fragment"),
        pytest.param(request_object(b'{"response_mode":"form_post","response_mode":"form_post"}'), id="twice"),
        pytest.param(request_object(INSIDE).replace(".", "..", 1), id="encrypted"),
    ],
)
def test_b17_a_hostile_request_object_is_refused_like_any_other(parse: Parse, hostile: str) -> None:
    error = refused(parse, ("request", hostile))
    assert (error.code, error.response_mode) == ("request_not_supported", ResponseMode.QUERY)


# --- scope ---


def test_b12_order_is_kept_and_unknown_scopes_are_dropped(parse: Parse) -> None:
    assert parse(scope="profile nonsense openid profile").scopes == ("profile", "openid")


def test_a_scope_that_this_client_may_not_ask_for_is_dropped(parse: Parse, bank: Client) -> None:
    small = replace(bank, scopes=frozenset({"openid"}))
    assert parse(scope="openid transfers:write", using={bank.id: small}).scopes == ("openid",)


def test_a_scope_that_the_provider_no_longer_knows_is_dropped(parse: Parse, bank: Client) -> None:
    old = replace(bank, scopes=frozenset({"openid", "retired"}))
    assert parse(scope="openid retired", using={bank.id: old}).scopes == ("openid",)


def test_b12_plain_oauth_works_without_openid(parse: Parse) -> None:
    assert parse(scope="reports").scopes == ("reports",)


@pytest.mark.parametrize(
    "scope", [None, "", "nonsense", " ", "openid  profile", " openid", 'open"id', "open\\id", "ü", "openid\n"]
)
def test_a_missing_malformed_or_empty_scope_is_invalid(parse: Parse, scope: str | None) -> None:
    assert refused(parse, scope=scope).code == "invalid_scope"


def test_e1_offline_access_needs_the_grant_it_is_for(parse: Parse, bank: Client) -> None:
    assert parse(scope="openid offline_access").scopes == ("openid", "offline_access")
    assert parse(scope="openid offline_access", prompt="consent login").scopes == ("openid", "offline_access")
    no_refresh = replace(bank, grant_types=frozenset({"authorization_code"}))
    assert parse(scope="openid offline_access", prompt="consent", using={bank.id: no_refresh}).scopes == ("openid",)


# --- nonce, PKCE ---


@pytest.mark.parametrize("nonce", ["n" * 64, "n" * 384, None])
def test_b13_a_nonce_is_optional_and_kept_verbatim(parse: Parse, nonce: str | None) -> None:
    assert parse(nonce=nonce).nonce == nonce


@pytest.mark.parametrize("method", ["plain", None, "s256", "S512", "S256\n"])
def test_b18_only_s256_is_accepted(parse: Parse, method: str | None) -> None:
    assert refused(parse, code_challenge_method=method).code == "invalid_request"


def test_b18_a_challenge_is_required(parse: Parse, app: Client) -> None:
    missing: dict[str, str | None] = {"code_challenge": None, "code_challenge_method": None}
    assert refused(parse, **missing).code == "invalid_request"
    assert refused(parse, code_challenge=None).code == "invalid_request"
    loopback = "http://127.0.0.1/cb"
    lax = replace(app, require_pkce=False)
    assert refused(parse, client_id=app.id, redirect_uri=loopback, using={app.id: lax}, **missing).code == (
        "invalid_request"
    )


def test_b20_pkce_is_optional_for_a_confidential_client_that_says_so(parse: Parse, bank: Client) -> None:
    lax = replace(bank, require_pkce=False)
    assert parse(code_challenge=None, code_challenge_method=None, using={bank.id: lax}).code_challenge is None
    assert refused(parse, code_challenge=None, using={bank.id: lax}).code == "invalid_request"
    assert refused(parse, code_challenge_method="plain", using={bank.id: lax}).code == "invalid_request"


@pytest.mark.parametrize("sent", ["a" * 42, "a" * 44, "a" * 129, "a" * 42 + "=", "a" * 42 + "+", "a" * 43 + "\n"])
def test_b19_a_challenge_is_the_base64url_of_a_digest(parse: Parse, sent: str) -> None:
    assert refused(parse, code_challenge=sent).code == "invalid_request"


# --- prompt, max_age, acr, claims ---


@pytest.mark.parametrize("prompt", ["none login", "none consent", "login none", "none none x"])
def test_c3_prompt_none_stands_alone(parse: Parse, prompt: str) -> None:
    assert refused(parse, prompt=prompt).code == "invalid_request"


@pytest.mark.parametrize("prompt", ["create", "Login", "login,consent", "ü"])
def test_c6_an_unknown_prompt_is_an_invalid_request(parse: Parse, prompt: str) -> None:
    assert refused(parse, prompt=prompt).code == "invalid_request"


def test_known_prompts_are_read(parse: Parse) -> None:
    assert parse(prompt="none").prompts == {Prompt.NONE}
    assert parse(prompt="login  consent select_account").prompts == {
        Prompt.LOGIN,
        Prompt.CONSENT,
        Prompt.SELECT_ACCOUNT,
    }


@pytest.mark.parametrize(
    "max_age", ["-1", "abc", "1_000", "\uff11\uff10", "9" * 5000, " 10", "10\n", "+1", "1.0", "1e3", "9" * 11]
)
def test_c10_and_stp_05_max_age_is_a_number_in_ascii_digits(parse: Parse, max_age: str) -> None:
    assert refused(parse, max_age=max_age).code == "invalid_request"


def test_stp_05_max_age_twice_is_an_invalid_request(parse: Parse) -> None:
    assert refused(parse, ("max_age", "1"), ("max_age", "1")).code == "invalid_request"


def test_max_age_is_read_in_seconds(parse: Parse) -> None:
    assert parse(max_age="0").max_age == timedelta(0)
    assert parse(max_age="10000").max_age == timedelta(seconds=10_000)
    assert parse(max_age="9999999999").max_age == timedelta(seconds=9_999_999_999)
    assert parse().max_age is None


def test_c11_acr_values_keep_their_order_and_unknown_ones_are_ignored(parse: Parse) -> None:
    asked = parse(acr_values="urn:stile:2fa-strong unknown urn:stile:2fa urn:stile:2fa-strong")
    assert asked.acr_values == ("urn:stile:2fa-strong", "urn:stile:2fa")


def test_c13_an_essential_acr_is_kept_even_when_unknown(parse: Parse) -> None:
    asked = parse(claims='{"id_token":{"acr":{"essential":true,"values":["unknown"]}}}')
    assert asked.claims.essential_acr == ("unknown",)


@pytest.mark.parametrize("claims", ["{", "[]", '{"id_token":[]}', "[" * 8000, '{"a":1,"a":2}'])
def test_a_malformed_claims_parameter_is_an_invalid_request(parse: Parse, claims: str) -> None:
    error = refused(parse, claims=claims)
    assert error.code == "invalid_request"
    assert error.description.startswith("claims: ")


def test_ui_locales_that_are_no_language_tags_are_ignored(parse: Parse) -> None:
    assert parse(ui_locales="et en-GB ../../etc <x>").ui_locales == ("et", "en-GB")
    assert len(parse(ui_locales="fr " * 20).ui_locales) == 10


def test_g10_an_unknown_resource_is_an_invalid_target(parse: Parse, bank: Client, issuer: str) -> None:
    assert refused(parse, resource="https://api.evil.example").code == "invalid_target"
    assert parse(resource=issuer).client_id == bank.id
    aimed = replace(bank, audience=("https://api.example",))
    assert parse(resource="https://api.example", using={bank.id: aimed}).client_id == bank.id


# --- id_token_hint ---


@pytest.fixture(scope="session")
def hint_claims(bank: Client, issuer: str) -> dict[str, Any]:
    return {"iss": issuer, "aud": bank.id, "sub": "someone", "exp": 1, "iat": 1, "sid": "s"}


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_b23_our_id_token_is_a_hint_even_when_expired(
    parse: Parse, keys: KeyRing, hint_claims: dict[str, Any], algorithm: str
) -> None:
    token = keys.sign(hint_claims, algorithm=algorithm, typ="JWT")
    assert parse(id_token_hint=token).hint_subject == "someone"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"iss": "https://other.example"}, id="another issuer"),
        pytest.param({"aud": "app"}, id="another client"),
        pytest.param({"aud": ["bank:1+x", "app"]}, id="several audiences"),
        pytest.param({"aud": None}, id="no audience"),
        pytest.param({"sub": 7}, id="sub is a number"),
        pytest.param({"sid": 7}, id="sid is a number"),
    ],
)
def test_b23_a_hint_for_others_is_an_invalid_request(
    parse: Parse, keys: KeyRing, hint_claims: dict[str, Any], changes: dict[str, Any]
) -> None:
    token = keys.sign({**hint_claims, **changes}, algorithm="RS256", typ="JWT")
    assert refused(parse, id_token_hint=token).code == "invalid_request"


def test_a_userinfo_answer_is_not_a_hint(parse: Parse, keys: KeyRing, hint_claims: dict[str, Any]) -> None:
    answer = {name: value for name, value in hint_claims.items() if name != "exp"}
    assert refused(parse, id_token_hint=keys.sign(answer, algorithm="RS256", typ="JWT")).code == "invalid_request"


def test_jos_06_an_access_token_is_not_a_hint(parse: Parse, keys: KeyRing, hint_claims: dict[str, Any]) -> None:
    token = keys.sign(hint_claims, algorithm="RS256", typ="at+jwt")
    assert refused(parse, id_token_hint=token).code == "invalid_request"


def test_b23_a_foreign_or_tampered_hint_is_an_invalid_request(
    parse: Parse, keys: KeyRing, strangers: KeyRing, hint_claims: dict[str, Any]
) -> None:
    assert refused(parse, id_token_hint=strangers.sign(hint_claims, algorithm="RS256", typ="JWT")).code == (
        "invalid_request"
    )
    header, payload, signature = keys.sign(hint_claims, algorithm="RS256", typ="JWT").split(".")
    other = keys.sign({**hint_claims, "sub": "victim"}, algorithm="RS256", typ="JWT").split(".")[1]
    for token in (f"{header}.{other}.{signature}", f"{header}.{payload}.", f"{header}.{payload}", "x"):
        assert refused(parse, id_token_hint=token).code == "invalid_request"


def test_a_public_client_counts_as_public_whatever_its_switch_says(parse: Parse, app: Client) -> None:
    assert app.auth_method is AuthMethod.NONE
    assert parse(client_id=app.id, redirect_uri="com.example.app:/cb").redirect_uri == "com.example.app:/cb"
