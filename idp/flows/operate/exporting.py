"""An operator takes everything along: people with what they sign in with, clients, consents. See docs/import.md."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from idp.audit import Exported
from idp.errors import SealBroken
from idp.flows.idp import Idp
from idp.flows.operate.permitting import permit
from idp.flows.passkeys import relying
from idp.flows.sealed import bound, purpose_of
from idp.importing.envelope import Envelope
from idp.importing.written import VERSION, Kept, client_line, person_line
from idp.model import Authenticator, Factor
from idp.policy import Act
from idp.store import audits
from idp.store.batches import BATCH
from idp.store.people import exports
from idp.store.people.exports import Exported as Person
from idp.store.tokens import clients


async def export(idp: Idp, way: Envelope) -> AsyncIterator[Mapping[str, Any]]:
    """Every line, the last of which counts the others. Each person is as they were at one moment.

    What does not open, because its key is gone, is left out, and counted in the last line.
    """
    permit(idp, Act.EXPORT)
    now, us = idp.clock.now(), relying(idp)
    # Before anything is given out: an export that is broken off was one.
    await audits.add(idp.db, Exported(secrets=way.secrets.value), now=now)
    about = {"stile": "export", "version": VERSION, "issuer": idp.issuer, "made_at": now.isoformat()}
    yield {**about, **({} if us is None else {"rp_id": us.id}), **way.head()}
    registered = await clients.all_clients(idp.db)
    for client in registered:
        line, secrets = client_line(client)
        yield {"client": line, **way.put(secrets, of=f"client/{client.id}")}
    people, unopened, after = 0, 0, ""
    while page := await exports.page(idp.db, after=after, limit=BATCH):
        for each in page:
            kept, lost = _opened(idp, each)
            line, secrets = person_line(kept)
            yield {"person": line, **way.put(secrets, of=f"person/{kept.account.id}")}
            people, unopened = people + 1, unopened + lost
        after = page[-1].account.username
    yield {"end": {"people": people, "clients": len(registered), "unopened": unopened}}


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
        elif one.factor is Factor.TOTP:
            seeds[str(one.id)] = opened
    saved = {str(which): tuple(codes) for which, codes in person.saved.items()}
    return (
        Kept(person.account, tuple(theirs), numbers, person.password_hash, seeds, saved, {
            client: tuple(scopes) for client, scopes in person.consents.items()
        }),
        lost,
    )  # fmt: skip


def _with_key(one: Authenticator, opened: bytes) -> Authenticator:
    """A passkey with its public key in clear, which is no secret."""
    return one if one.passkey is None else replace(one, passkey=replace(one.passkey, public_key=opened))
