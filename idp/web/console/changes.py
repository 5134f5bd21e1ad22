"""What an operator changes about one person: each a form of its own, which says what follows before it is sent."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from idp.catalogue import mark
from idp.flows.idp import Idp
from idp.flows.operate.administrators import keeps_on
from idp.flows.operate.authenticators import remove_authenticator
from idp.flows.operate.editing import edit_person, version_of
from idp.flows.operate.finding import Person, find_user
from idp.flows.operate.invitations import invite
from idp.flows.operate.leaving import end_sessions, remove_person
from idp.flows.operate.people import freeze_user, set_user_disabled
from idp.flows.operate.resets import give_link
from idp.flows.operate.unlocking import unlock_user
from idp.flows.people.console import PEOPLE_PATH
from idp.policy import Act
from idp.sentences import listed, sentence
from idp.web.console.adding import box, tongues_of
from idp.web.console.forms import Change, Done, Kind, nonce_of, one_link
from idp.web.console.giving import GIVING
from idp.web.console.people import one_of
from idp.web.console.recoveries import RECOVERIES, by_mail, leaves
from idp.web.console.signed_in import SIGNED_IN
from idp.web.console.words import FACTORS, named
from idp.web.door import Form
from idp.web.pages.console import Input


async def _disable(idp: Idp, who: UUID, _: Form, __: Person) -> Done:
    await set_user_disabled(idp, who, disabled=True)
    return Done(mark("The account is disabled, and signed out everywhere."))


async def _enable(idp: Idp, who: UUID, _: Form, __: Person) -> Done:
    await set_user_disabled(idp, who, disabled=False)
    return Done(mark("The account is enabled."))


async def _freeze(idp: Idp, who: UUID, _: Form, __: Person) -> Done:
    await freeze_user(idp, who)
    return Done(mark("The account is frozen, and its owner was told."))


async def _unlock(idp: Idp, who: UUID, _: Form, __: Person) -> Done:
    return Done(mark("They can try again now."), follows=tuple(await unlock_user(idp, who)))


async def _sign_out(idp: Idp, who: UUID, _: Form, __: Person) -> Done:
    await end_sessions(idp, who)
    return Done(mark("They are signed out everywhere."))


async def _reset(idp: Idp, who: UUID, form: Form, _: Person) -> Done:
    given = await give_link(idp, who, mail=bool(form.get("mail")), nonce=nonce_of(form))
    return Done(mark("The link is made. Those before it work no more."), given.address)


async def _invite_again(idp: Idp, _: UUID, form: Form, person: Person) -> Done:
    account = person.account
    mail = bool(form.get("mail"))
    invited = await invite(
        idp, username=account.username, mail=mail, email=account.email, again=account.id, nonce=nonce_of(form)
    )
    return Done(mark("The link is made. Those before it work no more."), invited.address)


async def _remove(idp: Idp, who: UUID, form: Form, _: Person) -> Done:
    await remove_person(idp, who, expected=form.get("version") or None)
    return Done(mark("The person is removed."), gone=True)


async def _stays(idp: Idp, who: UUID) -> Sequence[str]:
    last = await keeps_on(idp, (await find_user(idp, who)).account)
    return (last,) if last else ()


async def _removal(idp: Idp, who: UUID) -> Sequence[str]:
    return (await remove_person(idp, who, dry_run=True)).consequences


async def _edit(idp: Idp, who: UUID, form: Form, person: Person) -> Done:
    account = person.account
    typed = {name: form.get(name).strip() for name in ("username", "name", "email", "locale")}
    # What is as it was is not changed: somebody may do the one and not the other.
    changes: dict[str, object] = {
        name: value or None for name, value in typed.items() if value != (getattr(account, name) or "")
    }
    if changes.get("username", "") is None:
        changes["username"] = ""
    verified = bool(form.get("email_verified"))
    if ("email" in changes and verified) or ("email" not in changes and verified != account.email_verified):
        changes["email_verified"] = verified
    found = await edit_person(idp, who, changes, expected=form.get("version") or None)
    return Done(mark("What you changed is saved."), follows=found.consequences)


def _edit_inputs(idp: Idp, person: Person) -> Sequence[Input]:
    account = person.account
    tongues = list(tongues_of(idp))
    if account.locale and account.locale not in dict(tongues):
        tongues.append((account.locale, account.locale))
    return (
        Input("username", mark("Username"), account.username, required=True),
        Input("name", mark("Name"), account.name or ""),
        Input("email", mark("Email address"), account.email or ""),
        Input(
            "email_verified",
            mark("I know that the address is theirs"),
            "on" if account.email_verified else "",
            kind="checkbox",
        ),
        Input("locale", mark("Language of our messages"), account.locale or "", options=tongues),
    )


async def _groups(idp: Idp, who: UUID, form: Form, person: Person) -> Done:
    offered = (*idp.policy.groups, *person.account.groups)
    wanted = [group for group in dict.fromkeys(offered) if form.get(f"group-{group}")]
    found = await edit_person(idp, who, {"groups": wanted}, expected=form.get("version") or None)
    return Done(mark("Their groups are saved."), follows=found.consequences)


def _group_inputs(idp: Idp, person: Person) -> Sequence[Input]:
    there = person.account.groups
    return [box(idp, group, ticked=group in there) for group in dict.fromkeys((*idp.policy.groups, *sorted(there)))]


async def _authenticator(idp: Idp, who: UUID, form: Form, _: Person) -> Done:
    await remove_authenticator(idp, who, form.get("which"))
    return Done(mark("The authenticator is removed, and they are signed out everywhere."))


def _which(_: Idp, person: Person) -> Sequence[Input]:
    options = [
        (str(one.id), listed([sentence(FACTORS[one.factor]), *([named(one)] if named(one) else [])]))
        for one in person.authenticators
    ]
    return (Input("which", mark("Authenticator"), options=options),)


CHANGES: Mapping[str, Change[UUID, Person]] = {
    "edit": Change(Act.EDIT_PERSON, mark("Edit"), mark("Save"), _edit, inputs=_edit_inputs),
    "groups": Change(
        Act.SET_GROUPS,
        mark("Change groups"),
        mark("Save"),
        _groups,
        (mark("Groups decide what somebody has to prove, which applications they may use, and who administrates."),),
        _group_inputs,
        follows=_stays,
    ),
    "unlock": Change(
        Act.UNLOCK,
        mark("Let them try again"),
        mark("Let them try again"),
        _unlock,
        (
            mark("Wrong passwords and codes, and waits between messages, are forgotten: they can try again at once. How"
                 " many messages a phone or mailbox gets in a day stays as it is."),
        ),
    ),
    "invite-again": Change(
        Act.INVITE,
        mark("Invite again"),
        mark("Make a link"),
        _invite_again,
        (mark("They get a new link to set up their account. Those before it work no more."),),
        by_mail,
        makes=one_link,
    ),
    "reset": Change(
        Act.RESET,
        mark("Link for another password"),
        mark("Make a link"),
        _reset,
        (mark("With the link they choose another password, after the strongest factor that they have."),),
        by_mail,
        makes=one_link,
    ),
    "sign-out": Change(
        Act.END_SESSIONS,
        mark("Sign out everywhere"),
        mark("Sign out everywhere"),
        _sign_out,
        (mark("Every browser and every application of theirs has to sign in again."),),
    ),
    "authenticator": Change(
        Act.REMOVE_AUTHENTICATOR,
        mark("Remove an authenticator"),
        mark("Remove"),
        _authenticator,
        (mark("It proves nothing from now on. They are signed out everywhere, and told."),),
        _which,
        grave=True,
    ),
    "freeze": Change(
        Act.FREEZE,
        mark("Freeze"),
        mark("Freeze"),
        _freeze,
        (
            mark("They are signed out everywhere, and told. They can sign in again, but nothing sensitive opens and"
                 " nothing can be changed until the account is recovered."),
        ),
        grave=True,
        follows=leaves,
    ),
    "enable": Change(
        Act.DISABLE, mark("Enable"), mark("Enable"), _enable, (mark("They can sign in again with what they had."),)
    ),
    "disable": Change(
        Act.DISABLE,
        mark("Disable"),
        mark("Disable"),
        _disable,
        (mark("They are signed out everywhere at once, and nobody signs in with this account until it is enabled."),),
        grave=True,
        follows=leaves,
    ),
    "remove": Change(
        Act.REMOVE_PERSON,
        mark("Remove"),
        mark("Remove for ever"),
        _remove,
        (mark("The account and all that is theirs is deleted. This cannot be undone; the audit trail stays."),),
        grave=True,
        follows=_removal,
    ),
}  # fmt: skip


async def _find(idp: Idp, who: UUID, act: Act) -> Person:
    return await find_user(idp, who, to=act)


def _about(person: Person) -> str:
    account = person.account
    return f"{account.name} ({account.username})" if account.name else account.username


PEOPLE = Kind(
    PEOPLE_PATH,
    {**CHANGES, **RECOVERIES, **GIVING, **SIGNED_IN},
    one_of,
    _find,
    _about,
    lambda person: version_of(person.account),
)
