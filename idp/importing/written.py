"""Our own export, both ways: the lines that people and clients are written as, and read from. See docs/import.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from idp.importing.document import Object
from idp.importing.incoming import Unreadable
from idp.importing.secrets import period
from idp.model import OUR_CODES, Account, AppCodes, AssuranceLevel, Authenticator, AuthMethod, Client, Factor, Passkey

VERSION = 1
_TIMES = ("frozen_at", "strong_from", "password_until", "email_trusted_at", "email_refused_at")
_SETS = {each.name for each in fields(Client) if isinstance(each.default, frozenset)}
_LEFT_OUT = (bytes, datetime)


@dataclass(frozen=True, slots=True)
class Kept:
    """Somebody from another Stile, as they were there.

    `numbers` are by the id of the phone, `seeds` by that of the app, hashes of `saved` codes by that of their set.
    """

    account: Account
    authenticators: tuple[Authenticator, ...] = ()
    numbers: Mapping[str, str] = field(default_factory=dict, repr=False)
    password_hash: str | None = field(default=None, repr=False)
    seeds: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    saved: Mapping[str, tuple[bytes, ...]] = field(default_factory=dict, repr=False)
    consents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def person_line(kept: Kept) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is written of a person, and their secrets."""
    account = kept.account
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
        **{name: _written(getattr(account, name)) for name in _TIMES},
        "authenticators": [_authenticator(each, kept.numbers.get(str(each.id))) for each in kept.authenticators],
        "consents": {client: list(scopes) for client, scopes in kept.consents.items()},
    }
    secrets = {
        "password_hash": kept.password_hash,
        "seeds": {which: seed.hex() for which, seed in kept.seeds.items()},
        "saved": {which: [each.hex() for each in hashes] for which, hashes in kept.saved.items()},
    }
    return _without_nothing(line), _without_nothing(secrets)


def client_line(client: Client) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is written of a client, and its secret's hash."""
    values = {each.name: getattr(client, each.name) for each in fields(Client)}
    line = {
        name: sorted(value) if isinstance(value, frozenset) else list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value is not None and not isinstance(value, _LEFT_OUT)
    }
    line.pop("logo", None)  # the picture is not written
    line["level"] = client.level.name.lower()
    secrets = {} if client.secret_hash is None else {"secret_hash": client.secret_hash.hex()}
    if client.old_secret_hash is not None:
        line["old_secret_until"] = _written(client.old_secret_until)
        secrets["old_secret_hash"] = client.old_secret_hash.hex()
    return line, secrets  # with what is empty: none is not the usual


def read_client(line: Object, secrets: Object) -> Client:
    """The client of a line. Raises `Unreadable`."""
    known = {each.name: each for each in fields(Client)}
    given: dict[str, Any] = {}
    for name, value in line.members.items():
        if name in known and isinstance(known[name].default, frozenset | tuple):
            given[name] = frozenset(line.texts(name)) if name in _SETS else line.texts(name)
        elif name in known and isinstance(known[name].default, bool):
            given[name] = line.flag(name)
        elif name in {"level", "old_secret_until"}:
            continue
        elif name == "jwks":
            given[name] = line.object(name).members
        elif name in known and isinstance(value, str):
            given[name] = value
    if line.needed("auth_method") not in list(AuthMethod):
        raise Unreadable(f"{line.where}.auth_method is no way to authenticate.")
    needed = {"id": line.needed("id"), "name": line.needed("name"), "auth_method": AuthMethod(given["auth_method"])}
    read: dict[str, Any] = {"secret_hash": _hex(secrets, "secret_hash"), "level": _level(line)}
    until, before = _time(line, "old_secret_until"), _hex(secrets, "old_secret_hash")
    if until is not None and before is not None:
        read |= {"old_secret_until": until, "old_secret_hash": before}
    return Client(**{**given, **needed, **read})


def _level(line: Object) -> AssuranceLevel:
    name = line.text("level") or AssuranceLevel.TWO_FACTOR.name.lower()
    for level in AssuranceLevel:
        if level.name.lower() == name and level >= AssuranceLevel.TWO_FACTOR:
            return level
    raise Unreadable(f"{line.where}.level is no level.")


def read_person(line: Object, secrets: Object, *, now: datetime) -> Kept:
    """The person of a line. Raises `Unreadable`."""
    account_id = line.uuid("id")
    if account_id is None:
        raise Unreadable(f"{line.where}.id is no UUID.")
    account = Account(
        id=account_id,
        username=line.needed("username"),
        created_at=now,
        updated_at=now,
        name=line.text("name"),
        email=line.text("email"),
        email_verified=line.flag("email_verified"),
        groups=frozenset(line.texts("groups")),
        claims=line.object("claims").members,
        locale=line.text("locale"),
        prefers=_factor(line, "prefers"),
        disabled=line.flag("disabled"),
        frozen_at=_time(line, "frozen_at"),
        strong_from=_time(line, "strong_from"),
        password_until=_time(line, "password_until"),
        email_trusted_at=_time(line, "email_trusted_at"),
        email_refused_at=_time(line, "email_refused_at"),
    )
    theirs = tuple(_read_authenticator(each, account, now=now) for each in line.objects("authenticators"))
    numbers = {each.needed("id"): each.needed("number") for each in line.objects("authenticators") if "number" in each}
    seeds, saved, consents = secrets.object("seeds"), secrets.object("saved"), line.object("consents")
    return Kept(
        account,
        theirs,
        numbers,
        secrets.text("password_hash"),
        {which: _hex(seeds, which) or b"" for which in seeds.members},
        {which: tuple(_unhexed(each, saved, which) for each in saved.texts(which)) for which in saved.members},
        {client: consents.texts(client) for client in consents.members},
    )


def _authenticator(one: Authenticator, number: str | None) -> dict[str, Any]:
    passkey, codes = one.passkey, one.codes
    return _without_nothing({
        "id": str(one.id),
        "factor": one.factor.value,
        "label": one.label,
        "hint": one.hint,
        "trusted_at": _written(one.trusted_at),
        "hold": None if one.hold is None else one.hold.total_seconds(),
        "preferred_at": _written(one.preferred_at),
        "swapped_at": _written(one.swapped_at),
        "last_step": one.last_step,
        "number": number,
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


def _read_authenticator(line: Object, account: Account, *, now: datetime) -> Authenticator:
    id_, factor, hold = line.uuid("id"), _factor(line, "factor"), line.number("hold")
    if id_ is None or factor is None:
        raise Unreadable(f"{line.where} has no id, or no factor.")
    trusted_at = _time(line, "trusted_at")
    if (trusted_at is None) is not (hold is not None):
        raise Unreadable(f"{line.where} says neither since when it is trusted nor for how long it is on hold, or both.")
    codes, passkey = line.object("codes"), line.object("passkey")
    return Authenticator(
        id=id_,
        account_id=account.id,
        factor=factor,
        label=line.text("label") or "",
        hint=line.text("hint") or "",
        created_at=now,
        trusted_at=trusted_at,
        hold=None if hold is None else timedelta(seconds=min(max(hold, 0), 1e9)),
        confirmed_at=now,
        preferred_at=_time(line, "preferred_at"),
        swapped_at=_time(line, "swapped_at"),
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
            credential_id=_hex(passkey, "credential_id") or b"",
            public_key=_hex(passkey, "public_key") or b"",
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


def _time(line: Object, name: str) -> datetime | None:
    value = line.text(name)
    try:
        at = None if value is None else datetime.fromisoformat(value)
        if at is not None and at.tzinfo is None:
            raise Unreadable(f"{line.where}.{name} is no time with its offset.")
        return None if at is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unreadable(f"{line.where}.{name} is no time.") from None


def _hex(line: Object, name: str) -> bytes | None:
    value = line.text(name)
    return None if value is None else _unhexed(value, line, name)


def _unhexed(value: str, line: Object, name: str) -> bytes:
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise Unreadable(f"{line.where}.{name} is not hexadecimal.") from None


def _written(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _without_nothing(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None and value not in ("", [], {})}
