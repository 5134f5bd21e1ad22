"""What `weakest` found as plain values that can be kept, and what got weaker since they were kept. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from idp.policy.table import Policy
from idp.policy.transitions import TRANSITIONS
from idp.policy.victims import STARTS, victims
from idp.policy.weakest import Found, Path, alike


class Unreadable(ValueError):
    """These are not the values that `kept` makes."""


def kept(policy: Policy, found: Sequence[Found]) -> dict[str, Any]:
    """Everything that was found, as JSON has it; ways that are the same for several ends stand once."""
    return {
        "accounts": [victim.said for victim in victims(policy)],
        "starts": [start.said for start in STARTS],
        "scopes": [name for names in alike(policy) for name in names],
        "changes": [row.said for row in TRANSITIONS.values()],
        "ways": [row for each in found for row in _ways(each)],
    }


def _ways(found: Found) -> Iterator[dict[str, Any]]:
    together: dict[Path, tuple[list[str], list[str]]] = {}
    for ends, place in ((found.scopes, 0), (found.changes, 1)):
        for name, path in ends.items():
            together.setdefault(path, ([], []))[place].append(name)
    for path, (scopes, changes) in sorted(together.items()):
        yield {
            "account": found.victim.said,
            "start": found.start.said,
            "waits_seconds": round(path.waits.total_seconds()),
            "steps": list(path.words),
            "scopes": scopes,
            "changes": changes,
        }


def weaker(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """One sentence for each way that is there now and was not, or is shorter; what was not looked at then is no news.

    Raises `Unreadable`.
    """
    try:
        old, new = dict(_flat(before)), dict(_flat(now))
        known = {key: frozenset(before[key]) for key in ("accounts", "starts", "scopes", "changes")}
    except (AttributeError, KeyError, TypeError) as problem:
        raise Unreadable(str(problem)) from None
    found = []
    for (end, account, start), (cost, steps) in new.items():
        if account not in known["accounts"] or start not in known["starts"] or not _was_there(end, known):
            continue
        was = old.get((end, account, start))
        if was is None or cost < was[0]:
            said = "there was no way" if was is None else f"it took: {_words(was[1])}"
            found.append(f"{end} of an account with {account}, from {start}: {_words(steps)} ({said})")
    return found


def _flat(told: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str, str], tuple[tuple[int, int], list[str]]]]:
    for way in told["ways"]:
        for end in (*way["scopes"], *way["changes"]):
            cost = way["waits_seconds"], len(way["steps"])
            yield (end, way["account"], way["start"]), (cost, way["steps"])


def _was_there(end: str, known: Mapping[str, frozenset[str]]) -> bool:
    return end in known["scopes"] or any(end.startswith(f"{change}, ") for change in known["changes"])


def _words(steps: Sequence[str]) -> str:
    return ", ".join(steps) or "nothing more"
