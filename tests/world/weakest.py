"""The weakest ways into our own policy, as they are kept: `python -m tests.world.weakest` writes them anew."""

import json
from pathlib import Path
from typing import Any

from idp.policy import TRANSITIONS, Ends, default_policy
from idp.policy.changes import Way
from idp.policy.comparing import kept
from idp.policy.weakest import audit

KEPT = Path(__file__).parent.parent / "weakest.json"


def ours() -> dict[str, Any]:
    """What a search finds now; it takes some seconds."""
    policy = default_policy()
    return kept(policy, audit(policy))


def write() -> None:
    """One way a line, so that a difference can be read."""
    found = ours()
    ways = ",\n".join(json.dumps(way) for way in found.pop("ways"))
    head = json.dumps(found, indent=1)[:-2]
    KEPT.write_text(f'{head},\n "ways": [\n{ways}\n]}}\n', encoding="utf-8")


_ENDS = {Ends.NOTHING: "", Ends.OTHERS: "every other session", Ends.EVERYTHING: "every session"}


def table() -> str:
    """The table of changes as docs/security.md shows it."""
    lines = ["| change | what permits it | what ends |", "| --- | --- | --- |"]
    for row in TRANSITIONS.values():
        ways = "; ".join(f"{way.said}{_terms(way)}" for way in row.ways)
        lines.append(f"| {row.said} | {ways} | {_ENDS[row.ends]} |")
    return "\n".join(lines)


def _terms(way: Way) -> str:
    if way.closes:
        return " → closed"
    return {0: "", 1: " → hold", 2: " → two holds"}[way.holds]


if __name__ == "__main__":
    write()
