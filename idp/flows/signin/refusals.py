"""Wrong codes: written down, and told to the person in whose name they were typed. Which are wrong, `judge` says."""

from datetime import datetime

from idp import limits
from idp.audit import FactorRefused
from idp.flows.delivery.notices import telling
from idp.flows.idp import Idp
from idp.model import Account, Notice
from idp.store.signin import refusals


async def note_wrong_code(
    idp: Idp, account: Account, refused: FactorRefused, *, failures: bytes, client_id: str, locale: str, now: datetime
) -> None:
    """Write a wrong code down. Somebody gave the right password before it: after a few in a row the person is told.

    Once a day at most, on every channel; `failures` is the row of `code_failures` that counts them.
    """
    await refusals.note(
        idp.db,
        refused,
        account_id=account.id,
        client_id=client_id,
        failures=failures,
        told_from=idp.policy.notices.wrong_codes,
        once=(idp.limits.code_notices, limits.subject(idp.limits.code_notices, account.id)),
        telling=telling(idp, account, Notice.CODES_WRONG, locale=locale, now=now),
        now=now,
    )
