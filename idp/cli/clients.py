"""`idp client …`: the applications that people sign in to."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from idp.cli import output

if TYPE_CHECKING:
    from idp.flows.operate import Registered
    from idp.model import Client

app = typer.Typer(help="Clients: the applications that people sign in to.", no_args_is_help=True, rich_markup_mode=None)
Which = Annotated[str, typer.Argument(metavar="CLIENT", help="Its name or client id.", show_default=False)]
LARGEST_JWKS = 100_000


def _client(client: "Client") -> dict[str, Any]:
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
        "disabled": client.disabled,
    }


def _show_secret(registered: "Registered", first: str, *, as_json: bool) -> None:
    fields = _client(registered.client)
    lines = [first, f"  client_id      {registered.client.id}"]
    if registered.secret is not None:
        fields["client_secret"] = registered.secret
        lines += [f"  client_secret  {registered.secret}", "The secret is not shown again."]
    output.show(fields, lines, as_json=as_json)


@app.command(
    "add",
    epilog=(
        "\b\nExamples:\n"
        "  idp client add Shop --redirect-uri https://shop.example.com/callback --scope openid --scope profile\n"
        "  idp client add Phone --public --native --redirect-uri com.example.app:/callback\n"
        "  idp client add Reports --grant-type client_credentials --auth-method private_key_jwt --jwks keys.json"
    ),
)
def add(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What people see on the consent page.", show_default=False)
    ],
    *,
    redirect_uri: Annotated[
        list[str] | None, typer.Option(metavar="URI", help="Where people return to; may be repeated.")
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option(metavar="SCOPE", help="What it may ask for; may be repeated.  [default: openid]")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="It cannot keep a secret (browser, phone).")] = False,
    first_party: Annotated[
        bool, typer.Option("--first-party", help="It is yours: people are not asked for consent.")
    ] = False,
    post_logout_uri: Annotated[
        list[str] | None, typer.Option(metavar="URI", help="Where people go after signing out.")
    ] = None,
    grant_type: Annotated[
        list[str] | None,
        typer.Option(metavar="TYPE", help="authorization_code, refresh_token or client_credentials; may be repeated."),
    ] = None,
    auth_method: Annotated[
        str | None,
        typer.Option(metavar="METHOD", help="client_secret_basic, client_secret_post, private_key_jwt or none."),
    ] = None,
    jwks: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File with its public keys, for private_key_jwt.")
    ] = None,
    alg: Annotated[str, typer.Option(metavar="ALG", help="Signature of its tokens: RS256 or ES256.")] = "RS256",
    userinfo_alg: Annotated[str | None, typer.Option(metavar="ALG", help="Sign userinfo with RS256 or ES256.")] = None,
    native: Annotated[
        bool, typer.Option("--native", help="An app: private-use schemes, any port on loopback.")
    ] = False,
    no_pkce: Annotated[
        bool, typer.Option("--no-pkce", help="Do not insist on PKCE; never for a public client.")
    ] = False,
    no_rotation: Annotated[
        bool, typer.Option("--no-rotation", help="Its refresh tokens stay the same when used.")
    ] = False,
    assertion_audience: Annotated[str, typer.Option(metavar="WHICH", help="any, or issuer alone (FAPI 2.0).")] = "any",
    audience: Annotated[
        list[str] | None, typer.Option(metavar="URL", help="Resource server its tokens are for; may be repeated.")
    ] = None,
    client_id: Annotated[str | None, typer.Option(metavar="ID", help="An id of your own choice.")] = None,
    as_json: output.Json = False,
) -> None:
    """Register an application. Prints its client id and, once, its secret."""
    keys = None if jwks is None else _read_jwks(jwks)
    from idp.cli.place import run
    from idp.flows import operate

    new = operate.NewClient(
        name=name,
        client_id=client_id,
        redirect_uris=tuple(redirect_uri or ()),
        post_logout_redirect_uris=tuple(post_logout_uri or ()),
        scopes=tuple(scope or ()),
        grant_types=tuple(grant_type or ()),
        auth_method=auth_method,
        jwks=keys,
        public=public,
        first_party=first_party,
        native=native,
        require_pkce=not no_pkce,
        rotate_refresh=not no_rotation,
        signing_alg=alg,
        userinfo_alg=userinfo_alg,
        assertion_audience=assertion_audience,
        audience=tuple(audience or ()),
    )
    registered = run(lambda idp: operate.add_client(idp, new), makes=True)
    allowed = " ".join(sorted(registered.client.scopes)) or "no scope; it may look at tokens that are for it"
    _show_secret(registered, f"Registered {registered.client.name}. It may ask for: {allowed}.", as_json=as_json)


def _read_jwks(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            read = json.loads(file.read(LARGEST_JWKS))
    except (OSError, ValueError, RecursionError):
        raise typer.BadParameter(f"{path} cannot be read as JSON", param_hint="'--jwks'") from None
    if not isinstance(read, dict):
        raise typer.BadParameter(f"{path} is no JWK Set", param_hint="'--jwks'")
    return read


@app.command("list", epilog="\b\nExamples:\n  idp client list\n  idp client list --json")
def list_(as_json: output.Json = False) -> None:
    """List all clients by name."""
    from idp.cli.place import run
    from idp.flows import operate

    found = run(operate.list_clients)
    rows = [
        (one.name, one.id, one.auth_method, " ".join(sorted(one.scopes)), "disabled" if one.disabled else "")
        for one in found
    ]
    lines = output.table(("NAME", "CLIENT ID", "AUTHENTICATES BY", "SCOPES", ""), rows)
    fields = {"clients": [_client(one) for one in found]}
    output.show(fields, lines or "No client yet: register one with `idp client add`.", as_json=as_json)


@app.command("show", epilog="\b\nExamples:\n  idp client show Shop")
def show(client: Which, as_json: output.Json = False) -> None:
    """Show everything about a client but its secret, which nobody has."""
    from idp.cli.place import run
    from idp.flows import operate

    found = run(lambda idp: operate.find_client(idp, client))
    fields = _client(found)
    output.show(
        fields,
        output.table(("FIELD", "VALUE"), [(key, _text(value)) for key, value in fields.items()]),
        as_json=as_json,
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, frozenset)):
        return " ".join(sorted(value))
    return "" if value is None else str(value)


@app.command("disable", epilog="\b\nExamples:\n  idp client disable Shop")
def disable(client: Which, as_json: output.Json = False) -> None:
    """Refuse everything a client asks."""
    _set_disabled(client, disabled=True, as_json=as_json)


@app.command("enable", epilog="\b\nExamples:\n  idp client enable Shop")
def enable(client: Which, as_json: output.Json = False) -> None:
    """Answer a disabled client again."""
    _set_disabled(client, disabled=False, as_json=as_json)


def _set_disabled(which: str, *, disabled: bool, as_json: bool) -> None:
    from idp.cli.place import run
    from idp.flows import operate

    found = run(lambda idp: operate.set_client_disabled(idp, which, disabled=disabled))
    line = f"{found.name} is {'disabled' if disabled else 'enabled'}."
    output.show({"client_id": found.id, "name": found.name, "disabled": disabled}, line, as_json=as_json)


@app.command("secret", epilog="\b\nExamples:\n  idp client secret Shop")
def secret(client: Which, as_json: output.Json = False) -> None:
    """Make a new secret for a client. Prints it once; the old one stops working."""
    from idp.cli.place import run
    from idp.flows import operate

    registered = run(lambda idp: operate.new_client_secret(idp, client))
    _show_secret(registered, f"{registered.client.name} has a new secret.", as_json=as_json)


@app.command("remove", epilog="\b\nExamples:\n  idp client remove Shop --yes")
def remove(client: Which, yes: output.Yes = False, as_json: output.Json = False) -> None:
    """Delete a client with every consent and grant it was given."""
    output.sure(f"Delete the client {client!r} with everything that people granted to it?", yes=yes)
    from idp.cli.place import run
    from idp.flows import operate

    found = run(lambda idp: operate.remove_client(idp, client))
    output.show({"client_id": found.id, "name": found.name, "removed": True}, f"Removed {found.name}.", as_json=as_json)
