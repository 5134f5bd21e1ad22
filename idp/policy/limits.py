"""`[limits]`, read: the numbers of `idp.limits`, and the bounds within which an operator sets them."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from idp.limits import Backoff, Limit, Limits, Sending, Window
from idp.policy.reading import Bounds, Table, in_words

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)

WINDOWS = {"per_minute": _MINUTE, "per_hour": _HOUR, "per_day": _DAY}
_IN_WORDS = {_MINUTE: "a minute", _HOUR: "an hour", _DAY: "a day"}

_LOCKED = "whoever mistypes now and then would be locked out"
_NOT_GUESSED = "nothing may be guessed at more than 100 times in a row (NIST SP 800-63B-4)"
_NONE = "nobody could sign in"
_CLOSED_OUT = "whoever mistypes a code or two would be closed out until an operator comes"
_ALL_DAY = "whoever has a browser that was used before could guess all day"
_PESTERED = "nobody may be written to sooner"

COUNTS: Mapping[str, Bounds[int]] = MappingProxyType(
    {
        # NIST SP 800-63B-4 3.2.2: at most 100 in a row.
        "free": Bounds(1, 100, _NONE, _NOT_GUESSED),
        "close_at": Bounds(5, 100, _CLOSED_OUT, _NOT_GUESSED),
        "per_minute": Bounds(10, 6000, "no program could work", "it would limit nothing"),
        "per_hour": Bounds(1, 1000, _NONE, "it would limit nothing"),
        "per_day": Bounds(1, 1000, _NONE, "it would limit nothing"),
        # The same 100, of all browsers that are not known; here a day forgets them.
        "password_day.per_day": Bounds(1, 100, _NONE, _NOT_GUESSED),
        "password_stranger.per_day": Bounds(1, 100, _NONE, _NOT_GUESSED),
        "password_device.free": Bounds(1, 20, _NONE, _ALL_DAY),
    }
)
SPANS: Mapping[str, Bounds[timedelta]] = MappingProxyType(
    {
        "base": Bounds(_SECOND, _DAY, "it would limit nothing", _LOCKED),
        "cap": Bounds(_SECOND, _DAY, "it would limit nothing", _LOCKED),
        "forget": Bounds(_SECOND, 30 * _DAY, "it would limit nothing", _LOCKED),
        "sms_pace.base": Bounds(_MINUTE, _DAY, _PESTERED, _LOCKED),
        "email_pace.base": Bounds(_MINUTE, _DAY, _PESTERED, _LOCKED),
        "password_device.cap": Bounds(5 * _MINUTE, _DAY, _ALL_DAY, _LOCKED),
        "password_device.forget": Bounds(_HOUR, 30 * _DAY, _ALL_DAY, _LOCKED),
    }
)


def limits(table: Table) -> Limits:
    """`[limits]`. The rows have the keys of ours, no more; what a row does not say is as in ours."""
    read = Limits(
        sms=_sending(table, "sms", "sms_number"),
        email=_sending(table, "email", "email_address"),
        sms_address=_limit(table, "sms_address"),
        code_failures=_limit(table, "code_failures"),
        password_device=_limit(table, "password_device"),
        password_stranger=_limit(table, "password_stranger"),
        password_day=_limit(table, "password_day"),
        password_address=_limit(table, "password_address"),
        client_failures=_limit(table, "client_failures"),
        enrolments=_limit(table, "enrolments"),
        code_notices=_limit(table, "code_notices"),
        browser_notices=_limit(table, "browser_notices"),
        stored_requests=_limit(table, "stored_requests"),
        reset_person=_limit(table, "reset_person"),
        reset_address=_limit(table, "reset_address"),
        register_mailbox=_limit(table, "register_mailbox"),
        register_address=_limit(table, "register_address"),
        api_calls=_limit(table, "api_calls"),
    )
    # Or one stranger could use up what all have, and strangers what is its owner's.
    for less, more, whose in (
        (read.password_stranger, read.password_day, "password_stranger"),
        (read.sms.strangers, read.sms.places, "sms_strangers"),
        (read.email.strangers, read.email.places, "email_strangers"),
    ):
        for key, per in WINDOWS.items():
            count, most = (_count(limit, per) for limit in (less, more))
            if count is not None and most is not None and count > most:
                table.clash(f"{whose}.{key}", count, f"must not be more than limits.{more.name}.{key}, which is {most}")
    table.close()
    return read


def _count(limit: Limit, per: timedelta) -> int | None:
    return next((window.count for window in limit.windows if window.per == per), None)


def _sending(table: Table, kind: str, to: str) -> Sending:
    return Sending(
        pace=_limit(table, f"{kind}_pace"),
        places=_limit(table, to),
        # of the same rows of the database
        strangers=_limit(table, f"{kind}_strangers", name=to),
        day=_limit(table, f"{kind}_day"),
    )


def _limit(table: Table, row: str, name: str | None = None) -> Limit:
    """One row, with the keys that ours has."""
    keys, found = table.usual[row], table.table(row)
    counts = {key: found.number(key, COUNTS.get(f"{row}.{key}", COUNTS[key])) for key in keys if key in COUNTS}
    spans = {key: found.span(key, SPANS.get(f"{row}.{key}", SPANS[key])) for key in keys if key in SPANS}
    found.close()
    windows = tuple(Window(counts[key], per) for key, per in WINDOWS.items() if key in counts)
    return Limit(name or row, _backoff(found, counts, spans) if spans else None, windows)


def _backoff(found: Table, counts: Mapping[str, int], spans: Mapping[str, timedelta]) -> Backoff:
    """The waits of a row; a mistake is told, and read as the nearest that is none."""
    free, base = counts.get("free", 1), spans["base"]
    cap, forget, close_at = spans["cap"], spans.get("forget"), counts.get("close_at")
    if cap < base:
        found.wrong("cap", f"must be at least {in_words(base)}, its base: waits grow")
        cap = base
    if forget is not None and forget < cap:
        found.wrong("forget", f"must be at least {in_words(cap)}, its cap: a wait is not forgotten before it is over")
        forget = cap
    if close_at is not None and close_at < free:
        found.wrong("close_at", f"must be at least {free}, as many as are free")
        close_at = free
    return Backoff(free, base, cap, close_at, forget)


def limits_of(policy: Limits) -> dict[str, Limit]:
    """Every limit by the name of its row."""
    sent = {
        row: limit
        for kind, to, each in (("sms", "sms_number", policy.sms), ("email", "email_address", policy.email))
        for row, limit in (
            (f"{kind}_pace", each.pace),
            (to, each.places),
            (f"{kind}_strangers", each.strangers),
            (f"{kind}_day", each.day),
        )
    }
    return sent | {name: limit for name in Limits.__slots__ if isinstance(limit := getattr(policy, name), Limit)}


def said(limit: Limit) -> str:
    """A limit in words."""
    words = [f"{window.count} {_IN_WORDS[window.per]}" for window in limit.windows]
    if (waits := limit.backoff) is not None:
        words.append(
            f"after {waits.free} in a row a wait of {in_words(waits.base)}, doubling up to {in_words(waits.cap)}"
        )
        if waits.forget is not None:
            words.append(f"forgotten after {in_words(waits.forget)}")
        if waits.close_at is not None:
            words.append(f"closed after {waits.close_at}")
    return "; ".join(words)
