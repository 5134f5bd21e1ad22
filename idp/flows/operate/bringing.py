"""People of an import, one after the other: who comes, once, and what of them does not. Stored so many at a time."""

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from uuid import UUID

from idp.audit import AccountImported
from idp.flows.idp import Idp
from idp.flows.operate.arriving import Terms, judge
from idp.flows.operate.keeping import judge_kept
from idp.flows.passkeys import relying
from idp.importing.incoming import PERSON, Left, Person
from idp.importing.written import Kept
from idp.store.batches import BATCH
from idp.store.people import arrivals
from idp.store.people.arrivals import Arrival
from idp.typed import mailbox

_TAKEN = "somebody has it already: what they lack, they get with `idp user totp` or `idp user phone`"


class Arriving:
    """Who came so far, who was there, and what does not come. With `dry_run` nobody is stored.

    Of several people with one username, id or proved address, and of several authenticators with one id, the first of
    the file has it; so it is too where somebody here has it.
    """

    def __init__(self, idp: Idp, terms: Terms, rp_id: str | None, clients: AbstractSet[str], *, dry_run: bool) -> None:
        us = relying(idp)
        self._idp, self._terms, self._clients, self._dry_run = idp, terms, clients, dry_run
        self._rp_id = rp_id if us is not None and us.id == rp_id else None
        self._ours = False  # a file of ours, in which authenticators have the ids that they had
        self._waiting: list[tuple[Arrival, list[Left]]] = []
        self._usernames: set[str] = set()
        self._twice: set[str] = set()
        self._ids: set[UUID] = set()
        self._authenticators: set[UUID | bytes] = set()
        self._mailboxes: set[str] = set()
        self.came: set[str] = set()
        self.there: set[str] = set()
        self.left: list[Left] = []
        self.groups: Counter[str] = Counter()
        self.held = 0

    async def take(self, person: Person | Kept, lost: Sequence[Left]) -> None:
        """The next of the file, of whom that was lost on the way."""
        if isinstance(person, Person):
            judged = judge(self._idp, person, self._terms, now=self._idp.clock.now())
        else:
            self._ours = True
            judged = judge_kept(self._idp, person, rp_id=self._rp_id)
        left = [*lost]
        for found in judged:
            if isinstance(found, Left):
                left.append(found)
            elif (once := self._once(found, left)) is not None:
                self._waiting.append((once, left))
                left = []
        self.left += left  # of who cannot come
        if len(self._waiting) >= BATCH:
            await self.store()

    def _once(self, arrival: Arrival, left: list[Left]) -> Arrival | None:
        """Without what somebody before them in the file has; None for who was in it before."""
        account = arrival.account
        username = account.username
        if username in self._usernames:
            told = username in self._twice
            left[:] = [] if told else [Left(username, PERSON, "the file has this username twice")]
            self._twice.add(username)
            return None
        if account.id in self._ids:
            left[:] = [Left(username, PERSON, "the file gives this id to two people")]
            return None
        self._usernames.add(username)
        self._ids.add(account.id)
        address = mailbox(account.email or "")
        if account.email_verified and address in self._mailboxes:
            left.append(Left(username, "proved e-mail address", "somebody else in the file has proved it"))
            account = replace(account, email_verified=False)
        elif account.email_verified:
            self._mailboxes.add(address)
        why = "no such client is registered here"
        left += [Left(username, f"consent for {each}", why) for each in sorted(arrival.consents.keys() - self._clients)]
        arrival = _without(arrival, self._authenticators, left)
        if self._ours:
            self._authenticators.update(*(arrivals.marks(each) for each in arrival.enrolled))
        left[:] = [replace(each, who=username) for each in left]
        return replace(arrival, account=account)

    async def store(self) -> None:
        """Those who wait, each whole or not at all; who is there already is left alone."""
        db, now = self._idp.db, self._idp.clock.now()
        taken = await arrivals.taken(db, [each for each, _ in self._waiting]) if self._ours else frozenset()
        batch = [(_without(arrival, taken, left), left) for arrival, left in self._waiting]
        self._waiting = []
        if not batch:
            return
        people = [arrival for arrival, _ in batch]
        if self._dry_run:
            added = await arrivals.would_add(db, people)
        elif any(each.account.email_verified for each in people):
            async with db.transaction() as conn:
                await arrivals.one_at_a_time(conn)
                added = await arrivals.add(conn, people, now=now)
        else:
            added = await arrivals.add(db, people, now=now)
        for arrival, left in batch:
            account = arrival.account
            if account.id not in added:
                self.there.add(account.username)
                continue  # of whom nothing is changed, so nothing was left behind
            if account.email_verified and not added[account.id]:
                left.append(Left(account.username, "proved e-mail address", "somebody here has proved it"))
            self.came.add(account.username)
            self.left += left
            self.groups.update(account.groups)
            self.held += sum(one.authenticator.hold is not None for one in arrival.enrolled)


def _without(arrival: Arrival, taken: AbstractSet[UUID | bytes], left: list[Left]) -> Arrival:
    """Without the authenticators that somebody has already; the audit trail says what came."""
    kept = tuple(each for each in arrival.enrolled if not arrivals.marks(each) & taken)
    if len(kept) == len(arrival.enrolled):
        return arrival
    gone = [each.authenticator.factor for each in arrival.enrolled if each not in kept]
    left += [Left(arrival.account.username, factor.value, _TAKEN) for factor in gone]
    open_ = [each.authenticator for each in kept if each.authenticator.closed_at is None]
    assert isinstance(arrival.audit, AccountImported)
    said = replace(
        arrival.audit,
        factors=[each.factor.value for each in open_],
        held=[each.factor.value for each in open_ if each.hold is not None],
    )
    return replace(arrival, enrolled=kept, audit=said)
