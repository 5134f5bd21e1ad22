"""What becomes of a person from another system here: what the policy, our numbers and our hashes take. Nothing stored.

How far their second factors are believed is decided here. Whoever knew a password there could often enrol an app with
it, or write a number into the profile, so neither proves that it is its owner's: an app is on hold until its owner was
told of it, and a number that no code came back from is no phone. An operator who knows better vouches.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from idp.audit import AccountImported
from idp.factors import hashes, totp
from idp.factors.hashes import Unfit
from idp.flows.idp import Idp
from idp.flows.operate.claims import parse_claims
from idp.flows.operate.finding import by_mail
from idp.flows.operate.people import (
    NotAcceptable,
    known_group,
    parse_email,
    parse_group,
    parse_name,
    parse_phone,
    parse_username,
)
from idp.flows.operate.spending import closed_country
from idp.flows.people.enrol import LONGEST_LABEL, label_of
from idp.flows.sealed import NUMBER, PHONE_INDEX, SEED, bound
from idp.importing.incoming import PERSON, App, Left, Person, Phone
from idp.model import Account, Authenticator, Factor
from idp.policy import Policy
from idp.sms import phone as phones
from idp.store.people.arrivals import Arrival, Enrolled

_ASKED_ANEW = "no such scope here, or one that is asked for each time: they are asked anew"
_ONE = "an app with `idp user totp`, or a phone with `idp user phone`"
_INVITE = "invite them with `idp user invite`"
_WHY_NOT_A_HASH = {
    Unfit.UNREADABLE: f"the hash cannot be read: {_INVITE}",
    Unfit.TOO_DEAR: f"comparing with the hash would take too long: {_INVITE}",
    Unfit.WEAK: f"the hash is found out by trying: {_INVITE}",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator says of the source. `groups` are our names by that system's.

    `email_as_username`: people sign in with the address, where they have one. `vouch_totp`: who has an app there got it
    in person, or as strongly. `vouch_phones`: a code came back from each number.
    """

    source: str
    groups: Mapping[str, str] = field(default_factory=dict)
    email_as_username: bool = False
    vouch_totp: bool = False
    vouch_phones: bool = False


def judge(idp: Idp, person: Person, terms: Terms, *, now: datetime) -> Iterator[Arrival | Left]:
    """What does not come over, and then the person, unless they cannot come at all."""
    try:
        username = parse_username((person.email if terms.email_as_username else None) or person.username)
    except NotAcceptable as error:
        yield Left(person.username, PERSON, str(error))
        return
    account_id = person.id or uuid4()
    comes = _password(person)
    if isinstance(comes, Left):
        yield Left(username, comes.what, comes.why)
    password = comes if isinstance(comes, str) else None
    groups, email, name, claims, lost = about(idp, person, terms)
    if (locale := language(person.locale)) is None and person.locale is not None:
        lost.append(Left("", "language", "it is no language tag, as et or pt-BR"))
    enrolled: list[Enrolled] = []
    for phone in person.phones:
        made = _phone(idp, account_id, phone, terms, now=now)
        if isinstance(made, Left):
            lost.append(made)
        elif made.authenticator.number_key not in {each.authenticator.number_key for each in enrolled}:
            enrolled.append(made)  # else it is the same number, written otherwise
            region = parse_phone(phone.number, region=idp.settings.sms_region).region
            if (why := closed_country(idp, region)) is not None:
                lost.append(Left("", "code by text message", why))
    for app in person.apps:
        made_or_left = _app(idp, account_id, app, terms, now=now)
        if isinstance(made_or_left, Left):
            lost.append(made_or_left)
        else:
            enrolled.append(made_or_left)
    lost += _end(person, now=now)
    account = Account(
        id=account_id,
        username=username,
        created_at=now,
        updated_at=now,
        name=name,
        email=email,
        email_verified=person.email_verified and email is not None,
        groups=groups,
        claims=claims,
        locale=locale,
        disabled=person.disabled or (person.until is not None and person.until <= now),
        password_until=now + idp.policy.links.ticket if person.temporary and password is not None else None,
    )
    if not enrolled and not by_mail(idp, account):
        what = f"give them {_ONE}" if password else _INVITE
        lost.append(Left("", "second factor", f"none comes over: {what}"))
    mailed = account.email is not None and idp.settings.smtp_url is not None
    told = mailed or any(each.authenticator.factor is Factor.SMS for each in enrolled)
    if not told and any(each.authenticator.hold is not None for each in enrolled):
        lost.append(Left("", "end of the hold", f"no mail and no text message can tell them of it: give them {_ONE}"))
    consents, forgotten = agreed(idp.policy, person.consents)
    for each in (*lost, *forgotten):
        yield Left(username, each.what, each.why)
    factors = [each.authenticator for each in enrolled]
    event = AccountImported(
        source=terms.source,
        password=password is not None,
        groups=sorted(groups),
        factors=[each.factor.value for each in factors],
        held=[each.factor.value for each in factors if each.hold is not None],
    )
    yield Arrival(account, event, password, tuple(enrolled), consents)


def agreed(policy: Policy, consents: Mapping[str, Sequence[str]]) -> tuple[dict[str, tuple[str, ...]], list[Left]]:
    """What may be remembered of it: scopes that the policy has, and that are not asked for each time; and the rest."""
    kept: dict[str, tuple[str, ...]] = {}
    lost: list[Left] = []
    for client, scopes in consents.items():
        known = tuple(scope for scope in scopes if policy.scope_rule(scope) and not policy.is_fresh_scope(scope))
        kept |= {client: known} if known else {}
        if others := [scope for scope in scopes if scope not in known]:
            lost.append(Left("", f"consent for {client}: {' '.join(others)}", _ASKED_ANEW))
    return kept, lost


def _end(person: Person, *, now: datetime) -> Iterator[Left]:
    """Accounts have no end here."""
    if person.until is not None and person.until <= now:
        yield Left("", "the account", f"it ended there on {person.until:%Y-%m-%d}: it is disabled here")
    elif person.until is not None:
        yield Left("", "end of the account", f"nothing ends it here on {person.until:%Y-%m-%d}: disable it then")


def _password(person: Person) -> str | Left:
    if person.password is None or person.unlike is not None:
        return Left("", "password", f"{person.unlike or 'the file has none'}: {_INVITE}")
    read = hashes.read(person.password)
    return Left("", "password", _WHY_NOT_A_HASH[read]) if isinstance(read, Unfit) else person.password


def about(
    idp: Idp, person: Person, terms: Terms
) -> tuple[frozenset[str], str | None, str | None, dict[str, object], list[Left]]:
    """Groups, e-mail address, name, claims, and what of them does not come over."""
    lost: list[Left] = []
    groups: set[str] = set()
    for theirs in person.groups:
        ours = _group(idp, theirs, person.whole_names.get(theirs, theirs), terms)
        if ours is None:
            lost.append(Left("", f"group {theirs}", _row_for(theirs)))
        else:
            groups.add(ours)
    email, name = None, None
    try:
        email = None if person.email is None else parse_email(person.email)
    except NotAcceptable as error:
        lost.append(Left("", "e-mail address", str(error)))
    try:
        name = parse_name(person.name)
    except NotAcceptable as error:
        lost.append(Left("", "name", str(error)))
    claims: dict[str, object] = {}
    for claim, value in person.claims.items():
        try:
            claims = parse_claims([f"{claim}={value}"], known=claims)
        except NotAcceptable as error:
            lost.append(Left("", claim, str(error)))
    return frozenset(groups), email, name, claims, lost


def _group(idp: Idp, theirs: str, whole: str, terms: Terms) -> str | None:
    """Ours, as the operator says, else the one of that very name: one deeper in a tree may be anybody's."""
    for name in (whole, theirs, theirs.removeprefix("/")):
        if name in terms.groups:
            return terms.groups[name]
    return next((name for name in (theirs, theirs.removeprefix("/")) if name in idp.policy.groups), None)


def _row_for(theirs: str) -> str:
    """What would make it come over."""
    try:
        name = parse_group(theirs.removeprefix("/"))
    except NotAcceptable:
        return "no name of a group here: say which of ours it is with --group"
    key = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'
    row = f'{key} = {{ level = "two_factor" }}'
    return f"no such row in the policy: add {row} under [groups], or say which of ours it is with --group"


def check_groups(idp: Idp, terms: Terms) -> None:
    """Whether the operator names groups that the policy has. Raises `NotAcceptable`."""
    for ours in terms.groups.values():
        known_group(ours, idp.policy)


def language(text: str | None) -> str | None:
    """A language as it may be written; which there are, is looked at when something is said in it."""
    tag = (text or "").replace("_", "-")
    return tag if 2 <= len(tag) <= 35 and tag.isascii() and tag.replace("-", "").isalnum() else None


def _phone(idp: Idp, account_id: UUID, phone: Phone, terms: Terms, *, now: datetime) -> Enrolled | Left:
    try:
        number = parse_phone(phone.number, region=idp.settings.sms_region)
    except NotAcceptable:
        why = "no mobile number of a country by today's numbering plans; one without + needs IDP_SMS_REGION"
        return Left("", "phone", why)
    if not (phone.verified or terms.vouch_phones):
        # OIDC Core 5.1: applications are told that a number of ours is verified, and a code there is a second factor
        why = "nobody says that a code came back from it: --vouch-phones, if you know that they all did"
        return Left("", "phone", why)
    hold = None if terms.vouch_phones else idp.policy.enrolment.hold
    made = Authenticator(
        id=uuid4(),
        account_id=account_id,
        factor=Factor.SMS,
        label="Phone",
        hint=phones.hint(number.e164),
        created_at=now,
        trusted_at=None if hold else now,
        hold=hold or None,
        confirmed_at=now,
        number_key=idp.secrets.index(number.e164, purpose=PHONE_INDEX),
    )
    where = bound(account_id, made.id)
    return Enrolled(made, idp.secrets.seal(number.e164.encode(), purpose=NUMBER, bound_to=where))


def _app(idp: Idp, account_id: UUID, app: App, terms: Terms, *, now: datetime) -> Enrolled | Left:
    if (why := totp.problem(app.seed, app.codes)) is not None:
        return Left("", "authenticator app", f"{why}: they add another, or get one with `idp user totp`")
    hold = None if terms.vouch_totp else idp.policy.enrolment.hold
    made = Authenticator(
        id=uuid4(),
        account_id=account_id,
        factor=Factor.TOTP,
        label=label_of(app.label)[:LONGEST_LABEL],
        hint="",
        created_at=now,
        trusted_at=None if hold else now,
        hold=hold or None,
        confirmed_at=now,
        codes=app.codes,
    )
    return Enrolled(made, idp.secrets.seal(app.seed, purpose=SEED, bound_to=bound(account_id, made.id)))
