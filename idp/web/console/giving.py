"""What an operator gives somebody to prove themselves with: an app, a phone, saved codes, a password for once."""

from collections.abc import Mapping
from uuid import UUID, uuid4

from idp.catalogue import mark
from idp.crypto import digest, random_token
from idp.factors import password as passwords
from idp.factors.totp import SEED_BYTES
from idp.flows.idp import Idp
from idp.flows.operate.authenticators import Made, add_phone, new_recovery_codes, totp_ticket
from idp.flows.operate.finding import Person
from idp.flows.operate.passwords import password_version, set_password
from idp.flows.operate.spending import never_texted
from idp.policy import Act
from idp.sentences import sentence
from idp.web.console.forms import Change, Done
from idp.web.door import Form
from idp.web.pages.console import Input
from idp.web.pages.render import ending

PHONE = Input("phone", mark("Phone"), hint=mark("A mobile number with + and the country code."), required=True)
_REPLACE = Input(
    "replace",
    mark("It replaces those of its kind: they are closed, and they are signed out everywhere"),
    kind="checkbox",
)


def _person_made() -> Mapping[str, str]:
    return {"id": str(uuid4())}


def _app_made() -> Mapping[str, str]:
    return {"id": str(uuid4()), "drawn": random_token()}


def _seed_of(form: Form) -> bytes:
    """That of this form, as it was filled in: a second app of the same key would take each code once more."""
    return digest(f"{form.get('drawn')} {form.get('id')}")[:SEED_BYTES]


def _codes_made() -> Mapping[str, str]:
    one = Made()
    return {"id": str(one.id), "codes": " ".join(one.codes)}


def _password_made() -> Mapping[str, str]:
    return {"password": passwords.temporary()}


async def _app(idp: Idp, who: UUID, form: Form, _: Person) -> Done:
    made = Made(UUID(form.get("id")), seed=_seed_of(form))
    ticket = await totp_ticket(idp, who, replace=bool(form.get("replace")), made=made)
    return Done(mark("The app is given. It counts at once, and they were told."), ticket.secret, ticket.otpauth_uri)


async def _phone(idp: Idp, who: UUID, form: Form, _: Person) -> Done:
    number = form.get("phone")
    added = await add_phone(idp, who, number, replace=bool(form.get("replace")), made=Made(UUID(form.get("id"))))
    unreachable = never_texted(idp, number)
    follows = (
        sentence("They have a phone ending %(digits)s.", digits=ending(added.hint)),
        *([unreachable] if unreachable else []),
    )
    return Done(mark("The phone is given. It counts at once, and they were told."), follows=follows)


async def _codes(idp: Idp, who: UUID, form: Form, _: Person) -> Done:
    made = Made(UUID(form.get("id")), codes=tuple(form.get("codes").split(" ")))
    codes = await new_recovery_codes(idp, who, made=made)
    return Done(mark("The codes are made. Those before them work no more, and they were told."), codes=codes)


async def _password(idp: Idp, who: UUID, form: Form, _: Person) -> Done:
    await set_password(idp, who, form.get("password"), temporary=True, expected=form.get("version") or None)
    return Done(
        mark("The password is set, until they choose another. They are signed out everywhere."), form.get("password")
    )


GIVING: Mapping[str, Change[UUID, Person]] = {
    "password": Change(
        Act.SET_PASSWORD,
        mark("Temporary password"),
        mark("Set a temporary password"),
        _password,
        (
            mark("A password is made and shown to you once. It works for the time of a link, and has to be changed when"
                 " it is used first. They are signed out everywhere, and told."),
        ),
        version=lambda person: password_version(person.account),
        makes=_password_made,
    ),
    "app": Change(
        Act.GIVE_AUTHENTICATOR,
        mark("Give an app"),
        mark("Show the key"),
        _app,
        (
            mark("The key of an authenticator app is shown once, for them to scan. The app opens sensitive actions at"
                 " once, because you know who gets it. They are told."),
        ),
        lambda _, __: (_REPLACE,),
        makes=_app_made,
    ),
    "phone": Change(
        Act.GIVE_AUTHENTICATOR,
        mark("Give a phone"),
        mark("Add the phone"),
        _phone,
        (mark("Codes go to it from now on, because you know that it is theirs. The phones they had are told."),),
        lambda _, __: (PHONE, _REPLACE),
        makes=_person_made,
    ),
    "codes": Change(
        Act.GIVE_AUTHENTICATOR,
        mark("Make recovery codes"),
        mark("Make recovery codes"),
        _codes,
        (mark("Ten codes are made and shown once, for you to hand over. Those before work no more. They are told."),),
        makes=_codes_made,
    ),
}  # fmt: skip
