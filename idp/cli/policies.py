"""The policy that a command looks at: a file, or the one in use."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from idp.policy import Policy

File = Annotated[Path | None, typer.Option("--file", metavar="FILE", help="This file instead of the one in use.")]


def load(file: Path | None) -> "tuple[Policy, str]":
    """The policy, and where it is from."""
    from idp.policy import default_policy, load_policy
    from idp.settings import read_settings

    path = file or read_settings(os.environ).policy
    if path is None:
        return default_policy(), "The policy that comes with Stile"
    return load_policy(read(path, "'--file'" if file else "IDP_POLICY")), str(path)


def read(path: Path, option: str) -> str:
    """The text of a file that was named. A usage error where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{path} is not UTF-8", param_hint=option) from None
    except OSError as error:
        why = (error.strerror or "it cannot be read").lower()
        raise typer.BadParameter(f"{path}: {why}", param_hint=option) from None
