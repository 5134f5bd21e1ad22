"""What becomes of a client from another system here: what the policy and the standards take. Nothing is stored."""

from collections.abc import Iterator
from dataclasses import replace

from idp.crypto import digest
from idp.flows.operate.registrations import NewClient, parse
from idp.importing.incoming import Application, Left
from idp.model import Client
from idp.oidc.keys import ALGORITHMS
from idp.policy import Policy

_OPERATORS = "stile:"  # scopes for an operator's work, which no other system gives
_NO_ROW = "the policy has no row for it that this client may have"
_NO_MACHINE = "no scope of its own comes over: give one of its rows `machine = true`"
_HEADER = "there the secret comes in the header or in the body: here in the header, unless --auth-method says body"


def client_of(given: Application, policy: Policy) -> tuple[Client, list[Left]]:
    """As it is registered here, and what of it is not. Raises `NotAcceptable`."""
    takes = frozenset(scope for scope in ("openid", *given.scopes) if _may_have(given, scope, policy))
    known = given.signing_alg in ALGORITHMS
    grants = [
        *(["authorization_code"] if given.signs_in else []),
        *(["client_credentials"] if given.machine else []),
        *(["refresh_token"] if given.signs_in and "offline_access" in takes else []),
    ]
    client = parse(
        NewClient(
            name=given.name,
            client_id=given.client_id,
            redirect_uris=given.redirect_uris if given.signs_in else (),
            post_logout_redirect_uris=given.post_logout_redirect_uris,
            scopes=tuple(sorted(takes)),
            grant_types=tuple(grants),
            jwks=given.jwks,
            public=given.public,
            first_party=not given.asks,
            native=given.native,
            require_pkce=given.require_pkce or given.public,
            signing_alg=given.signing_alg if known and given.signing_alg else ALGORITHMS[0],
            origins=given.origins,
            home_uri=given.home_uri,
            require_pushed=given.require_pushed,
        ),
        policy,
    )
    secret_hash = None if given.secret is None else digest(given.secret)
    return replace(client, disabled=given.disabled, secret_hash=secret_hash), list(_lost(given, takes, policy))


def _may_have(given: Application, scope: str, policy: Policy) -> bool:
    rule = policy.scope_rule(scope)
    if rule is None or rule.internal or scope.startswith(_OPERATORS):
        return False
    return (given.signs_in and rule.people) or (given.machine and rule.machines)


def _lost(given: Application, takes: frozenset[str], policy: Policy) -> Iterator[Left]:
    for scope in dict.fromkeys(given.scopes):
        if scope not in takes:
            yield Left("", f"scope {scope}", _NO_ROW)
    if given.signing_alg is not None and given.signing_alg not in ALGORITHMS:
        why = f"Stile signs with {' and '.join(ALGORITHMS)}: it gets {ALGORITHMS[0]}"
        yield Left("", f"signature {given.signing_alg[:20]}", why)
    elif given.signing_alg not in {None, ALGORITHMS[0]}:
        yield Left("", f"signature {given.signing_alg}", "here access tokens are signed so too")
    if given.machine and not takes & policy.for_machines():
        yield Left("", "client_credentials", _NO_MACHINE)
    if given.secret is not None and given.signs_in:
        yield Left("", "client_secret_post", _HEADER)
