"""Introspection and revocation (group G)."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from idp.errors import OAuthError
from idp.model import Client, Grant, RefreshToken
from idp.oidc import introspection
from idp.oidc.introspection import INACTIVE, Nothing, Opaque
from idp.oidc.keys import KeyRing
from idp.oidc.tokens import AccessToken, issue

TTL = timedelta(minutes=5)


@pytest.fixture(scope="session")
def given(grant: Grant, bank: Client, issuer: str, keys: KeyRing, now: datetime) -> dict[str, str]:
    aimed = replace(bank, audience=("payments",))
    scopes = ("openid", "transfers:write")
    return issue(
        grant, client=aimed, scopes=scopes, issuer=issuer, keys=keys, now=now, access_ttl=TTL, id_token_ttl=TTL
    ).body


@pytest.fixture(scope="session")
def access(given: dict[str, str], keys: KeyRing, issuer: str, now: datetime) -> AccessToken:
    found = introspection.token_of({"token": given["access_token"]}, keys=keys, issuer=issuer, now=now)
    assert isinstance(found, AccessToken)
    return found


def test_which_token_is_meant_is_seen_without_a_hint(
    given: dict[str, str], access: AccessToken, keys: KeyRing, issuer: str, now: datetime, grant: Grant
) -> None:
    for hint in ("access_token", "refresh_token", "nonsense"):
        params = {"token": given["access_token"], "token_type_hint": hint}
        assert introspection.token_of(params, keys=keys, issuer=issuer, now=now) == access
        params = {"token": "opaque-_", "token_type_hint": hint}
        assert introspection.token_of(params, keys=keys, issuer=issuer, now=now) == Opaque("opaque-_")
    assert access.grant_id == grant.id


def test_g3_and_g6_an_expired_or_foreign_token_or_id_token_is_nothing(
    given: dict[str, str], keys: KeyRing, strangers: KeyRing, issuer: str, now: datetime
) -> None:
    late = now + TTL
    assert introspection.token_of({"token": given["access_token"]}, keys=keys, issuer=issuer, now=late) == Nothing()
    assert introspection.token_of({"token": given["access_token"]}, keys=strangers, issuer=issuer, now=now) == Nothing()
    assert introspection.token_of({"token": given["id_token"]}, keys=keys, issuer=issuer, now=now) == Nothing()
    assert introspection.token_of({"token": "a.b.c"}, keys=keys, issuer=issuer, now=now) == Nothing()


def test_a_missing_token_is_an_invalid_request(keys: KeyRing, issuer: str, now: datetime) -> None:
    with pytest.raises(OAuthError) as caught:
        introspection.token_of({}, keys=keys, issuer=issuer, now=now)
    assert caught.value.code == "invalid_request"


def test_g2_an_active_token_is_told_with_acr_and_auth_time(
    access: AccessToken, grant: Grant, bank: Client, issuer: str, now: datetime
) -> None:
    at = int(now.timestamp())
    assert introspection.about_access(access, grant, caller=bank) == {
        "active": True,
        "token_type": "Bearer",
        "iss": issuer,
        "client_id": bank.id,
        "sub": str(grant.account_id),
        "aud": ["payments", issuer],
        "scope": "openid transfers:write",
        "iat": at,
        "exp": at + 300,
        "jti": access.jti,
        "acr": "urn:stile:2fa-strong",
        "amr": ["pwd", "otp", "mfa"],
        "auth_time": at - 180,
    }


def test_g4_only_the_resource_server_it_is_for_is_told(access: AccessToken, grant: Grant, bank: Client) -> None:
    assert introspection.about_access(access, grant, caller=replace(bank, id="payments"))["active"] is True
    assert introspection.about_access(access, grant, caller=replace(bank, id="other")) == INACTIVE


def test_g3_a_token_of_a_dead_grant_is_inactive(access: AccessToken, grant: Grant, bank: Client, now: datetime) -> None:
    for dead in (None, replace(grant, revoked_at=now), replace(grant, client_id="other")):
        assert introspection.about_access(access, dead, caller=bank) == {"active": False}


def test_a_refresh_token_is_told_to_its_own_client(
    refresh: RefreshToken, bank: Client, issuer: str, now: datetime
) -> None:
    said = introspection.about_refresh(refresh, caller=bank, issuer=issuer, now=now)
    assert said == {
        "active": True,
        "iss": issuer,
        "client_id": bank.id,
        "sub": str(refresh.grant.account_id),
        "scope": "openid profile offline_access",
        "iat": int(refresh.issued_at.timestamp()),
        "exp": int(refresh.expires_at.timestamp()),
    }
    own = replace(refresh, grant=replace(refresh.grant, account_id=None))
    assert introspection.about_refresh(own, caller=bank, issuer=issuer, now=now)["sub"] == bank.id


def test_g3_an_unknown_used_expired_or_foreign_refresh_token_is_inactive(
    refresh: RefreshToken, bank: Client, app: Client, issuer: str, now: datetime
) -> None:
    revoked = replace(refresh, grant=replace(refresh.grant, revoked_at=now))
    for stored, caller, at in (
        (None, bank, now),
        (refresh, app, now),
        (revoked, bank, now),
        (refresh, bank, refresh.expires_at),
        (replace(refresh, used_at=now), bank, now),
    ):
        assert introspection.about_refresh(stored, caller=caller, issuer=issuer, now=at) == {"active": False}
    steady = replace(bank, rotate_refresh=False)
    used = replace(refresh, used_at=now)
    assert introspection.about_refresh(used, caller=steady, issuer=issuer, now=now)["active"] is True


def test_g8_a_client_ends_its_own_grants_only(grant: Grant, bank: Client, app: Client, now: datetime) -> None:
    assert introspection.may_revoke(grant, caller=bank)
    assert not introspection.may_revoke(grant, caller=app)
    assert not introspection.may_revoke(None, caller=bank)
    assert not introspection.may_revoke(replace(grant, revoked_at=now), caller=bank)


def test_the_inactive_answer_is_exactly_one_member(access: AccessToken, app: Client) -> None:
    said = introspection.about_access(
        access, Grant(id=uuid4(), client_id="x", scopes=(), created_at=access.issued_at), caller=app
    )
    assert said == {"active": False}
