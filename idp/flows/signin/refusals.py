"""Wrong codes: written down, and told to the person in whose name they were typed. Which are wrong, `judge` says."""

from datetime import datetime
from uuid import UUID

from idp import limits
from idp.audit import FactorRefused, PasskeyBehind
from idp.flows.delivery.notices import telling
from idp.flows.idp import Idp, Visitor
from idp.flows.language import message_language
from idp.model import Account, Factor, Interaction, Notice
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


async def note_behind(
    idp: Idp, visitor: Visitor, asked: Interaction, account: Account, which: UUID, *, now: datetime
) -> None:
    """Write down that a passkey told a lower count than before, and tell the person, once a day at most.

    It stays open (WebAuthn 6.1.1): a second tab that was slower is the likelier reason, and they can judge.
    """
    locale = message_language(idp, visitor, account, ui_locales=asked.request.ui_locales)
    await refusals.note(
        idp.db,
        PasskeyBehind(authenticator=str(which), interaction=str(asked.id)),
        account_id=account.id,
        client_id=asked.client_id,
        failures=None,
        told_from=0,
        once=(idp.limits.code_notices, limits.subject(idp.limits.code_notices, account.id, Factor.PASSKEY.value)),
        telling=telling(idp, account, Notice.PASSKEY_BEHIND, locale=locale, now=now),
        now=now,
    )
