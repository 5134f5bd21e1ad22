"""People and their authenticators as JSON objects and as lines, for all commands that show them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from idp.cli import output

if TYPE_CHECKING:
    from idp.flows.operate.finding import Person
    from idp.model import Account, Authenticator, Passkey

_BROWSER = 60  # characters of what a browser says of itself; --json shows all that is kept

Name = Annotated[str, typer.Argument(metavar="NAME", help="The username.", show_default=False)]


def account_json(account: "Account") -> dict[str, Any]:
    """A person, without what is secret."""
    return {
        "id": account.id,
        "username": account.username,
        "name": account.name,
        "email": account.email,
        "email_verified": account.email_verified,
        "email_refused_at": account.email_refused_at,
        "groups": account.groups,
        "disabled": account.disabled,
        "invited": account.invited,
        "frozen_at": account.frozen_at,
        "strong_from": account.strong_from,
        "created_at": account.created_at,
    }


def authenticator_json(one: "Authenticator") -> dict[str, Any]:
    """An authenticator, without what is secret."""
    return {
        "id": one.id,
        "factor": one.factor,
        "label": one.label,
        "hint": one.hint,
        "created_at": one.created_at,
        "trusted_at": one.trusted_at,
        "hold_seconds": None if one.hold is None else round(one.hold.total_seconds()),
        "last_used_at": one.last_used_at,
        "remaining": one.remaining,
        **({} if one.passkey is None else {"passkey": _passkey(one.passkey)}),
    }


def _passkey(one: "Passkey") -> dict[str, Any]:
    return {
        "synced": one.eligible and one.copied,
        "may_be_synced": one.eligible,
        "attested": one.attested,
        "aaguid": one.aaguid,
        "transports": list(one.transports),
        "count": one.count,
    }


def what_it_is(one: "Authenticator") -> str:
    """An authenticator as its owner knows it: its name, and which it is."""
    kept = ""
    if one.passkey is not None:
        kept = "attested" if one.passkey.attested else "synced" if one.passkey.copied else "on one device"
    return f"{one.label} {one.hint or kept}".strip()


def person_json(person: "Person") -> dict[str, Any]:
    """A person with what else is known of them, and their authenticators."""
    return {
        **account_json(person.account),
        "claims": dict(person.account.claims),
        "authenticators": [authenticator_json(one) for one in person.authenticators],
    }


def standing(account: "Account") -> str:
    """How an account stands, in one word as `--state` has it; nothing where all is well."""
    if account.disabled:
        return "disabled"
    return "frozen" if account.frozen_at is not None else "invited" if account.invited else ""


def _signs_in(account: "Account", *, able: bool) -> str:
    if account.disabled:
        return "no: disabled"
    if account.invited:
        return "not yet: no password chosen"
    return "yes" if able else "no: no phone, no app"


def person_lines(person: "Person", clients: Mapping[str, str]) -> list[str]:
    """The same for people: tables of the person, the authenticators and what happened lately; `clients` by id."""
    account, able = person.account, person.authenticators or person.by_mail
    about = [
        ("name", account.name),
        ("e-mail", f"{account.email or ''}{' (verified)' if account.email_verified else ''}"),
        *([("", f"takes no mail since {output.when(refused)}")] if (refused := account.email_refused_at) else []),
        *_claims(account.claims),
        ("groups", " ".join(sorted(account.groups))),
        ("added", output.when(account.created_at)),
        ("signs in", _signs_in(account, able=bool(able))),
        *_closed(account),
    ]
    theirs = [
        (str(one.id)[:8], one.factor, what_it_is(one), _trusted(one), output.when(one.last_used_at))
        for one in person.authenticators
    ]
    lines = [
        output.table(("USERNAME", account.username), about),
        "",
        output.table(("AUTHENTICATOR", "FACTOR", "WHICH", "TRUSTED FROM", "LAST USED"), theirs),
    ]
    if person.events:
        lately = [
            (
                output.when(at),
                what,
                clients.get(client or "", client),
                fields.get("address"),
                str(fields.get("browser", ""))[:_BROWSER],
            )
            for at, what, client, fields in person.events
        ]
        lines += ["", output.table(("LATELY", "EVENT", "CLIENT", "FROM", "BROWSER"), lately)]
    return lines


def _closed(account: "Account") -> list[tuple[str, str]]:
    """Why nothing sensitive opens for somebody who may sign in."""
    if account.frozen_at is not None:
        since = output.when(account.frozen_at)
        return [("frozen", f"since {since}: nothing sensitive opens until it is recovered (`idp user recover`)")]
    if account.strong_from is not None:
        return [("recovered", f"nothing sensitive opens before {output.when(account.strong_from)}")]
    return []


def _trusted(one: "Authenticator") -> str:
    """From when it opens what is sensitive. The hold begins when a provider took a message about it."""
    if one.hold is None:
        return output.when(one.trusted_at)
    from idp.policy import in_units

    return f"{in_units(one.hold)} after they could be told"


def _claims(claims: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """By the names that `idp user claims` takes."""
    address = {f"address.{part}": value for part, value in claims.get("address", {}).items()}
    return sorted({**{name: value for name, value in claims.items() if name != "address"}, **address}.items())
