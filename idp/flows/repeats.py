"""A change that a client may ask for again, because it lost the answer: done once, and told again without its secrets.

The key is taken before anything is done, and committed by itself: whoever comes second finds it, even where the first
was killed in the middle. Then nobody knows whether it was done, which is what the second is told (promise 8).
"""

from dataclasses import dataclass
from datetime import timedelta

from idp.crypto import digest, equal
from idp.flows.idp import Idp
from idp.model import Operator
from idp.store import repeats

KEPT = timedelta(hours=24)
AT_WORK = timedelta(seconds=10)  # longer than any answer takes; then it was cut off
_ANSWER = "api-answer"


@dataclass(frozen=True, slots=True)
class First:
    """Go on. `key` names it to `answered` and `undone`."""

    key: bytes


@dataclass(frozen=True, slots=True)
class Again:
    """It was done before, and this was answered: its status and text."""

    status: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Other:
    """The key stands for another request."""


@dataclass(frozen=True, slots=True)
class AtWork:
    """The first is not answered yet. `lost`: it never will be, and nobody knows whether it was done."""

    lost: bool


async def begin(idp: Idp, operator: Operator, key: str, asked: bytes) -> First | Again | Other | AtWork:
    """Whether this is the first request of this operator with this key. `asked` is all of it that matters."""
    taken = digest(f"{operator.client_id} {operator.account_id or operator.name} {key}")
    # A body may hold a password: without our keys nobody can try which.
    told = idp.secrets.index(asked.hex(), purpose="api-request")
    now = idp.clock.now()
    if await repeats.begin(idp.db, key=taken, asked=told, now=now, expires_at=now + KEPT):
        return First(taken)
    found = await repeats.load(idp.db, key=taken)
    if found is None:
        return AtWork(lost=False)
    if not equal(found.asked, told):
        return Other()
    if found.status is None or found.sealed is None:
        return AtWork(lost=now - found.begun_at > AT_WORK)
    return Again(found.status, idp.secrets.unseal(found.sealed, purpose=_ANSWER, bound_to=taken.hex()))


async def answered(idp: Idp, first: First, *, status: int, text: bytes) -> None:
    """What was done, for whoever asks again. `text` holds no secret."""
    sealed = idp.secrets.seal(text, purpose=_ANSWER, bound_to=first.key.hex())
    await repeats.answer(idp.db, key=first.key, status=status, sealed=sealed)


async def undone(idp: Idp, first: First) -> None:
    """It was refused and nothing was done: the same key may be tried again."""
    await repeats.forget(idp.db, key=first.key)
