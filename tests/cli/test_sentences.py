"""What an operator reads who typed something wrong, or is about to be surprised."""

import asyncio
import json
from pathlib import Path

import pytest

from idp.flows.checks import settings as check_settings
from idp.settings import read_settings
from tests.world.commands import PASSWORD, Run
from tests.world.postoffice import certificates

HERE = ("--redirect-uri", "http://localhost:3000/callback")
MACHINE = ("--grant-type", "client_credentials")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(("serve", "--port", "abc"), "'--port': must be a whole number", id="no number"),
        pytest.param(("serve", "--port", "-1"), "'--port': must be at least 0", id="too low"),
        pytest.param(("serve", "--port", "65536"), "'--port': must be at most 65535", id="too high"),
        pytest.param(("user", "list", "--limit", "0"), "'--limit': must be at least 1", id="a sibling"),
        pytest.param(("demo", "--port", "65534"), "at most 65533, as the demo takes three ports in a row", id="three"),
        pytest.param(
            ("policy", "check", "--signed-in", "smss"),
            "'smss' is no factor of the policy: there are sms, recovery, totp",
            id="no factor",
        ),
        pytest.param(
            ("user", "add", "x", "--no-phone", "--phone", "+37256789045"),
            "a mobile number, or --no-phone, not both",
            id="both",
        ),
        pytest.param(("user", "add", "x"), "give a mobile number, or --no-phone", id="neither"),
        pytest.param(
            ("client", "add", "x", "--jwks", "missing.json"), "missing.json: there is no such file", id="no file"
        ),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_wrong_command_line_is_told_plainly(
    run: Run, arguments: tuple[str, ...], sentence: str, *, as_json: bool
) -> None:
    ran = run(*arguments, *(("--json",) if as_json else ()), stdin=PASSWORD)
    assert (ran.status, ran.out) == (2, "")
    assert sentence in ran.err
    assert "Input should" not in ran.err
    assert not as_json or sentence in json.loads(ran.err)["error"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{}", 'The JWK Set of the client is none: it needs a list "keys"'),
        ('{"keys": {}}', 'it needs a list "keys"'),
        ("[]", 'is no JWK Set, which begins {"keys": ['),
        ("{", "is no JSON"),
    ],
)
def test_a_file_of_keys_without_keys_is_told_plainly(idp: Run, tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "keys.json").write_text(text)
    ran = idp("client", "add", "No Keys", *MACHINE, "--jwks", str(tmp_path / "keys.json"))
    assert ran.status != 0
    assert sentence in ran.err


def test_who_needs_a_redirect_uri_reads_how_to_give_it(idp: Run) -> None:
    assert "needs a redirect URI: give one with --redirect-uri." in idp("client", "add", "No Way Back").err


def test_a_client_that_becomes_public_or_drops_openid_is_told_what_that_means(idp: Run) -> None:
    idp("client", "add", "Surprised", *HERE, "--scope", "openid profile")
    public = idp("client", "set", "Surprised", "--public").out
    assert "It is a public client from now on: it shows nothing but its client id, and PKCE." in public
    assert idp("client", "secret", "Surprised").err == "'Surprised' has no secret: it is a public client.\n"
    dropped = idp("client", "set", "Surprised", "--scope", "groups", "--json").json
    assert [one for one in dropped["consequences"] if one.startswith("Without openid it gets no ID token")]
    kept = idp("client", "set", "Surprised", "--scope", "openid groups", "--json").json
    assert not [one for one in kept["consequences"] if one.startswith("Without openid")]


def test_what_is_not_named_stays_so_the_help_of_set_shows_no_defaults(run: Run) -> None:
    assert "[default: openid]" in run("client", "add", "--help").out
    assert "default:" not in run("client", "set", "--help").out


async def test_an_untrusted_certificate_is_not_taken_for_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(nothing, "127.0.0.1", 0, ssl=certificates(tmp_path).server)
    async with server:
        port = server.sockets[0].getsockname()[1]
        settings = read_settings({"IDP_ISSUER": f"https://localhost:{port}"})
        found = await check_settings.issuer(settings)
        assert found.found.startswith(f"the certificate of {settings.issuer} is not trusted here: self")
        assert "SSL_CERT_FILE" in (found.advice or "")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
        assert "trusted" not in (await check_settings.issuer(settings)).found
    assert "nothing answers" in (await check_settings.issuer(settings)).found
