"""A process of its own that runs or uses the embedded PostgreSQL. Speaks lines: what it got out, a line in to end."""

import signal
import sys
from pathlib import Path

from idp import localpg


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(role: str, data_dir: Path) -> int:
    try:
        match role:
            case "serve":
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                with localpg.start(data_dir) as server:
                    say(f"ready {server.pid} {server.url}")
                    sys.stdin.readline()
            case "forget":
                say(f"ready 0 {localpg.start(data_dir).url}")
            case _:
                with localpg.running(data_dir) as url:
                    say(f"ready 0 {url}")
                    sys.stdin.readline()
    except localpg.LocalPostgresError as error:
        say(f"refused 0 {error}")
        return 1
    return 0


sys.exit(main(sys.argv[1], Path(sys.argv[2])))
