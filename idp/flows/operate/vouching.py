"""What an operator gives somebody to prove themselves with, trusted at once, because the operator knows who gets it."""

from datetime import datetime
from uuid import UUID, uuid4

from idp.audit import AuthenticatorAdded
from idp.flows.idp import Idp
from idp.flows.sealed import NUMBER, PHONE_INDEX, bound
from idp.model import OPERATOR, Authenticator, Factor
from idp.sms import phone as phones
from idp.sms.phone import Phone
from idp.store import audits
from idp.store.engine import Connection
from idp.store.people import authenticators

GIVEN = "given by an operator"


async def store_phone(
    idp: Idp, conn: Connection, account_id: UUID, number: Phone, *, now: datetime, phone_id: UUID | None = None
) -> Authenticator:
    """A phone that an operator vouches for: confirmed and trusted at once."""
    phone, sealed = vouched_phone(idp, account_id, number, now=now, phone_id=phone_id)
    await authenticators.add(conn, phone, sealed=sealed, by=OPERATOR.get().key)
    await record_added(conn, phone, now=now)
    return phone


def vouched_phone(
    idp: Idp, account_id: UUID, number: Phone, *, now: datetime, phone_id: UUID | None = None
) -> tuple[Authenticator, bytes]:
    """The same before it is stored, and its number, sealed."""
    phone = Authenticator(
        id=phone_id or uuid4(),
        account_id=account_id,
        factor=Factor.SMS,
        label="Phone",
        hint=phones.hint(number.e164),
        created_at=now,
        trusted_at=now,
        confirmed_at=now,
        number_key=idp.secrets.index(number.e164, purpose=PHONE_INDEX),
    )
    return phone, idp.secrets.seal(number.e164.encode(), purpose=NUMBER, bound_to=bound(account_id, phone.id))


async def record_added(conn: Connection, given: Authenticator, *, now: datetime) -> None:
    """The audit row for an authenticator that an operator gave."""
    await audits.add(conn, added(given), now=now, account_id=given.account_id)


def added(given: Authenticator) -> AuthenticatorAdded:
    """What the trail says of an authenticator that an operator gave."""
    trusted = None if given.trusted_at is None else given.trusted_at.isoformat()
    return AuthenticatorAdded(given.factor, str(given.id), trusted_at=trusted, by="operator")
