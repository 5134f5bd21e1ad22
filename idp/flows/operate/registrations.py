"""What may be registered of a client: described by an operator, read whole, every mistake told at once. No database."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from idp.crypto import random_bytes
from idp.flows.idp import OURS
from idp.flows.operate import client_fields
from idp.flows.operate.client_fields import LONGEST_URI, Wrong
from idp.flows.operate.people import Mistakes
from idp.model import AuthMethod, Client
from idp.oidc import assertions, redirects
from idp.oidc.grants import GrantType
from idp.oidc.keys import ALGORITHMS
from idp.policy import Policy
from idp.sentences import mark, sentence
from idp.typed import visible

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
LONGEST_NAME = 80
WITH_SECRET = frozenset({AuthMethod.BASIC, AuthMethod.POST})
ASSERTION_AUDIENCES = ("any", "issuer")
_NO_ALGORITHM = mark("%(given)s is no signature algorithm here: there are %(allowed)s.")
_NO_AUDIENCE = mark("%(given)s is no audience of assertions here: there are %(allowed)s.")

At = Callable[[str], Wrong]
"""Takes mistakes down that are in this field of `NewClient`."""


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
    """The client that this describes. Raises `NotAcceptable` with every mistake in it, each at its field.

    What was `kept` from before may be unknown to today's policy: that is no reason to refuse another change.
    """
    mistakes = Mistakes()

    def at(field: str) -> Wrong:
        return lambda sentence: mistakes.add(field, sentence)

    method = _method(new, at)
    kinds = _grant_types(new, method, at("grant_types"))
    _check_uris(new, kinds, at, kept=kept)
    if method is AuthMethod.NONE and not new.require_pkce:
        at("require_pkce")(sentence("A public client needs PKCE (RFC 9700 2.1.1)."))
    for field, given, allowed, what in (
        ("signing_alg", new.signing_alg, ALGORITHMS, _NO_ALGORITHM),
        ("userinfo_alg", new.userinfo_alg or ALGORITHMS[0], ALGORITHMS, _NO_ALGORITHM),
        ("assertion_audience", new.assertion_audience, ASSERTION_AUDIENCES, _NO_AUDIENCE),
    ):
        if given not in allowed:
            at(field)(sentence(what, given=repr(given), allowed=" and ".join(allowed)))
    client = Client(
        id=_client_id(new.client_id, at("client_id")),
        name=_name(new.name, at("name")),
        auth_method=method,
        redirect_uris=new.redirect_uris,
        post_logout_redirect_uris=new.post_logout_redirect_uris,
        grant_types=kinds,
        scopes=(scopes := _scopes(new, policy, kinds, at("scopes"), kept=frozenset() if kept is None else kept.scopes)),
        require_pkce=new.require_pkce,
        first_party=new.first_party,
        native=new.native,
        signing_alg=new.signing_alg,
        userinfo_alg=new.userinfo_alg or None,
        rotate_refresh=new.rotate_refresh,
        assertion_audience=new.assertion_audience,
        jwks=new.jwks,
        audience=client_fields.parse_audience(new.audience, at("audience")),
        id_token_claims=client_fields.parse_id_token_claims(new.id_token_claims, scopes, at("id_token_claims")),
        groups=client_fields.parse_groups(
            new.groups, policy, at("groups"), kept=frozenset() if kept is None else kept.groups
        ),
        origins=client_fields.parse_origins(new.origins, at("origins")),
        home_uri=new.home_uri or None,
        details_types=client_fields.parse_details_types(
            new.details_types, policy, at("details_types"), kept=frozenset() if kept is None else kept.details_types
        ),
        require_pushed=new.require_pushed,
        level=client_fields.parse_level(
            new.level, policy, kinds, at("level"), kept=None if kept is None else kept.level
        ),
    )
    mistakes.check()
    return client


def _name(given: str, wrong: Wrong) -> str:
    name = " ".join(given.split())
    if not name or len(name) > LONGEST_NAME or not visible(name):
        wrong(sentence("The name of a client has 1 to %(longest)s printable characters.", longest=LONGEST_NAME))
    return name


def _client_id(given: str | None, wrong: Wrong) -> str:
    client_id = random_bytes(12).hex() if given is None else given
    if not _ID.fullmatch(client_id) or client_id in OURS:
        wrong(sentence("%(id)s cannot be a client id: 1 to 64 letters, digits and . _ ~ - only.", id=repr(client_id)))
    return client_id


def _method(new: NewClient, at: At) -> AuthMethod:
    if new.auth_method is None:
        chosen = (
            AuthMethod.NONE if new.public else (AuthMethod.BASIC if new.jwks is None else AuthMethod.PRIVATE_KEY_JWT)
        )
    elif new.auth_method in list(AuthMethod):
        chosen = AuthMethod(new.auth_method)
    else:
        chosen = AuthMethod.NONE if new.public else AuthMethod.BASIC
        at("auth_method")(
            sentence(
                "%(given)s is no way to authenticate: there are %(allowed)s.",
                given=repr(new.auth_method),
                allowed=", ".join(AuthMethod),
            )
        )
    if new.public and chosen is not AuthMethod.NONE:
        at("auth_method")(
            sentence("A public client keeps no secret, so it cannot use %(method)s.", method=chosen.value)
        )
    if chosen is AuthMethod.PRIVATE_KEY_JWT:
        if new.jwks is None:
            at("jwks")(
                sentence(
                    "private_key_jwt needs the client's public keys.",
                    at_shell="private_key_jwt needs the client's public keys: give a file with --jwks.",
                )
            )
        elif (problem := assertions.problem(new.jwks)) is not None:
            at("jwks")(sentence("The JWK Set of the client %(problem)s.", problem=problem))
    elif new.jwks is not None:
        at("jwks")(sentence("The JWK Set is for private_key_jwt, not for %(method)s.", method=chosen.value))
    return chosen


def _grant_types(new: NewClient, method: AuthMethod, wrong: Wrong) -> frozenset[str]:
    kinds = set(new.grant_types)
    if not kinds:
        kinds = {"authorization_code", "refresh_token"} if "offline_access" in new.scopes else {"authorization_code"}
    for kind in sorted(kinds):
        if kind not in list(GrantType):
            wrong(
                sentence(
                    "%(given)s is no grant type here: there are %(allowed)s.",
                    given=repr(kind),
                    allowed=", ".join(GrantType),
                )
            )
    if "client_credentials" in kinds and method is AuthMethod.NONE:
        # RFC 6749 4.4: the client credentials grant type MUST only be used by confidential clients
        wrong(sentence("A public client cannot have client_credentials."))
    if "refresh_token" in kinds and "authorization_code" not in kinds:
        wrong(sentence("refresh_token needs authorization_code, from which the first one comes."))
    return frozenset(kinds)


def _check_uris(new: NewClient, kinds: frozenset[str], at: At, *, kept: Client | None) -> None:
    before = () if kept is None else (*kept.redirect_uris, *kept.post_logout_redirect_uris, kept.home_uri)
    if "authorization_code" in kinds and not new.redirect_uris:
        at("redirect_uris")(
            sentence(
                "A client that signs people in needs a redirect URI.",
                at_shell="A client that signs people in needs a redirect URI: give one with --redirect-uri.",
            )
        )
    for field, what, uris in (
        ("redirect_uris", sentence("redirect URI"), new.redirect_uris),
        ("post_logout_redirect_uris", sentence("post-logout URI"), new.post_logout_redirect_uris),
        ("home_uri", sentence("home page"), (new.home_uri,) if new.home_uri else ()),
    ):
        for uri in uris:
            problem = redirects.problem(uri, native=new.native)
            if problem is None and "*" in uri and uri not in before:
                problem = sentence("has a *, and addresses are compared as they are: write each down")
            if problem is None and len(uri) > LONGEST_URI:
                problem = sentence("is longer than %(longest)s characters", longest=LONGEST_URI)
            if problem is not None:
                at(field)(
                    sentence(
                        "The %(what)s %(uri)s cannot be registered: it %(problem)s.",
                        what=what,
                        uri=repr(uri),
                        problem=problem,
                    )
                )
        if len(set(uris)) < len(uris):
            at(field)(sentence("A %(what)s is given twice.", what=what))


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
            wrong(
                sentence(
                    "The scope %(scope)s has no row in the policy: there are %(known)s.", scope=repr(scope), known=known
                )
            )
        elif rule.internal:
            wrong(sentence("The scope %(scope)s is for our own account pages only.", scope=repr(scope)))
        elif not (people and rule.people) and not (machine and rule.machines):
            wrong(sentence("The scope %(scope)s is %(whose)s.", scope=repr(scope), whose=_whose(scope, policy)))
    return frozenset(new.scopes or (("openid",) if people else ()))


def _whose(scope: str, policy: Policy) -> str:
    if not policy.scopes[scope].people:
        return sentence(
            "for machines only: it needs the grant type client_credentials",
            at_shell="for machines only: register the client with --grant-type client_credentials",
        )
    none = sentence("none, until a row of the policy says `machine = true`")
    return sentence(
        "granted by people, and this client signs nobody in; scopes for machines: %(scopes)s",
        scopes=", ".join(sorted(policy.for_machines())) or none,
    )
