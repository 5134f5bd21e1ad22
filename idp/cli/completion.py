"""`idp completion`: what makes a shell complete commands and options at TAB."""

from typing import Annotated, Literal

import typer

from idp.cli import output

ASKED = "_IDP_COMPLETE"  # by which the shell asks, at TAB
EXAMPLES = (
    "\b\nExamples:\n"
    "  idp completion bash >> ~/.bashrc\n"
    "  idp completion bash > /etc/bash_completion.d/idp      for everybody\n"
    "  idp completion zsh > ~/.zfunc/_idp                    in a directory of $fpath, before compinit\n"
    "  idp completion fish > ~/.config/fish/completions/idp.fish"
)


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
    as_json: output.Json = False,
) -> None:
    """Print what makes this shell complete commands and options. No database is asked, so it knows no names."""
    from typer.completion import (  # type: ignore[attr-defined]  # it is there, and named nowhere as exported
        get_completion_script,
    )

    script = get_completion_script(prog_name="idp", complete_var=ASKED, shell=shell)
    output.show({"shell": shell, "script": script}, script, as_json=as_json)


def answers() -> None:
    """Ready to answer a shell at TAB: by typer, from the commands as they are declared, with nothing of ours loaded."""
    from typer.completion import completion_init  # type: ignore[attr-defined]  # as above

    completion_init()
