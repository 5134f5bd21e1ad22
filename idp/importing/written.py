"""Our own export, both ways: the lines that people are written as, and read from. See docs/import.md.

Clients are in `written_clients`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from idp.importing.document import Object
from idp.importing.incoming import Unreadable
from idp.importing.secrets import period
from idp.model import OUR_CODES, Account, AppCodes, Authenticator, Factor, Passkey, Past

VERSION = 2
_TIMES = ("frozen_at", "strong_from", "password_until", "email_trusted_at", "email_refused_at")
_OF_BOTH = ("trusted_at", "preferred_at", "swapped_at", "last_used_at", "checked_at", "closed_at")


@dataclass(frozen=True, slots=True)
class Kept:
    """Somebody from another Stile, as they were there.

    `numbers` are by the id of the phone, `seeds` by that of the app, hashes of `saved` codes by that of their set.
    Of what was removed (`closed_at`) no seed and no code is kept.
    """

    account: Account
    authenticators: tuple[Authenticator, ...] = ()
    numbers: Mapping[str, str] = field(default_factory=dict, repr=False)
    password_hash: str | None = field(default=None, repr=False)
    seeds: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    saved: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict, repr=False)
    consents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    past: Past = field(default_factory=Past)


def person_line(kept: Kept) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is written of a person, and their secrets."""
    account, past = kept.account, kept.past
    line = {
        "id": str(account.id),
        "username": account.username,
        "name": account.name,
        "email": account.email,
        "email_verified": account.email_verified,
        "groups": sorted(account.groups),
        "claims": dict(account.claims),
        "locale": account.locale,
        "prefers": account.prefers,
        "disabled": account.disabled,
        "created_at": written(account.created_at),
        "updated_at": written(account.updated_at),
        "disabled_at": written(past.disabled_at),
        "former_email": past.former_email,
        "former_until": written(past.former_until),
        **{name: written(getattr(account, name)) for name in _TIMES},
        "authenticators": [_authenticator(each, kept) for each in kept.authenticators],
        "consents": {client: list(scopes) for client, scopes in kept.consents.items()},
        "agreed_at": {client: written(at) for client, at in past.agreed_at.items()},
    }
    secrets = {
        "password_hash": kept.password_hash,
        "seeds": {which: seed.hex() for which, seed in kept.seeds.items()},
        "saved": {which: [each.hex() for each in hashes] for which, hashes in kept.saved.items()},
    }
    return _without_nothing(line), _without_nothing(secrets)


def read_person(line: Object, secrets: Object, *, now: datetime) -> Kept:
    """The person of a line. Raises `Unreadable`."""
    account_id = line.uuid("id")
    if account_id is None:
        raise Unreadable(f"{line.where}.id is no UUID.")
    account = Account(
        id=account_id,
        username=line.needed("username"),
        created_at=_before(now, line, "created_at"),
        updated_at=_before(now, line, "updated_at"),
        name=line.text("name"),
        email=line.text("email"),
        email_verified=line.flag("email_verified"),
        groups=frozenset(line.texts("groups")),
        claims=line.object("claims").members,
        locale=line.text("locale"),
        prefers=_factor(line, "prefers"),
        disabled=line.flag("disabled"),
        frozen_at=time(line, "frozen_at"),
        strong_from=time(line, "strong_from"),
        password_until=time(line, "password_until"),
        email_trusted_at=time(line, "email_trusted_at"),
        email_refused_at=time(line, "email_refused_at"),
    )
    theirs = tuple(_read_authenticator(each, account, now=now) for each in line.objects("authenticators"))
    numbers, told, suppressed = {}, {}, {}
    for each, one in zip(line.objects("authenticators"), theirs, strict=True):
        if "number" in each:
            numbers[str(one.id)] = each.needed("number")
        if (until := time(each, "told_until")) is not None:
            told[one.id] = until
        if (why := each.object("suppressed")).members:
            suppressed[one.id] = (why.needed("reason"), _before(now, why, "at"))
    seeds, saved, consents = secrets.object("seeds"), secrets.object("saved"), line.object("consents")
    agreed = line.object("agreed_at")
    dates = {client: at for client in agreed.members if (at := time(agreed, client)) is not None}
    return Kept(
        account,
        theirs,
        numbers,
        secrets.text("password_hash"),
        {which: hexadecimal(seeds, which) or b"" for which in seeds.members},
        {which: tuple(_unhexed(each, saved, which) for each in saved.texts(which)) for which in saved.members},
        {client: consents.texts(client) for client in consents.members},
        Past(
            time(line, "disabled_at"),
            line.text("former_email") if "former_until" in line else None,
            time(line, "former_until") if "former_email" in line else None,
            told,
            dates,
            suppressed,
        ),
    )


def _before(now: datetime, line: Object, name: str) -> datetime:
    """What was there is not newer than now, whatever another clock said."""
    return min(now, time(line, name) or now)


def _authenticator(one: Authenticator, kept: Kept) -> dict[str, Any]:
    passkey, codes = one.passkey, one.codes
    return _without_nothing({
        "id": str(one.id),
        "factor": one.factor.value,
        "label": one.label,
        "hint": one.hint,
        "created_at": written(one.created_at),
        "confirmed_at": written(one.confirmed_at),
        **{name: written(getattr(one, name)) for name in _OF_BOTH},
        "told_until": written(kept.past.told_until.get(one.id)),
        "suppressed": _suppressed(kept.past.suppressed.get(one.id)),
        "hold": None if one.hold is None else one.hold.total_seconds(),
        "last_step": one.last_step,
        "number": kept.numbers.get(str(one.id)),
        "codes": None
        if codes == OUR_CODES
        else {"algorithm": codes.algorithm, "digits": codes.digits, "period": int(codes.period.total_seconds())},
        "passkey": None
        if passkey is None
        else {
            "credential_id": passkey.credential_id.hex(),
            "public_key": passkey.public_key.hex(),
            "count": passkey.count,
            "eligible": passkey.eligible,
            "copied": passkey.copied,
            "attested": passkey.attested,
            "transports": list(passkey.transports),
            "aaguid": passkey.aaguid,
        },
    })  # fmt: skip


def _suppressed(why: tuple[str, datetime] | None) -> dict[str, Any] | None:
    return None if why is None else {"reason": why[0], "at": written(why[1])}


def _read_authenticator(line: Object, account: Account, *, now: datetime) -> Authenticator:
    id_, factor, hold = line.uuid("id"), _factor(line, "factor"), line.number("hold")
    if id_ is None or factor is None:
        raise Unreadable(f"{line.where} has no id, or no factor.")
    times = {name: time(line, name) for name in _OF_BOTH}
    if (times["trusted_at"] is None) is not (hold is not None):
        raise Unreadable(f"{line.where} says neither since when it is trusted nor for how long it is on hold, or both.")
    codes, passkey = line.object("codes"), line.object("passkey")
    return Authenticator(
        id=id_,
        account_id=account.id,
        factor=factor,
        label=line.text("label") or "",
        hint=line.text("hint") or "",
        created_at=_before(now, line, "created_at"),
        trusted_at=times["trusted_at"],
        hold=None if hold is None else timedelta(seconds=min(max(hold, 0), 1e9)),
        confirmed_at=_before(now, line, "confirmed_at"),
        preferred_at=times["preferred_at"],
        swapped_at=times["swapped_at"],
        last_used_at=times["last_used_at"],
        checked_at=times["checked_at"],
        closed_at=times["closed_at"],
        last_step=line.whole("last_step") or 0,
        codes=OUR_CODES
        if not codes.members
        else AppCodes(
            codes.needed("algorithm"),
            codes.whole("digits") or 0,
            period(codes.whole("period")),
        ),
        passkey=None
        if not passkey.members
        else Passkey(
            credential_id=hexadecimal(passkey, "credential_id") or b"",
            public_key=hexadecimal(passkey, "public_key") or b"",
            count=passkey.whole("count") or 0,
            eligible=passkey.flag("eligible"),
            copied=passkey.flag("copied"),
            attested=passkey.flag("attested"),
            transports=passkey.texts("transports"),
            aaguid=passkey.text("aaguid") or "",
        ),
    )


def _factor(line: Object, name: str) -> Factor | None:
    value = line.text(name)
    if value is not None and value not in list(Factor):
        raise Unreadable(f"{line.where}.{name} is no factor.")
    return None if value is None else Factor(value)


def time(line: Object, name: str) -> datetime | None:
    """A time with its offset, in UTC. Raises `Unreadable`."""
    value = line.text(name)
    try:
        at = None if value is None else datetime.fromisoformat(value)
        if at is not None and at.tzinfo is None:
            raise Unreadable(f"{line.where}.{name} is no time with its offset.")
        return None if at is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable(f"{line.where}.{name} is no time.") from None


def hexadecimal(line: Object, name: str) -> bytes | None:
    """Bytes that are written in hexadecimal. Raises `Unreadable`."""
    value = line.text(name)
    return None if value is None else _unhexed(value, line, name)


def _unhexed(value: str, line: Object, name: str) -> bytes:
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise Unreadable(f"{line.where}.{name} is not hexadecimal.") from None


def written(at: datetime | None) -> str | None:
    """A time as the lines have it."""
    return None if at is None else at.isoformat()


def _without_nothing(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value not in ("", [], {})}
