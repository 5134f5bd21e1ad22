"""What becomes of people and clients from another Stile: as they were there, as far as this policy and name allow.

Holds, freezes and waits go on: an export that is brought back lifts none of them.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from idp.audit import AccountImported
from idp.factors import hashes, totp
from idp.flows.idp import Idp
from idp.flows.operate import pictures
from idp.flows.operate.arriving import Terms, about, agreed, language
from idp.flows.operate.finding import by_mail
from idp.flows.operate.logos import name_of
from idp.flows.operate.people import NotAcceptable, parse_username
from idp.flows.operate.registrations import NewClient, parse
from idp.flows.people.enrol import LONGEST_LABEL, label_of
from idp.flows.sealed import NUMBER, PASSKEY, PHONE_INDEX, SEED, bound
from idp.importing.incoming import Left, Person
from idp.importing.written import Kept
from idp.model import Account, Authenticator, Client, Factor, Registration
from idp.policy import Policy
from idp.sms.phone import describe, hint
from idp.store.delivery import suppressions
from idp.store.people.arrivals import Arrival, Enrolled

_NO_SECRETS = "the export is without secrets"


def judge_kept(idp: Idp, kept: Kept, *, rp_id: str | None) -> Iterator[Arrival | Left]:
    """What does not come, and then the person, unless they cannot come at all. `rp_id`: whose passkeys work here."""
    account = kept.account
    try:
        username = parse_username(account.username)
    except NotAcceptable as error:
        yield Left(account.username, "the person", str(error))
        return
    said = Person(username, name=account.name, email=account.email, groups=tuple(account.groups), claims=_flat(account))
    groups, email, name, claims, lost = about(idp, said, Terms("stile"))
    for each in lost:
        yield Left(username, each.what, each.why)
    password = kept.password_hash
    if password is None or isinstance(hashes.read(password), hashes.Unfit):
        why = "there was none, or the export is without secrets" if password is None else "it cannot be read"
        yield Left(username, "password", f"{why}: invite them with `idp user invite`")
        password = None
    enrolled = []
    for theirs in kept.authenticators:
        one = replace(theirs, label=label_of(theirs.label)[:LONGEST_LABEL], hint=label_of(theirs.hint)[:LONGEST_LABEL])
        removed = one.closed_at is not None and one.factor in {Factor.TOTP, Factor.RECOVERY}
        # What was removed opens nothing, and holds up what follows it.
        made = Enrolled(one) if removed else _enrolled(idp, kept, one, rp_id=rp_id)
        if isinstance(made, str):
            yield Left(username, one.factor.value, made)
        else:
            enrolled.append(made)
    account = replace(
        account,
        username=username,
        groups=groups,
        email=email,
        email_verified=account.email_verified and email is not None,
        name=name,
        claims=claims,
        locale=language(account.locale),
    )
    open_ = [each.authenticator for each in enrolled if each.authenticator.closed_at is None]
    if kept.authenticators and not open_ and not by_mail(idp, account):
        yield Left(username, "second factor", "none comes: give them an app with `idp user totp`")
    consents, forgotten = agreed(idp.policy, kept.consents)
    for each in forgotten:
        yield Left(username, each.what, each.why)
    event = AccountImported(
        source="stile",
        password=password is not None,
        groups=sorted(groups),
        factors=[each.factor.value for each in open_],
        held=[each.factor.value for each in open_ if each.hold is not None],
    )
    yield Arrival(account, event, password, tuple(enrolled), consents, kept.past)


def _flat(account: Account) -> dict[str, str]:
    """Claims by the names that they are set by."""
    address = account.claims.get("address")
    parts = address.items() if isinstance(address, dict) else ()
    every = {**account.claims, **{f"address.{part}": value for part, value in parts}}
    return {name: value for name, value in every.items() if isinstance(value, str)}


def _enrolled(idp: Idp, kept: Kept, one: Authenticator, *, rp_id: str | None) -> Enrolled | str:
    """It, sealed for our keys; or why it does not come."""
    which, where = str(one.id), bound(one.account_id, one.id)
    match one.factor:
        case Factor.SMS:
            number = kept.numbers.get(which)
            if number is None or describe(number) is None:
                return "its number is not there, or none"
            key = idp.secrets.index(number, purpose=PHONE_INDEX)
            sealed = idp.secrets.seal(number.encode(), purpose=NUMBER, bound_to=where)
            known = idp.secrets.index(number, purpose=suppressions.PURPOSE)
            suppressed = known if one.id in kept.past.suppressed else None
            return Enrolled(replace(one, number_key=key, hint=hint(number)), sealed, suppressed=suppressed)
        case Factor.TOTP:
            seed = kept.seeds.get(which)
            if seed is None:
                return _NO_SECRETS
            if (why := totp.problem(seed, one.codes)) is not None:
                return why
            return Enrolled(one, idp.secrets.seal(seed, purpose=SEED, bound_to=where))
        case Factor.RECOVERY:
            codes = kept.saved.get(which, ())
            return Enrolled(one, saved=codes) if codes else f"no code is left, or {_NO_SECRETS}"
        case Factor.PASSKEY:
            if one.passkey is None or (rp_id is None and one.closed_at is None):
                return "a passkey works at the address alone that it was made for: they add it anew"
            return Enrolled(one, idp.secrets.seal(one.passkey.public_key, purpose=PASSKEY, bound_to=where))
        case Factor.PASSWORD | Factor.EMAIL:
            return "it is no authenticator"


def client_kept(registered: Registration, policy: Policy) -> tuple[Registration, list[Left]]:
    """As it is registered here. Raises `NotAcceptable`."""
    client, logo = registered.client, registered.logo
    who, lost = f"client {client.id}", []
    picture = None if logo is None else pictures.read(logo[1])
    if isinstance(picture, str):
        lost.append(Left(who, "logo", f"the picture {picture}"))
        picture = None
    for what, given, known in (
        ("scope", client.scopes, set(policy.scopes)),
        ("group", client.groups, set(policy.groups)),
        ("type of details", client.details_types, set(policy.details)),
    ):
        lost += [Left(who, f"{what} {each}", "the policy has no such row") for each in sorted(given - known)]
    if client.groups and not client.groups & set(policy.groups):
        raise NotAcceptable("It is for members of groups alone, of which the policy has none: anybody could use it.")
    if client.secret_hash is None and client.auth_method.value.startswith("client_secret"):
        raise NotAcceptable(f"Its secret does not come, as {_NO_SECRETS}: register it with `idp client add`.")
    names = {each.name for each in fields(NewClient)}
    given_ = {each.name: getattr(client, each.name) for each in fields(Client) if each.name in names}
    listed: dict[str, Any] = {
        name: tuple(sorted(value)) if isinstance(value, frozenset) else value for name, value in given_.items()
    }
    listed |= {
        "client_id": client.id,
        "auth_method": client.auth_method.value,
        "level": client.level.name.lower(),
        "scopes": tuple(sorted(client.scopes & set(policy.scopes))),
        "groups": tuple(sorted(client.groups & set(policy.groups))),
        "details_types": tuple(sorted(client.details_types & set(policy.details))),
    }
    checked = replace(
        parse(NewClient(**listed), policy, kept=client),
        secret_hash=client.secret_hash,
        old_secret_hash=client.old_secret_hash,
        old_secret_until=client.old_secret_until,
        old_secret_used_at=client.old_secret_used_at,
        logo=None if picture is None else name_of(picture.content),
        disabled=client.disabled,
    )
    shown = None if picture is None else (picture.kind, picture.content)
    return replace(registered, client=checked, logo=shown), lost
