"""Clients of a realm export of Keycloak. What cannot be registered byte for byte is left, by the client's name."""

from collections.abc import Iterator

from idp.importing.document import Object, cannot
from idp.importing.incoming import Application, Entry, Left, Unreadable
from idp.oidc import origins, redirects
from idp.oidc.claims import BY_SCOPE, PERSON_SCOPES

BUILT_IN = frozenset(
    {"account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console"}
)
SILENT = {
    "basic",
    "acr",
    "roles",
    "web-origins",
    "service_account",
    "microprofile-jwt",
    "organization",
}  # say nothing here
_WILD = "it ends in *: register each address byte for byte, with `idp client {command}`"
_UNKNOWN = "Stile has nothing like it"
_FULL_NAME = "oidc-full-name-mapper"
_GROUPS = "oidc-group-membership-mapper"
_PAIRWISE = "oidc-sha256-pairwise-sub-mapper"
_ATTRIBUTES = {
    "backchannel.logout.url": "back-channel logout",
    "frontchannel.logout.url": "front-channel logout",
    "acr.loa.map": "its own acr values",
    "oauth2.device.authorization.grant.enabled": "device authorization",
    "oidc.ciba.grant.enabled": "CIBA",
    "standard.token.exchange.enabled": "token exchange",
    "tls.client.certificate.bound.access.tokens": "tokens bound to a certificate",
    "dpop.bound.access.tokens": "tokens bound to a key (DPoP)",
    "id.token.encrypted.response.alg": "encrypted ID tokens",
}
_CLAIMS = "claims are those that scopes give (OIDC Core 5.4), and acr and amr are what was proved"
_ALGORITHMS = "id.token.signed.response.alg"


def read(realm: Object) -> Iterator[Entry]:
    """The clients that an operator made, and what of them does not come over."""
    for client in realm.objects("clients"):
        client_id = client.needed("clientId")
        if client_id in BUILT_IN:
            continue
        try:
            yield from [*_whatever_it_is(client, client_id, f"client {client_id}")]
        except Unreadable as error:  # one that is broken stays there, and the rest comes
            yield Left(f"client {client_id}", "the client", cannot(error))


def _whatever_it_is(client: Object, client_id: str, who: str) -> Iterator[Entry]:
    if (client.text("protocol") or "openid-connect") != "openid-connect":
        yield Left(who, "the client", f"it speaks {(client.text('protocol') or '')[:40]}, and Stile OpenID Connect")
    elif client.flag("bearerOnly"):
        yield Left(who, "the client", "it only takes tokens: name it with --audience at the clients that call it")
    else:
        yield from _client(client, client_id, who)


def _client(client: Object, client_id: str, who: str) -> Iterator[Entry]:
    attributes = client.object("attributes")
    public, secret = client.flag("publicClient"), client.text("secret")
    if not public and (why := _no_secret(client, secret)) is not None:
        yield Left(who, "the client", why)
        return
    root = (client.text("rootUrl") or "").rstrip("/")
    given = [_absolute(uri, root) for uri in client.texts("redirectUris")]
    native = any("." in uri.partition(":")[0] for uri in given) or any("//127.0.0.1" in uri for uri in given)
    kept = [uri for uri in given if "*" not in uri and redirects.problem(uri, native=native) is None]
    signs_in = client.flag("standardFlowEnabled", otherwise=True)
    comes = bool(kept) or not signs_in
    wild = _WILD.format(command="set --redirect-uri" if comes else "add --redirect-uri")
    for uri in given:
        if uri not in kept:
            problem = wild if "*" in uri else f"it {redirects.problem(uri, native=native)}"
            yield Left(who, f"redirect URI {uri}", problem)
    if not comes:
        yield Left(who, "the client", "none of its redirect URIs comes over: register it with `idp client add`")
        return
    for what, why in _unlike(client):
        yield Left(who, what, why)
    after = attributes.text("post.logout.redirect.uris") or ""
    wanted = [_absolute(uri, root) for each in after.split("##") for uri in (given if each == "+" else [each]) if uri]
    ends = list(dict.fromkeys(wanted))
    for uri in ends:
        if uri not in given and ("*" in uri or redirects.problem(uri, native=native) is not None):
            wild = _WILD.format(command="set --post-logout-uri")
            yield Left(who, f"post-logout URI {uri}", wild if "*" in uri else "it cannot be registered")
    home = _absolute(client.text("baseUrl") or "", root)
    scopes = [*client.texts("defaultClientScopes"), *client.texts("optionalClientScopes")]
    if "defaultClientScopes" not in client:
        scopes += [*filter(None, (_scope_of(each) for each in _mappers(client))), "offline_access"]
    if any(each.text("protocolMapper") == _GROUPS for each in client.objects("protocolMappers")):
        scopes.append("groups")
    silent = SILENT if signs_in else SILENT | PERSON_SCOPES
    require_pkce = public or attributes.text("pkce.code.challenge.method") == "S256"
    if signs_in and not require_pkce:
        yield Left(who, "PKCE", "it may ask without, as there: `idp client set --pkce` when the application sends it")
    yield Application(
        client_id=client_id,
        name=client.text("name") or client_id,
        redirect_uris=tuple(dict.fromkeys(kept)),
        post_logout_redirect_uris=tuple(
            uri for uri in ends if "*" not in uri and redirects.problem(uri, native=native) is None
        ),
        scopes=tuple(scope for scope in dict.fromkeys(scopes) if scope not in silent),
        machine=client.flag("serviceAccountsEnabled"),
        signs_in=signs_in,
        public=public,
        secret=None if public else secret,
        asks=client.flag("consentRequired"),
        require_pkce=require_pkce,
        require_pushed=attributes.text("require.pushed.authorization.requests") == "true",
        signing_alg=attributes.text(_ALGORITHMS),
        origins=_origins(client.texts("webOrigins"), kept),
        home_uri=home if home and redirects.problem(home, native=False) is None else None,
        native=native,
        disabled=not client.flag("enabled", otherwise=True),
    )


def _origins(given: tuple[str, ...], redirect_uris: list[str]) -> tuple[str, ...]:
    """`+` stands for the origins of the redirect URIs, which are ours without a word."""
    more = [origin for origin in given if origin not in {"+", "*"}]
    if not more:
        return ()
    own = (origins.serialised(uri) for uri in redirect_uris if "+" in given and uri.startswith("http"))
    every = dict.fromkeys([*(origin for origin in own if origin is not None), *more])
    return tuple(origin for origin in every if origins.problem(origin) is None)


def _unlike(client: Object) -> Iterator[tuple[str, str]]:
    """What of a client is otherwise here, and why."""
    for member, what in (("implicitFlowEnabled", "implicit flow"), ("directAccessGrantsEnabled", "password grant")):
        if client.flag(member):
            yield what, "OAuth 2.1 has it no more: the application asks for a code"
    attributes = client.object("attributes")
    for name, what in _ATTRIBUTES.items():
        if (attributes.text(name) or "false") != "false":
            yield what, _UNKNOWN
    if client.flag("authorizationServicesEnabled"):
        yield "authorization services", _UNKNOWN
    if "access.token.lifespan" in attributes:
        yield "life of access tokens", "the policy says it, by scope and for all"
    if "*" in client.texts("webOrigins"):
        yield "web origin *", "each origin is named: `idp client set --origin`"
    for mapper in _mappers(client):
        name, kind = mapper.text("name") or "", mapper.text("protocolMapper") or ""
        if "defaultClientScopes" not in client and _scope_of(mapper) is not None:
            continue  # the scope gives the claim
        if kind == _PAIRWISE:
            yield f"mapper {name}", "here everybody has one `sub`: the application has to look people up anew"
            continue
        why = "with the scope `groups` the claim `groups` has them, by our names" if kind == _GROUPS else _CLAIMS
        yield f"mapper {name}", why


def _mappers(client: Object) -> Iterator[Object]:
    """Those for OpenID Connect: versions 1 to 3 wrote those for SAML to every client too."""
    return (
        each
        for each in client.objects("protocolMappers")
        if (each.text("protocol") or "openid-connect") == "openid-connect"
    )


def _scope_of(mapper: Object) -> str | None:
    """The scope that gives what a mapper gives: before Keycloak 4 there were no scopes, and each client had mappers."""
    named = mapper.object("config").text("claim.name")
    claim = "name" if mapper.text("protocolMapper") == _FULL_NAME else named
    return next((scope for scope, claims in BY_SCOPE.items() if claim in claims), None)


def _no_secret(client: Object, secret: str | None) -> str | None:
    """Why a client that should have a secret has none that we can check."""
    if (client.text("clientAuthenticatorType") or "client-secret") != "client-secret":
        return "it signs with a key of its own: register it with `idp client add --jwks`, with the key in a file"
    if secret is None:
        return "it has no secret in the file"
    if set(secret) == {"*"}:
        return "the file hides its secret behind asterisks: use `kc.sh export`, or register it with `idp client add`"
    return None


def _absolute(uri: str, root: str) -> str:
    return f"{root}{uri}" if uri.startswith("/") and root else uri
