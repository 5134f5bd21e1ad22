"""`idp client …`: the applications that people sign in to."""

import json
from typing import Annotated

import typer

from idp.cli import client_logos, client_secrets, output, trying
from idp.cli import client_options as options

app = typer.Typer(help="Clients: the applications that people sign in to.", no_args_is_help=True, rich_markup_mode=None)


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
    redirect_uri: options.RedirectUris = None,
    scope: options.Scopes = None,
    public: options.Public = False,
    first_party: Annotated[
        bool, typer.Option("--first-party", help="It is yours: people are not asked for consent.")
    ] = False,
    post_logout_uri: options.PostLogoutUris = None,
    grant_type: options.GrantTypes = None,
    auth_method: options.AuthMethod = None,
    jwks: options.Jwks = None,
    alg: options.Alg = None,
    userinfo_alg: options.UserinfoAlg = None,
    native: Annotated[
        bool, typer.Option("--native", help="An app: private-use schemes, any port on loopback.")
    ] = False,
    no_pkce: Annotated[
        bool, typer.Option("--no-pkce", help="Do not insist on PKCE; never for a public client.")
    ] = False,
    no_rotation: Annotated[
        bool, typer.Option("--no-rotation", help="Its refresh tokens stay the same when used.")
    ] = False,
    assertion_audience: options.AssertionAudience = None,
    audience: options.Audience = None,
    id_token_claim: options.IdTokenClaims = None,
    group: options.Groups = None,
    origin: options.Origins = None,
    home_uri: options.HomeUri = None,
    details_type: options.DetailsTypes = None,
    require_par: options.RequirePar = False,
    level: options.Level = None,
    client_id: Annotated[str | None, typer.Option(metavar="ID", help="An id of your own choice.")] = None,
    as_json: output.Json = False,
) -> None:
    """Register an application. Prints its client id and, once, its secret."""
    given = options.given(
        redirect_uris=redirect_uri,
        scopes=options.each_scope(scope),
        post_logout_redirect_uris=post_logout_uri,
        grant_types=grant_type,
        auth_method=auth_method,
        jwks=None if jwks is None else options.read_jwks(jwks),
        signing_alg=alg,
        userinfo_alg=userinfo_alg,
        assertion_audience=assertion_audience,
        audience=audience,
        id_token_claims=id_token_claim,
        groups=group,
        origins=origin,
        home_uri=home_uri,
        details_types=details_type,
        level=level,
        client_id=client_id,
    )
    from idp.flows.operate.clients import add_client
    from idp.flows.operate.registrations import NewClient
    from idp.serving.place import run

    new = NewClient(
        name=name,
        public=public,
        first_party=first_party,
        native=native,
        require_pkce=not no_pkce,
        rotate_refresh=not no_rotation,
        require_pushed=require_par,
        **given,
    )
    registered = run(lambda idp: add_client(idp, new), makes=True)
    allowed = " ".join(sorted(registered.client.scopes)) or "no scope; it may look at tokens that are for it"
    said = f"Registered {registered.client.name}. It may ask for: {allowed}."
    if registered.client.details_types:
        said += f" It may ask people to approve: {' '.join(sorted(registered.client.details_types))}."
    client_secrets.show_secret(registered, said, as_json=as_json)


@app.command(
    "set",
    epilog=(
        "\b\nExamples:\n"
        "  idp client set Shop --scope openid --scope profile --scope offline_access\n"
        "  idp client set Shop --name 'Corner Shop' --first-party\n"
        "  idp client set Shop --level strong                    an app or a passkey, whatever it asks for\n"
        "  idp client set Shop --scope openid --dry-run          what would follow\n"
        "  idp client set Shop --origin ''                       the origins of its redirect URIs again\n"
        "  idp client set Shop --auth-method client_secret_post  prints a secret only where there was none"
    ),
)
def set_(
    client: options.Which,
    *,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="What people see on the consent page.")] = None,
    redirect_uri: options.RedirectUris = None,
    scope: options.ChangedScopes = None,
    public: options.Public = False,
    first_party: Annotated[
        bool | None, typer.Option("--first-party/--not-first-party", help="Whether it is yours: nobody is asked.")
    ] = None,
    post_logout_uri: options.PostLogoutUris = None,
    grant_type: options.GrantTypes = None,
    auth_method: options.AuthMethod = None,
    jwks: options.Jwks = None,
    alg: options.ChangedAlg = None,
    userinfo_alg: options.UserinfoAlg = None,
    native: Annotated[bool | None, typer.Option("--native/--not-native", help="Whether it is an app.")] = None,
    pkce: Annotated[bool | None, typer.Option("--pkce/--no-pkce", help="Whether to insist on PKCE.")] = None,
    rotation: Annotated[
        bool | None, typer.Option("--rotation/--no-rotation", help="Whether its refresh tokens change at each use.")
    ] = None,
    assertion_audience: options.ChangedAssertionAudience = None,
    audience: options.Audience = None,
    id_token_claim: options.IdTokenClaims = None,
    group: options.Groups = None,
    origin: options.ChangedOrigins = None,
    home_uri: options.HomeUri = None,
    details_type: options.DetailsTypes = None,
    require_par: options.ChangedRequirePar = None,
    level: options.Level = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change and what follows.")] = False,
    as_json: output.Json = False,
) -> None:
    """Change what a client was registered with, and say what follows.

    What is not named stays. A list replaces the whole list; '' empties it. The client id never changes.
    """
    changes = options.given(
        name=name,
        redirect_uris=redirect_uri,
        scopes=options.each_scope(scope),
        public=public or None,
        first_party=first_party,
        post_logout_redirect_uris=post_logout_uri,
        grant_types=grant_type,
        auth_method=auth_method,
        jwks=None if jwks is None else options.read_jwks(jwks),
        signing_alg=alg,
        userinfo_alg=userinfo_alg,
        native=native,
        require_pkce=pkce,
        rotate_refresh=rotation,
        assertion_audience=assertion_audience,
        audience=audience,
        id_token_claims=id_token_claim,
        groups=group,
        origins=origin,
        home_uri=home_uri,
        details_types=details_type,
        require_pushed=require_par,
        level=level,
    )
    if not changes:
        raise typer.BadParameter("say what to change, such as --scope or --redirect-uri")
    from idp.flows.operate.client_changes import edit_client
    from idp.serving.place import run

    done = run(lambda idp: edit_client(idp, client, changes, dry_run=dry_run))
    fields = options.fields_of(done.after) | {"changed": list(done.changed), "consequences": done.consequences}
    fields |= {"dry_run": True} if dry_run else {}
    lines = [f"  {what}: {_text(old) or 'none'} -> {_text(new) or 'none'}" for what, (old, new) in done.changed.items()]
    is_changed = "would be" if dry_run else "is"
    first = f"{done.before.name} {is_changed} changed." if lines else f"{done.before.name} was like that already."
    lines = [first, *lines, *done.consequences]
    if done.secret is not None:
        fields["client_secret"] = done.secret
        lines += [f"  client_secret  {done.secret}", "The secret is not shown again."]
    output.show(fields, lines, as_json=as_json)


@app.command("list", epilog="\b\nExamples:\n  idp client list\n  idp client list --json")
def list_(as_json: output.Json = False) -> None:
    """List all clients by name."""
    from idp.flows.operate.finding import list_clients
    from idp.serving.place import run

    found = run(list_clients)
    rows = [
        (one.name, one.id, one.auth_method, " ".join(sorted(one.scopes)), "disabled" if one.disabled else "")
        for one in found
    ]
    lines = output.table(("NAME", "CLIENT ID", "AUTHENTICATES BY", "SCOPES", ""), rows)
    fields = {"clients": [options.fields_of(one) for one in found]}
    output.show(fields, lines or "No client yet: register one with `idp client add`.", as_json=as_json)


@app.command("show", epilog="\b\nExamples:\n  idp client show Shop")
def show(client: options.Which, as_json: output.Json = False) -> None:
    """Show everything about a client but its secret, which nobody has."""
    from idp.flows.operate.clients import explain_client
    from idp.serving.place import run

    found, missing = run(lambda idp: explain_client(idp, client))
    fields = options.fields_of(found)
    lines = [output.table(("FIELD", "VALUE"), [(key, _text(value)) for key, value in fields.items()])]
    lines += [f"{scope} is never granted: {why}." for scope, why in missing.items()]
    output.show(fields | {"left_out": missing}, lines, as_json=as_json)


def _text(value: object) -> str:
    from datetime import datetime
    from enum import IntEnum

    if isinstance(value, datetime):
        return output.when(value)
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (tuple, list, frozenset)):
        return " ".join(sorted(value))
    if isinstance(value, dict):
        return json.dumps(value)
    return "" if value is None else str(value)


@app.command("disable", epilog="\b\nExamples:\n  idp client disable Shop")
def disable(client: options.Which, as_json: output.Json = False) -> None:
    """Refuse everything a client asks."""
    _set_disabled(client, disabled=True, as_json=as_json)


@app.command("enable", epilog="\b\nExamples:\n  idp client enable Shop")
def enable(client: options.Which, as_json: output.Json = False) -> None:
    """Answer a disabled client again."""
    _set_disabled(client, disabled=False, as_json=as_json)


def _set_disabled(which: str, *, disabled: bool, as_json: bool) -> None:
    from idp.flows.operate.clients import set_client_disabled
    from idp.serving.place import run

    found = run(lambda idp: set_client_disabled(idp, which, disabled=disabled))
    line = f"{found.name} is {'disabled' if disabled else 'enabled'}."
    output.show({"client_id": found.id, "name": found.name, "disabled": disabled}, line, as_json=as_json)


app.command("try", epilog=trying.EXAMPLES)(trying.client_try)
app.command("logo", epilog=client_logos.EXAMPLES)(client_logos.logo)
app.command("secret", epilog=client_secrets.EXAMPLES)(client_secrets.secret)


@app.command("remove", epilog="\b\nExamples:\n  idp client remove Shop --dry-run\n  idp client remove Shop --yes")
def remove(
    client: options.Which,
    yes: output.Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what ends.")] = False,
    as_json: output.Json = False,
) -> None:
    """Delete a client with every consent and grant it was given, and say what ends."""
    from idp.flows.operate.client_changes import version_of
    from idp.flows.operate.clients import remove_client
    from idp.flows.operate.finding import ClientId
    from idp.serving.place import run

    if dry_run or not yes:
        ends = run(lambda idp: remove_client(idp, client, dry_run=True))
        fields = {"client_id": ends.client.id, "name": ends.client.name, "removed": False}
        if dry_run:
            fields |= {"consequences": ends.consequences}
            output.show(fields, [f"Would remove {ends.client.name}.", *ends.consequences], as_json=as_json)
            return
        output.sure("\n".join((*ends.consequences, f"Remove {ends.client.name} for ever?")), yes=yes)
        which, seen = ClientId(ends.client.id), version_of(ends.client)
        done = run(lambda idp: remove_client(idp, which, expected=seen))
    else:
        done = run(lambda idp: remove_client(idp, client))
    fields = {"client_id": done.client.id, "name": done.client.name, "removed": True}
    fields |= {"consequences": done.consequences}
    output.show(fields, [f"Removed {done.client.name}.", *(done.consequences if yes else ())], as_json=as_json)
