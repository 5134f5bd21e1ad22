"""`idp keys …`: the keys that sign tokens, and the secret keys that seal what is stored."""

from typing import Annotated, Any

import typer

from idp.cli import output

app = typer.Typer(
    help="Keys: those that sign tokens, and those that seal what is stored.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list", epilog="\b\nExamples:\n  idp keys list")
def list_(as_json: output.Json = False) -> None:
    """List the signing keys: next (published), current (signs), retired (still verifies)."""
    from dataclasses import asdict

    from idp.flows.operate.keys import list_keys
    from idp.serving.place import run

    found = run(list_keys)
    fields: dict[str, Any] = {"keys": [asdict(key) for key in found]}
    rows = [(key.kid, key.alg, key.state, output.when(key.created_at), output.when(key.retired_at)) for key in found]
    output.show(fields, output.table(("KID", "ALG", "STATE", "MADE", "RETIRED"), rows), as_json=as_json)


@app.command("rotate", epilog="\b\nExamples:\n  idp keys rotate      from a timer, every 90 days or so")
def rotate(
    at_once: Annotated[
        bool, typer.Option("--now", help="Even if applications may not know the next keys yet: a key got out.")
    ] = False,
    as_json: output.Json = False,
) -> None:
    """Sign with the next keys from now on.

    The old ones still verify for two days. No token fails: the next keys have been published since the last rotation.
    If that was less than a day ago, some applications have not seen them, and nothing is done without --now.
    """
    from idp.flows.operate.keys import rotate_keys
    from idp.serving.place import run

    current = run(lambda idp: rotate_keys(idp, early=at_once))
    output.show({"current": current}, [f"Signing with {kid} from now on." for kid in current], as_json=as_json)


@app.command(
    "secret",
    epilog="\b\nExamples:\n  export IDP_SECRET_KEYS=$(idp keys secret)\n  idp keys secret --id k2027",
)
def secret(
    key_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Its id: 1 to 32 letters and digits.")
    ] = None,
    as_json: output.Json = False,
) -> None:
    """Make an entry for IDP_SECRET_KEYS. It is printed once and kept nowhere.

    The first key of IDP_SECRET_KEYS seals, all of them open. To change keys, put the new one second on every node, then
    first on every node.
    """
    from idp.crypto import new_secret_key, random_bytes

    if key_id is not None and not (key_id.isascii() and key_id.isalnum() and len(key_id) <= 32):
        raise typer.BadParameter("1 to 32 letters and digits", param_hint="'--id'")
    entry = new_secret_key(key_id or f"k{random_bytes(3).hex()}")
    output.show({"id": entry.partition(":")[0], "secret_key": entry}, entry, as_json=as_json)
