"""What may be registered of a client: described by an operator, read whole, every mistake told at once. No database."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from idp.crypto import random_bytes
from idp.flows.idp import OURS
from idp.flows.operate.people import NotAcceptable, known_group
from idp.model import AssuranceLevel, AuthMethod, Client
from idp.oidc import assertions, claims, origins, redirects
from idp.oidc.grants import GrantType
from idp.oidc.keys import ALGORITHMS
from idp.policy import Policy

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
LONGEST_NAME = 80
LONGEST_URI = 2000
WITH_SECRET = frozenset({AuthMethod.BASIC, AuthMethod.POST})
ASSERTION_AUDIENCES = ("any", "issuer")

Wrong = Callable[[str], None]
"""Takes a mistake down; reading goes on."""


@dataclass(frozen=True, slots=True)
class NewClient:
    """What an operator says about a client. `auth_method` None: a secret, by HTTP Basic; or none for a public one.

    `grant_types` empty: authorization_code, and refresh_token for a client that may ask for offline_access. `scopes`
    empty: openid, or none for a client that signs nobody in. `level`: what signing in to it takes, by its name in the
    policy, whatever it asks for.
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
    level: str = "two_factor"


def parse(new: NewClient, policy: Policy, *, kept: Client | None = None) -> Client:
    """The client that this describes. Raises `NotAcceptable` with every mistake in it.

    What was `kept` from before may be unknown to today's policy: that is no reason to refuse another change.
    """
    problems: list[str] = []
    wrong = problems.append
    method = _method(new, wrong)
    kinds = _grant_types(new, method, wrong)
    _check_uris(new, kinds, wrong)
    if method is AuthMethod.NONE and not new.require_pkce:
        wrong("A public client needs PKCE (RFC 9700 2.1.1).")
    for given, allowed, what in (
        (new.signing_alg, ALGORITHMS, "signature algorithm"),
        (new.userinfo_alg or ALGORITHMS[0], ALGORITHMS, "signature algorithm"),
        (new.assertion_audience, ASSERTION_AUDIENCES, "audience of assertions"),
    ):
        if given not in allowed:
            wrong(f"{given!r} is no {what} here: there are {' and '.join(allowed)}.")
    client = Client(
        id=_client_id(new.client_id, wrong),
        name=_name(new.name, wrong),
        auth_method=method,
        redirect_uris=new.redirect_uris,
        post_logout_redirect_uris=new.post_logout_redirect_uris,
        grant_types=kinds,
        scopes=(scopes := _scopes(new, policy, kinds, wrong, kept=frozenset() if kept is None else kept.scopes)),
        require_pkce=new.require_pkce,
        first_party=new.first_party,
        native=new.native,
        signing_alg=new.signing_alg,
        userinfo_alg=new.userinfo_alg or None,
        rotate_refresh=new.rotate_refresh,
        assertion_audience=new.assertion_audience,
        jwks=new.jwks,
        audience=_audience(new.audience, wrong),
        id_token_claims=_id_token_claims(new.id_token_claims, scopes, wrong),
        groups=_groups(new.groups, policy, wrong, kept=frozenset() if kept is None else kept.groups),
        origins=_origins(new.origins, wrong),
        home_uri=new.home_uri or None,
        details_types=_details_types(new, policy, wrong, kept=frozenset() if kept is None else kept.details_types),
        require_pushed=new.require_pushed,
        level=_level(new.level, policy, kinds, wrong, kept=None if kept is None else kept.level),
    )
    if problems:
        raise NotAcceptable(*dict.fromkeys(problems))
    return client


def _name(given: str, wrong: Wrong) -> str:
    name = " ".join(given.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        wrong(f"The name of a client has 1 to {LONGEST_NAME} printable characters.")
    return name


def _client_id(given: str | None, wrong: Wrong) -> str:
    client_id = random_bytes(12).hex() if given is None else given
    if not _ID.fullmatch(client_id) or client_id in OURS:
        wrong(f"{client_id!r} cannot be a client id: 1 to 64 letters, digits and . _ ~ - only.")
    return client_id


def _method(new: NewClient, wrong: Wrong) -> AuthMethod:
    if new.auth_method is None:
        chosen = (
            AuthMethod.NONE if new.public else (AuthMethod.BASIC if new.jwks is None else AuthMethod.PRIVATE_KEY_JWT)
        )
    elif new.auth_method in list(AuthMethod):
        chosen = AuthMethod(new.auth_method)
    else:
        chosen = AuthMethod.NONE if new.public else AuthMethod.BASIC
        wrong(f"{new.auth_method!r} is no way to authenticate: there are {', '.join(AuthMethod)}.")
    if new.public and chosen is not AuthMethod.NONE:
        wrong(f"A public client keeps no secret, so it cannot use {chosen}.")
    if chosen is AuthMethod.PRIVATE_KEY_JWT:
        if new.jwks is None:
            wrong("private_key_jwt needs the client's public keys: give a file with --jwks.")
        elif (problem := assertions.problem(new.jwks)) is not None:
            wrong(f"The JWK Set of the client {problem}.")
    elif new.jwks is not None:
        wrong(f"The JWK Set is for private_key_jwt, not for {chosen}.")
    return chosen


def _grant_types(new: NewClient, method: AuthMethod, wrong: Wrong) -> frozenset[str]:
    kinds = set(new.grant_types)
    if not kinds:
        kinds = {"authorization_code", "refresh_token"} if "offline_access" in new.scopes else {"authorization_code"}
    for kind in sorted(kinds):
        if kind not in list(GrantType):
            wrong(f"{kind!r} is no grant type here: there are {', '.join(GrantType)}.")
    if "client_credentials" in kinds and method is AuthMethod.NONE:
        # RFC 6749 4.4: the client credentials grant type MUST only be used by confidential clients
        wrong("A public client cannot have client_credentials.")
    if "refresh_token" in kinds and "authorization_code" not in kinds:
        wrong("refresh_token needs authorization_code, from which the first one comes.")
    return frozenset(kinds)


def _check_uris(new: NewClient, kinds: frozenset[str], wrong: Wrong) -> None:
    if "authorization_code" in kinds and not new.redirect_uris:
        wrong("A client that signs people in needs a redirect URI: give one with --redirect-uri.")
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
                wrong(f"The {what} {uri!r} cannot be registered: it {problem}.")
        if len(set(uris)) < len(uris):
            wrong(f"A {what} is given twice.")


def _scopes(
    new: NewClient, policy: Policy, kinds: frozenset[str], wrong: Wrong, *, kept: frozenset[str]
) -> frozenset[str]:
    people, machine = "authorization_code" in kinds, "client_credentials" in kinds
    for scope in new.scopes:
        rule = policy.scope_rule(scope)
        if rule is None and scope in kept:
            continue
        if rule is None:
            known = ", ".join(name for name, row in policy.scopes.items() if not row.internal)
            wrong(f"The scope {scope!r} has no row in the policy: there are {known}.")
        elif rule.internal:
            wrong(f"The scope {scope!r} is for our own account pages only.")
        elif not (people and rule.people) and not (machine and rule.machines):
            wrong(f"The scope {scope!r} is {_whose(scope, policy)}.")
    return frozenset(new.scopes or (("openid",) if people else ()))


def _whose(scope: str, policy: Policy) -> str:
    if not policy.scopes[scope].people:
        return "for machines only: register the client with --grant-type client_credentials"
    machines = ", ".join(sorted(policy.for_machines())) or "none, until a row of the policy says `machine = true`"
    return f"granted by people, and this client signs nobody in; scopes for machines: {machines}"


def _audience(given: tuple[str, ...], wrong: Wrong) -> tuple[str, ...]:
    for each in given:
        if not each or len(each) > LONGEST_URI or not each.isprintable() or " " in each:
            wrong(f"{each!r} is no audience: give the URL or name of a resource server.")
    return given


def _id_token_claims(given: tuple[str, ...], scopes: frozenset[str], wrong: Wrong) -> frozenset[str]:
    for name in given:
        if name not in claims.OF_A_PERSON:
            wrong(f"{name!r} is no claim here: there are {', '.join(sorted(claims.OF_A_PERSON))}.")
        elif name not in claims.for_scopes(scopes):
            scope = next(scope for scope, names in claims.BY_SCOPE.items() if name in names)
            wrong(f"The claim {name!r} comes with the scope {scope}: give the client both, or neither.")
    return frozenset(given)


def _groups(given: Iterable[str], policy: Policy, wrong: Wrong, *, kept: frozenset[str]) -> frozenset[str]:
    for group in given:
        try:
            if group not in kept:
                known_group(group, policy)
        except NotAcceptable as error:
            wrong(str(error))
    return frozenset(given)


def _details_types(new: NewClient, policy: Policy, wrong: Wrong, *, kept: frozenset[str]) -> frozenset[str]:
    for name in new.details_types:
        if name not in policy.details and name not in kept:
            there = ", ".join(policy.details) or "none, until the policy has a table [details.NAME]"
            wrong(f"The type {name!r} has no table [details.{name}] in the policy: there are {there}.")
    return frozenset(new.details_types)


def _origins(given: tuple[str, ...], wrong: Wrong) -> tuple[str, ...]:
    for origin in given:
        if (problem := origins.problem(origin)) is not None:
            wrong(f"The origin {origin!r} cannot be registered: it {problem}.")
    return tuple(dict.fromkeys(made for origin in given if (made := origins.serialised(origin)) is not None))


def _level(
    given: str, policy: Policy, kinds: frozenset[str], wrong: Wrong, *, kept: AssuranceLevel | None
) -> AssuranceLevel:
    level = next((level for level in AssuranceLevel if level.name.lower() == given), AssuranceLevel.NONE)
    if level not in policy.levels and level is not kept:
        wrong(
            f"{given!r} is no level of the policy: there are {', '.join(each.name.lower() for each in policy.levels)}."
        )
    elif level > policy.most and level is not kept:
        wrong(f"Nobody could sign in: no factor of the policy gives {given}.")
    elif level > AssuranceLevel.TWO_FACTOR and "authorization_code" not in kinds:
        wrong("The level is what people prove, and this client signs nobody in.")
    return level
