"""How people prove who they are, by the API: links, passwords, recovery, authenticators."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from idp.flows.operate import recovering
from idp.flows.operate.authenticators import add_phone, new_recovery_codes, remove_authenticator, totp_ticket
from idp.flows.operate.finding import find_user
from idp.flows.operate.passwords import set_password
from idp.flows.operate.resets import give_link
from idp.policy import Act
from idp.web.api.endpoints import Asked, Body, Done, Endpoint
from idp.web.api.persons import AuthenticatorShown, PersonShown, authenticator, person, warned
from idp.web.api.reading import invalid


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A link for one person, given once; null where it was mailed."""

    id: UUID
    username: str
    link: str | None
    mailed: bool
    expires_at: datetime


class ByMail(Body, frozen=True, kw_only=True):
    """Whether the link goes to their verified address, and is not told here."""

    mail: bool = False


class Password(Body, frozen=True, kw_only=True):
    """A password. A `temporary` one has to be changed when it is used first."""

    password: Annotated[str, msgspec.Meta(max_length=10_000)]
    temporary: bool = True


class Recovery(Body, frozen=True, kw_only=True):
    """Why, and how it is known that it is them. With `confirm` the second operator agrees, and gives no reason."""

    reason: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    confirm: bool = False
    mail: bool = False


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """Not `recovered`: a second operator has to confirm it until it expires, and nothing was changed."""

    username: str
    recovered: bool
    asked_by: str | None
    link: str | None
    mailed: bool
    expires_at: datetime
    closed_seconds: int | None


class Authenticators(msgspec.Struct, frozen=True, kw_only=True):
    """How somebody proves who they are."""

    authenticators: list[AuthenticatorShown]


class NewAuthenticator(Body, frozen=True, kw_only=True):
    """What they are given. `phone` is for sms; with `replace` the others are closed and all their sessions end."""

    factor: Literal["sms", "totp", "recovery"]
    phone: Annotated[str, msgspec.Meta(max_length=60)] | None = None
    replace: bool = False


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What was given, and what else to know. The seed of an app and saved codes are told once."""

    factor: str
    authenticator: AuthenticatorShown | None
    otpauth_uri: str | None = None
    secret: str | None = None
    recovery_codes: list[str] | None = None
    warnings: list[str] = msgspec.field(default_factory=list)


async def _reset(asked: Asked) -> Done:
    body: ByMail = asked.body
    made = await give_link(asked.idp, asked.id, mail=body.mail)
    account = made.person.account
    link = Link(
        id=account.id, username=account.username, link=made.address, mailed=body.mail, expires_at=made.expires_at
    )
    return Done(link)


async def _password(asked: Asked) -> Done:
    body: Password = asked.body
    await set_password(asked.idp, asked.id, body.password, temporary=body.temporary)
    return person(await find_user(asked.idp, asked.id))


async def _recover(asked: Asked) -> Done:
    body: Recovery = asked.body
    if (body.reason is None) is not body.confirm:
        raise invalid("Give a reason, or confirm what another operator asked for.")
    found: recovering.Waits | recovering.Recovered
    if body.reason is None:
        found = await recovering.confirm(asked.idp, asked.id, mail=body.mail)
    else:
        found = await recovering.recover(asked.idp, asked.id, reason=body.reason, mail=body.mail)
    done = isinstance(found, recovering.Recovered)
    told = Recovered(
        username=found.account.username,
        recovered=done,
        asked_by=None if isinstance(found, recovering.Recovered) else found.by,
        link=found.address if isinstance(found, recovering.Recovered) else None,
        mailed=done and body.mail,
        expires_at=found.expires_at,
        closed_seconds=round(found.closed.total_seconds()) if isinstance(found, recovering.Recovered) else None,
    )
    return Done(told)


async def _list(asked: Asked) -> Done:
    found = await find_user(asked.idp, asked.id)
    return Done(Authenticators(authenticators=[authenticator(one) for one in found.authenticators]))


async def _give(asked: Asked) -> Done:
    body: NewAuthenticator = asked.body
    if (body.phone is None) is (body.factor == "sms"):
        raise invalid("A phone number is given with sms, and with nothing else.")
    if body.phone is not None:
        added = await add_phone(asked.idp, asked.id, body.phone, replace=body.replace)
        warnings = warned(asked.idp, body.phone)
        return Done(Given(factor=body.factor, authenticator=authenticator(added), warnings=warnings))
    if body.factor == "recovery":
        codes = await new_recovery_codes(asked.idp, asked.id)
        return Done(Given(factor=body.factor, authenticator=None, recovery_codes=list(codes)))
    ticket = await totp_ticket(asked.idp, asked.id, replace=body.replace)
    given = Given(
        factor=body.factor,
        authenticator=authenticator(ticket.authenticator),
        otpauth_uri=ticket.otpauth_uri,
        secret=ticket.secret.replace(" ", ""),
    )
    return Done(given)


async def _remove(asked: Asked) -> Done:
    await remove_authenticator(asked.idp, asked.id, str(asked.path["authenticator"]))
    return Done()


_ONE = "/people/{id:uuid}"

ENDPOINTS = (
    Endpoint(
        "POST",
        f"{_ONE}/reset",
        "give_reset_link",
        Act.RESET,
        _reset,
        "Give a link for another password",
        "It asks for their strongest factor. Nothing ends before it is used.",
        takes=ByMail,
        answers=Link,
        secrets=("link",),
    ),
    Endpoint(
        "POST",
        f"{_ONE}/password",
        "set_password",
        Act.SET_PASSWORD,
        _password,
        "Set a password",
        "All their sessions and tokens end, and they are told.",
        takes=Password,
        answers=PersonShown,
    ),
    Endpoint(
        "POST",
        f"{_ONE}/recover",
        "recover_person",
        Act.RECOVER,
        _recover,
        "Recover the account of somebody who lost everything",
        "All they had is closed, and a link sets it up anew. Where the policy wants it, a second operator confirms.",
        takes=Recovery,
        answers=Recovered,
        secrets=("link",),
    ),
    Endpoint(
        "GET",
        f"{_ONE}/authenticators",
        "list_authenticators",
        Act.SEE_PEOPLE,
        _list,
        "How somebody proves who they are",
        answers=Authenticators,
    ),
    Endpoint(
        "POST",
        f"{_ONE}/authenticators",
        "give_authenticator",
        Act.GIVE_AUTHENTICATOR,
        _give,
        "Give somebody an app, a phone or recovery codes",
        "They are trusted at once: you know who gets them.",
        takes=NewAuthenticator,
        answers=Given,
        secrets=("otpauth_uri", "secret", "recovery_codes"),
    ),
    Endpoint(
        "DELETE",
        f"{_ONE}/authenticators/{{authenticator:uuid}}",
        "remove_authenticator",
        Act.REMOVE_AUTHENTICATOR,
        _remove,
        "Close an authenticator",
        "All their sessions and tokens end, and they are told.",
    ),
)
