"""What a token opens and tells: userinfo, introspection, revocation. Each looks its grant up once."""

from dataclasses import dataclass
from typing import Any

from idp.audit import GrantRevoked
from idp.crypto import digest
from idp.flows.idp import OURS, Idp, Visitor
from idp.flows.sealed import NUMBER, bound
from idp.flows.tokens.clients import authenticate
from idp.model import Account, Grant, Holder
from idp.oidc import introspection, tokens, userinfo
from idp.oidc.params import Params
from idp.store.tokens import grants, refresh_tokens
from idp.store.tokens.grants import Person


def phone_of(idp: Idp, person: Person) -> str | None:
    """The phone number of this person, opened, or None. Raises `SealBroken`."""
    if person.account is None or person.phone is None or person.phone_authenticator is None:
        return None
    where = bound(person.account.id, person.phone_authenticator)
    return idp.secrets.unseal(person.phone, purpose=NUMBER, bound_to=where).decode()


@dataclass(frozen=True, slots=True)
class UserInfo:
    """What userinfo answers: a JSON object, and the same as a signed JWT for a client registered for one."""

    claims: dict[str, Any]
    jwt: str | None


async def about_person(idp: Idp, presented: str) -> UserInfo:
    """Userinfo for an access token. Raises `Challenged` as RFC 6750 3.1 has it."""
    now = idp.clock.now()
    access = tokens.read_access_token(presented, keys=idp.keys, issuer=idp.issuer, now=now)
    userinfo.check(access, issuer=idp.issuer)
    found = await grants.load(idp.db, grant_id=access.grant_id)
    if found is None:
        raise tokens.invalid_token(detail="no such grant")
    grant, person = found
    client = idp.registered(grant.client_id)
    if grant.revoked_at is not None or person.account is None or person.account.disabled:
        raise tokens.invalid_token(detail="revoked")
    if client is None or client.disabled or client.id in OURS:
        raise tokens.invalid_token(detail="no such client")
    claims = userinfo.claims_for(person.account, access=access, asked=grant.claims, phone_number=phone_of(idp, person))
    return UserInfo(claims, userinfo.signed(claims, client=client, issuer=idp.issuer, keys=idp.keys))


async def introspect(idp: Idp, authorization: str | None, params: Params, visitor: Visitor) -> dict[str, Any]:
    """What a resource server may know of a token (RFC 7662)."""
    caller = await authenticate(idp, authorization, params, visitor, allow_public=False)
    now = idp.clock.now()
    match introspection.token_of(params, keys=idp.keys, issuer=idp.issuer, now=now):
        case introspection.Nothing():
            return introspection.INACTIVE
        case introspection.Opaque(token=opaque):
            found = await refresh_tokens.load(idp.db, token_hash=digest(opaque))
            if found is not None and not _serves(idp, found[0].grant, found[1]):
                return introspection.INACTIVE
            return introspection.about_refresh(found[0] if found else None, caller=caller, issuer=idp.issuer, now=now)
        case access:
            held = await grants.load(idp.db, grant_id=access.grant_id)
            if held is not None and not _serves(idp, held[0], held[1].account):
                return introspection.INACTIVE
            return introspection.about_access(access, held[0] if held else None, caller=caller)


def _serves(idp: Idp, grant: Grant, person: Account | Holder | None) -> bool:
    """Whether both sides of a grant may still have anything of us: disabling either ends what they hold."""
    client = idp.registered(grant.client_id)
    return client is not None and not client.disabled and (person is None or not person.disabled)


async def revoke(idp: Idp, authorization: str | None, params: Params, visitor: Visitor) -> None:
    """End the grant of a token, if it is the caller's (RFC 7009). Silent about everything else."""
    caller = await authenticate(idp, authorization, params, visitor)
    now = idp.clock.now()
    match introspection.token_of(params, keys=idp.keys, issuer=idp.issuer, now=now):
        case introspection.Nothing():
            return
        case introspection.Opaque(token=opaque):
            refresh = await refresh_tokens.load(idp.db, token_hash=digest(opaque))
            grant = refresh[0].grant if refresh else None
        case access:
            held = await grants.load(idp.db, grant_id=access.grant_id)
            grant = held[0] if held else None
    if grant is not None and introspection.may_revoke(grant, caller=caller):
        await grants.revoke(idp.db, grant, audit=GrantRevoked(why="revoked", grant=str(grant.id)), now=now)
