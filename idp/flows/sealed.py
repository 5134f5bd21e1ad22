"""What is sealed of a person, and what each sealed value is bound to."""

from uuid import UUID

CODE_KEY = "sms-code"
SEED = "totp-seed"
NUMBER = "phone-number"
PHONE_INDEX = "phone"  # purpose of the keyed hash by which a number is looked up


def bound(account_id: UUID, authenticator_id: UUID) -> str:
    """What a sealed seed or number is bound to: table, column, person and row."""
    return f"authenticator.sealed/{account_id}/{authenticator_id}"
