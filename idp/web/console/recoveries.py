"""Accounts that are recovered in the console: asked for, confirmed by a second operator, seen while they wait."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from idp.catalogue import mark
from idp.errors import NotThere
from idp.flows.idp import Idp
from idp.flows.operate.administrators import keeps_on
from idp.flows.operate.finding import Person, find_user
from idp.flows.operate.looking import Shown
from idp.flows.operate.permitting import NotPermitted
from idp.flows.operate.recovering import Asked, Waits, asked_of, confirm, recover, waiting
from idp.model.links import LinkFor
from idp.policy import Act
from idp.sentences import sentence
from idp.web.console.forms import Change, Done, nonce_of, one_link
from idp.web.door import Form
from idp.web.pages.console import Cell, Fact, Input, Section

MAIL = Input("mail", mark("Send it by email, instead of showing it to me"), kind="checkbox")


def by_mail(_: Idp, person: Person) -> Sequence[Input]:
    """Whether a link is mailed, of whoever has an address."""
    return (MAIL,) if person.account.email else ()


def asked_to_recover(found: Shown) -> Asked | None:
    """What waits for a second operator."""
    return next((asked_of(one) for one in found.links if one.purpose is LinkFor.RECOVER), None)


def waits_for(asked: Asked) -> Section:
    """A recovery that waits for a second operator, and for whom."""
    return Section(
        mark("A recovery waits"),
        facts=(
            Fact(mark("Asked for by"), (Cell(asked.by),)),
            Fact(mark("Reason"), (Cell(asked.reason),)),
            Fact(mark("Until"), (Cell(at=asked.expires_at),)),
            Fact(
                mark("What next"),
                (
                    Cell(
                        mark("Another operator has to confirm it.")
                        if asked.by_you
                        else mark("You can confirm it, if you know that it is they."),
                        ours=True,
                    ),
                ),
            ),
        ),
    )


async def leaves(idp: Idp, who: UUID) -> Sequence[str]:
    """Nothing more follows. Raises `NotPermitted` for the last administrator, before anything is pressed."""
    if last := await keeps_on(idp, (await find_user(idp, who)).account):
        raise NotPermitted(last)
    return ()


async def _recover(idp: Idp, who: UUID, form: Form, _: Person) -> Done:
    found = await recover(idp, who, reason=form.get("reason"), mail=bool(form.get("mail")), nonce=nonce_of(form))
    if isinstance(found, Waits):
        return Done(mark("A second operator has to confirm it. Nothing was changed so far."))
    return Done(mark("The account is recovered: what they had is closed, and the link sets it up anew."), found.address)


async def _confirm(idp: Idp, who: UUID, form: Form, _: Person) -> Done:
    found = await confirm(idp, who, mail=bool(form.get("mail")), nonce=nonce_of(form), expected=form.get("version"))
    return Done(mark("The account is recovered: what they had is closed, and the link sets it up anew."), found.address)


async def _seen(idp: Idp, who: UUID) -> str:
    try:
        return (await waiting(idp, who)).version
    except NotThere:
        return ""


async def _waiting(idp: Idp, who: UUID) -> Sequence[str]:
    try:
        asked = await waiting(idp, who)
    except NotThere as error:
        return error.problems
    return (
        sentence("%(who)s asked for it.", who=asked.by),
        sentence("The reason: %(reason)s", reason=asked.reason),
    )


def _recover_inputs(idp: Idp, person: Person) -> Sequence[Input]:
    hint = mark("How you know that it is they. It stands in the audit trail.")
    return (Input("reason", mark("Reason"), hint=hint, required=True), *by_mail(idp, person))


RECOVERIES: Mapping[str, Change[UUID, Person]] = {
    "confirm": Change(
        Act.RECOVER,
        mark("Confirm the recovery"),
        mark("Confirm and recover"),
        _confirm,
        (mark("All that they prove themselves with is closed, they are signed out everywhere, and a link sets it up"
              " anew. Nothing sensitive opens for a while."),),
        by_mail,
        grave=True,
        follows=_waiting,
        sees=_seen,
        makes=one_link,
    ),
    "recover": Change(
        Act.RECOVER,
        mark("Recover"),
        mark("Recover"),
        _recover,
        (mark("All that they prove themselves with is closed, they are signed out everywhere, and a link sets it up"
              " anew. Nothing sensitive opens for a while."),),
        _recover_inputs,
        grave=True,
        follows=leaves,
        makes=one_link,
    ),
}  # fmt: skip
