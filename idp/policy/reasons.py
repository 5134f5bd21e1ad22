"""Why something is asked, in half a sentence for an operator: for `idp policy check` and for the log."""

from idp.policy.facts import Reason, Why
from idp.policy.table import in_units

_SAID = {
    Why.SIGN_IN: "signing in takes a password and a second factor",
    Why.CLIENT_ASKED_LOGIN: "the application wants a new sign-in (prompt=login)",
    Why.MAX_AGE: "the application wants a newer sign-in (max_age)",
    Why.OTHER_PERSON: "the application asks for another person",
    Why.CLIENT_ASKED_CHOICE: "the application wants the person to choose (prompt=select_account)",
    Why.NOT_IN_GROUP: "the application is for other groups",
    Why.GROUP_NEEDS_LEVEL: "a group of this person needs",
    Why.CLIENT_NEEDS_LEVEL: "this application is registered for",
    Why.SCOPE_NEEDS_LEVEL: "needs",
    Why.SCOPE_NEEDS_FRESH: "needs a fresh proof",
    Why.ACR_ASKED: "the application asks for",
    Why.CONSENT_NEW: "the person has not agreed to it yet",
    Why.CONSENT_EACH_TIME: "it has to be agreed to each time",
    Why.TEMPORARY_PASSWORD: "an operator gave the password, and the person chooses one of their own first",
    Why.CLIENT_ASKED_CONSENT: "the application wants consent (prompt=consent)",
    Why.APPROVAL: "has to be approved",
}


def because(reason: Reason) -> str:
    """What stands after "because": `transfers:write needs strong, made in this request`."""
    age = (
        None if reason.age is None else f"at most {in_units(reason.age)} old" if reason.age else "made in this request"
    )
    level = None if reason.level is None else reason.level.name.lower()
    of = {Why.SCOPE_NEEDS_FRESH: "of", Why.APPROVAL: "with"}.get(reason.why) if level else None
    what = " ".join(part for part in (reason.scope, _SAID[reason.why], of, level or reason.acr) if part is not None)
    return what if age is None else f"{what}, {age}"
