"""An operator's work on people: add, freeze, disable. Their passwords and authenticators are beside."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID, uuid4

from idp.audit import AccountChanged
from idp.errors import AlreadyThere, IdpError
from idp.factors import password as passwords
from idp.factors.strength import acceptable
from idp.flows.idp import Idp
from idp.flows.operate import reasons
from idp.flows.operate.administrators import keep_one
from idp.flows.operate.confirming import at_work, confirmed, somebody_new
from idp.flows.operate.finding import Person, by_mail, find_user
from idp.flows.operate.permitting import permit
from idp.flows.operate.terms import end_everything
from idp.flows.operate.vouching import store_phone
from idp.flows.people import links
from idp.flows.people.freezing import freeze
from idp.model import OPERATOR, Account
from idp.policy import Act, Policy, Vouched
from idp.sentences import listed, sentence
from idp.sms import phone as phones
from idp.sms.phone import Phone, Unusable
from idp.store import audits
from idp.store.people import accounts
from idp.typed import LONGEST_USERNAME, fold, visible

T = TypeVar("T")
LONGEST_NAME = 200
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,255}")
_LONGEST_LOCALE = 35  # RFC 5646 4.4.1


class NotAcceptable(IdpError):
    """What the operator gave cannot be taken; the text says why, without repeating a secret.

    `fields` names for each of the `problems` what it is about, as the API calls it; empty where that is not said.
    """

    def __init__(self, *problems: str, fields: Sequence[str] = ()) -> None:
        super().__init__(*problems)
        self.fields = tuple(fields) or ("",) * len(problems)


class Mistakes:
    """What of several things cannot be taken, so that all of it is told at once."""

    def __init__(self) -> None:
        self._found: list[tuple[str, str]] = []

    def take(self, field: str, parse: Callable[[str], T], given: str | None) -> T | None:
        """What was given for this, parsed; None where nothing was, and where it cannot be taken."""
        try:
            return None if given is None else parse(given)
        except NotAcceptable as error:
            self.add(field, *error.problems)
            return None

    def add(self, field: str, *problems: str) -> None:
        """These are wrong with it."""
        self._found += [(field, one) for one in problems if (field, one) not in self._found]

    def check(self) -> None:
        """Raises `NotAcceptable` if anything was wrong."""
        if self._found:
            raise NotAcceptable(*(one for _, one in self._found), fields=[field for field, _ in self._found])


def parse_username(text: str) -> str:
    """A username as it is stored. Raises `NotAcceptable`."""
    name = fold(text)
    if not 0 < len(name) <= LONGEST_USERNAME:
        raise NotAcceptable(sentence("A username has 1 to %(longest)s characters.", longest=LONGEST_USERNAME))
    if not visible(name) or any(character.isspace() for character in name):
        raise NotAcceptable(sentence("A username has no spaces and no control characters."))
    return name


def parse_phone(text: str, *, region: str | None) -> Phone:
    """A mobile number. Raises `NotAcceptable`."""
    match phones.parse(text, default_region=region):
        case Unusable() as why:
            raise NotAcceptable(sentence("The phone number cannot be used: %(why)s.", why=reasons.NOT_A_PHONE[why]))
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
        raise NotAcceptable(sentence("%(text)s is no language: it is written as et or pt-BR.", text=repr(text[:60])))
    return tag


def parse_email(text: str) -> str:
    """An e-mail address, as far as its form tells. Raises `NotAcceptable`."""
    if not _EMAIL.fullmatch(text) or not text.isprintable():
        raise NotAcceptable(sentence("The e-mail address cannot be used: it must look like ada@example.com."))
    return text


def parse_group(text: str) -> str:
    """The name of a group. Raises `NotAcceptable`."""
    if not re.fullmatch(r"[\w.:/-]{1,64}", text):
        raise NotAcceptable(
            sentence("%(text)s is no name of a group: letters, digits and _ . : / - only.", text=repr(text))
        )
    return text


def known_group(text: str, policy: Policy) -> str:
    """The name of a group that the policy has. Raises `NotAcceptable`: any other would be a typing mistake."""
    group = parse_group(text)
    if group not in policy.groups:
        there = (
            sentence("there are %(groups)s", groups=", ".join(policy.groups))
            if policy.groups
            else sentence("it has none")
        )
        raise NotAcceptable(
            sentence(
                "The group %(group)s has no row in the policy (%(there)s): add %(row)s under [groups].",
                group=repr(group),
                there=there,
                row=f'{group} = {{ level = "two_factor" }}',
            )
        )
    return group


def parse_name(text: str | None) -> str | None:
    """A name as people write it. Raises `NotAcceptable`."""
    name = None if text is None else " ".join(text.split())
    if name is not None and (not name or len(name) > LONGEST_NAME or not name.isprintable()):
        raise NotAcceptable(sentence("A name has 1 to %(longest)s printable characters.", longest=LONGEST_NAME))
    return name


def parse_password(idp: Idp, text: str, *, username: str, words: Sequence[str | None]) -> passwords.Password:
    """A password that somebody of this name may have. Raises `NotAcceptable`."""
    problems = acceptable(text, username=username, words=[idp.settings.brand, *(word for word in words if word)])
    if problems:
        raise NotAcceptable(
            sentence(
                "The password cannot be set: %(why)s.", why=listed([reasons.NOT_A_PASSWORD[one] for one in problems])
            )
        )
    parsed = passwords.parse(text)
    if parsed is None:
        raise NotAcceptable(sentence("The password cannot be set: it is empty."))
    return parsed


def check_new(*, username: str, phone: str | None, email: str | None, region: str | None) -> None:
    """Before a password is asked for: whether all else can be taken. Raises `NotAcceptable`."""
    wrong = Mistakes()
    wrong.take("username", parse_username, username)
    wrong.take("phone", lambda text: parse_phone(text, region=region), phone)
    wrong.take("email", parse_email, email)
    wrong.check()


def judge_new(idp: Idp, given: Mapping[str, Any]) -> None:
    """What cannot be taken of so much of somebody new, by the words of `add_user`. Raises `NotAcceptable`."""
    wrong, region = Mistakes(), idp.settings.sms_region
    told = {name: given.get(name) for name in ("name", "email", "locale")}
    new = described(idp, wrong, username=given.get("username", "?"), groups=given.get("groups", ()), **told)
    wrong.take("phone", lambda text: parse_phone(text, region=region), given.get("phone"))
    words = [*(new.name or "").split(), (new.email or "").partition("@")[0]]
    wrong.take(
        "password", lambda text: parse_password(idp, text, username=new.username, words=words), given.get("password")
    )
    wrong.check()


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
    temporary: bool = False,
    as_id: UUID | None = None,
) -> Person:
    """A new person, whose phone the operator vouches for. Without a phone nobody can sign in until given an app.

    A `temporary` password has to be changed when it is used first, within the time that the policy says. With
    `as_id` they are added once. Raises `NotAcceptable` or `AlreadyThere`.
    """
    permit(idp, Act.ADD_PERSON, into=groups)
    permit(idp, Act.VOUCH)
    if groups:
        permit(idp, Act.SET_GROUPS, into=groups)
    if email_verified:
        permit(idp, Act.GIVE_AUTHENTICATOR)
    wrong = Mistakes()
    new = described(idp, wrong, username=username, name=name, email=email, groups=groups, locale=locale)
    number = wrong.take("phone", lambda text: parse_phone(text, region=idp.settings.sms_region), phone)
    words = [*(new.name or "").split(), (new.email or "").partition("@")[0]]
    typed = wrong.take("password", lambda text: parse_password(idp, text, username=new.username, words=words), password)
    wrong.check()
    assert typed is not None
    hashed = await idp.passwords.hash_password(typed)
    now = new.created_at
    until = now + idp.policy.links.ticket if temporary else None
    verified = email_verified and new.email is not None
    account = replace(new, id=as_id or new.id, email_verified=verified, password_until=until)
    try:
        async with idp.db.transaction() as conn:
            await accounts.add(conn, account, password_hash=hashed, by=OPERATOR.get().key)
            await somebody_new(conn, as_id)
            await audits.add(conn, AccountChanged(change="added"), now=now, account_id=account.id)
            phones = [] if number is None else [await store_phone(idp, conn, account.id, number, now=now)]
            await at_work(conn, idp)
    except AlreadyThere:
        before = await accounts.by_username(idp.db, username=account.username)
        if as_id is None or before is None or before[0].id != as_id:
            raise
        return Person(*before, by_mail=by_mail(idp, before[0]))
    return Person(account, tuple(phones), by_mail=by_mail(idp, account))


def described(
    idp: Idp,
    wrong: Mistakes,
    *,
    username: str,
    name: str | None,
    email: str | None,
    groups: Sequence[str],
    locale: str | None,
) -> Account:
    """Somebody new, as far as nothing is `wrong`."""
    now = idp.clock.now()
    known = (wrong.take("groups", lambda text: known_group(text, idp.policy), group) for group in groups)
    return Account(
        id=uuid4(),
        username=wrong.take("username", parse_username, username) or "",
        created_at=now,
        updated_at=now,
        name=wrong.take("name", parse_name, name),
        email=wrong.take("email", parse_email, email),
        groups=frozenset(group for group in known if group is not None),
        locale=wrong.take("locale", parse_locale, locale),
    )


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
    """Keep a person out, whose sessions and tokens end at once, or let them in again. The trail has it once.

    Raises `NotThere`, and `NotPermitted` for the last administrator.
    """
    person = await find_user(idp, who, to=Act.DISABLE)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        account = await confirmed(conn, idp, person.account, to=Act.DISABLE)
        if account.disabled is disabled:
            return person
        if disabled:
            await keep_one(conn, idp, account)
        await accounts.set_disabled(conn, account_id=account.id, disabled_at=now if disabled else None, now=now)
        change = AccountChanged(change="disabled" if disabled else "enabled")
        await audits.add(conn, change, now=now, account_id=account.id)
        if disabled:
            await end_everything(conn, account, why="disabled", now=now)
            await links.withdraw(conn, idp, account, now=now)
    return person
