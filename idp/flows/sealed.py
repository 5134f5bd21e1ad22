"""What is sealed of a person, and what each sealed value is bound to."""

from typing import assert_never
from uuid import UUID

from idp.model import Factor

CODE_KEY = "sms-code"
SEED = "totp-seed"
PASSKEY = "passkey"
NUMBER = "phone-number"
PHONE_INDEX = "phone"  # purpose of the keyed hash by which a number is looked up


def purpose_of(factor: Factor) -> str | None:
    """What an authenticator's sealed value is sealed for; None for a factor that keeps none."""
    match factor:
        case Factor.TOTP:
            return SEED
        case Factor.SMS:
            return NUMBER
        case Factor.PASSKEY:
            return PASSKEY
        case Factor.PASSWORD | Factor.EMAIL | Factor.RECOVERY:
            return None
        case _:
            assert_never(factor)


def bound(account_id: UUID, authenticator_id: UUID) -> str:
    """What a sealed seed, number or key is bound to: table, column, person and row."""
    return f"authenticator.sealed/{account_id}/{authenticator_id}"
