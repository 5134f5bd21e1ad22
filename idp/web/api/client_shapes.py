"""Applications as the API shows them."""

from datetime import datetime
from typing import Any

import msgspec

from idp.model import Client
from idp.oidc import origins

Jwks = dict[str, Any] | None


class ClientShown(msgspec.Struct, frozen=True, kw_only=True):
    """A client without its secret. `browser_origins` are those that count."""

    client_id: str
    name: str
    auth_method: str
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str]
    grant_types: list[str]
    scopes: list[str]
    require_pkce: bool
    first_party: bool
    native: bool
    signing_alg: str
    userinfo_alg: str | None
    rotate_refresh: bool
    assertion_audience: str
    audience: list[str]
    id_token_claims: list[str]
    groups: list[str]
    origins: list[str]
    home_uri: str | None
    details_types: list[str]
    require_pushed: bool
    browser_origins: list[str]
    jwks: Jwks
    level: str
    logo: str | None
    old_secret_until: datetime | None
    old_secret_used_at: datetime | None
    disabled: bool


class ClientExplained(ClientShown, frozen=True, kw_only=True):
    """A client, and which of its scopes it gets from nobody, with the reason."""

    left_out: dict[str, str]


class ClientChanged(ClientShown, frozen=True, kw_only=True):
    """A client as it is now, what changed and what follows. A secret is given where it had none, once."""

    changed: list[str]
    consequences: list[str]
    client_secret: str | None = None


class ClientSecret(ClientShown, frozen=True, kw_only=True):
    """A client and its secret, given once; null for one that has none."""

    client_secret: str | None


class Clients(msgspec.Struct, frozen=True, kw_only=True):
    """Clients by name."""

    clients: list[ClientShown]
    total: int
    next: str | None


def shown(client: Client) -> dict[str, Any]:
    """The members of `ClientShown`."""
    told = {each: getattr(client, each) for each in ClientShown.__struct_fields__ if hasattr(client, each)}
    told = {name: sorted(value) if isinstance(value, frozenset) else value for name, value in told.items()}
    told = {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}
    return {
        **told,
        "client_id": client.id,
        "browser_origins": sorted(origins.of(client)),
        "level": client.level.name.lower(),
    }
