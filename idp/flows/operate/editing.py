"""A person, changed by an operator: name, address, language, groups, claims. Two at once do not undo each other's work.

The words are those of the API: `username`, `name`, `email`, `email_verified`, `locale`, `groups`, `claims`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from idp.audit import AccountChanged
from idp.crypto import digest
from idp.errors import Outdated
from idp.flows.idp import Idp
from idp.flows.operate import raising
from idp.flows.operate.administrators import keep_one
from idp.flows.operate.claims import parse_claims
from idp.flows.operate.confirming import confirmed
from idp.flows.operate.finding import Person, find_user
from idp.flows.operate.groups import consequences
from idp.flows.operate.people import (
    Mistakes,
    NotAcceptable,
    known_group,
    parse_email,
    parse_locale,
    parse_name,
    parse_username,
)
from idp.flows.operate.permitting import permit
from idp.flows.operate.raising import Chosen, begin_anew, chosen_by_others, is_raised
from idp.flows.people import links, mailbox
from idp.model import Account, Role
from idp.policy import Act, Policy
from idp.sentences import sentence
from idp.store import audits
from idp.store.people import editing
from idp.store.tokens import clients

FIELDS = ("username", "name", "email", "email_verified", "locale", "groups", "claims")
_MAILBOX = frozenset({"email", "email_verified"})


@dataclass(frozen=True, slots=True)
class ChangedPerson:
    """A person before and after, and what follows from it, one sentence each."""

    before: Account
    after: Account
    consequences: tuple[str, ...]

    @property
    def changed(self) -> tuple[str, ...]:
        """The fields that are not what they were."""
        return tuple(each for each in FIELDS if getattr(self.before, each) != getattr(self.after, each))


def version_of(account: Account) -> str:
    """A short name for what is known of a person now: another one as soon as anything that can be edited is changed."""
    told = {name: getattr(account, name) for name in (*FIELDS, "disabled")}
    told |= {"groups": sorted(account.groups), "claims": dict(account.claims), "frozen": account.frozen_at is not None}
    return digest(json.dumps(told, sort_keys=True)).hex()[:16]


def as_seen(account: Account, expected: str | None) -> None:
    """Go on if the person, locked, is as the operator saw them. Raises `Outdated`."""
    if expected is not None and expected != version_of(account):
        raise Outdated(
            sentence("Somebody else changed %(who)s meanwhile: look at them again, then go on.", who=account.username)
        )


async def edit_person(
    idp: Idp, who: str | UUID, changes: Mapping[str, Any], *, expected: str | None = None, dry_run: bool = False
) -> ChangedPerson:
    """Change these `FIELDS` of a person and leave the others. It holds everywhere at once.

    `groups` are all groups of theirs from now on; `claims` are changed one by one, and None removes one. An `email`
    alone is not known to be theirs. They are told of another address at every place, the old one too. `expected` is
    the version that the operator saw: if it is another now, and not yet as they want it, `Outdated` is raised. A
    `dry_run` changes nothing.

    Raises `NotThere`, `NotAcceptable`, `AlreadyThere` for a username that somebody has, and `NotPermitted`.
    """
    act = Act.SET_GROUPS if set(changes) == {"groups"} else Act.EDIT_PERSON
    found = (await find_user(idp, who, to=act)).account
    registered = await clients.all_clients(idp.db) if "groups" in changes else ()
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        before = await confirmed(conn, idp, found, to=act)
        after = changed(before, changes, idp.policy)
        _permit(idp, before, after, changes)
        if after != before:  # RFC 9110, 13.1.1: what is applied already, as by the first of two presses, is done
            as_seen(before, expected)
        chosen = await chosen_by_others(conn, before) if is_raised(idp.policy, before, after) else None
        follows = (*_consequences(before, after), *_of_groups(idp, before, after, registered, chosen))
        done = ChangedPerson(before, after, follows)
        if idp.policy.role_of(after.groups) is not Role.ADMIN:
            await keep_one(conn, idp, before)
        if dry_run:
            return done
        if chosen is not None:
            await begin_anew(conn, idp, before, chosen, now=now)
        if what := ", ".join(_told(after, name) for name in done.changed if name not in _MAILBOX):
            await editing.edit(conn, after, now=now)
            if is_raised(idp.policy, after, before):
                await links.withdraw(conn, idp, before, now=now)
            await audits.add(conn, AccountChanged(change=what), now=now, account_id=after.id)
        if _MAILBOX & set(changes):
            await mailbox.change(idp, conn, before, after.email, verified=after.email_verified, now=now, by="operator")
    return done


def _permit(idp: Idp, before: Account, after: Account, changes: Mapping[str, Any]) -> None:
    """Whether the operator may do all of it, to whoever this is now."""
    if "groups" in changes:
        permit(idp, Act.SET_GROUPS, on=before.groups, into=after.groups)
    # Codes and links for a forgotten password go to an address that counts as theirs: it is a way in.
    if after.email_verified and (after.email, True) != (before.email, before.email_verified):
        permit(idp, Act.GIVE_AUTHENTICATOR, on=before.groups)


def changed(before: Account, changes: Mapping[str, Any], policy: Policy) -> Account:
    """The person as they would be. Raises `NotAcceptable`."""
    for name in changes:
        if name not in FIELDS:
            raise NotAcceptable(f"{name!r} cannot be changed: there are {', '.join(FIELDS)}.")
    reads: Mapping[str, Callable[[Any], Any]] = {
        "username": lambda given: parse_username(_text("username", given)),
        "name": lambda given: parse_name(_text_or_none("name", given)),
        "locale": lambda given: parse_locale(_text_or_none("locale", given)),
        # One that lost its row stays with who has it.
        "groups": lambda given: frozenset(
            group if group in before.groups else known_group(group, policy) for group in _texts("groups", given)
        ),
        "claims": lambda given: parse_claims(_pairs(given), known=before.claims),
    }
    wrong = Mistakes()
    read: dict[str, Any] = {}
    for name in (each for each in reads if each in changes):
        try:
            read[name] = reads[name](changes[name])
        except NotAcceptable as error:
            wrong.add(name, *error.problems)
    after = replace(before, **read)
    try:
        after = _with_mailbox(after, changes)
    except NotAcceptable as error:
        wrong.add("email" if "email" in changes else "email_verified", *error.problems)
    wrong.check()
    return after


def _with_mailbox(account: Account, changes: Mapping[str, Any]) -> Account:
    if not _MAILBOX & set(changes):
        return account
    email = account.email
    if "email" in changes:
        given = _text_or_none("email", changes["email"])
        email = None if given is None else parse_email(given)
    verified = changes.get("email_verified", account.email_verified and email == account.email)
    if not isinstance(verified, bool):
        raise NotAcceptable("email_verified must be true or false.")
    if verified and email is None:
        raise NotAcceptable(sentence("There is no e-mail address that could be verified: give one, too."))
    return replace(account, email=email, email_verified=verified)


def _text(name: str, given: object) -> str:
    if not isinstance(given, str):
        raise NotAcceptable(f"{name} must be a text.")
    return given


def _text_or_none(name: str, given: object) -> str | None:
    """An empty text says that there is none."""
    return None if given is None else _text(name, given) or None


def _texts(name: str, given: object) -> Sequence[str]:
    if isinstance(given, str) or not isinstance(given, Sequence | frozenset | set):
        raise NotAcceptable(f"{name} must be a list of texts.")
    return [_text(name, each) for each in given]


def _pairs(given: object) -> Sequence[str]:
    """As `parse_claims` takes them."""
    if not isinstance(given, Mapping):
        raise NotAcceptable("claims must be an object.")
    flat: dict[str, object] = {}
    for name, value in given.items():
        inner = value.items() if name == "address" and isinstance(value, Mapping) else None
        flat |= {name: value} if inner is None else {f"address.{part}": each for part, each in inner}
    if odd := [name for name in flat if "=" in name]:
        raise NotAcceptable(f"{odd[0][:60]!r} is no claim that can be set.")
    return [f"{name}={'' if value is None else _text(str(name), value)}" for name, value in flat.items()]


def _told(after: Account, name: str) -> str:
    """What the trail says of a field: the groups, of all others that they changed."""
    return f"groups: {' '.join(sorted(after.groups)) or 'none'}" if name == "groups" else name


def _consequences(before: Account, after: Account) -> Iterator[str]:
    if after.username != before.username:
        yield sentence(
            "They sign in as %(who)s from now on; applications go on knowing them by their subject.",
            who=after.username,
        )
    if (after.email, after.email_verified) == (before.email, before.email_verified):
        return
    if before.email_verified:
        yield sentence(
            "No code goes to %(email)s any more, and what was mailed there works no more; it is told of this.",
            email=before.email or "",
        )
    if after.email is not None:
        yield (
            sentence("Codes and links for another password go to %(email)s.", email=after.email)
            if after.email_verified
            else sentence(
                "Nothing that opens anything goes to %(email)s before they have proved that it is theirs.",
                email=after.email,
            )
        )


def _of_groups(
    idp: Idp, before: Account, after: Account, registered: Sequence[Any], chosen: Chosen | None
) -> Iterator[str]:
    if after.groups != before.groups:
        yield from consequences(before, after, registered, idp.policy)
    if chosen is not None:
        yield from raising.consequences(chosen)


async def set_claims(idp: Idp, who: str | UUID, given: Sequence[str]) -> Person:
    """Change what is known about a person, as `name=value`. Raises `NotThere` or `NotAcceptable`."""
    pairs = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals:
            raise NotAcceptable(f"{pair[:60]!r} is no claim with a value: write it as nickname=Ada.")
        pairs[name] = value
    person = await find_user(idp, who, to=Act.EDIT_PERSON)
    await edit_person(idp, person.account.id, {"claims": pairs})
    return await find_user(idp, person.account.id)


async def set_email(idp: Idp, who: str | UUID, email: str | None, *, verified: bool) -> Person:
    """Set the e-mail address, or with None remove it; only to a `verified` one codes go. Codes under way die.

    They are told at every place, the old address too. Raises `NotThere` or `NotAcceptable`.
    """
    person = await find_user(idp, who, to=Act.EDIT_PERSON)
    changes = {"email": email, "email_verified": verified and email is not None}
    await edit_person(idp, person.account.id, changes)
    return await find_user(idp, person.account.id)
