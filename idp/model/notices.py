"""What people are told of their account, and by what. What is said of each is in `sms.notices`."""

from enum import StrEnum


class Notice(StrEnum):
    """What a person is told about at once, because it may not have been them."""

    TOTP_ADDED = "totp_added"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_BEHIND = "passkey_behind"
    PHONE_ADDED = "phone_added"
    PHONE_CHANGED = "phone_changed"
    EMAIL_CHANGED = "email_changed"
    RECOVERY_ADDED = "recovery_added"
    AUTHENTICATOR_REMOVED = "authenticator_removed"
    RECOVERY_USED = "recovery_used"
    PASSWORD_CHANGED = "password_changed"
    CODES_WRONG = "codes_wrong"
    NEW_BROWSER = "new_browser"
    FROZEN = "frozen"
    RECOVERED = "recovered"
    APPROVAL_REFUSED = "approval_refused"


# How somebody signs in was changed: told on every channel, whatever it costs, for a hold may begin with it (design 5).
# So is that something waited for approval which they did not ask for.
EVERYWHERE = frozenset(
    {
        Notice.TOTP_ADDED,
        Notice.PHONE_ADDED,
        Notice.PHONE_CHANGED,
        Notice.PASSKEY_ADDED,
        Notice.EMAIL_CHANGED,
        Notice.RECOVERY_ADDED,
        Notice.AUTHENTICATOR_REMOVED,
        Notice.RECOVERY_USED,
        Notice.FROZEN,
        Notice.RECOVERED,
        Notice.APPROVAL_REFUSED,
    }
)
# The mails of these carry no link that freezes: it is done.
LINKLESS = frozenset({Notice.FROZEN})


class Texting(StrEnum):
    """Whether a notice may cost text messages: to every phone, to those of people who proved no mailbox, or never."""

    ALWAYS = "always"
    UNMAILED = "unmailed"
    NEVER = "never"
