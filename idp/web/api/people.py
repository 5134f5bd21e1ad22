"""People by the API: found, added, invited, changed, let in and kept out, removed. What they prove is in `factors`."""

from typing import Annotated

import msgspec

from idp.errors import NotThere
from idp.flows.operate.editing import edit_person, version_of
from idp.flows.operate.finding import find_user, people_page
from idp.flows.operate.invitations import invite
from idp.flows.operate.leaving import remove_person
from idp.flows.operate.people import add_user, freeze_user, judge_new, set_user_disabled
from idp.flows.operate.unlocking import unlock_user
from idp.policy import Act
from idp.store.people.pages import State
from idp.web.api.endpoints import Asked, Done, Endpoint, Ends, Paged, given
from idp.web.api.factors import Link
from idp.web.api.persons import (
    AccountShown,
    Invitation,
    NewPerson,
    PersonAdded,
    PersonChanged,
    PersonChanges,
    PersonShown,
    account_members,
    person,
    person_members,
    warned,
)
from idp.web.api.reading import invalid


class PeopleSearch(Paged, frozen=True, kw_only=True):
    """Which people."""

    username: Annotated[str, msgspec.Meta(max_length=300, description="Exactly this one.")] | None = None
    search: Annotated[
        str, msgspec.Meta(max_length=200, description="Part of a username, a name or an e-mail address.")
    ] = ""
    group: Annotated[str, msgspec.Meta(max_length=64, description="Members of it.")] | None = None
    state: State | None = None


class People(msgspec.Struct, frozen=True, kw_only=True):
    """People by username."""

    users: list[AccountShown]
    total: int
    next: str | None


class Invited(Link, frozen=True, kw_only=True):
    """The link of somebody invited, and what else to know."""

    warnings: list[str]


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """`new`: it was not frozen before."""

    frozen: bool
    new: bool


class Unlocked(msgspec.Struct, frozen=True, kw_only=True):
    """What made them wait, and does not any more."""

    lifted: list[str]


async def _list(asked: Asked) -> Done:
    query: PeopleSearch = asked.query
    if query.username is not None:
        try:
            found = [(await find_user(asked.idp, query.username)).account]
        except NotThere:
            found = []
        return Done(People(users=[AccountShown(**account_members(one)) for one in found], total=len(found), next=None))
    page = await people_page(
        asked.idp,
        containing=query.search,
        after=query.after,
        limit=query.limit,
        group=query.group,
        state=query.state,
    )
    users = [AccountShown(**account_members(one)) for one in page.people]
    return Done(People(users=users, total=page.count, next=page.after))


async def _add(asked: Asked) -> Done:
    body: NewPerson = asked.body
    made = await add_user(
        asked.idp,
        username=body.username,
        password=body.password,
        phone=body.phone,
        name=body.name,
        email=body.email,
        email_verified=body.email_verified,
        groups=body.groups,
        locale=body.locale,
        temporary=body.temporary,
    )
    added = PersonAdded(**person_members(made), warnings=warned(asked.idp, body.phone))
    return Done(added, etag=version_of(made.account), at=f"/people/{made.account.id}")


async def _invite(asked: Asked) -> Done:
    body: Invitation = asked.body
    made = await invite(
        asked.idp,
        username=body.username,
        mail=body.mail,
        email=body.email,
        phone=body.phone,
        name=body.name,
        groups=body.groups,
        locale=body.locale,
    )
    link = Invited(
        id=made.account.id,
        username=made.account.username,
        link=made.address,
        mailed=body.mail,
        expires_at=made.expires_at,
        warnings=warned(asked.idp, body.phone),
    )
    return Done(link, at=f"/people/{made.account.id}")


async def _show(asked: Asked) -> Done:
    return person(await find_user(asked.idp, asked.id))


async def _edit(asked: Asked, *, dry_run: bool = False) -> Done:
    changes = given(asked.body)
    if not changes:
        raise invalid("Say what to change.")
    done = await edit_person(asked.idp, asked.id, changes, expected=asked.expected, dry_run=dry_run)
    body = PersonChanged(
        **account_members(done.after),
        claims=dict(done.after.claims),
        changed=list(done.changed),
        consequences=list(done.consequences),
    )
    if dry_run:
        return Done(body)
    return Done(body, etag=person(await find_user(asked.idp, asked.id)).etag)


async def _judge_changes(asked: Asked) -> None:
    await edit_person(asked.idp, asked.id, asked.body, dry_run=True)


async def _judge_new(asked: Asked) -> None:
    judge_new(asked.idp, asked.body)


async def _would_edit(asked: Asked) -> Done:
    return await _edit(asked, dry_run=True)


async def _disable(asked: Asked) -> Done:
    await set_user_disabled(asked.idp, asked.id, disabled=True)
    return await _show(asked)


async def _enable(asked: Asked) -> Done:
    await set_user_disabled(asked.idp, asked.id, disabled=False)
    return await _show(asked)


async def _freeze(asked: Asked) -> Done:
    return Done(Frozen(frozen=True, new=await freeze_user(asked.idp, asked.id)))


async def _unlock(asked: Asked) -> Done:
    return Done(Unlocked(lifted=list(await unlock_user(asked.idp, asked.id))))


async def _ends(asked: Asked) -> Done:
    done = await remove_person(asked.idp, asked.id, dry_run=True)
    return Done(Ends(consequences=list(done.consequences)))


async def _remove(asked: Asked) -> Done:
    await remove_person(asked.idp, asked.id, expected=asked.expected)
    return Done()


_ONE = "/people/{id:uuid}"
_SEE, _EDIT = Act.SEE_PEOPLE, Act.EDIT_PERSON

ENDPOINTS = (
    Endpoint("GET", "/people", "list_people", _SEE, _list, "People by username", query=PeopleSearch, answers=People),
    Endpoint(
        "POST",
        "/people",
        "add_person",
        Act.ADD_PERSON,
        _add,
        "Add somebody with a password",
        "An operator vouches for the phone. To let them choose a password themselves, invite them.",
        takes=NewPerson,
        judges=_judge_new,
        answers=PersonAdded,
        status=201,
        versioned=True,
    ),
    Endpoint(
        "POST",
        "/invitations",
        "invite_person",
        Act.INVITE,
        _invite,
        "Invite somebody",
        "The link is mailed, or given here once. Who was invited before gets another one.",
        takes=Invitation,
        judges=_judge_new,
        answers=Invited,
        status=201,
        secrets=("link",),
    ),
    Endpoint("GET", _ONE, "show_person", _SEE, _show, "A person", answers=PersonShown, versioned=True),
    Endpoint(
        "PATCH",
        _ONE,
        "edit_person",
        _EDIT,
        _edit,
        "Change a person",
        "What is left out stays. The answer says what follows. Groups are an administrator's to change.",
        takes=PersonChanges,
        judges=_judge_changes,
        answers=PersonChanged,
        versioned=True,
        guarded=True,
    ),
    Endpoint(
        "POST",
        f"{_ONE}/consequences",
        "try_person_changes",
        _EDIT,
        _would_edit,
        "What would follow from a change",
        "Nothing is changed.",
        takes=PersonChanges,
        judges=_judge_changes,
        answers=PersonChanged,
    ),
    Endpoint(
        "POST",
        f"{_ONE}/disable",
        "disable_person",
        Act.DISABLE,
        _disable,
        "Keep somebody out",
        "Their sign-ins end at once, everywhere.",
        answers=PersonShown,
    ),
    Endpoint("POST", f"{_ONE}/enable", "enable_person", Act.DISABLE, _enable, "Let them in", answers=PersonShown),
    Endpoint(
        "POST",
        f"{_ONE}/freeze",
        "freeze_person",
        Act.FREEZE,
        _freeze,
        "Close an account that somebody else may be in",
        "They are signed out everywhere, and nothing sensitive opens until they have recovered it.",
        answers=Frozen,
    ),
    Endpoint(
        "POST",
        f"{_ONE}/unlock",
        "unlock_person",
        Act.UNLOCK,
        _unlock,
        "End what makes somebody wait",
        "Wrong passwords, wrong codes, too many messages, in every browser.",
        answers=Unlocked,
    ),
    Endpoint(
        "GET", f"{_ONE}/removal", "try_removal", Act.REMOVE_PERSON, _ends, "What a removal would end", answers=Ends
    ),
    Endpoint(
        "DELETE",
        _ONE,
        "remove_person",
        Act.REMOVE_PERSON,
        _remove,
        "Remove a person, for ever",
        "The audit trail stays.",
        versioned=True,
        guarded=True,
    ),
)
