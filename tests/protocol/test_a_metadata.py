"""Metadata and keys (protocol.md A)."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from joserfc import jws
from joserfc.jwk import KeySet

from idp.crypto import KeyChain
from idp.flows.operate.keys import rotate_keys
from idp.flows.tokens import bearer, keys
from tests.world.provider import ISSUER, Provider
from tests.world.running import running, settings_for
from tests.world.stage import header, tokens, userinfo

CONFIGURATION = "/.well-known/openid-configuration"


async def test_the_issuer_is_the_prefix_byte_for_byte(provider: Provider) -> None:  # A1
    answer = await provider.browser().http.get(CONFIGURATION)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["issuer"] == ISSUER


async def test_every_endpoint_is_absolute_and_answers(provider: Provider) -> None:  # A2
    http = provider.browser().http
    metadata = (await http.get(CONFIGURATION)).json()
    found = {name: url for name, url in metadata.items() if name.endswith(("_endpoint", "_uri"))}
    assert {
        "authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
        "introspection_endpoint",
        "revocation_endpoint",
        "end_session_endpoint",
    } <= set(found)
    for url in found.values():
        assert url.startswith(ISSUER + "/")
        assert (await http.get(url)).status_code != 404


async def test_no_key_shows_more_than_its_public_half(provider: Provider) -> None:  # A3
    published = (await provider.browser().http.get("/jwks")).json()["keys"]
    kids = [key["kid"] for key in published]
    assert len(set(kids)) == len(kids) >= 2
    for key in published:
        assert key["kty"] in {"RSA", "EC"}
        assert key["use"] == "sig"
        assert key["alg"] in {"RS256", "ES256"}
        assert not {"d", "p", "q", "dp", "dq", "qi", "oth", "k"} & set(key)


async def test_the_metadata_says_what_we_do_and_nothing_else(provider: Provider) -> None:  # A4 A5 A6 A7 A8
    said = (await provider.browser().http.get(CONFIGURATION)).json()
    assert "RS256" in said["id_token_signing_alg_values_supported"]
    assert "none" not in str(said["id_token_signing_alg_values_supported"]).lower()
    assert said["response_types_supported"] == ["code"]
    assert said["subject_types_supported"] == ["public"]
    assert set(said["grant_types_supported"]) == {"authorization_code", "refresh_token", "client_credentials"}
    assert said["scopes_supported"][0] == "openid"
    assert "authenticators:write" not in said["scopes_supported"]
    assert {"sub", "acr", "amr", "auth_time", "name", "email", "phone_number"} <= set(said["claims_supported"])
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert said["authorization_response_iss_parameter_supported"] is True
    assert said["acr_values_supported"] == ["urn:stile:2fa", "urn:stile:2fa-strong", "phr", "phrh"]
    assert set(said["response_modes_supported"]) == {"query", "form_post"}
    assert said["request_parameter_supported"] is False
    assert said["request_uri_parameter_supported"] is False


async def test_both_documents_say_the_same(provider: Provider) -> None:  # A9
    http = provider.browser().http
    openid = await http.get(CONFIGURATION)
    oauth = await http.get("/.well-known/oauth-authorization-server")
    assert oauth.status_code == 200
    assert oauth.json() == openid.json()


async def test_an_issuer_with_a_path_appends_one_document_and_inserts_the_other(
    database_url: str, key_chain: KeyChain, tmp_path: Path
) -> None:  # A9
    settings = settings_for(tmp_path).model_copy(update={"issuer": "https://login.example.com/id/here"})
    async with running(database_url, key_chain, settings) as elsewhere:
        http = elsewhere.browser().http
        appended = await http.get("/id/here/.well-known/openid-configuration")
        inserted = await http.get("/.well-known/oauth-authorization-server/id/here")
        assert appended.status_code == inserted.status_code == 200
        assert appended.json() == inserted.json()
        assert appended.json()["token_endpoint"] == "https://login.example.com/id/here/token"
        assert (await http.post("/id/here/token")).json()["error"] == "invalid_request"
        assert (await http.get("/id/here/token")).headers["allow"] == "OPTIONS, POST"
        assert (await http.get("/id/here/nowhere")).status_code == 404
        assert (await http.get("/token")).status_code == 404
        assert (await http.get("/id/here/account/")).status_code == 404


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:8001"])
async def test_scripts_elsewhere_read_only_what_is_meant_for_them(
    provider: Provider, origin: str
) -> None:  # A10 OAU-13
    async with provider.browser(headers={"Origin": origin}).http as http:
        for path in (CONFIGURATION, "/jwks"):
            assert (await http.get(path)).headers["access-control-allow-origin"] == "*"
        allowed = origin if origin == "http://localhost:8001" else None
        for path in ("/token", "/userinfo"):
            for answer in (await http.post(path, data={"x": "y"}), await http.options(path)):
                assert answer.headers.get("access-control-allow-origin") == allowed
                assert answer.headers["vary"] == "Origin"
                assert "access-control-allow-credentials" not in answer.headers
        for answer in (
            await http.get(provider.authorize_url()),
            await http.options("/authorize"),
            await http.get("/authorize"),
            await http.get("/account"),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control-")]


READ_BY_PAGES = ("/token", "/userinfo", "/introspect", "/revoke")


async def test_a_page_that_may_read_an_answer_may_read_every_one(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:  # A10 OAU-13
    """Errors too: a page that cannot read them sees a network that is broken."""
    monkeypatch.setattr(
        provider.idp,
        "clients",
        {
            **provider.idp.clients,
            "shell": replace(provider.idp.clients["mobile"], id="shell", origins=("capacitor://localhost",)),
        },
    )
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    form = {"content-type": "application/x-www-form-urlencoded"}
    for origin in ("http://localhost:8001", "capacitor://localhost"):
        async with provider.browser(headers={"Origin": origin}).http as http:

            async def every_answer(http: httpx.AsyncClient = http) -> list[httpx.Response]:
                return [
                    answer
                    for path in READ_BY_PAGES
                    for answer in (
                        await http.post(path, data={"token": "x"}),
                        await http.delete(path),
                        await http.post(path, content=b"x=" + b"y" * 200_000, headers=form),
                        await http.post(path, content=b"%ff=\xff", headers=form),
                        await http.options(path, headers=asked),
                    )
                ]

            answers = await every_answer()
            assert {204, 400, 401, 405, 413} <= {answer.status_code for answer in answers}
            with monkeypatch.context() as broken:
                broken.setattr(provider.idp, "ring", None)
                token = {"Authorization": "Bearer x.y.z"}
                answers.append(await http.get("/userinfo", headers=token))
                broken.setattr(bearer, "about_person", None)
                answers.append(await http.get("/userinfo", headers=token))
            assert [answer.status_code for answer in answers[-2:]] == [503, 500]
            for answer in answers:
                assert answer.headers["access-control-allow-origin"] == origin, answer
                assert answer.headers["vary"] == "Origin"
                if answer.request.method == "OPTIONS":
                    assert answer.status_code == 204
                    assert answer.headers["access-control-allow-headers"] == "Authorization, Content-Type"
                else:
                    assert "WWW-Authenticate" in answer.headers["access-control-expose-headers"]
            for path in (CONFIGURATION, "/.well-known/oauth-authorization-server", "/jwks"):
                for answer in (await http.get(path), await http.post(path), await http.options(path, headers=asked)):
                    assert answer.headers["access-control-allow-origin"] == "*"
                assert answer.headers["access-control-allow-headers"] == "*, Authorization"
    async with provider.browser(headers={"Origin": "http://127.0.0.1"}).http as http:
        # An origin that was registered stands for the redirect URIs, of this client alone.
        assert "access-control-allow-origin" in (await http.post("/token")).headers
        monkeypatch.setattr(provider.idp, "clients", {"shell": provider.idp.clients["shell"]})
        assert "access-control-allow-origin" not in (await http.post("/token")).headers


async def test_keys_do_not_turn_before_every_client_knows_the_next(provider: Provider) -> None:  # A11
    await rotate_keys(provider.idp, early=True)  # the keys of the tests before were made on other days
    signs = provider.idp.keys.current("ES256").kid
    provider.clock.move(keys.KEPT_BY_CLIENTS - timedelta(seconds=1))
    with pytest.raises(keys.TooEarly) as refused:
        await rotate_keys(provider.idp)
    assert refused.value.after == provider.clock.now() + timedelta(seconds=1)
    assert provider.idp.keys.current("ES256").kid == signs
    provider.clock.move(timedelta(seconds=1))
    await rotate_keys(provider.idp)
    assert provider.idp.keys.current("ES256").kid != signs


async def test_rotated_keys_still_verify_what_they_signed(provider: Provider) -> None:  # A11
    http = provider.browser().http
    before = await tokens(provider)
    old = header(before["id_token"])["kid"]
    await rotate_keys(provider.idp, early=True)
    published = (await http.get("/jwks")).json()
    after = await tokens(provider)
    new = header(after["id_token"])["kid"]
    assert old != new
    assert {old, new} <= {key["kid"] for key in published["keys"]}
    ring = KeySet.import_key_set(published)
    for issued in (before, after):
        for name in ("id_token", "access_token"):
            assert jws.deserialize_compact(issued[name], ring, algorithms=["ES256", "RS256"]).payload
        assert (await userinfo(provider, issued["access_token"])).status_code == 200
