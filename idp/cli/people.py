"""People and their authenticators as JSON objects, for all commands that show them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from idp.flows.operate import Person
    from idp.model import Account, Authenticator

Name = Annotated[str, typer.Argument(metavar="NAME", help="The username.", show_default=False)]


def account_json(account: "Account") -> dict[str, Any]:
    """A person, without what is secret."""
    return {
        "id": account.id,
        "username": account.username,
        "name": account.name,
        "email": account.email,
        "email_verified": account.email_verified,
        "groups": account.groups,
        "disabled": account.disabled,
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
    }


def person_json(person: "Person") -> dict[str, Any]:
    """A person with what else is known of them, and their authenticators."""
    return {
        **account_json(person.account),
        "claims": dict(person.account.claims),
        "authenticators": [authenticator_json(one) for one in person.authenticators],
    }
