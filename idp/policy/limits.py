"""`[limits]`, read: the numbers of `idp.limits`, and the bounds within which an operator sets them."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from idp.limits import Backoff, Limit, Limits, Sending, Window
from idp.policy.reading import Bounds, Table, in_words
from idp.sentences import sentence

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)

WINDOWS = {"per_minute": _MINUTE, "per_hour": _HOUR, "per_day": _DAY}
_IN_WORDS = {_MINUTE: "a minute", _HOUR: "an hour", _DAY: "a day"}

_LOCKED = sentence("whoever mistypes now and then would be locked out")
_NOT_GUESSED = sentence("nothing may be guessed at more than 100 times in a row (NIST SP 800-63B-4)")
_NONE = sentence("nobody could sign in")
_CLOSED_OUT = sentence("whoever mistypes a code or two would be closed out until an operator comes")
_ALL_DAY = sentence("whoever has a browser that was used before could guess all day")
_NOTHING = sentence("it would limit nothing")
_PESTERED = sentence("nobody may be written to sooner")

COUNTS: Mapping[str, Bounds[int]] = MappingProxyType(
    {
        # NIST SP 800-63B-4 3.2.2: at most 100 in a row.
        "free": Bounds(1, 100, _NONE, _NOT_GUESSED),
        "close_at": Bounds(5, 100, _CLOSED_OUT, _NOT_GUESSED),
        "per_minute": Bounds(10, 6000, sentence("no program could work"), _NOTHING),
        "per_hour": Bounds(1, 1000, _NONE, _NOTHING),
        "per_day": Bounds(1, 1000, _NONE, _NOTHING),
        # The same 100, of all browsers that are not known; here a day forgets them.
        "password_day.per_day": Bounds(1, 100, _NONE, _NOT_GUESSED),
        "password_stranger.per_day": Bounds(1, 100, _NONE, _NOT_GUESSED),
        "password_device.free": Bounds(1, 20, _NONE, _ALL_DAY),
    }
)
SPANS: Mapping[str, Bounds[timedelta]] = MappingProxyType(
    {
        "base": Bounds(_SECOND, _DAY, _NOTHING, _LOCKED),
        "cap": Bounds(_SECOND, _DAY, _NOTHING, _LOCKED),
        "forget": Bounds(_SECOND, 30 * _DAY, _NOTHING, _LOCKED),
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
                row = f"limits.{more.name}.{key}"
                why = sentence("must not be more than %(row)s, which is %(most)s", row=row, most=most)
                table.clash(f"{whose}.{key}", count, why)
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
        found.wrong("cap", sentence("must be at least %(base)s, its base: waits grow", base=in_words(base)))
        cap = base
    if forget is not None and forget < cap:
        why = sentence(
            "must be at least %(cap)s, its cap: a wait is not forgotten before it is over", cap=in_words(cap)
        )
        found.wrong("forget", why)
        forget = cap
    if close_at is not None and close_at < free:
        found.wrong("close_at", sentence("must be at least %(free)s, as many as are free", free=free))
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
