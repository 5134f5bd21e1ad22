"""Pages that say what was done, or why it cannot be done now. Errors are in `answers`."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import ClassVar

from idp.catalogue import mark


class Outcome(Enum):
    """What a message page says: title and sentence."""

    THAWED = (
        mark("This link does not work any more"),
        mark("Your account has been recovered since this link was made. Nothing was changed now."),
    )
    NO_FREEZE = (
        mark("This link does not work any more"),
        mark(
            "It is too old, or was not copied whole. To stop somebody else, sign in and sign out every other browser, "
            "or ask the people who run this service. Nothing was changed."
        ),
    )
    CANCELLED = (mark("You cancelled"), mark("Nothing was shared and nothing was changed. You can close this page."))
    APP_NEEDED = (
        mark("You cannot do this now"),
        mark(
            "It needs a confirmation that your account cannot give: a code from an authenticator app that is past its "
            "waiting time, or a saved recovery code. If you have neither, ask the people who run this service for "
            "help. Nothing was changed."
        ),
    )
    SIM_UNSURE = (
        mark("You cannot do this now"),
        mark(
            "A text message is not enough for this now: the SIM of your phone was changed lately, or we could not find "
            "out whether it was. Nothing was changed, and you can go on using your account. Try again in some minutes, "
            "or use a saved recovery code."
        ),
    )
    FROZEN = (
        mark("Your account is frozen"),
        mark(
            "Somebody told us that it was not you who signed in. You can go on signing in, but nothing sensitive "
            "opens, and nothing of how you sign in can be changed, until the account is recovered: sign out, press "
            "“Forgot your password?” and confirm with all that you have, or ask the people who run this service. "
            "Nothing was changed."
        ),
    )
    SHUT = (
        mark("You cannot do this yet"),
        mark(
            "Your account was recovered a short while ago with less than it had. So that nobody else can use that, "
            "nothing sensitive opens for a while, and nothing of how you sign in can be changed. Nothing was changed."
        ),
    )
    GROUP = (
        mark("Your group asks for more"),
        mark(
            "You are in a group whose members confirm with certain means only, such as an authenticator app, and your "
            "account has none of them that works now. A code by text message does not count. Ask the people who run "
            "this service to set one up for you. Nothing was changed."
        ),
    )
    EMAIL_VERIFIED = (
        mark("Your email address is verified"),
        mark("From now on we write to it. You can close this page, or go on where you were."),
    )
    EMAIL_OVER = (
        mark("This link does not work any more"),
        mark("It was used already, is too old, or a newer one was sent. Nothing was changed."),
    )
    LINK_OVER = (
        mark("This link does not work any more"),
        mark("It was used already, or is too old. Nothing was changed."),
    )
    RESET_DONE = (
        mark("Your new password is set"),
        mark(
            "Every browser has to sign in again, this one too. Go back to the application you came from, or sign in to "
            "your account."
        ),
    )
    RESET_BARRED = (
        mark("You cannot do this now"),
        mark(
            "Your account has nothing with which we could tell that it is you, or it was disabled. Ask the people who "
            "run this service for help. Your password was not changed."
        ),
    )
    INVITATION_OVER = (
        mark("This link does not work any more"),
        mark(
            "It was used already, or is too old. If you have chosen a password and a second step, sign in; else ask "
            "the people who run this service for another link."
        ),
    )
    SET_UP = (
        mark("Your account is ready"),
        mark("Now sign in with your password and what you set up, or go to the application that you want to use."),
    )
    CLOSE = (mark("All done"), mark("You can close this page."))

    @property
    def title(self) -> str:
        """The heading, in English."""
        return self.value[0]

    @property
    def sentence(self) -> str:
        """What follows the heading, in English."""
        return self.value[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something was done, or cannot be done before `until`. Links to the account page (`home`) or to begin `again`."""

    template: ClassVar[str] = "message.html"
    outcome: Outcome
    home: str | None = None
    again: str | None = None
    until: datetime | None = None
