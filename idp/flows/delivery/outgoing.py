"""What a message says and where it goes, derived when it leaves: nothing of it is stored. Sending is in `deliver`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from idp.errors import SealBroken
from idp.factors import email
from idp.factors import sms as codes
from idp.flows.delivery.linking import link_of, sealed_address
from idp.flows.idp import ACCOUNT_PATH, Idp
from idp.flows.language import sentences
from idp.flows.sealed import CODE_KEY, NUMBER, bound
from idp.formats import money
from idp.model import APPROVE, Details, Notice
from idp.model.links import LinkFor
from idp.policy import TYPE, amount_of, headline
from idp.sms import Channel
from idp.sms.letters import LETTERS, link_mail, link_subject
from idp.sms.notices import Circumstances, Ways, notice_mail, notice_text
from idp.sms.phone import mask
from idp.sms.text import approval_text, code_mail, code_subject, code_text, other_approval_text
from idp.store.delivery import messages
from idp.store.delivery.messages import Outgoing

CODE = "code"
SHOWN_FOR = timedelta(hours=1)  # in the development inbox


def address_of(idp: Idp, message: Outgoing) -> str:
    """The number in E.164, or the e-mail address, that a message goes to. Raises `SealBroken`."""
    if message.channel == Channel.EMAIL:
        if (elsewhere := sealed_address(idp, message)) is not None:
            return elsewhere
        if message.email is None:
            raise SealBroken("A person without an e-mail address.")
        return message.email
    if message.sealed_number is None or message.authenticator_id is None:
        raise SealBroken("A phone without a number.")
    where = bound(message.account_id, message.authenticator_id)
    return idp.secrets.unseal(message.sealed_number, purpose=NUMBER, bound_to=where).decode()


def masked(address: str) -> str:
    """A number or an e-mail address for people and for logs: `+372•••••045`, `a•••@example.com`."""
    name, at, host = address.rpartition("@")
    return f"{name[:1]}•••@{host}" if at else mask(address)


def text_of(idp: Idp, message: Outgoing) -> tuple[str, str | None]:
    """The text of a message, and its code if it carries one. Raises `SealBroken`."""
    brand = idp.settings.brand
    language, translate = sentences(idp, message.locale)
    if (purpose := _letter(message)) is not None:
        ttl, link = message.expires_at - message.created_at, link_of(idp, message, purpose)
        said = link_mail(
            purpose, link=link, brand=brand, ttl=ttl, username=message.username, translate=translate, locale=language
        )
        return said, None
    if message.kind != CODE:
        return _notice(idp, message, language, translate), None
    assert message.nonce is not None
    assert message.key_id is not None
    assert message.purpose is not None
    key = idp.secrets.subkey(CODE_KEY, message.key_id)
    ttl = message.expires_at - message.created_at
    if message.channel == Channel.EMAIL:
        # Derived for where it goes: after a change of address it is another code.
        to = email.details(address_of(idp, message))
        code = codes.code(key=key, nonce=message.nonce, purpose=message.purpose, details=to)
        return code_mail(code=code, brand=brand, ttl=ttl, translate=translate, locale=language), code
    host = urlsplit(idp.issuer).hostname or ""
    if message.purpose.startswith(APPROVE):
        if message.details is None:
            raise SealBroken("What the code approves is gone.")
        details = Details(message.details)
        code = codes.code(key=key, nonce=message.nonce, purpose=message.purpose, details=details.digest)
        return _approval(idp, details, code, host, language, translate), code
    code = codes.code(key=key, nonce=message.nonce, purpose=message.purpose)
    return code_text(code=code, brand=brand, host=host, ttl=ttl, translate=translate, locale=language), code


def _approval(idp: Idp, details: Details, code: str, host: str, language: str, translate: Callable[[str], str]) -> str:
    """The text with a code that is good for these details alone. Raises `SealBroken` for a type that is gone."""
    if not idp.policy.details.keys() >= {each[TYPE] for each in details.objects}:
        raise SealBroken("What the code approves has no row in the policy any more.")
    told, rule = headline(details, idp.policy.details)
    brand, found = idp.settings.brand, amount_of(told, rule)
    amount = None if found is None else money(found.amount, found.currency, language)
    payee = None if rule.payee is None else told.get(rule.payee)
    if amount is not None and payee is not None:
        return approval_text(code=code, amount=amount, payee=payee, brand=brand, host=host, translate=translate)
    what = amount or translate(rule.title or told[TYPE])
    return other_approval_text(code=code, what=what, brand=brand, host=host, translate=translate)


def _notice(idp: Idp, message: Outgoing, language: str, translate: Callable[[str], str]) -> str:
    notice, brand = Notice(message.kind), idp.settings.brand
    told, ways = message.fields, Ways(idp.issuer + ACCOUNT_PATH)
    if message.nonce is not None:
        freeze = link_of(idp, message, LinkFor.FREEZE)
        ways = replace(ways, freeze=freeze, until=message.created_at + idp.policy.links.freeze)
    if message.channel != Channel.EMAIL:
        return notice_text(notice, brand=brand, place=ways.place, device=told.get("device"), translate=translate)
    # What was told before happened before its message was made.
    at = datetime.fromisoformat(told["at"]) if "at" in told else message.created_at
    by_operator = told.get("by") == "operator"
    circumstances = Circumstances(at, message.zone, told.get("device"), told.get("address"), by_operator=by_operator)
    return notice_mail(
        notice, brand=brand, circumstances=circumstances, ways=ways, translate=translate, locale=language
    )


def subject_of(idp: Idp, message: Outgoing, text: str) -> str | None:
    """What stands above an e-mail: the first sentence of a notice; for a code who sends it, and no more."""
    if message.channel != Channel.EMAIL:
        return None
    _, translate = sentences(idp, message.locale)
    if message.kind == CODE:
        return code_subject(brand=idp.settings.brand, translate=translate)
    if (purpose := _letter(message)) is not None:
        return link_subject(purpose, brand=idp.settings.brand, translate=translate)
    return text.partition("\n")[0].removesuffix(".")


def _letter(message: Outgoing) -> LinkFor | None:
    """What the link is for of a mail that is about nothing else."""
    return LinkFor(message.kind) if message.kind in LETTERS else None


@dataclass(frozen=True, slots=True)
class Shown:
    """One line of the development inbox."""

    to: str
    message: Outgoing
    text: str
    code: str | None


async def inbox(idp: Idp) -> list[Shown]:
    """What was sent in the last hour, with its text. Only for development: see `Settings.dev`."""
    shown = []
    for message in await messages.recent(idp.db, since=idp.clock.now() - SHOWN_FOR):
        try:
            text, code = text_of(idp, message)
            shown.append(Shown(masked(address_of(idp, message)), message, text, code))
        except SealBroken:
            continue
    return shown
