"""Pages that answer rather than ask: errors, signing out, form_post, the development inbox, messages."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import ClassVar

from idp.catalogue import mark


class Trouble(Enum):
    """What went wrong: HTTP status, title, what happened, what to do."""

    UNKNOWN_CLIENT = (
        400,
        mark("This application is not known here"),
        mark("The application that sent you here gave a client_id that is not registered."),
        mark(
            "Nothing was shared. Go back and try again; if it happens again, tell the people who run the application."
        ),
    )
    BAD_REDIRECT_URI = (
        400,
        mark("This link cannot be trusted"),
        mark(
            "The application asked for answers to be sent to an address (redirect_uri) that is not registered for it."
        ),
        mark(
            "Nothing was shared. Go back and try again; if it happens again, tell the people who run the application."
        ),
    )
    BAD_LOGOUT_URI = (
        400,
        mark("This link cannot take you back"),
        mark(
            "The application asked to send you, after signing out, to an address (post_logout_redirect_uri) "
            "that is not registered for it."
        ),
        mark("You are not signed out yet. You can sign out here; then return to the application by yourself."),
    )
    BAD_LOGOUT_URI_OUT = (
        400,
        mark("This link cannot take you back"),
        mark(
            "The application asked to send you, after signing out, to an address (post_logout_redirect_uri) "
            "that is not registered for it."
        ),
        mark("Nobody is signed in here. Return to the application by yourself."),
    )
    BAD_REQUEST = (
        400,
        mark("We could not understand this request"),
        mark("Something in the address or the form is missing or wrong."),
        mark("Go back to the application and start again."),
    )
    LINK_OLD = (
        400,
        mark("This page is no longer valid"),
        mark("You were away for too long, finished already, or opened an old page."),
        mark("Go back to the application and start again, or go to your account. Nothing was changed."),
    )
    REQUEST_GONE = (
        400,
        mark("This cannot be opened any more"),
        mark("It was answered already, was open for too long, or belongs to another browser or application."),
        mark("Nothing was changed by coming here. Go back to the application and start there."),
    )
    FINISHED = (
        400,
        mark("This is done already"),
        mark("You finished or cancelled it before. Nothing is asked of you any more."),
        mark("If the application is still waiting for it, or you want to do it once more, start again."),
    )
    OTHER_BROWSER = (
        400,
        mark("Start again here"),
        mark(
            "You began in another browser or in a private window, or signed out meanwhile, "
            "or this browser keeps no cookies."
        ),
        mark("Go on where you began, or start again in this browser. Nothing was changed."),
    )
    FORM_REFUSED = (
        403,
        mark("We could not accept this form"),
        mark("It was not sent from our own page, or the page was open for too long. Nothing was changed."),
        mark("Go back, reload the page and try again. Cookies must be allowed."),
    )
    SIGNED_OUT = (
        403,
        mark("This page is out of date"),
        mark(
            "Meanwhile you signed out or signed in anew, perhaps in another tab, or this browser lost our cookie. "
            "Nothing was changed."
        ),
        mark("Go on with the button below. Cookies must be allowed."),
    )
    FORBIDDEN = (
        403,
        mark("You cannot do this"),
        mark("Your account is not allowed to do what you asked for."),
        mark("If you think that it should be, ask the people who run this service."),
    )
    STOPPED = (
        403,
        mark("You are not signed in"),
        mark("You stopped before the end, so this page stays closed."),
        mark("Start again when you want to open it."),
    )
    BEYOND = (
        403,
        mark("You cannot open this page yet"),
        mark(
            "This takes an authenticator app or a passkey, and you have none. A text message is not enough for it, "
            "because somebody who takes over your phone number would get it too."
        ),
        mark("Start again here when that is done."),
    )
    BEYOND_ON_HOLD = (
        403,
        mark("You cannot open this page yet"),
        mark("Your new way to confirm is on hold for your protection. Your account page says what it waits for."),
        mark("Start again here when that is done."),
    )
    BEYOND_CLOSED = (
        403,
        mark("You cannot open this page yet"),
        mark("Your account was recovered a short while ago. Your account page says more."),
        mark("Start again here when that is done."),
    )
    BEYOND_FROZEN = (
        403,
        mark("You cannot open this page yet"),
        mark("Your account is frozen. Recover it first, on your account page."),
        mark("Start again here when that is done."),
    )
    BEYOND_GROUP = (
        403,
        mark("You cannot open this page yet"),
        mark("For the group that you are in, what you have set up is not enough. Your account page says what is."),
        mark("Start again here when that is done."),
    )
    NOT_IN_GROUP = (
        403,
        mark("Not for this account"),
        mark("This page is for certain groups only, and your account is in none of them."),
        mark("If that is wrong, ask whoever manages your account."),
    )
    NOT_FOUND = (
        404,
        mark("There is no such page"),
        mark("The address may be mistyped, or the page has moved."),
        mark("Check the address, or go back to the application you came from."),
    )
    METHOD = (
        405,
        mark("This page does not work that way"),
        mark("The address exists, but not for this kind of request."),
        mark("Go back to the application and start again."),
    )
    TOO_SLOW = (
        408,
        mark("The connection was too slow"),
        mark("Your request did not arrive completely. Nothing was changed."),
        mark("Check your connection and try again."),
    )
    TOO_LARGE = (
        413,
        mark("That was too much"),
        mark("What was sent is larger than anything we ask for. Nothing was changed."),
        mark("Go back and send less."),
    )
    TOO_MANY = (
        429,
        mark("Too many tries"),
        mark("To protect your account we have to pause for a while."),
        mark("You do not need to do anything. Your account is not locked."),
    )
    BROKEN = (
        500,
        mark("Something went wrong on our side"),
        mark("It is our fault, not yours. Nothing was changed that you did not see."),
        mark("Try again in a few minutes. If it happens again, tell us the number below."),
    )
    UNAVAILABLE = (
        503,
        mark("We cannot do this right now"),
        mark("A part of our service is not reachable. To keep your account safe we do not go on without it."),
        mark("Try again in a few minutes. What you sent last may have counted, or may not."),
    )

    @property
    def status(self) -> int:
        """The HTTP status that goes with the page."""
        return self.value[0]

    @property
    def title(self) -> str:
        """The heading, in English."""
        return self.value[1]

    @property
    def happened(self) -> str:
        """What happened, in English."""
        return self.value[2]

    @property
    def remedy(self) -> str:
        """What the person can do, in English."""
        return self.value[3]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage:
    """Something went wrong; the HTTP status is `trouble.status`.

    `request_id` is what support needs, `detail` what was wrong, for developers; `retry` how long until it is worth
    trying again, the same as Retry-After; `home` and `sign_out` are ways out, `again` leads back to the beginning,
    `back` to the application.
    """

    template: ClassVar[str] = "error.html"
    trouble: Trouble
    request_id: str | None = None
    detail: str | None = None
    retry: timedelta | None = None
    home: str | None = None
    sign_out: str | None = None
    again: str | None = None
    client_name: str | None = None
    back: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmLogout:
    """Whether to sign out of this browser. Posts `decision` (`sign_out` or `stay`) and `request` to `action`."""

    template: ClassVar[str] = "confirm_logout.html"
    action: str
    username: str
    request: str = ""
    client_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedOut:
    """Signed out. `sign_in` leads to the account pages, `back` to the application (a registered URI only)."""

    template: ClassVar[str] = "logged_out.html"
    client_name: str | None = None
    back: str | None = None
    sign_in: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FormPost:
    """The answer to a client as a form that sends itself (Form Post Response Mode 2); a button without script.

    Needs `FORM_POST_SCRIPT_HASH` and the redirect URI's origin in the policy. The form holds no field of ours.
    Or, `ours`, a request that was too long for an address, once more to us.
    """

    template: ClassVar[str] = "form_post.html"
    redirect_uri: str
    fields: tuple[tuple[str, str], ...] = field(repr=False)
    client_name: str | None = None
    ours: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxMessage:
    """One message of the development inbox."""

    to: str
    at: datetime
    text: str = field(repr=False)
    code: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """The development inbox, newest first. `here` is its own address, for the link that looks again."""

    template: ClassVar[str] = "outbox.html"
    messages: tuple[OutboxMessage, ...]
    here: str
