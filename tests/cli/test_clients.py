"""`idp client …`."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
from joserfc.jwk import ECKey, OctKey

from tests.world.commands import Run
from tests.world.pictures import png

HERE = ("--redirect-uri", "http://localhost:3000/callback")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return f"Client {abs(hash(request.node.nodeid)) % 10**10}"


@pytest.fixture
def policy(tmp_path: Path, settings: pytest.MonkeyPatch) -> Path:
    """The policy that comes with Stile, with a group in it."""
    file = tmp_path / "policy.toml"
    usual = (files("idp") / "policy.toml").read_text(encoding="utf-8")
    file.write_text(usual.replace("[groups]", '[groups]\nfinance = { level = "two_factor" }\n#'))
    settings.setenv("IDP_POLICY", str(file))
    return file


def test_a_client_is_registered_and_its_secret_is_shown_once(idp: Run, name: str) -> None:
    added = idp("client", "add", name, *HERE, "--scope", "openid", "--scope", "offline_access", "--json")
    assert added.status == 0
    assert added.json["auth_method"] == "client_secret_basic"
    assert added.json["grant_types"] == ["authorization_code", "refresh_token"]
    assert added.json["require_pkce"] is True
    secret = added.json["client_secret"]
    assert len(secret) == 43
    for command in (("show", name), ("list",)):
        shown = idp("client", *command, "--json")
        assert added.json["client_id"] in shown.out
        assert secret not in shown.out
        assert secret not in idp("client", *command).out


def test_an_id_that_is_taken_is_named_and_not_the_name(idp: Run, name: str) -> None:
    assert idp("client", "add", f"{name} one", *HERE, "--client-id", "taken").status == 0
    ran = idp("client", "add", f"{name} two", *HERE, "--client-id", "taken")
    assert (ran.status, ran.out) == (1, "")
    assert "with the id 'taken'" in ran.err
    ran = idp("client", "add", f"{name} one", *HERE)
    assert f"named '{name} one'" in ran.err


def test_people_read_id_and_secret(idp: Run, name: str) -> None:
    ran = idp("client", "add", name, *HERE)
    assert f"Registered {name}. It may ask for: openid." in ran.out
    assert "client_id" in ran.out
    assert "client_secret" in ran.out
    assert "not shown again" in ran.out


def test_a_public_client_has_no_secret(idp: Run, name: str) -> None:
    added = idp("client", "add", name, "--public", "--native", "--redirect-uri", "com.example.app:/callback", "--json")
    assert added.json["auth_method"] == "none"
    assert "client_secret" not in added.json
    assert idp("client", "secret", name).status == 1


def test_a_client_with_keys_of_its_own_has_no_secret(idp: Run, name: str, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}))
    added = idp("client", "add", name, "--grant-type", "client_credentials", "--jwks", str(file), "--json")
    assert added.json["auth_method"] == "private_key_jwt"
    assert "client_secret" not in added.json


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param((), "needs a redirect URI", id="no redirect URI"),
        pytest.param(("--redirect-uri", "http://shop.example.com/"), "must be https", id="http"),
        pytest.param(("--redirect-uri", "javascript:alert(1)"), "must be https", id="javascript"),
        pytest.param(("--native", "--redirect-uri", "javascript:alert(1)"), "must be https", id="native javascript"),
        pytest.param(("--native", "--redirect-uri", "data:text/html,x"), "must be https", id="native data"),
        pytest.param(("--redirect-uri", "com.example.app:/cb"), "must be https", id="private scheme, not native"),
        pytest.param(("--redirect-uri", "https://a.example/#x"), "fragment", id="fragment"),
        pytest.param(("--redirect-uri", "https://u:p@a.example/"), "credentials", id="credentials"),
        pytest.param((*HERE, *HERE), "given twice", id="twice"),
        pytest.param((*HERE, "--post-logout-uri", "http://a.example/"), "post-logout", id="post-logout http"),
        pytest.param((*HERE, "--scope", "nonsense"), "no row in the policy", id="unknown scope"),
        pytest.param((*HERE, "--scope", "authenticators:write"), "our own account pages", id="internal scope"),
        pytest.param((*HERE, "--public", "--no-pkce"), "needs PKCE", id="public without PKCE"),
        pytest.param((*HERE, "--public", "--auth-method", "client_secret_basic"), "no secret", id="public with secret"),
        pytest.param((*HERE, "--auth-method", "none", "--no-pkce"), "needs PKCE", id="none without PKCE"),
        pytest.param((*HERE, "--auth-method", "magic"), "no way to authenticate", id="unknown method"),
        pytest.param((*HERE, "--auth-method", "private_key_jwt"), "--jwks", id="no keys"),
        pytest.param((*HERE, "--grant-type", "password"), "no grant type here", id="password grant"),
        pytest.param(("--public", "--grant-type", "client_credentials"), "cannot have", id="public machine"),
        pytest.param(("--grant-type", "refresh_token"), "needs authorization_code", id="refresh alone"),
        pytest.param((*HERE, "--alg", "none"), "no signature algorithm", id="alg none"),
        pytest.param((*HERE, "--alg", "HS256"), "no signature algorithm", id="alg HS256"),
        pytest.param((*HERE, "--client-id", "stile"), "cannot be a client id", id="our own id"),
        pytest.param((*HERE, "--client-id", "a b"), "cannot be a client id", id="blank in the id"),
        pytest.param((*HERE, "--audience", "a b"), "no audience", id="blank in an audience"),
        pytest.param((*HERE, "--group", "strangers"), "has no row in the policy", id="unknown group"),
        pytest.param((*HERE, "--origin", "http://a.example"), "must be https", id="http origin"),
        pytest.param((*HERE, "--id-token-claim", "email"), "comes with the scope email", id="claim without scope"),
        pytest.param((*HERE, "--id-token-claim", "sub"), "is no claim here", id="claim of the protocol"),
    ],
)
def test_what_cannot_be_registered_is_refused_in_one_sentence(
    idp: Run, name: str, arguments: tuple[str, ...], sentence: str
) -> None:
    ran = idp("client", "add", name, *arguments)
    assert (ran.status, ran.out) == (1, ""), ran.err
    assert sentence in ran.err
    assert ran.err.count("\n") == 1
    assert idp("client", "show", name).status == 1


def test_secret_keys_are_not_taken_for_public_ones(idp: Run, name: str, tmp_path: Path) -> None:
    for key in (ECKey.generate_key("P-256").as_dict(private=True), OctKey.generate_key(256).as_dict()):
        file = tmp_path / "keys.json"
        file.write_text(json.dumps({"keys": [key]}))
        ran = idp("client", "add", name, *HERE, "--jwks", str(file))
        assert ran.status == 1
        assert "private or symmetric" in ran.err


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 90_000, "\xff"])
def test_a_file_that_is_no_jwk_set_is_a_usage_error(run: Run, tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(text.encode("latin-1"))
    assert run("client", "add", "x", *HERE, "--jwks", str(file)).status == 2
    assert run("client", "add", "x", *HERE, "--jwks", str(tmp_path / "none.json")).status == 2


def test_a_name_is_taken_once(idp: Run, name: str) -> None:
    assert idp("client", "add", name, *HERE).status == 0
    ran = idp("client", "add", name, *HERE)
    assert ran.status == 1
    assert "exists already" in ran.err


def test_a_new_secret_is_another_one_and_shown_once(idp: Run, name: str) -> None:
    first = idp("client", "add", name, *HERE, "--json").json
    second = idp("client", "secret", first["client_id"], "--json").json
    assert second["client_id"] == first["client_id"]
    assert second["client_secret"] not in {first["client_secret"], None}


def test_what_an_application_may_read_and_whose_it_is_is_registered_and_shown(
    idp: Run, name: str, policy: Path
) -> None:
    words = ("--scope", "openid", "--scope", "email", "--id-token-claim", "email", "--group", "finance")
    added = idp("client", "add", name, *HERE, *words, "--origin", "Capacitor://LOCALHOST", "--json")
    assert added.status == 0, added.err
    shown = idp("client", "show", name, "--json").json
    assert (shown["id_token_claims"], shown["groups"], shown["origins"]) == (
        ["email"],
        ["finance"],
        ["capacitor://localhost"],
    )
    assert added.json.keys() - shown.keys() == {"client_secret"}
    assert shown["left_out"] == {}
    text = idp("client", "show", name).out
    for field in shown.keys() - {"left_out"}:
        assert re.search(rf"^{field}\b", text, re.MULTILINE), field


def test_from_where_browsers_may_call_is_shown_when_nobody_registered_it(idp: Run, name: str) -> None:
    redirects = (
        "--redirect-uri",
        "https://shop.example.com:443/cb",
        "--redirect-uri",
        "com.example.app:/cb",
        "--native",
    )
    assert idp("client", "add", name, *redirects).status == 0
    shown = idp("client", "show", name, "--json").json
    assert (shown["origins"], shown["browser_origins"]) == ([], ["https://shop.example.com"])
    assert re.search(r"^browser_origins +https://shop\.example\.com$", idp("client", "show", name).out, re.MULTILINE)
    idp("client", "set", name, "--origin", "capacitor://localhost")
    assert idp("client", "show", name, "--json").json["browser_origins"] == ["capacitor://localhost"]


def test_a_scope_that_never_comes_is_shown_with_the_reason(idp: Run, name: str) -> None:
    words = ("--scope", "openid", "--scope", "offline_access", "--grant-type", "authorization_code")
    idp("client", "add", name, *HERE, *words)
    assert (
        "offline_access is never granted: refresh_token is not among its grant types."
        in idp("client", "show", name).out
    )
    assert idp("client", "show", name, "--json").json["left_out"].keys() == {"offline_access"}


def test_everything_about_a_client_can_be_changed(idp: Run, name: str, policy: Path, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}))
    words = {
        "name": ("--name", f"{name} Ltd"),
        "redirect_uris": ("--redirect-uri", "https://new.example/cb"),
        "scopes": ("--scope", "openid", "--scope", "email", "--scope", "offline_access"),
        "first_party": ("--first-party",),
        "post_logout_redirect_uris": ("--post-logout-uri", "https://new.example/bye"),
        "auth_method": ("--auth-method", "private_key_jwt"),
        "jwks": ("--jwks", str(file)),
        "signing_alg": ("--alg", "ES256"),
        "userinfo_alg": ("--userinfo-alg", "RS256"),
        "native": ("--native",),
        "require_pkce": ("--no-pkce",),
        "rotate_refresh": ("--no-rotation",),
        "assertion_audience": ("--assertion-audience", "issuer"),
        "audience": ("--audience", "api"),
        "id_token_claims": ("--id-token-claim", "email"),
        "groups": ("--group", "finance"),
        "origins": ("--origin", "capacitor://localhost"),
        "home_uri": ("--home-uri", "https://shop.example.com/start"),
        "details_types": ("--details-type", "payment"),
        "require_pushed": ("--require-par",),
        "level": ("--level", "strong"),
    }
    before = idp("client", "add", name, *HERE, "--json").json
    ran = idp("client", "set", before["client_id"], *(word for each in words.values() for word in each), "--json")
    assert ran.status == 0, ran.err
    after = idp("client", "show", before["client_id"], "--json").json
    changed = {field for field in before.keys() & after.keys() if before[field] != after[field]}
    # refresh_token comes with offline_access
    assert changed - {"browser_origins"} == {*words, "grant_types"}
    assert set(ran.json["changed"]) == changed - {"browser_origins"}
    assert "client_secret" not in ran.json
    assert "Its secret is forgotten." in ran.json["consequences"]
    of_secrets = {"client_secret", "old_secret_until", "old_secret_used_at", "logo"}
    assert before.keys() - {"client_id", "disabled", *of_secrets} == changed, "a field that cannot be changed"
    back = idp("client", "set", before["client_id"], "--auth-method", "client_secret_basic", "--json").json
    assert len(back["client_secret"]) == 43
    assert back["jwks"] is None


def test_what_follows_from_a_change_is_said(idp: Run, name: str) -> None:
    secret = idp("client", "add", name, *HERE, "--scope", "openid", "--scope", "email", "--json").json["client_secret"]
    ran = idp("client", "set", name, "--redirect-uri", "https://new.example/cb", "--scope", "openid")
    assert ran.status == 0, ran.err
    assert f"{name} is changed." in ran.out
    assert "scopes: email openid -> openid" in ran.out
    assert "It gets no email any more, at a refresh neither" in ran.out
    assert f"Sign-ins that name {HERE[1]} are refused." in ran.out
    assert secret not in ran.out
    assert "secret" not in ran.out
    same = idp("client", "set", name, "--scope", "openid")
    assert (same.status, same.out) == (0, f"{name} was like that already.\n")


def test_the_policy_says_who_is_turned_away(idp: Run, name: str, person: str, policy: Path) -> None:
    idp("client", "add", name, *HERE, "--group", "finance")
    walked = idp("policy", "check", "--user", person, "--client", name, "--json").json
    assert walked["granted"] is False
    assert "access_denied" in walked["answer"]
    assert "it is for: finance" in walked["answer"]


def test_a_list_is_emptied_with_an_empty_word(idp: Run, name: str) -> None:
    idp("client", "add", name, *HERE, "--post-logout-uri", "https://a.example/bye", "--audience", "api")
    emptied = idp("client", "set", name, "--post-logout-uri", "", "--audience", "", "--json").json
    assert (emptied["post_logout_redirect_uris"], emptied["audience"]) == ([], [])
    assert idp("client", "set", name, "--redirect-uri", "").status == 1


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        pytest.param((), 2, "say what to change", id="nothing"),
        pytest.param(("--name", ""), 1, "1 to 80 printable", id="no name"),
        pytest.param(("--alg", ""), 1, "no signature algorithm", id="no algorithm"),
        pytest.param(("--scope", "nonsense"), 1, "no row in the policy", id="unknown scope"),
        pytest.param(("--public", "--no-pkce"), 1, "needs PKCE", id="public without PKCE"),
        pytest.param(("--auth-method", "private_key_jwt"), 1, "--jwks", id="no keys"),
        pytest.param(("--auth-method", "magic"), 1, "no way to authenticate", id="unknown method"),
        pytest.param(("--redirect-uri", "http://a.example/"), 1, "must be https", id="http"),
        pytest.param(("--group", "strangers"), 1, "has no row in the policy", id="unknown group"),
        pytest.param(("--group", "a b"), 1, "no name of a group", id="blank in a group"),
        pytest.param(("--origin", "https://a.example/"), 1, "without a path", id="origin with a path"),
        pytest.param(("--origin", "null"), 1, "scheme://host", id="null"),
        pytest.param(("--id-token-claim", "email"), 1, "comes with the scope email", id="claim without its scope"),
        pytest.param(("--id-token-claim", "acr"), 1, "is no claim here", id="claim of the protocol"),
        pytest.param(("--grant-type", "client_credentials", "--scope", "openid"), 1, "signs nobody in", id="machine"),
        pytest.param(("--name", "taken"), 1, "named 'taken' exists already", id="name taken"),
    ],
)
def test_what_cannot_be_changed_is_refused_in_one_sentence_and_changes_nothing(
    idp: Run, name: str, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    idp("client", "add", "taken", *HERE)
    idp("client", "add", name, *HERE)
    before = idp("client", "show", name, "--json").out
    ran = idp("client", "set", name, *arguments)
    assert (ran.status, ran.out) == (status, ""), ran.err
    assert sentence in ran.err
    assert idp("client", "show", name, "--json").out == before


def test_what_the_policy_forgot_is_no_reason_to_refuse_another_change(
    idp: Run, name: str, policy: Path, settings: pytest.MonkeyPatch
) -> None:
    idp("client", "add", name, *HERE, "--group", "finance")
    settings.delenv("IDP_POLICY")
    assert idp("client", "set", name, "--first-party").status == 0
    assert idp("client", "set", "nobody", "--first-party").status == 1


def test_a_client_is_disabled_enabled_and_removed(idp: Run, name: str) -> None:
    idp("client", "add", name, *HERE)
    assert idp("client", "disable", name, "--json").json["disabled"] is True
    assert idp("client", "show", name, "--json").json["disabled"] is True
    idp("client", "enable", name)
    assert idp("client", "show", name, "--json").json["disabled"] is False
    would = idp("client", "remove", name, "--dry-run", "--json").json
    assert (would["removed"], would["consequences"][-1]) == (False, "The audit trail stays.")
    assert f"Would remove {name}." in idp("client", "remove", name, "--dry-run").out
    unsure = idp("client", "remove", name)
    assert unsure.status == 2
    assert "--yes" in unsure.err
    assert idp("client", "remove", name, "--yes", "--json").json["removed"] is True
    for command in ("show", "disable", "enable", "secret"):
        assert idp("client", command, name).status == 1


def test_a_secret_is_kept_for_a_while_beside_the_new_one_and_ended(idp: Run, name: str) -> None:
    first = idp("client", "add", name, *HERE, "--json").json["client_secret"]
    kept = idp("client", "secret", name, "--keep-old", "7d")
    assert kept.status == 0
    assert f"{name} has a new secret. The old one works until " in kept.out
    assert first not in kept.out
    shown = idp("client", "show", name, "--json").json
    assert shown["old_secret_until"]
    assert shown["old_secret_used_at"] is None
    assert "secret_hash" not in json.dumps(shown)
    assert idp("client", "secret", name, "--end-old").out == f"The old secret of {name} works no more.\n"
    again = idp("client", "secret", name, "--end-old")
    assert (again.status, again.err) == (1, f"{name!r} has no old secret that still works.\n")
    for wrong in (("--keep-old", "soon"), ("--keep-old", "0d"), ("--keep-old", "7d", "--end-old")):
        assert idp("client", "secret", name, *wrong).status == 2
    assert "30 days at most" in idp("client", "secret", name, "--keep-old", "31d").err


def test_a_client_has_a_level_and_a_dry_run_changes_nothing(idp: Run, name: str) -> None:
    assert idp("client", "add", name, *HERE, "--level", "strong", "--json").json["level"] == "strong"
    tried = idp("client", "set", name, "--level", "two_factor", "--dry-run")
    assert tried.out.startswith(f"{name} would be changed.\n  level: strong -> two_factor\n")
    assert "Signing in to it takes two_factor" in tried.out
    assert idp("client", "show", name, "--json").json["level"] == "strong"
    assert idp("client", "set", name, "--level", "two_factor", "--json").json["changed"] == ["level"]


def test_every_mistake_of_a_new_client_is_told_at_once(idp: Run, name: str) -> None:
    ran = idp("client", "add", name, "--redirect-uri", "http://a.example/x", "--scope", "what", "--alg", "none")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("Several things are wrong:\n  ")
    assert len(ran.err.splitlines()) == 4
    told = idp("client", "add", name, "--redirect-uri", "http://a.example/x", "--scope", "what", "--json")
    assert len(json.loads(told.err)["problems"]) == 2


def test_a_sign_in_is_tried_and_its_tokens_are_told_by_nobody_signed(idp: Run, name: str) -> None:
    asked = ("--scope", "openid email offline_access")
    made = idp("client", "add", name, *HERE, *asked, "--audience", "api", "--json").json
    tried = idp("client", "try", name, *asked)
    assert tried.status == 0, tried.err
    assert "1. ask for password" in tried.out
    assert '  aud: ["api", "http://localhost:8000"]' in tried.out
    assert "A refresh token carries openid email offline_access." in tried.out
    told = idp("client", "try", name, *asked, "--json").json
    assert told["granted"] is True
    assert told["id_token"]["acr"] == "urn:stile:2fa-strong"
    assert told["access_token"]["client_id"] == made["client_id"]
    assert told["userinfo"]["email"] == "somebody@example.com"
    assert not {"jti", "sid", "at_hash", "nonce"} & {*told["id_token"], *told["access_token"]}
    refused = idp("client", "try", name, "--scope", "unheard-of", "--json").json
    assert (refused["granted"], refused["access_token"], refused["id_token"]) == (False, None, None)
    assert idp("client", "try", "nothing of that name").status == 1
    assert idp("client", "try", name, "--user", "nobody").status == 1


def test_a_machine_is_told_what_it_gets_for_itself(idp: Run, name: str, policy: Path) -> None:
    text = policy.read_text().replace(
        "[scopes]", '[scopes]\nreports = { level = "two_factor", machine = "only" }\n#', 1
    )
    policy.write_text(text)
    asked = ("--grant-type", "client_credentials", "--scope", "reports")
    assert idp("client", "add", name, *asked).status == 0
    told = idp("client", "try", name, "--json").json
    assert (told["steps"], told["id_token"], told["access_token"]["scope"]) == ([], None, "reports")


def test_a_policy_is_shown_and_another_is_tried(idp: Run, name: str, policy: Path, tmp_path: Path) -> None:
    assert idp("policy", "show").out == policy.read_text()
    assert idp("client", "add", name, *HERE, "--scope", "openid letters:read").status == 1
    assert idp("client", "add", name, *HERE, "--scope", "openid transfers:write", "--group", "finance").status == 0
    other = tmp_path / "other.toml"
    other.write_text(
        policy.read_text()
        .replace('finance = { level = "two_factor" }', "", 1)
        .replace('"transfers:write" ', '"transfers:read" ', 1)
        .replace("attempts = 3", "attempts = 2", 1)
    )
    tried = idp("policy", "try", str(other))
    assert tried.status == 0, tried.err
    assert "  challenge.attempts: 3 -> 2" in tried.out
    assert f"{name} gets no transfers:write any more." in tried.out
    assert f"{name} is for finance, without a row of its own any more." in tried.out
    assert idp("policy", "try", str(policy)).out == f"{policy} says what the policy says.\n"
    assert idp("policy", "try", str(policy), "--json").json == {"rows": [], "consequences": []}
    other.write_text("[levels]\nnine = 1\n[what]\n")
    wrong = idp("policy", "try", str(other))
    assert wrong.status == 2
    assert len(wrong.err.splitlines()) > 3
    assert idp("policy", "try", str(tmp_path / "missing.toml")).status == 2


def test_a_client_gets_a_logo_and_loses_it(idp: Run, name: str, tmp_path: Path) -> None:
    assert idp("client", "add", name, *HERE).status == 0
    file = tmp_path / "shop.png"
    file.write_bytes(png())
    assert idp("client", "logo", name, str(file)).out == f"{name} has a logo.\n"
    assert len(idp("client", "show", name, "--json").json["logo"]) == 32
    assert idp("client", "logo", name, "--remove").out == f"{name} has no logo any more.\n"
    assert idp("client", "show", name, "--json").json["logo"] is None
    file.write_text("<svg/>")
    wrong = idp("client", "logo", name, str(file))
    assert (wrong.status, wrong.err) == (1, "The logo is no PNG, JPEG or WebP picture, or not a whole one.\n")
    for usage in ((), (str(file), "--remove"), (str(tmp_path / "missing.png"),)):
        assert idp("client", "logo", name, *usage).status == 2
