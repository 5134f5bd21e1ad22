"""An operator's ticket for who lost everything: all they had is closed, and a link sets the account up anew.

The operator knows who gets it; what is strong stays closed for the `hold` all the same, and every channel is told.
Where the policy wants a second operator, the first one only asks for it.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from idp.audit import AccountRecovered, AuthenticatorRemoved, RecoveryAsked
from idp.crypto import digest, random_token
from idp.errors import NotThere, Outdated
from idp.flows.delivery.linking import link_address, link_token
from idp.flows.delivery.notices import tell
from idp.flows.idp import Idp
from idp.flows.operate.administrators import keep_one
from idp.flows.operate.confirming import confirmed, link_before
from idp.flows.operate.finding import find_user
from idp.flows.operate.people import NotAcceptable
from idp.flows.operate.reasons import kept_out, works_no_more
from idp.flows.operate.terms import settle
from idp.flows.people import links
from idp.model import OPERATOR, Account, Change, Notice
from idp.model.links import Link, LinkFor
from idp.policy import Act
from idp.sentences import mark, sentence
from idp.store import audits
from idp.store.engine import Connection
from idp.store.people import accounts, authenticators, newcomers
from idp.store.people import links as store_links

LONGEST_REASON = 200
LONGEST_OPERATOR = 80  # as the trail has it: person:ada
_REASON = mark("The reason has 1 to %(longest)s printable characters.")
_NAME = mark("The name has 1 to %(longest)s printable characters.")


@dataclass(frozen=True, slots=True)
class Waits:
    """A second operator has to confirm it until `expires_at`; nothing was changed."""

    account: Account
    by: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Recovered:
    """It is done: strong scopes open `closed` from now. `address` is the link, None where it was mailed."""

    account: Account
    closed: timedelta
    expires_at: datetime
    address: str | None = field(repr=False)


async def recover(
    idp: Idp, who: str | UUID, *, reason: str, by: str | None = None, mail: bool = False, nonce: bytes | None = None
) -> Waits | Recovered:
    """Close all that this person had and give them a link; or ask for a second operator, if the policy wants one.

    Whoever is at a shell says who they are, with `by`; of anybody else it is known. With the `nonce` of a form it is
    done once, however often that is sent. Raises `NotThere` or `NotAcceptable`, and `NotPermitted` for the last
    administrator, too.
    """
    person = await find_user(idp, who, to=Act.RECOVER)
    account, reason, by = person.account, _line(reason, _REASON, LONGEST_REASON), _operator(by)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        account = await confirmed(conn, idp, account, to=Act.RECOVER)
        if (sent := await _sent(conn, idp, account, nonce, mail=mail, now=now)) is not None:
            return sent
        _check(idp, account, mail=mail)
        await keep_one(conn, idp, account)
        if not idp.policy.recovery.second_operator:
            return await _recover(
                conn, idp, account, reason=reason, by=by, confirmed=None, mail=mail, now=now, nonce=nonce
            )
        # What was asked for before is asked for no more: one at a time.
        await store_links.drop(conn, account_id=account.id, purpose=LinkFor.RECOVER, now=now)
        expires_at = now + idp.policy.links.ticket
        asked = {"reason": reason, "by": by, "account": _account()}
        ticket = Link(_hash(nonce), LinkFor.RECOVER, account.id, now, expires_at, fields=asked)
        await store_links.add(conn, ticket)
        await audits.add(conn, RecoveryAsked(reason=reason, by=by), now=now, account_id=account.id)
        return Waits(account, by, expires_at)


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody asked to recover an account, and another operator has to confirm it until it expires."""

    by: str
    reason: str
    expires_at: datetime
    account: str | None = None

    @property
    def by_you(self) -> bool:
        """Whether the operator who looks is the one who asked, whatever they are called by now."""
        return self.by == OPERATOR.get().name or (self.account is not None and self.account == _account())

    @property
    def version(self) -> str:
        """A short name for what was asked: another one as soon as somebody asks anew."""
        return digest(f"{self.by} {self.expires_at.isoformat()} {self.reason}").hex()[:16]


def asked_of(link: Link) -> Asked:
    """What a link that waits for an operator says."""
    return Asked(str(link.fields["by"]), str(link.fields["reason"]), link.expires_at, link.fields.get("account"))


async def waiting(idp: Idp, who: str | UUID) -> Asked:
    """What waits for a second operator. Raises `NotThere`."""
    account = (await find_user(idp, who, to=Act.RECOVER)).account
    asked = await store_links.newest(idp.db, account_id=account.id, purpose=LinkFor.RECOVER)
    if asked is None or not asked.works(idp.clock.now()):
        raise _nobody_asked(account)
    return asked_of(asked)


def _nobody_asked(account: Account) -> NotThere:
    return NotThere(
        sentence(
            "Nobody asked to recover %(who)s, or too long ago: begin with a reason.",
            at_shell=f"Nobody asked to recover {account.username!r}, or too long ago: begin with --reason.",
            who=repr(account.username),
        )
    )


async def confirm(
    idp: Idp,
    who: str | UUID,
    *,
    by: str | None = None,
    mail: bool = False,
    nonce: bytes | None = None,
    expected: str | None = None,
) -> Recovered:
    """The second operator agrees: exactly one does, and not the one who asked. Their form, sent twice, shows the same.

    `expected` is the version of what was asked as they saw it: if somebody asked anew, `Outdated` is raised.
    Raises `NotThere` or `NotAcceptable`.
    """
    person = await find_user(idp, who, to=Act.RECOVER)
    account, by = person.account, _operator(by)
    now = idp.clock.now()
    async with idp.db.transaction() as conn:
        account = await confirmed(conn, idp, account, to=Act.RECOVER)
        sent = await _sent(conn, idp, account, nonce, mail=mail, now=now)
        if isinstance(sent, Recovered):
            return sent
        _check(idp, account, mail=mail)
        asked = await store_links.newest(conn, account_id=account.id, purpose=LinkFor.RECOVER)
        if asked is None or not asked.works(now):
            raise _nobody_asked(account)
        if asked.fields["by"] == by or asked_of(asked).by_you:
            raise NotAcceptable(sentence("%(who)s asked for it, so somebody else has to confirm it.", who=by))
        if expected is not None and expected != asked_of(asked).version:
            raise Outdated(
                sentence(
                    "Somebody else changed %(who)s meanwhile: look at them again, then go on.", who=account.username
                )
            )
        await keep_one(conn, idp, account)
        spent = await store_links.spend(conn, token_hash=asked.hash, purpose=LinkFor.RECOVER, now=now)
        assert spent is not None, "the account is locked"
        reason, first = str(spent.fields["reason"]), str(spent.fields["by"])
        return await _recover(
            conn, idp, account, reason=reason, by=first, confirmed=by, mail=mail, now=now, nonce=nonce
        )


def _hash(nonce: bytes | None) -> bytes:
    return digest(random_token() if nonce is None else nonce.hex())


def _link(idp: Idp, account: Account, nonce: bytes | None, *, mail: bool, now: datetime) -> links.Made:
    ttl = idp.policy.links.ticket
    return links.new(idp, LinkFor.INVITE, account.id, ttl=ttl, now=now, fields={"mailed": mail}, nonce=nonce)


async def _sent(
    conn: Connection, idp: Idp, account: Account, nonce: bytes | None, *, mail: bool, now: datetime
) -> Waits | Recovered | None:
    """What came of the same form before; None if it is the first. Raises `Outdated` where that is over."""
    if nonce is None:
        return None
    made = _link(idp, account, nonce, mail=mail, now=now)
    if (done := await link_before(conn, made)) is not None:
        closed = max(timedelta(0), (account.strong_from or now) - now)
        return Recovered(account, closed, done.expires_at, _address(idp, made, mail=mail))
    asked = await store_links.look(conn, token_hash=_hash(nonce), purpose=LinkFor.RECOVER)
    if asked is not None and not asked.works(now):
        raise Outdated(works_no_more())
    return None if asked is None else Waits(account, asked_of(asked).by, asked.expires_at)


def _address(idp: Idp, made: links.Made, *, mail: bool) -> str | None:
    token = link_token(idp, LinkFor.INVITE, nonce=made.nonce, key_id=made.key_id)
    return None if mail else link_address(idp, LinkFor.INVITE, token)


def _check(idp: Idp, account: Account, *, mail: bool) -> None:
    if account.disabled:
        raise NotAcceptable(kept_out(account.username))
    if mail and (idp.settings.smtp_url is None or account.mailbox is None):
        raise NotAcceptable(sentence("No mail can go to %(who)s: ask for the link without mail.", who=account.username))


def _account() -> str | None:
    """Whose account does it, if anybody's: a name may change."""
    account_id = OPERATOR.get().account_id
    return None if account_id is None else str(account_id)


def _operator(by: str | None) -> str:
    """Who does it, the same whichever way they came: the second operator must be another one."""
    operator = OPERATOR.get()
    named = by if operator.scopes is None else operator.name
    return _line(named or "", _NAME, LONGEST_OPERATOR)


def wrong_reason(text: str) -> str | None:
    """Why this cannot be the reason of a recovery; None if it can."""
    try:
        _line(text, _REASON, LONGEST_REASON)
    except NotAcceptable as error:
        return str(error)
    return None


def _line(text: str, what: str, longest: int) -> str:
    line = " ".join(text.split())
    if not 0 < len(line) <= longest or not line.isprintable():
        raise NotAcceptable(sentence(what, longest=longest))
    return line


async def _recover(
    conn: Connection,
    idp: Idp,
    account: Account,
    *,
    reason: str,
    by: str,
    confirmed: str | None,
    mail: bool,
    now: datetime,
    nonce: bytes | None,
) -> Recovered:
    # First, while the phones that are about to be closed are open: whoever has them is told.
    await tell(idp, conn, account, Notice.RECOVERED, now=now)
    await _close_all(conn, account.id, now=now)
    await links.withdraw(conn, idp, account, now=now)
    await newcomers.forget_password(conn, account_id=account.id, now=now)
    may = await settle(conn, idp, account, Change.OPERATOR_RECOVERS, why="recovered", now=now)
    if may.recovers:
        await accounts.thaw(conn, account_id=account.id, now=now)
    for purpose in (LinkFor.RESET, LinkFor.INVITE):
        await store_links.drop(conn, account_id=account.id, purpose=purpose, now=now)
    made = _link(idp, account, nonce, mail=mail, now=now)
    if mail:
        await links.make(conn, made, idp, locale=account.locale)
    else:
        await store_links.add(conn, made.link)
    done = AccountRecovered(reason=reason, by=by, confirmed_by=confirmed, closed=round(may.closed.total_seconds()))
    await audits.add(conn, done, now=now, account_id=account.id)
    return Recovered(account, may.closed, made.link.expires_at, _address(idp, made, mail=mail))


async def _close_all(conn: Connection, account_id: UUID, *, now: datetime) -> None:
    found = await accounts.by_id(conn, account_id=account_id)
    assert found is not None
    for each in found[1]:
        await authenticators.close(conn, authenticator_id=each.id, account_id=account_id, now=now)
        event = AuthenticatorRemoved(factor=each.factor, authenticator=str(each.id), by="operator")
        await audits.add(conn, event, now=now, account_id=account_id)
