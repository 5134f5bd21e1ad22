"""An operator takes everything along: people with what they sign in with, clients, consents. See docs/import.md."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from uuid import UUID

from idp.audit import Exported
from idp.errors import SealBroken
from idp.flows.idp import Idp
from idp.flows.operate.permitting import permit
from idp.flows.passkeys import relying
from idp.flows.sealed import bound, purpose_of
from idp.importing.envelope import Envelope, Lines
from idp.importing.written import VERSION, Kept, person_line
from idp.importing.written_clients import client_line
from idp.model import Authenticator, Factor
from idp.policy import LONGEST_HOLD, Act
from idp.policy.transitions import LONGER
from idp.store import audits
from idp.store.batches import BATCH
from idp.store.delivery import suppressions
from idp.store.people import exports
from idp.store.people.exports import Exported as Person
from idp.store.tokens import registrations

_REMOVED = LONGER * LONGEST_HOLD  # for so long something that was removed may count, or be told of what happens


async def export(idp: Idp, way: Envelope) -> AsyncIterator[str]:
    """Every line, the last of which counts and vouches for the others. Each person is as they were at one moment.

    What does not open, because its key is gone, is left out, and counted in the last line.
    """
    permit(idp, Act.EXPORT)
    now, us = idp.clock.now(), relying(idp)
    # Before anything is given out: an export that is broken off was one.
    await audits.add(idp.db, Exported(secrets=way.secrets.value), now=now)
    about = {"stile": "export", "version": VERSION, "issuer": idp.issuer, "made_at": now.isoformat()}
    lines = Lines(way)
    yield lines.put({**about, **({} if us is None else {"rp_id": us.id}), **way.head()})
    registered = await registrations.all_registrations(idp.db)
    for one in registered:
        line, secrets = client_line(one)
        yield lines.put({"client": line, **way.put(secrets, of=f"client/{one.client.id}")})
    people, unopened, after = 0, 0, UUID(int=0)
    while page := await exports.page(idp.db, after=after, limit=BATCH, closed_since=now - _REMOVED):
        for kept, lost in await _with_suppressed(idp, [_opened(idp, each) for each in page]):
            line, secrets = person_line(kept)
            yield lines.put({"person": line, **way.put(secrets, of=f"person/{kept.account.id}")})
            people, unopened = people + 1, unopened + lost
        after = page[-1].account.id
    yield lines.last({"people": people, "clients": len(registered), "unopened": unopened})


async def _with_suppressed(idp: Idp, page: Sequence[tuple[Kept, int]]) -> Sequence[tuple[Kept, int]]:
    """Who said that no message may come, or whose number does not exist, is left in peace by who reads this too."""
    keys = {
        which: idp.secrets.indexes(number, purpose=suppressions.PURPOSE)
        for kept, _ in page
        for which, number in kept.numbers.items()
    }
    found = await suppressions.reasons(idp.db, [key for each in keys.values() for key in each]) if keys else {}
    told = {UUID(which): found[key] for which, each in keys.items() for key in each if key in found}
    theirs = [{one.id: told[one.id] for one in kept.authenticators if one.id in told} for kept, _ in page]
    return [
        (replace(kept, past=replace(kept.past, suppressed=suppressed)), lost)
        for (kept, lost), suppressed in zip(page, theirs, strict=True)
    ]


def _opened(idp: Idp, person: Person) -> tuple[Kept, int]:
    """With what was sealed for our keys in clear; and how much does not open."""
    theirs: list[Authenticator] = []
    numbers: dict[str, str] = {}
    seeds: dict[str, bytes] = {}
    lost = 0
    for one in person.authenticators:
        purpose, sealed = purpose_of(one.factor), person.sealed.get(one.id)
        opened = b""
        if purpose is not None and sealed is not None:
            try:
                opened = idp.secrets.unseal(sealed, purpose=purpose, bound_to=bound(one.account_id, one.id))
            except SealBroken:
                lost += 1
                continue
        theirs.append(_with_key(one, opened))
        if one.factor is Factor.SMS:
            numbers[str(one.id)] = opened.decode()
        elif one.factor is Factor.TOTP and one.closed_at is None:
            seeds[str(one.id)] = opened
    consents = {client: tuple(scopes) for client, scopes in person.consents.items()}
    saved = {str(which): tuple(codes) for which, codes in person.saved.items()}
    return (
        Kept(person.account, tuple(theirs), numbers, person.password_hash, seeds, saved, consents, person.past),
        lost,
    )


def _with_key(one: Authenticator, opened: bytes) -> Authenticator:
    """A passkey with its public key in clear, which is no secret."""
    return one if one.passkey is None else replace(one, passkey=replace(one.passkey, public_key=opened))
