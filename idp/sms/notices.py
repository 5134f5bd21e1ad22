"""What notices say: by text message in one part, by e-mail in full. No code, and no link but those of e-mails."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from idp.formats import moment
from idp.model import Notice
from idp.sms.text import BRAND, Translate, fill, fits, harmless, plain


@dataclass(frozen=True, slots=True)
class Circumstances:
    """When something happened to an account, in which time zone its person lives, and from where it was done.

    What is not known is None. `by_operator`: by those who run the service, and so in no browser of the person.
    """

    at: datetime
    zone: str | None = None
    device: str | None = None
    address: str | None = None
    by_operator: bool = False


@dataclass(frozen=True, slots=True)
class Ways:
    """Where the account page is, and the link that freezes the account until `until`; None: none was made."""

    account: str
    freeze: str | None = field(default=None, repr=False)
    until: datetime | None = None

    @property
    def place(self) -> str:
        """The account page as somebody would type it."""
        return self.account.partition("://")[2]


def notice_text(
    notice: Notice, *, brand: str, place: str | None = None, device: str | None = None, translate: Translate = str
) -> str:
    """What happened to the account, and, as far as there is room, with which browser and where to go.

    `place` is the address of the account page without a scheme: it is to be typed, for no text of ours is a link.
    """
    values = {"brand": harmless(brand, BRAND), "place": place or "", "device": device or ""}
    for _ in (translate, str):
        for text in _texts(notice, _, values):
            if fits(text):
                return text
    raise AssertionError("the English sentences fit")


def _texts(notice: Notice, _: Translate, values: Mapping[str, str]) -> Iterator[str]:
    """From the one that says most to the one that says least."""
    happened = plain(fill(said(notice, _), values))
    advice = [plain(fill(sentence, values)) for sentence in _advice(notice, _, placed=bool(values["place"]))]
    named = happened
    if values["device"] and notice is Notice.NEW_BROWSER:
        named = plain(fill(_("New sign-in to your {brand} account: {device}."), values))
    elif values["device"]:
        named = f"{happened.removesuffix('.')} ({values['device']})."
    for each in advice:
        yield f"{named} {each}"
        yield f"{happened} {each}"
    yield happened


def _advice(notice: Notice, _: Translate, *, placed: bool) -> Iterator[str]:
    """What to do if it was not them, the best first."""
    if notice is Notice.FROZEN:
        if placed:
            yield _("Not you? Recover it at {place} or ask us.")
        yield _("Not you? Recover it, or ask us.")
        return
    if notice in {Notice.CODES_WRONG, Notice.NEW_BROWSER, Notice.APPROVAL_REFUSED}:
        if placed:
            yield _("Not you? Change your password at {place} and tell us.")
        yield _("Not you? Change your password now and tell us.")
        return
    if placed:
        yield _("Not you? Sign in at {place}, undo it and tell us.")
    yield _("Not you? Sign in as you always do, undo it and tell us.")


def notice_mail(
    notice: Notice,
    *,
    brand: str,
    circumstances: Circumstances,
    ways: Ways,
    translate: Translate = str,
    locale: str = "en",
) -> str:
    """The whole e-mail. Its first line is what happened, and stands above it too."""
    _ = translate
    values = {"brand": harmless(brand, BRAND), "account": ways.account}
    paragraphs = (
        said(notice, _),
        _circumstances(circumstances, values, _, locale),
        *_to_do(notice, ways, circumstances.zone, _, locale),
        _("Your account is at {account}"),
        _("{brand} will not call, text or email to ask for a password or a code."),
    )
    return "\n\n".join(fill(paragraph, values) for paragraph in paragraphs)


def _to_do(notice: Notice, ways: Ways, zone: str | None, _: Translate, locale: str) -> Iterator[str]:
    if notice is Notice.FROZEN:
        yield _(
            "Nothing sensitive opens, and nothing of how you sign in can be changed, until the account is recovered. "
            "Press “Forgot your password?” where you sign in, and confirm the new password with what you still have; "
            "or ask the people who run this service."
        )
        return
    yield _("Was it you? Then there is nothing to do.")
    if ways.freeze is None or ways.until is None:
        yield _("Not you? Sign in as you always do, undo it and tell us.")
        return
    freeze = _(
        "Not you? Open this address and press the button. It signs you out everywhere and closes sensitive actions "
        "and changes until you have recovered your account. It works without a password, once, until {until}:"
    )
    yield fill(freeze, {"until": moment(ways.until, locale, zone)})
    yield ways.freeze


def _circumstances(known: Circumstances, values: Mapping[str, str], _: Translate, locale: str) -> str:
    lines = [fill(_("When: {when}"), {"when": moment(known.at, locale, known.zone)})]
    if known.by_operator:
        lines.append(fill(_("By: the people who run {brand}"), values))
    if known.device is not None:
        lines.append(fill(_("Browser: {browser}"), {"browser": known.device}))
    if known.address is not None:
        lines.append(fill(_("Network address: {address}"), {"address": known.address}))
    return "\n".join(lines)


def said(notice: Notice, translate: Callable[[str], str]) -> str:
    """What happened, in one sentence."""
    _ = translate
    return {
        Notice.TOTP_ADDED: _("An authenticator app was added to your {brand} account."),
        Notice.PASSKEY_ADDED: _("A passkey was added to your {brand} account."),
        Notice.PASSKEY_BEHIND: _("A passkey of your {brand} account was refused: it may be a copy."),
        Notice.PHONE_ADDED: _("A phone was added to your {brand} account."),
        Notice.PHONE_CHANGED: _("The phone of your {brand} account was changed."),
        Notice.EMAIL_CHANGED: _("The email address of your {brand} account was changed."),
        Notice.RECOVERY_ADDED: _("New recovery codes were made for your {brand} account."),
        Notice.AUTHENTICATOR_REMOVED: _("A way to sign in was removed from your {brand} account."),
        Notice.RECOVERY_USED: _("A recovery code was used for your {brand} account."),
        Notice.PASSWORD_CHANGED: _("The password of your {brand} account was changed."),
        Notice.CODES_WRONG: _("Somebody typed wrong codes for your {brand} account."),
        Notice.NEW_BROWSER: _("A new browser signed in to your {brand} account."),
        Notice.RECOVERED: _("Your {brand} account is being set up anew by those who run it."),
        Notice.FROZEN: _("Your {brand} account was frozen and signed out everywhere."),
        Notice.APPROVAL_REFUSED: _("An approval asked of your {brand} account was refused as not yours."),
    }[notice]
