"""An operator's work on people: add, find, disable, set a password. Authenticators are beside."""

import re
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from idp.audit import AccountChanged, AuthenticatorAdded, PasswordChanged
from idp.errors import IdpError
from idp.factors import password as passwords
from idp.factors.strength import MIN_CHARACTERS, Problem, acceptable
from idp.flows.delivery.notices import tell
from idp.flows.idp import Idp
from idp.flows.operate.administrators import keep_one
from idp.flows.operate.confirming import confirmed
from idp.flows.operate.finding import Person, by_mail, find_user
from idp.flows.operate.permitting import permit
from idp.flows.operate.terms import end_everything, settle
from idp.flows.people.freezing import freeze
from idp.flows.sealed import NUMBER, PHONE_INDEX, bound
from idp.model import Account, Authenticator, Change, Factor, Notice
from idp.policy import Act, Policy, Vouched
from idp.sms import phone as phones
from idp.sms.phone import Phone, Unusable
from idp.store import audits
from idp.store.engine import Connection
from idp.store.people import accounts, authenticators
from idp.typed import LONGEST_USERNAME, fold

LONGEST_NAME = 200
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,255}")
_LONGEST_LOCALE = 35  # RFC 5646 4.4.1


class NotAcceptable(IdpError):
    """What the operator gave cannot be taken; the text says why, without repeating a secret."""


_WHY_NOT_A_PHONE = {
    Unusable.NOT_A_NUMBER: "it must be a mobile number with + and the country code, as in +37251234567",
    Unusable.NOT_MOBILE: "no text message reaches it: it is not a mobile number",
    Unusable.NO_COUNTRY: "it belongs to no country",
}
_WHY_NOT_A_PASSWORD = {
    Problem.TOO_SHORT: f"it has less than {MIN_CHARACTERS} characters",
    Problem.TOO_LONG: f"it has more than {passwords.MAX_CHARACTERS} characters",
    Problem.UNREADABLE: "it holds control characters",
    Problem.COMMON: "it is among the first that anybody would try",
    Problem.NAMES: "it is mostly a name that anybody would try",
    Problem.REPETITIVE: "it repeats itself",
    Problem.SEQUENCE: "it is a row of keys or letters",
}


def parse_username(text: str) -> str:
    """A username as it is stored. Raises `NotAcceptable`."""
    name = fold(text)
    if not 0 < len(name) <= LONGEST_USERNAME:
        raise NotAcceptable(f"A username has 1 to {LONGEST_USERNAME} characters.")
    if not name.isprintable() or any(character.isspace() for character in name):
        raise NotAcceptable("A username has no spaces and no control characters.")
    return name


def parse_phone(text: str, *, region: str | None) -> Phone:
    """A mobile number. Raises `NotAcceptable`."""
    match phones.parse(text, default_region=region):
        case Unusable() as why:
            raise NotAcceptable(f"The phone number cannot be used: {_WHY_NOT_A_PHONE[why]}.")
        case found:
            return found


def parse_locale(text: str | None) -> str | None:
    """A language tag; whether there is such a language, is looked at when something is said in it.

    Raises `NotAcceptable`.
    """
    if text is None:
        return None
    tag = text.replace("_", "-")
    if not 2 <= len(tag) <= _LONGEST_LOCALE or not tag.isascii() or not tag.replace("-", "").isalnum():
        raise NotAcceptable(f"{text[:60]!r} is no language: it is written as et or pt-BR.")
    return tag


def parse_email(text: str) -> str:
    """An e-mail address, as far as its form tells. Raises `NotAcceptable`."""
    if not _EMAIL.fullmatch(text) or not text.isprintable():
        raise NotAcceptable("The e-mail address cannot be used: it must look like ada@example.com.")
    return text


def parse_group(text: str) -> str:
    """The name of a group. Raises `NotAcceptable`."""
    if not re.fullmatch(r"[\w.:/-]{1,64}", text):
        raise NotAcceptable(f"{text!r} is no name of a group: letters, digits and _ . : / - only.")
    return text


def known_group(text: str, policy: Policy) -> str:
    """The name of a group that the policy has. Raises `NotAcceptable`: any other would be a typing mistake."""
    group = parse_group(text)
    if group not in policy.groups:
        known = f"there are {', '.join(policy.groups)}" if policy.groups else "it has none"
        row = f'{group} = {{ level = "two_factor" }}'
        raise NotAcceptable(f"The group {group!r} has no row in the policy ({known}): add {row} under [groups].")
    return group


def parse_name(text: str | None) -> str | None:
    """A name as people write it. Raises `NotAcceptable`."""
    name = None if text is None else " ".join(text.split())
    if name is not None and (not name or len(name) > LONGEST_NAME or not name.isprintable()):
        raise NotAcceptable(f"A name has 1 to {LONGEST_NAME} printable characters.")
    return name


def _parse_password(idp: Idp, text: str, *, username: str, words: Sequence[str | None]) -> passwords.Password:
    problems = acceptable(text, username=username, words=[idp.settings.brand, *(word for word in words if word)])
    if problems:
        raise NotAcceptable(f"The password cannot be set: {', '.join(_WHY_NOT_A_PASSWORD[one] for one in problems)}.")
    parsed = passwords.parse(text)
    if parsed is None:
        raise NotAcceptable("The password cannot be set: it is empty.")
    return parsed


def check_new(*, username: str, phone: str | None, email: str | None, region: str | None) -> None:
    """Before a password is asked for: whether all else can be taken. Raises `NotAcceptable`."""
    parse_username(username)
    if phone is not None:
        parse_phone(phone, region=region)
    if email is not None:
        parse_email(email)


async def add_user(
    idp: Idp,
    *,
    username: str,
    password: str,
    phone: str | None,
    name: str | None = None,
    email: str | None = None,
    email_verified: bool = False,
    groups: Sequence[str] = (),
    locale: str | None = None,
) -> Person:
    """A new person, whose phone the operator vouches for. Without a phone nobody can sign in until given an app.

    Raises `NotAcceptable` or `AlreadyThere`.
    """
    permit(idp, Act.ADD_PERSON, into=groups)
    permit(idp, Act.VOUCH)
    if groups:
        permit(idp, Act.SET_GROUPS, into=groups)
    if email_verified:
        permit(idp, Act.GIVE_AUTHENTICATOR)
    username, name = parse_username(username), parse_name(name)
    number = None if phone is None else parse_phone(phone, region=idp.settings.sms_region)
    address = None if email is None else parse_email(email)
    words = [*(name or "").split(), (address or "").partition("@")[0]]
    typed = _parse_password(idp, password, username=username, words=words)
    hashed = await idp.passwords.hash_password(typed)
    now = idp.clock.now()
    account = Account(
        id=uuid4(),
        username=username,
        created_at=now,
        updated_at=now,
        name=name,
        email=address,
        email_verified=email_verified and address is not None,
        groups=frozenset(known_group(group, idp.policy) for group in groups),
        locale=parse_locale(locale),
    )
    async with idp.db.transaction() as conn:
        await accounts.add(conn, account, password_hash=hashed)
        await audits.add(conn, AccountChanged(change="added"), now=now, account_id=account.id)
        theirs = () if number is None else (await store_phone(idp, conn, account.id, number, now=now),)
    return Person(account, theirs, by_mail=by_mail(idp, account))


async def store_phone(idp: Idp, conn: Connection, account_id: UUID, number: Phone, *, now: datetime) -> Authenticator:
    """A phone that an operator vouches for: confirmed and trusted at once."""
    phone, sealed = vouched_phone(idp, account_id, number, now=now)
    await authenticators.add(conn, phone, sealed=sealed)
    await record_added(conn, phone, now=now)
    return phone


def vouched_phone(idp: Idp, account_id: UUID, number: Phone, *, now: datetime) -> tuple[Authenticator, bytes]:
    """The same before it is stored, and its number, sealed."""
    phone = Authenticator(
        id=uuid4(),
        account_id=account_id,
        factor=Factor.SMS,
        label="Phone",
        hint=phones.hint(number.e164),
        created_at=now,
        trusted_at=now,
        confirmed_at=now,
        number_key=idp.secrets.index(number.e164, purpose=PHONE_INDEX),
    )
    return phone, idp.secrets.seal(number.e164.encode(), purpose=NUMBER, bound_to=bound(account_id, phone.id))


async def record_added(conn: Connection, given: Authenticator, *, now: datetime) -> None:
    """The audit row for an authenticator that an operator gave."""
    await audits.add(conn, added(given), now=now, account_id=given.account_id)


def added(given: Authenticator) -> AuthenticatorAdded:
    """What the trail says of an authenticator that an operator gave."""
    trusted = None if given.trusted_at is None else given.trusted_at.isoformat()
    return AuthenticatorAdded(given.factor, str(given.id), trusted_at=trusted, by="operator")


async def set_password(idp: Idp, who: str | UUID, password: str, *, temporary: bool = False) -> Person:
    """Set a password. All sessions and tokens of the person end, and every phone is told.

    A `temporary` one has to be changed when it is used first, within the time that the policy says.
    """
    person = await find_user(idp, who, to=Act.SET_PASSWORD)
    account = person.account
    words = [*(account.name or "").split(), (account.email or "").partition("@")[0]]
    typed = _parse_password(idp, password, username=account.username, words=words)
    hashed = await idp.passwords.hash_password(typed)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        account = await confirmed(conn, idp, account, to=Act.SET_PASSWORD)
        until = now + idp.policy.links.ticket if temporary else None
        await accounts.set_password(conn, account_id=account.id, password_hash=hashed, now=now, until=until)
        await audits.add(conn, PasswordChanged(by="operator"), now=now, account_id=account.id)
        await settle(conn, idp, account, Change.OPERATOR_SETS_PASSWORD, why="password", now=now)
        await tell(idp, conn, account, Notice.PASSWORD_CHANGED, now=now)
    return person


async def freeze_user(idp: Idp, who: str | UUID) -> bool:
    """Sign a person out everywhere and close what is sensitive until they recover. False: it was closed already.

    They are told on every channel. Raises `NotThere`, and `NotPermitted` for the last administrator.
    """
    person = await find_user(idp, who, to=Act.FREEZE)
    async with idp.db.transaction() as conn:
        account = await confirmed(conn, idp, person.account, to=Act.FREEZE)
        await keep_one(conn, idp, account)
        return await freeze(conn, idp, account, by="operator", vouched=Vouched.OPERATOR, now=idp.clock.now())


async def set_user_disabled(idp: Idp, who: str | UUID, *, disabled: bool) -> Person:
    """Keep a person out, whose sessions and tokens end at once, or let them in again.

    Raises `NotThere`, and `NotPermitted` for the last administrator.
    """
    person = await find_user(idp, who, to=Act.DISABLE)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        account = await confirmed(conn, idp, person.account, to=Act.DISABLE)
        if disabled:
            await keep_one(conn, idp, account)
        await accounts.set_disabled(conn, account_id=account.id, disabled_at=now if disabled else None, now=now)
        change = AccountChanged(change="disabled" if disabled else "enabled")
        await audits.add(conn, change, now=now, account_id=account.id)
        if disabled:
            await end_everything(conn, account, why="disabled", now=now)
    return person
