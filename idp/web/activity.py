"""From the audit trail of a person to what their page says happened. Pure: no request is read, nothing is decided."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from idp import addresses
from idp.audit import (
    AccountFrozen,
    AuthenticatorAdded,
    AuthenticatorRemoved,
    CodeSent,
    ConsentGiven,
    ConsentWithdrawn,
    DeviceForgotten,
    FactorRefused,
    FactorVerified,
    PasskeyBehind,
    PasswordChanged,
    RecoveryCodesMade,
    SignedOut,
)
from idp.flows.people.home import Happened
from idp.model import Factor
from idp.web.pages import Activity, ActivityRow

_HAPPENED = {
    PasskeyBehind.name: Activity.PASSKEY_BEHIND,
    ConsentGiven.name: Activity.CONSENT_GIVEN,
    ConsentWithdrawn.name: Activity.CONSENT_WITHDRAWN,
    AuthenticatorAdded.name: Activity.AUTHENTICATOR_ADDED,
    AuthenticatorRemoved.name: Activity.AUTHENTICATOR_REMOVED,
    RecoveryCodesMade.name: Activity.RECOVERY_MADE,
    PasswordChanged.name: Activity.PASSWORD_CHANGED,
    AccountFrozen.name: Activity.FROZEN,
    DeviceForgotten.name: Activity.DEVICE_FORGOTTEN,
}

_ADDED: Mapping[str, Activity] = {Factor.SMS: Activity.PHONE_ADDED, Factor.PASSKEY: Activity.PASSKEY_ADDED}


def device(user_agent: str) -> str:
    """A browser as its owner knows it; one that nobody knows by the first word it says of itself."""
    return addresses.device(user_agent) or user_agent.partition("/")[0][:40] or "?"


def activity(events: Sequence[Happened]) -> Sequence[ActivityRow]:
    """What happened, the newest first, as `events` are. Wrong answers to one question are one row that counts them."""
    rows: list[ActivityRow] = []
    wrong: dict[tuple[object, ...], int] = {}  # where the row of these is
    for event in events:
        what = _what(event, events)
        if what is None:
            continue
        if event.name == FactorRefused.name:
            asked = (what, event.fields.get("interaction"), event.fields.get("factor"))
            if asked in wrong:
                at = wrong[asked]
                rows[at] = replace(rows[at], times=rows[at].times + 1)
                continue
            wrong[asked] = len(rows)
        rows.append(_row(what, event))
    return rows


def _row(what: Activity, event: Happened) -> ActivityRow:
    browser = event.fields.get("browser")
    proved = event.name == FactorVerified.name
    return ActivityRow(
        what=what,
        at=event.at,
        device=None if browser is None else device(browser),
        place=event.fields.get("address"),
        client_name=event.client_name,
        factor=Factor(event.fields["factor"]) if proved else None,
    )


def _what(event: Happened, events: Iterable[Happened]) -> Activity | None:
    """The sentence for an audit event; None for what would only repeat the next one."""
    fields = event.fields
    factor = fields.get("factor")
    if event.name == FactorVerified.name:
        if factor == Factor.PASSWORD or factor not in list(Factor):
            return None
        # Who gave the password for this very request signed in; everybody else was signed in before.
        signed_in = _verified(events, fields, Factor.PASSWORD)
        return Activity.SIGNED_IN if signed_in else Activity.STEPPED_UP
    if event.name == FactorRefused.name:
        # Theirs only where nobody else can have been: on a device of theirs, and right in the end.
        own = fields.get("known") is True and _verified(events, fields, factor)
        if factor == Factor.PASSWORD:
            return Activity.OWN_PASSWORD_WRONG if own else Activity.PASSWORD_WRONG
        return Activity.OWN_CODE_WRONG if own else Activity.CODE_WRONG
    if event.name == AuthenticatorAdded.name and factor in _ADDED:
        return _ADDED[str(factor)]
    if event.name == AuthenticatorRemoved.name and factor == Factor.PASSKEY:
        return Activity.PASSKEY_REMOVED
    if event.name == CodeSent.name:
        return Activity.EMAIL_SENT if fields.get("email") else Activity.SMS_SENT
    if event.name == SignedOut.name:
        return Activity.SESSION_ENDED if fields.get("why") in {"one", "others"} else Activity.SIGNED_OUT
    return _HAPPENED.get(event.name)


def _verified(events: Iterable[Happened], fields: Mapping[str, Any], factor: object) -> bool:
    """Whether this factor was proved for the request that an event was about."""
    return any(
        each.name == FactorVerified.name
        and each.fields.get("interaction") == fields.get("interaction")
        and each.fields.get("factor") == factor
        for each in events
    )
