"""What things are called in words: each event of the audit trail and each of its fields, factors, links."""

from collections.abc import Mapping

from idp.catalogue import mark
from idp.flows.operate.vouching import GIVEN
from idp.model import Authenticator, Factor, Notice
from idp.model.links import LinkFor
from idp.sentences import listed, sentence
from idp.sms import Delivery, Outcome

EVENTS: Mapping[str, str] = {
    "factor.verified": mark("A proof was accepted"),
    "factor.refused": mark("A wrong answer was refused"),
    "passkey.behind": mark("A passkey may be there twice"),
    "code.sent": mark("A code was to be sent"),
    "authorization.granted": mark("Somebody signed in to an application"),
    "tokens.issued": mark("An application got tokens"),
    "grant.revoked": mark("The tokens of an application ended"),
    "approval.given": mark("Details were approved"),
    "approval.refused": mark("Details were refused"),
    "consent.given": mark("Somebody agreed to what an application may do"),
    "consent.withdrawn": mark("Somebody disconnected an application"),
    "authenticator.added": mark("An authenticator was added"),
    "authenticator.removed": mark("An authenticator was removed"),
    "recovery_codes.made": mark("Recovery codes were made"),
    "recovery_codes.checked": mark("Recovery codes were said to be at hand"),
    "password.changed": mark("A password was set"),
    "password.reset_asked": mark("Somebody forgot a password"),
    "password.reset_given": mark("A link for another password was given"),
    "password.reset_begun": mark("A link for another password was used"),
    "session.ended": mark("Somebody was signed out"),
    "device.forgotten": mark("A browser is known no more"),
    "everything.exported": mark("Everything was exported"),
    "client.changed": mark("An application was changed"),
    "keys.rotated": mark("The signing keys moved on"),
    "account.changed": mark("An account was changed"),
    "account.removed": mark("An account was removed"),
    "account.imported": mark("An account was imported"),
    "account.registering": mark("Somebody wants to make an account"),
    "account.recovery_asked": mark("A recovery waits for a second operator"),
    "account.recovered": mark("An account was recovered"),
    "account.frozen": mark("An account was frozen"),
    "message.sent": mark("A provider took a message"),
    "number.sim_swapped": mark("A SIM was changed lately, so no code was sent"),
    "number.suppressed": mark("Nothing is sent to a number any more"),
    "mailbox.refused": mark("No email goes to an address any more"),
    "number.unblocked": mark("Messages go to a number again"),
    "sms.block_opened": mark("A block of numbers was opened"),
    "sms.denied": mark("A spending rule denied a message, or would have"),
    "sms.country_closed": mark("A country was closed to new numbers"),
    "sms.budget": mark("A budget was reached"),
}

FIELDS: Mapping[str, str] = {
    "about": mark("About the notice"),
    "account": mark("Account id"),
    "acr": mark("Level that the application sees"),
    "amount": mark("Amount"),
    "attempts_left": mark("Tries left"),
    "authenticator": mark("Authenticator"),
    "budget": mark("Budget"),
    "by": mark("Done by"),
    "change": mark("What was changed"),
    "closed": mark("Authenticators closed"),
    "confirmed_by": mark("Confirmed by"),
    "currency": mark("Currency"),
    "current": mark("Keys that sign"),
    "device": mark("Known browser"),
    "digest": mark("Digest of what was shown"),
    "email": mark("Email address"),
    "factor": mark("Kind of authenticator"),
    "factors": mark("Kinds of authenticators"),
    "for_client": mark("For the application"),
    "gateway": mark("Gateway"),
    "grant": mark("Grant"),
    "grant_type": mark("Grant type"),
    "groups": mark("Groups"),
    "held": mark("On hold"),
    "hold": mark("On hold for"),
    "interaction": mark("Sign-in"),
    "kept_out": mark("Kept out, with a right password"),
    "kind": mark("Kind"),
    "known": mark("In a browser that was known"),
    "level": mark("Level"),
    "mailed": mark("Sent by email"),
    "message": mark("Message"),
    "mode": mark("Mode"),
    "password": mark("With a password"),
    "period": mark("Period"),
    "person": mark("Keyed hash of the username"),
    "phone": mark("Phone"),
    "provider_id": mark("The provider's name for it"),
    "reached": mark("Reached"),
    "reason": mark("Reason"),
    "region": mark("Country"),
    "rule": mark("Rule"),
    "scopes": mark("Scopes"),
    "secrets": mark("Secrets"),
    "sessions": mark("Sessions that ended"),
    "sim_swap": mark("SIM card"),
    "source": mark("From the system"),
    "to": mark("To"),
    "transaction": mark("Transaction"),
    "trusted_at": mark("Trusted from"),
    "types": mark("Types"),
    "until": mark("Until"),
    "why": mark("Why"),
}

FACTORS: Mapping[Factor, str] = {
    Factor.PASSWORD: mark("Password"),
    Factor.SMS: mark("Text message"),
    Factor.EMAIL: mark("Email"),
    Factor.TOTP: mark("Authenticator app"),
    Factor.PASSKEY: mark("Passkey"),
    Factor.RECOVERY: mark("Recovery codes"),
}
LINKS: Mapping[LinkFor, str] = {
    LinkFor.RESET: mark("Link for another password"),
    LinkFor.FREEZE: mark("Link that freezes the account"),
    LinkFor.VERIFY_EMAIL: mark("Link that proves an address"),
    LinkFor.INVITE: mark("Link that sets the account up"),
    LinkFor.REGISTER: mark("Link that makes the account"),
    LinkFor.RECOVER: mark("A recovery waits"),
}
# What a message says; where it is; what became of a try, by the provider's answer or its receipt.
MESSAGES: Mapping[str, str] = {
    "code": mark("A code"),
    **{link.value: said for link, said in LINKS.items()},
    Notice.TOTP_ADDED: mark("An authenticator app was added"),
    Notice.PASSKEY_ADDED: mark("A passkey was added"),
    Notice.PASSKEY_BEHIND: mark("A passkey may be there twice"),
    Notice.PHONE_ADDED: mark("A phone was added"),
    Notice.PHONE_CHANGED: mark("The phone was changed"),
    Notice.EMAIL_CHANGED: mark("The email address was changed"),
    Notice.RECOVERY_ADDED: mark("Recovery codes were made"),
    Notice.AUTHENTICATOR_REMOVED: mark("An authenticator was removed"),
    Notice.RECOVERY_USED: mark("A recovery code was used"),
    Notice.PASSWORD_CHANGED: mark("The password was changed"),
    Notice.CODES_WRONG: mark("Many codes were wrong"),
    Notice.NEW_BROWSER: mark("Somebody signed in with another browser"),
    Notice.FROZEN: mark("The account was frozen"),
    Notice.RECOVERED: mark("The account was recovered"),
    Notice.APPROVAL_REFUSED: mark("Details were refused"),
}
STATES: Mapping[str, str] = {
    "waiting": mark("Waiting"),
    "sent": mark("Sent"),
    "failed": mark("Failed"),
    "expired": mark("Expired"),
    "denied": mark("Denied"),
}
RESULTS: Mapping[str, str] = {
    Outcome.ACCEPTED: mark("Taken by the provider"),
    Outcome.NOT_SENT: mark("The provider was not reached"),
    Outcome.AMBIGUOUS: mark("Perhaps sent"),
    Outcome.REJECTED: mark("Rejected by the provider"),
    Outcome.MISCONFIGURED: mark("The gateway is set up wrongly"),
    Delivery.QUEUED: mark("Waits at the provider"),
    Delivery.SENT: mark("On its way"),
    Delivery.DELIVERED: mark("Arrived"),
    Delivery.UNDELIVERED: mark("Did not arrive"),
    Delivery.EXPIRED: mark("Did not arrive in time"),
    Delivery.UNKNOWN: mark("Nothing is known of it"),
}

# What a check-up looks at, by what `idp doctor` calls it.
CHECKED: Mapping[str, str] = {
    "clock": mark("Clock"),
    "content": mark("People and applications"),
    "database": mark("Database"),
    "dkim": mark("Signature of mails (DKIM)"),
    "dmarc": mark("Mails that are not ours (DMARC)"),
    "gateway": mark("Gateway"),
    "groups": mark("Groups"),
    "issuer": mark("Public address"),
    "languages": mark("Languages"),
    "mail": mark("Mails"),
    "migrations": mark("Schema of the database"),
    "outbox": mark("Messages that wait"),
    "passkeys": mark("Passkeys"),
    "passwords": mark("Passwords"),
    "phones": mark("Phones"),
    "policy": mark("Policy"),
    "secret keys": mark("Secret keys"),
    "settings": mark("Settings"),
    "signing": mark("Signing keys"),
    "sim": mark("SIM cards"),
    "site": mark("Site behind a proxy"),
    "sms": mark("Text messages"),
    "spending": mark("Where text messages may go"),
    "spf": mark("Who sends our mails (SPF)"),
}

_OURS = frozenset({"Phone", "Recovery codes"})  # what we call one that nobody named


def named(one: Authenticator) -> str:
    """What an authenticator is called: as its owner named it, and by what of it may be shown."""
    parts = [] if one.label in _OURS or not one.label else [one.label]
    if one.hint.startswith("ending "):
        parts.append(sentence("ending %(digits)s", digits=one.hint.removeprefix("ending ")))
    elif one.hint == GIVEN:
        parts.append(sentence("given by an operator"))
    elif one.hint:
        parts.append(one.hint)
    return listed(parts)
