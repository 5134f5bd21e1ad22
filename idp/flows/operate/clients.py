"""An operator's work on clients: register, find, disable, new secret, remove."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from idp.audit import ClientChanged
from idp.crypto import digest, random_bytes, random_token
from idp.flows.idp import INTERNAL, Idp
from idp.flows.operate.finding import find_client
from idp.flows.operate.people import NotAcceptable, known_group
from idp.flows.operate.permitting import permit
from idp.model import AuthMethod, Client
from idp.oidc import assertions, claims, origins, redirects
from idp.oidc.grants import GrantType
from idp.oidc.keys import ALGORITHMS
from idp.policy import Act, Policy, left_out
from idp.store import audits
from idp.store.tokens import clients

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
LONGEST_NAME = 80
LONGEST_URI = 2000
WITH_SECRET = frozenset({AuthMethod.BASIC, AuthMethod.POST})
ASSERTION_AUDIENCES = ("any", "issuer")


@dataclass(frozen=True, slots=True)
class NewClient:
    """What an operator says about a client. `auth_method` None: a secret, by HTTP Basic; or none for a public one.

    `grant_types` empty: authorization_code, and refresh_token for a client that may ask for offline_access. `scopes`
    empty: openid, or none for a client that signs nobody in.
    """

    name: str
    client_id: str | None = None
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    grant_types: tuple[str, ...] = ()
    auth_method: str | None = None
    jwks: Mapping[str, Any] | None = None
    public: bool = False
    first_party: bool = False
    native: bool = False
    require_pkce: bool = True
    rotate_refresh: bool = True
    signing_alg: str = "RS256"
    userinfo_alg: str | None = None
    assertion_audience: str = "any"
    audience: tuple[str, ...] = ()
    id_token_claims: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    home_uri: str | None = None
    details_types: tuple[str, ...] = ()
    require_pushed: bool = False


@dataclass(frozen=True, slots=True)
class Registered:
    """A client and, this once, its secret; None for one that has none."""

    client: Client
    secret: str | None = field(repr=False)


async def add_client(idp: Idp, new: NewClient) -> Registered:
    """Register a client. Raises `NotAcceptable` or `AlreadyThere`."""
    permit(idp, Act.CHANGE_CLIENTS)
    client = parse(new, idp.policy)
    secret = random_token() if client.auth_method in WITH_SECRET else None
    if secret is not None:
        client = replace(client, secret_hash=digest(secret))
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        await clients.add(conn, client, now=now)
        await audits.add(conn, ClientChanged(change="added"), now=now, client_id=client.id)
    return Registered(client, secret)


def parse(new: NewClient, policy: Policy, *, kept: Client | None = None) -> Client:
    """The client that this describes. Raises `NotAcceptable`.

    What was `kept` from before may be unknown to today's policy: that is no reason to refuse another change.
    """
    name = " ".join(new.name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise NotAcceptable(f"The name of a client has 1 to {LONGEST_NAME} printable characters.")
    client_id = random_bytes(12).hex() if new.client_id is None else new.client_id
    if not _ID.fullmatch(client_id) or client_id == INTERNAL:
        raise NotAcceptable(f"{client_id!r} cannot be a client id: 1 to 64 letters, digits and . _ ~ - only.")
    method = _method(new)
    kinds = _grant_types(new, method)
    _check_uris(new, kinds)
    if method is AuthMethod.NONE and not new.require_pkce:
        raise NotAcceptable("A public client needs PKCE (RFC 9700 2.1.1).")
    for given, allowed, what in (
        (new.signing_alg, ALGORITHMS, "signature algorithm"),
        (new.userinfo_alg or ALGORITHMS[0], ALGORITHMS, "signature algorithm"),
        (new.assertion_audience, ASSERTION_AUDIENCES, "audience of assertions"),
    ):
        if given not in allowed:
            raise NotAcceptable(f"{given!r} is no {what} here: there are {' and '.join(allowed)}.")
    return Client(
        id=client_id,
        name=name,
        auth_method=method,
        redirect_uris=new.redirect_uris,
        post_logout_redirect_uris=new.post_logout_redirect_uris,
        grant_types=kinds,
        scopes=(scopes := _scopes(new, policy, kinds, kept=frozenset() if kept is None else kept.scopes)),
        require_pkce=new.require_pkce,
        first_party=new.first_party,
        native=new.native,
        signing_alg=new.signing_alg,
        userinfo_alg=new.userinfo_alg or None,
        rotate_refresh=new.rotate_refresh,
        assertion_audience=new.assertion_audience,
        jwks=new.jwks,
        audience=_audience(new.audience),
        id_token_claims=_id_token_claims(new.id_token_claims, scopes),
        groups=_groups(new.groups, policy, kept=frozenset() if kept is None else kept.groups),
        origins=_origins(new.origins),
        home_uri=new.home_uri or None,
        details_types=_details_types(new, policy, kept=frozenset() if kept is None else kept.details_types),
        require_pushed=new.require_pushed,
    )


def _method(new: NewClient) -> AuthMethod:
    if new.auth_method is None:
        chosen = (
            AuthMethod.NONE if new.public else (AuthMethod.BASIC if new.jwks is None else AuthMethod.PRIVATE_KEY_JWT)
        )
    elif new.auth_method in list(AuthMethod):
        chosen = AuthMethod(new.auth_method)
    else:
        raise NotAcceptable(f"{new.auth_method!r} is no way to authenticate: there are {', '.join(AuthMethod)}.")
    if new.public and chosen is not AuthMethod.NONE:
        raise NotAcceptable(f"A public client keeps no secret, so it cannot use {chosen}.")
    if chosen is AuthMethod.PRIVATE_KEY_JWT:
        if new.jwks is None:
            raise NotAcceptable("private_key_jwt needs the client's public keys: give a file with --jwks.")
        if (problem := assertions.problem(new.jwks)) is not None:
            raise NotAcceptable(f"The JWK Set of the client {problem}.")
    elif new.jwks is not None:
        raise NotAcceptable(f"The JWK Set is for private_key_jwt, not for {chosen}.")
    return chosen


def _grant_types(new: NewClient, method: AuthMethod) -> frozenset[str]:
    kinds = set(new.grant_types)
    if not kinds:
        kinds = {"authorization_code", "refresh_token"} if "offline_access" in new.scopes else {"authorization_code"}
    for kind in sorted(kinds):
        if kind not in list(GrantType):
            raise NotAcceptable(f"{kind!r} is no grant type here: there are {', '.join(GrantType)}.")
    if "client_credentials" in kinds and method is AuthMethod.NONE:
        # RFC 6749 4.4: the client credentials grant type MUST only be used by confidential clients
        raise NotAcceptable("A public client cannot have client_credentials.")
    if "refresh_token" in kinds and "authorization_code" not in kinds:
        raise NotAcceptable("refresh_token needs authorization_code, from which the first one comes.")
    return frozenset(kinds)


def _check_uris(new: NewClient, kinds: frozenset[str]) -> None:
    if "authorization_code" in kinds and not new.redirect_uris:
        raise NotAcceptable("A client that signs people in needs a redirect URI: give one with --redirect-uri.")
    for what, uris in (
        ("redirect URI", new.redirect_uris),
        ("post-logout URI", new.post_logout_redirect_uris),
        ("home page", (new.home_uri,) if new.home_uri else ()),
    ):
        for uri in uris:
            problem = redirects.problem(uri, native=new.native)
            if problem is None and len(uri) > LONGEST_URI:
                problem = f"is longer than {LONGEST_URI} characters"
            if problem is not None:
                raise NotAcceptable(f"The {what} {uri!r} cannot be registered: it {problem}.")
        if len(set(uris)) < len(uris):
            raise NotAcceptable(f"A {what} is given twice.")


def _scopes(new: NewClient, policy: Policy, kinds: frozenset[str], *, kept: frozenset[str]) -> frozenset[str]:
    people, machine = "authorization_code" in kinds, "client_credentials" in kinds
    for scope in new.scopes:
        rule = policy.scope_rule(scope)
        if rule is None and scope in kept:
            continue
        if rule is None:
            known = ", ".join(name for name, row in policy.scopes.items() if not row.internal)
            raise NotAcceptable(f"The scope {scope!r} has no row in the policy: there are {known}.")
        if rule.internal:
            raise NotAcceptable(f"The scope {scope!r} is for our own account pages only.")
        if not (people and rule.people) and not (machine and rule.machines):
            raise NotAcceptable(f"The scope {scope!r} is {_whose(scope, policy)}.")
    return frozenset(new.scopes or (("openid",) if people else ()))


def _whose(scope: str, policy: Policy) -> str:
    if not policy.scopes[scope].people:
        return "for machines only: register the client with --grant-type client_credentials"
    machines = ", ".join(sorted(policy.for_machines())) or "none, until a row of the policy says `machine = true`"
    return f"granted by people, and this client signs nobody in; scopes for machines: {machines}"


def _audience(given: tuple[str, ...]) -> tuple[str, ...]:
    for each in given:
        if not each or len(each) > LONGEST_URI or not each.isprintable() or " " in each:
            raise NotAcceptable(f"{each!r} is no audience: give the URL or name of a resource server.")
    return given


def _id_token_claims(given: tuple[str, ...], scopes: frozenset[str]) -> frozenset[str]:
    for name in given:
        if name not in claims.OF_A_PERSON:
            raise NotAcceptable(f"{name!r} is no claim here: there are {', '.join(sorted(claims.OF_A_PERSON))}.")
        if name not in claims.for_scopes(scopes):
            scope = next(scope for scope, names in claims.BY_SCOPE.items() if name in names)
            raise NotAcceptable(f"The claim {name!r} comes with the scope {scope}: give the client both, or neither.")
    return frozenset(given)


def _groups(given: tuple[str, ...], policy: Policy, *, kept: frozenset[str]) -> frozenset[str]:
    for group in given:
        if group not in kept:
            known_group(group, policy)
    return frozenset(given)


def _details_types(new: NewClient, policy: Policy, *, kept: frozenset[str]) -> frozenset[str]:
    for name in new.details_types:
        if name not in policy.details and name not in kept:
            there = ", ".join(policy.details) or "none, until the policy has a table [details.NAME]"
            raise NotAcceptable(f"The type {name!r} has no table [details.{name}] in the policy: there are {there}.")
    return frozenset(new.details_types)


def _origins(given: tuple[str, ...]) -> tuple[str, ...]:
    for origin in given:
        if (problem := origins.problem(origin)) is not None:
            raise NotAcceptable(f"The origin {origin!r} cannot be registered: it {problem}.")
    return tuple(dict.fromkeys(made for origin in given if (made := origins.serialised(origin)) is not None))


async def explain_client(idp: Idp, name_or_id: str) -> tuple[Client, dict[str, str]]:
    """A client, and which of its scopes it can get from nobody, and why."""
    client = await find_client(idp, name_or_id)
    own = idp.policy.for_machines() if "client_credentials" in client.grant_types else frozenset()
    return client, left_out(idp.policy, client, sorted(client.scopes - own))


async def set_client_disabled(idp: Idp, name_or_id: str, *, disabled: bool) -> Client:
    """Refuse everything a client asks, or answer it again."""
    client = await find_client(idp, name_or_id, to=Act.CHANGE_CLIENTS)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        await clients.set_disabled(conn, client_id=client.id, disabled_at=now if disabled else None)
        change = ClientChanged(change="disabled" if disabled else "enabled")
        await audits.add(conn, change, now=now, client_id=client.id)
    return client


async def new_client_secret(idp: Idp, name_or_id: str) -> Registered:
    """Another secret; the one before stops working at once. Raises `NotAcceptable` for a client without secrets."""
    client = await find_client(idp, name_or_id, to=Act.CHANGE_CLIENTS)
    if client.auth_method not in WITH_SECRET:
        how = "it is a public client" if client.auth_method is AuthMethod.NONE else "it signs with a key of its own"
        raise NotAcceptable(f"{client.name!r} has no secret: {how}.")
    secret = random_token()
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        await clients.set_secret(conn, client_id=client.id, secret_hash=digest(secret))
        await audits.add(conn, ClientChanged(change="new secret"), now=now, client_id=client.id)
    return Registered(client, secret)


async def remove_client(idp: Idp, name_or_id: str) -> Client:
    """Delete a client with its consents and grants: its tokens are worth nothing from now on."""
    client = await find_client(idp, name_or_id, to=Act.CHANGE_CLIENTS)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        await clients.remove(conn, client_id=client.id)
        await audits.add(conn, ClientChanged(change="removed"), now=now, client_id=client.id)
    return client
