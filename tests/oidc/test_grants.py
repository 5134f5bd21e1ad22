"""Token requests: codes, refresh tokens, machines (groups D and E)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from idp.errors import OAuthError
from idp.model import AuthMethod, AuthorizationCode, Client, Grant, RefreshToken
from idp.oidc import grants
from idp.oidc.errors import printable
from idp.oidc.grants import GrantType, Refreshable, Reused

RETRY = timedelta(seconds=30)


def error_of(outcome: Any, *args: Any, **kwargs: Any) -> tuple[str, int]:
    with pytest.raises(OAuthError) as caught:
        outcome(*args, **kwargs)
    assert printable(caught.value.description) == caught.value.description
    return caught.value.code, caught.value.status


@pytest.fixture
def redeem(verifier: str) -> dict[str, str]:
    return {
        "grant_type": "authorization_code",
        "code": "c0de",
        "redirect_uri": "https://bank.example/cb",
        "code_verifier": verifier,
    }


@pytest.fixture
def renew() -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": "r3fresh"}


# --- which grant ---


@pytest.mark.parametrize("kind", list(GrantType))
def test_the_grant_type_is_read(bank: Client, issuer: str, kind: GrantType) -> None:
    assert grants.grant_type({"grant_type": kind.value}, client=bank, issuer=issuer) is kind


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "implicit"}, "unsupported_grant_type"),
        ({"grant_type": 'x"\\\r\n'}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
    ],
)
def test_d14_another_grant_type_is_refused(app: Client, issuer: str, params: dict[str, str], code: str) -> None:
    assert error_of(grants.grant_type, params, client=app, issuer=issuer) == (code, 400)


def test_g10_an_unknown_resource_is_an_invalid_target(bank: Client, issuer: str) -> None:
    params = {"grant_type": "refresh_token", "resource": "https://api.example"}
    assert error_of(grants.grant_type, params, client=bank, issuer=issuer) == ("invalid_target", 400)
    aimed = replace(bank, audience=("https://api.example",))
    assert grants.grant_type(params, client=aimed, issuer=issuer) is GrantType.REFRESH_TOKEN


def test_the_code_or_refresh_token_is_required(redeem: dict[str, str], renew: dict[str, str]) -> None:
    assert grants.secret_of(redeem, GrantType.AUTHORIZATION_CODE) == "c0de"
    assert grants.secret_of(renew, GrantType.REFRESH_TOKEN) == "r3fresh"
    assert error_of(grants.secret_of, renew, GrantType.AUTHORIZATION_CODE) == ("invalid_request", 400)
    assert error_of(grants.secret_of, redeem, GrantType.REFRESH_TOKEN) == ("invalid_request", 400)


# --- codes ---


def test_a_good_code_is_redeemable(
    code: AuthorizationCode, bank: Client, redeem: dict[str, str], now: datetime
) -> None:
    assert grants.check_code(code, client=bank, params=redeem, now=now) == code.grant


def test_d5_another_clients_code_is_refused(
    code: AuthorizationCode, app: Client, redeem: dict[str, str], now: datetime
) -> None:
    assert error_of(grants.check_code, code, client=app, params=redeem, now=now) == ("invalid_grant", 400)


@pytest.mark.parametrize("uri", [None, "https://bank.example/cb/", "https://bank.example/cb?tenant=a%20b", 'x"ü'])
def test_d6_the_redirect_uri_must_be_the_same(
    code: AuthorizationCode, bank: Client, redeem: dict[str, str], now: datetime, uri: str | None
) -> None:
    params = {name: value for name, value in {**redeem, "redirect_uri": uri}.items() if value is not None}
    assert error_of(grants.check_code, code, client=bank, params=params, now=now) == ("invalid_grant", 400)


def test_d7_a_code_dies_with_its_life(
    code: AuthorizationCode, bank: Client, redeem: dict[str, str], now: datetime
) -> None:
    last = code.expires_at - timedelta(microseconds=1)
    assert grants.check_code(code, client=bank, params=redeem, now=last) == code.grant
    late = code.expires_at
    assert error_of(grants.check_code, code, client=bank, params=redeem, now=late) == ("invalid_grant", 400)


@pytest.mark.parametrize(
    "sent", [None, "w" * 43, "v" * 42, "v" * 44, "v" * 129, "v" * 42 + "ü", "v" * 43 + "\n", "v v"]
)
def test_d8_a_wrong_or_missing_verifier_is_refused(
    code: AuthorizationCode, bank: Client, redeem: dict[str, str], now: datetime, sent: str | None
) -> None:
    params = {name: value for name, value in {**redeem, "code_verifier": sent}.items() if value is not None}
    assert error_of(grants.check_code, code, client=bank, params=params, now=now) == ("invalid_grant", 400)


def test_the_challenge_itself_is_not_a_verifier(
    code: AuthorizationCode, bank: Client, redeem: dict[str, str], now: datetime, challenge: str
) -> None:
    params = {**redeem, "code_verifier": challenge}
    assert error_of(grants.check_code, code, client=bank, params=params, now=now) == ("invalid_grant", 400)


def test_b20_a_verifier_for_a_code_without_challenge_is_refused(
    code: AuthorizationCode, bank: Client, redeem: dict[str, str], now: datetime
) -> None:
    plain = replace(code, code_challenge=None)
    lax = replace(bank, require_pkce=False)
    assert error_of(grants.check_code, plain, client=lax, params=redeem, now=now) == ("invalid_grant", 400)
    without = {name: value for name, value in redeem.items() if name != "code_verifier"}
    assert grants.check_code(plain, client=lax, params=without, now=now) == code.grant


def test_a_code_without_challenge_is_refused_where_pkce_is_required(
    code: AuthorizationCode, bank: Client, app: Client, redeem: dict[str, str], now: datetime
) -> None:
    without = {name: value for name, value in redeem.items() if name != "code_verifier"}
    plain = replace(code, code_challenge=None)
    assert error_of(grants.check_code, plain, client=bank, params=without, now=now) == ("invalid_grant", 400)
    public = replace(app, require_pkce=False)
    theirs = replace(plain, grant=replace(code.grant, client_id=app.id))
    assert error_of(grants.check_code, theirs, client=public, params=without, now=now) == ("invalid_grant", 400)


# --- refresh tokens ---


def test_a_good_refresh_token_renews_all_scopes(
    refresh: RefreshToken, bank: Client, renew: dict[str, str], now: datetime
) -> None:
    outcome = grants.check_refresh(refresh, client=bank, params=renew, forgiven=RETRY, now=now)
    assert outcome == Refreshable(refresh.grant, ("openid", "profile", "offline_access"), retried=False)


def test_e3_a_narrower_scope_is_given(
    refresh: RefreshToken, bank: Client, renew: dict[str, str], now: datetime
) -> None:
    outcome = grants.check_refresh(
        refresh, client=bank, params={**renew, "scope": "profile openid"}, forgiven=RETRY, now=now
    )
    assert outcome == Refreshable(refresh.grant, ("openid", "profile"), retried=False)


@pytest.mark.parametrize(
    "scope", ["openid transfers:write", "transfers:write", "nonsense", " ", 'a"\\', "openid email"]
)
def test_e3_and_stp_08_a_wider_or_empty_scope_is_invalid(
    refresh: RefreshToken, bank: Client, renew: dict[str, str], now: datetime, scope: str
) -> None:
    params = {**renew, "scope": scope}
    assert error_of(grants.check_refresh, refresh, client=bank, params=params, forgiven=RETRY, now=now) == (
        "invalid_scope",
        400,
    )


def test_an_unknown_expired_or_revoked_refresh_token_is_refused(
    refresh: RefreshToken, bank: Client, renew: dict[str, str], now: datetime
) -> None:
    revoked = replace(refresh, grant=replace(refresh.grant, revoked_at=now))
    for stored, at in ((None, now), (refresh, refresh.expires_at), (revoked, now)):
        assert error_of(grants.check_refresh, stored, client=bank, params=renew, forgiven=RETRY, now=at) == (
            "invalid_grant",
            400,
        )


def test_e4_another_clients_refresh_token_is_refused(
    refresh: RefreshToken, app: Client, renew: dict[str, str], now: datetime
) -> None:
    for stored in (refresh, replace(refresh, used_at=now, successor_used=True)):
        assert error_of(grants.check_refresh, stored, client=app, params=renew, forgiven=RETRY, now=now) == (
            "invalid_grant",
            400,
        )


def test_e2_a_rotated_token_that_comes_back_ends_the_family(
    refresh: RefreshToken, bank: Client, renew: dict[str, str], now: datetime
) -> None:
    used = replace(refresh, used_at=now)
    late = now + timedelta(seconds=30, microseconds=1)
    assert grants.check_refresh(used, client=bank, params=renew, forgiven=RETRY, now=late) == Reused(refresh.grant)
    followed = replace(used, successor_used=True)
    assert grants.check_refresh(followed, client=bank, params=renew, forgiven=RETRY, now=now) == Reused(refresh.grant)


def test_a_lost_answer_is_forgiven_for_30_seconds(
    refresh: RefreshToken, bank: Client, renew: dict[str, str], now: datetime
) -> None:
    used = replace(refresh, used_at=now)
    outcome = grants.check_refresh(used, client=bank, params=renew, forgiven=RETRY, now=now + timedelta(seconds=30))
    assert outcome == Refreshable(refresh.grant, refresh.grant.scopes, retried=True)


def test_an_expired_token_that_was_rotated_still_ends_the_family(
    refresh: RefreshToken, bank: Client, renew: dict[str, str]
) -> None:
    used = replace(refresh, used_at=refresh.issued_at)
    assert grants.check_refresh(used, client=bank, params=renew, forgiven=RETRY, now=refresh.expires_at) == Reused(
        refresh.grant
    )


def test_e8_without_rotation_the_same_token_stays_good(
    refresh: RefreshToken, bank: Client, renew: dict[str, str], now: datetime
) -> None:
    steady = replace(bank, rotate_refresh=False)
    used = replace(refresh, used_at=now, successor_used=True)
    outcome = grants.check_refresh(used, client=steady, params=renew, forgiven=RETRY, now=now + timedelta(days=1))
    assert outcome == Refreshable(refresh.grant, refresh.grant.scopes, retried=False)


def test_a_client_that_lost_the_refresh_grant_is_unauthorized(
    refresh: RefreshToken,
    code: AuthorizationCode,
    bank: Client,
    redeem: dict[str, str],
    renew: dict[str, str],
    now: datetime,
) -> None:
    machine = replace(bank, grant_types=frozenset({"client_credentials"}))
    assert (
        error_of(grants.check_refresh, refresh, client=machine, params=renew, forgiven=RETRY, now=now)[0]
        == "unauthorized_client"
    )
    assert error_of(grants.check_code, code, client=machine, params=redeem, now=now)[0] == "unauthorized_client"


def test_there_is_one_answer_for_every_bad_code(grant: Grant) -> None:
    assert grants.invalid_grant("somebody was first").detail == "somebody was first"
    assert grants.invalid_grant().description == grants.invalid_grant("x").description


# --- machines ---

MACHINE = frozenset({"reports", "audit", "openid", "profile", "offline_access"})


def test_a_machine_gets_its_machine_scopes(machine: Client) -> None:
    assert grants.machine_scopes({}, client=machine, machine=MACHINE) == ("reports",)
    assert grants.machine_scopes({"scope": "reports reports"}, client=machine, machine=MACHINE) == ("reports",)


@pytest.mark.parametrize(
    "scope", ["openid", "reports openid", "transfers:write", "audit", "profile", " ", "reports ", "x"]
)
def test_a_machine_never_gets_a_scope_about_a_person(machine: Client, scope: str) -> None:
    params = {"scope": scope}
    assert error_of(grants.machine_scopes, params, client=machine, machine=MACHINE) == ("invalid_scope", 400)


def test_a_machine_without_machine_scopes_gets_nothing(machine: Client) -> None:
    bare = replace(machine, scopes=frozenset({"openid", "profile"}))
    assert error_of(grants.machine_scopes, {}, client=bare, machine=MACHINE) == ("invalid_scope", 400)
    with pytest.raises(OAuthError, match="registered for no scope that a client may have for itself"):
        grants.machine_scopes({}, client=bare, machine=MACHINE)


def test_a_public_client_cannot_act_for_itself(machine: Client) -> None:
    public = replace(machine, auth_method=AuthMethod.NONE)
    assert error_of(grants.machine_scopes, {}, client=public, machine=MACHINE) == ("unauthorized_client", 400)
