"""Who a client is: credentials checked in memory, assertions used once, guessing slowed down."""

from datetime import datetime, timedelta

from idp import limits
from idp.crypto import mac
from idp.errors import IdpError
from idp.flows.idp import Idp, Visitor, address_key
from idp.model import Client
from idp.oidc import client_auth, metadata
from idp.oidc.errors import Challenged
from idp.oidc.params import Params
from idp.store import rate_limits
from idp.store.tokens import clients as store_clients

# How often each process writes down that a secret before is still in use.
SEEN_EVERY = timedelta(minutes=1)


class TooMany(IdpError):
    """A client, or somebody who claims to be one, guesses credentials. Wait for `retry_after`."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__("Too many failed client authentications.")
        self.retry_after = retry_after


async def authenticate(
    idp: Idp,
    authorization: str | None,
    params: Params,
    visitor: Visitor,
    *,
    allow_public: bool = True,
    also_for: str | None = None,
) -> Client:
    """The client that proved who it is. Raises invalid_client (RFC 6749 5.2), or `TooMany` for who keeps guessing.

    `also_for`: an assertion may be for this endpoint too, besides issuer and token endpoint.
    """
    now = idp.clock.now()
    try:
        proved = client_auth.authenticate(
            authorization,
            params,
            client_lookup=idp.registered,
            issuer=idp.issuer,
            token_endpoint=idp.issuer + metadata.TOKEN,
            now=now,
            allow_public=allow_public,
            also_for=also_for,
        )
        if proved.assertion_jti is not None:
            assert proved.assertion_expires_at is not None
            name = mac(b"assertion", proved.client.id.encode(), proved.assertion_jti.encode())
            # RFC 7523 3: an assertion is accepted once
            if not await store_clients.use_assertion(
                idp.db, assertion_hash=name, expires_at=proved.assertion_expires_at
            ):
                raise client_auth.invalid_client("replayed assertion")
    except Challenged as refused:
        if refused.code == "invalid_client":
            claimed = client_auth.claimed(authorization, params)
            # Whoever invents ids shares one row for each address: rows must not grow with what strangers think of.
            known = claimed if idp.registered(claimed) is not None else ""
            key = limits.subject(idp.limits.client_failures, known, address_key(idp, visitor))
            charged = await rate_limits.spend(idp.db, [(idp.limits.client_failures, key)], now=now)
            if isinstance(charged, limits.Refused):
                raise TooMany(charged.retry_after) from None
        raise
    if proved.by_old_secret:
        await _see_old_secret(idp, proved.client, now=now)
    return proved.client


async def _see_old_secret(idp: Idp, client: Client, *, now: datetime) -> None:
    """Its operator wants to know who has not changed yet; whoever has costs nothing for it."""
    seen = idp.old_secrets.get(client.id)
    if seen is None or seen <= now - SEEN_EVERY:
        idp.old_secrets[client.id] = now
        await store_clients.old_secret_used(idp.db, client, now=now)
