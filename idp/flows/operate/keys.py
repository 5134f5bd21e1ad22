"""An operator's work on signing keys: look at them, sign with the next ones."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from idp.flows.idp import Idp
from idp.flows.operate.confirming import at_work
from idp.flows.operate.permitting import permit
from idp.flows.tokens import keys
from idp.policy import Act
from idp.store.tokens import keys as stored


@dataclass(frozen=True, slots=True)
class Key:
    """One signing key: next (published), current (signs) or retired (still verifies)."""

    kid: str
    alg: str
    state: str
    created_at: datetime
    retired_at: datetime | None


async def list_keys(idp: Idp) -> list[Key]:
    """Every signing key, by algorithm and age."""
    permit(idp, Act.SEE_POLICY)
    return [Key(key.id, key.alg, key.state, key.created_at, key.retired_at) for key in await stored.all_keys(idp.db)]


async def rotate_keys(idp: Idp, *, early: bool = False, instead_of: Collection[str] = ()) -> list[str]:
    """The next keys sign from now on, `instead_of` these where they are named; the ids of those that sign.

    Raises `TooEarly`, see `keys.turn`.
    """
    permit(idp, Act.CHANGE_KEYS)
    async with idp.db.transaction() as conn:
        current = await keys.turn(conn, idp, early=early, instead_of=instead_of)
        await at_work(conn, idp)
    await keys.publish_next(idp)
    return current
