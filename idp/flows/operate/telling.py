"""What the tokens of a sign-in that is tried out would say: the same claims, signed by nobody."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from idp.model import Account, Authenticator, Client, Factor, Grant
from idp.oidc import claims, userinfo
from idp.oidc.tokens import access_claims, id_token_claims
from idp.policy import Policy, Proceed

_OF_ONE_TIME = ("jti", "sid")


@dataclass(frozen=True, slots=True)
class Told:
    """The claims of the access token, of the ID token and of userinfo, which are None without openid.

    Left out are those that each sign-in has anew: jti, sid, nonce, at_hash. `phone_number` is masked. `refreshed` are
    the scopes that a refresh token would carry.
    """

    access_token: Mapping[str, Any]
    id_token: Mapping[str, Any] | None = None
    userinfo: Mapping[str, Any] | None = None
    refreshed: Sequence[str] = field(default=())


def to_machine(policy: Policy, client: Client, scopes: Sequence[str], *, issuer: str, now: datetime) -> Told:
    """What a client gets for itself (RFC 6749 4.4)."""
    grant = Grant(UUID(int=0), client.id, tuple(scopes), created_at=now)
    return Told(_access(policy, grant, client, issuer=issuer, now=now))


def to_client(
    policy: Policy,
    client: Client,
    proceed: Proceed,
    account: Account,
    authenticators: Iterable[Authenticator],
    *,
    issuer: str,
    now: datetime,
) -> Told:
    """What the client gets of this person."""
    context = proceed.context
    now = max(now, context.auth_time)  # a walk takes its steps a second apart
    grant = Grant(
        UUID(int=0),
        client.id,
        proceed.scopes,
        created_at=now,
        account_id=account.id,
        level=context.level,
        acr=context.acr,
        amr=context.amr,
        auth_time=context.auth_time,
    )
    access = _access(policy, grant, client, issuer=issuer, now=now)
    if "openid" not in proceed.scopes:
        return Told(access)
    phone = next((one.hint for one in authenticators if one.factor is Factor.SMS and one.closed_at is None), None)
    named = userinfo.in_id_token(grant, client=client, scopes=proceed.scopes)
    at = int(now.timestamp())
    told = id_token_claims(
        grant,
        issuer=issuer,
        at=at,
        ttl=policy.tokens.id_token,
        nonce=None,
        person=claims.about(account, named, phone_number=phone),
    )
    seen = claims.about(account, claims.for_scopes(proceed.scopes), phone_number=phone)
    kept = policy.refreshable(proceed.scopes) if "offline_access" in proceed.scopes else ()
    return Told(access, told, {"sub": str(account.id), **seen}, kept)


def _access(policy: Policy, grant: Grant, client: Client, *, issuer: str, now: datetime) -> dict[str, Any]:
    ttl, at = policy.access_token_ttl(grant.scopes), int(now.timestamp())
    told = access_claims(grant, client=client, scopes=grant.scopes, issuer=issuer, at=at, ttl=ttl)
    return {name: value for name, value in told.items() if name not in _OF_ONE_TIME}
