"""What was just done, as the account page says it."""

from enum import Enum

from idp.catalogue import mark


class Done(Enum):
    """What was just done, said once at the top of the account page."""

    PASSWORD_CHANGED = mark("Your password was changed. Every other browser has to sign in again.")
    AUTHENTICATOR_ADDED = mark("Your authenticator app is set up.")
    AUTHENTICATOR_RENAMED = mark("The authenticator app has a new name.")
    AUTHENTICATOR_REMOVED = mark("The authenticator app was removed. Every other browser has to sign in again.")
    PHONE_ADDED = mark("The phone was added. Codes can be sent there from now on.")
    PHONE_CHANGED = mark(
        "Your phone was changed. Codes go to the new one, and every other browser has to sign in again."
    )
    PHONE_RENAMED = mark("The phone has a new name.")
    PHONE_FIRST = mark("Codes by text message go to this phone first from now on.")
    PHONE_REMOVED = mark("The phone was removed. Every other browser has to sign in again.")
    PASSKEY_ADDED = mark("Your passkey is set up.")
    PASSKEY_RENAMED = mark("The passkey has a new name.")
    PASSKEY_REMOVED = mark("The passkey was removed. Every other browser has to sign in again.")
    PROFILE_CHANGED = mark("What you say of yourself was saved.")
    EMAIL_REMOVED = mark("The email address was removed, and told of it.")
    CODES_AT_HAND = mark("Good. We will ask again some day.")
    RECOVERY_MADE = mark("Your new recovery codes are ready, and no older ones work.")
    CONSENT_WITHDRAWN = mark("The application is disconnected.")
    SESSION_ENDED = mark("That device is signed out.")
    PREFERENCE_SAVED = mark("It is saved what we ask you for first.")
    DEVICE_RENAMED = mark("The device has a new name.")
    DEVICE_FORGOTTEN = mark("The device is forgotten, and signed out.")
    OTHERS_SIGNED_OUT = mark("Every other browser has to sign in again.")
