"""An operator's unlock: everything that makes one person wait, found and forgotten."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from idp import limits
from idp.audit import AccountChanged
from idp.flows.delivery.outgoing import masked
from idp.flows.idp import Idp
from idp.flows.operate.confirming import confirmed
from idp.flows.operate.finding import Person, find_user
from idp.flows.operate.permitting import permit
from idp.flows.people import enrol
from idp.flows.signin.destinations import mailbox_key, number_of
from idp.limits import Sending
from idp.model import OPERATOR, Factor
from idp.policy import Act
from idp.sentences import sentence
from idp.store import audits, rate_limits
from idp.store.people import accounts
from idp.typed import fold


@dataclass(frozen=True, slots=True)
class _Waits:
    """One reason to wait, in the operator's words: single rows, and groups with one for each browser or address."""

    why: str
    keys: tuple[bytes, ...] = ()
    groups: tuple[bytes, ...] = ()


async def unlock_user(idp: Idp, who: str | UUID) -> Sequence[str]:
    """Forget wrong passwords and codes, waits between messages, and changes, in every browser. Says which there were.

    What is counted for an address alone, whoever signs in there, stays: it is not this person's. So does what is
    counted of a mailbox that nobody proved to be theirs, and, but for a shell, how many messages a phone or mailbox got
    in a day: whoever has these is sent no more of them because somebody else asks an operator.
    """
    person = await find_user(idp, who, to=Act.UNLOCK)
    now = idp.clock.now()
    lifted: list[str] = []
    async with idp.db.transaction() as conn:
        account = await confirmed(conn, idp, person.account, to=Act.UNLOCK)
        found = await accounts.by_id(conn, account_id=account.id)
        for waits in _waits(idp, Person(account, () if found is None else found[1])):
            freed = await rate_limits.forget(conn, waits.keys)
            for group in waits.groups:
                freed += await rate_limits.forget_group(conn, group)
            lifted += [waits.why] if freed else []
        await audits.add(conn, AccountChanged(change="unlocked"), now=now, account_id=account.id)
    return lifted


async def holding_up(idp: Idp, person: Person) -> Sequence[str]:
    """What is counted against a person now, and `unlock_user` would forget. Some of it makes them wait."""
    permit(idp, Act.SEE_PEOPLE)
    waits = list(_waits(idp, person))
    keys = [key for each in waits for key in (*each.keys, *each.groups)]
    found = await rate_limits.charged_of(idp.db, keys, now=idp.clock.now())
    return [each.why for each in waits if not found.isdisjoint((*each.keys, *each.groups))]


def _waits(idp: Idp, person: Person) -> Iterator[_Waits]:
    account = person.account
    name = idp.secrets.index(account.username, purpose="username")
    yield _Waits(
        sentence("wrong passwords in browsers used before"),
        groups=(limits.group_of(idp.limits.password_device, name),),
    )
    yield _Waits(
        sentence("wrong passwords in other browsers"),
        (limits.subject(idp.limits.password_day, name),),
        (limits.group_of(idp.limits.password_stranger, name),),
    )
    for factor in Factor:
        failures = limits.subject(idp.limits.code_failures, account.id, factor.value)
        yield _Waits(sentence("wrong codes (%(factor)s)", factor=factor.value), (failures,))
    yield _Waits(sentence("wrong codes while adding an app"), (enrol.failures_of(idp, account.id),))
    for phone in person.authenticators:
        if phone.factor is Factor.SMS:
            yield _sent(
                idp.limits.sms,
                number_of(phone),
                sentence("text messages to the phone ending %(digits)s", digits=phone.hint.rpartition(" ")[2]),
            )
    proved = account.email if account.email_verified else None
    if proved is not None:
        yield _sent(
            idp.limits.email, mailbox_key(idp, proved), sentence("codes by e-mail to %(email)s", email=masked(proved))
        )
    yield _Waits(
        sentence("changes of apps, phones and recovery codes"), (limits.subject(idp.limits.enrolments, account.id),)
    )
    asked = (name, *(() if proved is None else (idp.secrets.index(fold(proved), purpose="username"),)))
    resets = tuple(limits.subject(idp.limits.reset_person, each) for each in asked)
    yield _Waits(sentence("links for a forgotten password"), resets)


def _sent(sending: Sending, to: bytes | UUID, why: str) -> _Waits:
    day = (limits.subject(sending.day, to),) if OPERATOR.get().scopes is None else ()
    return _Waits(why, (limits.subject(sending.places, to), *day), (limits.group_of(sending.pace, to),))
