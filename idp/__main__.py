"""The command `idp`, and `python -m idp`."""

import gc
import os
import signal
import sys


def run() -> None:
    """One command, in a process of its own."""
    gc.disable()  # while modules are loaded, hardly anything is garbage; what runs for long begins it again
    interrupted = signal.getsignal(signal.SIGINT)
    if interrupted is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while they are loaded: there is nothing to tell
    _open_what_is_closed()
    # Else it looks for plug-ins of its own in every package that is installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    from idp.cli import main

    signal.signal(signal.SIGINT, interrupted)
    status = main()
    gc.freeze()  # nor is it worth a last search: the process ends
    sys.exit(status)


def _open_what_is_closed() -> None:
    """Standard streams that whoever started us closed: a file or the database would get their numbers, and our words.

    Without standard output nothing is done, for nobody would see what.
    """
    sees = sys.stdout is not None
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR)
            if nothing != number:
                os.dup2(nothing, number)
                os.close(nothing)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the whole process
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as above
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as above
    if not sees:
        sys.exit("Standard output is closed, and nobody would see what is done: send it somewhere, as > /dev/null.")


if __name__ == "__main__":
    run()
