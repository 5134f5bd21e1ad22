"""What `idp client add` and `idp client set` take, said once."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from idp.model import Client

LARGEST_JWKS = 100_000

Which = Annotated[str, typer.Argument(metavar="CLIENT", help="Its name or client id.", show_default=False)]
RedirectUris = Annotated[
    list[str] | None, typer.Option("--redirect-uri", metavar="URI", help="Where people return to; may be repeated.")
]
_SCOPES = "What it may ask for; may be repeated, or several in one."
Scopes = Annotated[list[str] | None, typer.Option("--scope", metavar="SCOPE", help=f"{_SCOPES}  [default: openid]")]
ChangedScopes = Annotated[list[str] | None, typer.Option("--scope", metavar="SCOPE", help=_SCOPES)]


def each_scope(given: list[str] | None) -> list[str] | None:
    """`--scope "openid profile"` is what two options are (RFC 6749 3.3)."""
    return None if given is None else [scope for text in given for scope in text.split() or [text]]


Public = Annotated[bool, typer.Option("--public", help="It cannot keep a secret (browser, phone).")]
PostLogoutUris = Annotated[
    list[str] | None, typer.Option("--post-logout-uri", metavar="URI", help="Where people go after signing out.")
]
GrantTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--grant-type",
        metavar="TYPE",
        help="authorization_code, refresh_token or client_credentials; may be repeated.",
    ),
]
Level = Annotated[
    str | None,
    typer.Option(metavar="LEVEL", help="What signing in to it takes, whatever it asks for: a level of the policy."),
]
AuthMethod = Annotated[
    str | None,
    typer.Option(metavar="METHOD", help="client_secret_basic, client_secret_post, private_key_jwt or none."),
]
Jwks = Annotated[Path | None, typer.Option(metavar="FILE", help="File with its public keys, for private_key_jwt.")]
_ALG = "Signature of its tokens: RS256 or ES256."
Alg = Annotated[str | None, typer.Option(metavar="ALG", help=f"{_ALG}  [default: RS256]")]
ChangedAlg = Annotated[str | None, typer.Option(metavar="ALG", help=_ALG)]
UserinfoAlg = Annotated[
    str | None, typer.Option(metavar="ALG", help="Sign userinfo with RS256 or ES256; '' for plain JSON.")
]
_ASSERTION_AUDIENCE = "any, or issuer alone (FAPI 2.0)."
AssertionAudience = Annotated[str | None, typer.Option(metavar="WHICH", help=f"{_ASSERTION_AUDIENCE}  [default: any]")]
ChangedAssertionAudience = Annotated[str | None, typer.Option(metavar="WHICH", help=_ASSERTION_AUDIENCE)]
Audience = Annotated[
    list[str] | None, typer.Option(metavar="URL", help="Resource server its tokens are for; may be repeated.")
]
IdTokenClaims = Annotated[
    list[str] | None,
    typer.Option(
        "--id-token-claim",
        metavar="CLAIM",
        help="Put into the ID token too, for applications that never ask userinfo; may be repeated.",
    ),
]
Groups = Annotated[
    list[str] | None,
    typer.Option("--group", metavar="GROUP", help="Only for members of this group; may be repeated."),
]
_ORIGINS = "Where its pages in a browser live, as capacitor://localhost; may be repeated"
Origins = Annotated[
    list[str] | None,
    typer.Option("--origin", metavar="ORIGIN", help=f"{_ORIGINS}.  [default: the origins of its redirect URIs]"),
]
ChangedOrigins = Annotated[
    list[str] | None,
    typer.Option("--origin", metavar="ORIGIN", help=f"{_ORIGINS}; '' for the origins of its redirect URIs."),
]


DetailsTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--details-type",
        metavar="TYPE",
        help="What it may ask people to approve: a [details.TYPE] of the policy (RFC 9396); may be repeated.",
    ),
]


RequirePar = Annotated[bool, typer.Option("--require-par", help="Take nothing from it but pushed requests (RFC 9126).")]
ChangedRequirePar = Annotated[
    bool | None,
    typer.Option("--require-par/--no-require-par", help="Whether to take nothing but pushed requests (RFC 9126)."),
]


HomeUri = Annotated[
    str | None,
    typer.Option(
        "--home-uri", metavar="URL", help="Where people begin to use it: a link on their account page; '' for none."
    ),
]


def fields_of(client: "Client") -> dict[str, Any]:
    """A client without its secret. `browser_origins` are those that count: registered, or of the redirect URIs."""
    from idp.oidc import origins

    return {
        "client_id": client.id,
        "name": client.name,
        "auth_method": client.auth_method,
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
        "grant_types": client.grant_types,
        "scopes": client.scopes,
        "require_pkce": client.require_pkce,
        "first_party": client.first_party,
        "native": client.native,
        "signing_alg": client.signing_alg,
        "userinfo_alg": client.userinfo_alg,
        "rotate_refresh": client.rotate_refresh,
        "assertion_audience": client.assertion_audience,
        "audience": client.audience,
        "id_token_claims": client.id_token_claims,
        "groups": client.groups,
        "origins": client.origins,
        "home_uri": client.home_uri,
        "details_types": client.details_types,
        "require_pushed": client.require_pushed,
        "browser_origins": sorted(origins.of(client)),
        "jwks": client.jwks,
        "level": client.level.name.lower(),
        "logo": client.logo,
        "old_secret_until": client.old_secret_until,
        "old_secret_used_at": client.old_secret_used_at,
        "disabled": client.disabled,
    }


def given(**options: Any) -> dict[str, Any]:  # noqa: ANN401 - values of every kind of option
    """What was said: nothing for None, a tuple without empty words for a list."""
    said = ((name, value) for name, value in options.items() if value is not None)
    return {name: tuple(each for each in value if each) if isinstance(value, list) else value for name, value in said}


def read_jwks(path: Path) -> dict[str, Any]:
    """The JSON object in this file."""
    try:
        with path.open("rb") as file:
            read = json.loads(file.read(LARGEST_JWKS))
    except OSError as error:
        why = (
            "there is no such file" if isinstance(error, FileNotFoundError) else f"it cannot be read ({error.strerror})"
        )
        raise typer.BadParameter(f"{path}: {why}", param_hint="'--jwks'") from None
    except (ValueError, RecursionError):
        raise typer.BadParameter(f"{path} is no JSON", param_hint="'--jwks'") from None
    if not isinstance(read, dict):
        raise typer.BadParameter(f'{path} is no JWK Set, which begins {{"keys": [', param_hint="'--jwks'")
    return read
