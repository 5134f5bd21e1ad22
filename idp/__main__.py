"""The command `idp`, and `python -m idp`."""

import gc
import os
import sys


def run() -> None:
    """One command, in a process of its own."""
    gc.disable()  # while modules are loaded, hardly anything is garbage; what runs for long begins it again
    # Else it looks for plug-ins of its own in every package that is installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    from idp.cli import main

    status = main()
    gc.freeze()  # nor is it worth a last search: the process ends
    sys.exit(status)


if __name__ == "__main__":
    run()
