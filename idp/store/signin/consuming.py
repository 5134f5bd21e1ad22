"""What a right answer uses up and must find unchanged, for the one statement that records a proof (`proofs`)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, assert_never
from uuid import UUID

from idp.model import Factor, Swap
from idp.store.delivery.spending import PROVING


@dataclass(frozen=True, slots=True)
class Compared:
    """The password: the hash that it was compared with, which must be the person's still.

    `rewritten` is the one to store in its place: the same password, hashed as we do today.
    """

    factor: ClassVar[Factor] = Factor.PASSWORD
    authenticator_id: ClassVar[None] = None
    password_hash: str = field(repr=False)
    rewritten: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Texted:
    """A code by text message to this phone: that of the question with this nonce."""

    factor: ClassVar[Factor] = Factor.SMS
    authenticator_id: UUID
    nonce: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Mailed:
    """A code by e-mail, of the question with this nonce: where it went must be the person's verified address still."""

    factor: ClassVar[Factor] = Factor.EMAIL
    authenticator_id: ClassVar[None] = None
    mailbox: str = field(repr=False)
    nonce: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Step:
    """A code of this app: that of the time step, which no later proof may use."""

    factor: ClassVar[Factor] = Factor.TOTP
    authenticator_id: UUID
    step: int


@dataclass(frozen=True, slots=True)
class Saved:
    """One of this set of recovery codes, by its hash."""

    factor: ClassVar[Factor] = Factor.RECOVERY
    authenticator_id: UUID
    code_hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """An answer of this passkey: the challenge with this hash, which no later proof may use, and the count it told.

    `verified`: it made sure who held it. `alone`: it is password and second factor in one, so no attempt is spent.
    """

    factor: ClassVar[Factor] = Factor.PASSKEY
    authenticator_id: UUID
    challenge: bytes = field(repr=False)
    expires_at: datetime
    count: int
    copied: bool
    verified: bool
    alone: bool = False


Evidence = Compared | Texted | Mailed | Step | Saved | Signed


@dataclass(frozen=True, slots=True)
class Use:
    """The text that a kind of evidence brings.

    `same` has a row if what was compared is still the person's: who changes it waits, or we wait and look again. It is
    locked before the session, as whoever changes a password and then ends the sessions locks them. Of `used`, the CTE
    of that name has a row for exactly one caller, with what the question says of its SIM and of the places it took.
    `right`: whether it is one; only of a saved code that is not known before.
    """

    used: str
    same: str = "SELECT"
    right: str = "true"


def is_both(evidence: Evidence) -> bool:
    """Whether this is two factors in one: a passkey that made sure who held it."""
    return isinstance(evidence, Signed) and evidence.verified


def use_of(evidence: Evidence) -> tuple[Use, dict[str, Any]]:
    """The text for it, one and the same for each kind, and its values."""
    match evidence:
        case Compared(password_hash, None):
            return _COMPARED, {"password_hash": password_hash}
        case Compared(password_hash, rewritten):
            return _REWRITTEN, {"password_hash": password_hash, "rewritten": rewritten}
        case Texted(_, nonce):
            return _TEXTED, {"nonce": nonce}
        case Mailed(mailbox, nonce):
            return _MAILED, {"mailbox": mailbox, "nonce": nonce}
        case Step(_, step):
            return _STEP, {"step": step}
        case Saved(_, code_hash):
            return _SAVED, {"code_hash": code_hash}
        case Signed() as signed:
            return _ALONE if signed.alone else _SIGNED, {
                "challenge": signed.challenge,
                "challenge_expires_at": signed.expires_at,
                "count": signed.count,
                "copied": signed.copied,
                "proved_verified": signed.verified,
            }
        case _:
            assert_never(evidence)


_NOTHING_SAID = "NULL::text AS swap, NULL::int AS address_places, NULL::boolean AS verified"

_STILL = """
    SELECT FROM account
    WHERE id = :account_id AND password_hash = :password_hash AND disabled_at IS NULL
    """
_COMPARED = Use(f"used AS (SELECT {_NOTHING_SAID} FROM locked)", same=f"{_STILL}FOR SHARE")
# Who is second finds another hash than the one that was compared, and looks again.
_REWRITTEN = Use(
    f"""used AS (SELECT {_NOTHING_SAID} FROM locked),
rewritten AS (UPDATE account SET password_hash = :rewritten WHERE id = :account_id AND EXISTS (SELECT FROM used))""",
    same=f"{_STILL}FOR NO KEY UPDATE",
)

_OURS = "interaction_id = :interaction_id AND factor = :factor AND account_id = :account_id AND consumed_at IS NULL"

_MAILED = Use(
    f"""used AS (
    UPDATE challenge SET consumed_at = :now, attempts = attempts + 1
    WHERE {_OURS} AND nonce = :nonce AND expires_at > :now AND EXISTS (SELECT FROM charged)
    RETURNING swap, address_places, NULL::boolean AS verified
)""",
    same="""
    SELECT FROM account
    WHERE id = :account_id AND email = :mailbox AND email_verified AND disabled_at IS NULL
    FOR SHARE""",
)

# It may have been closed since it was looked up: a lost phone, a set of codes that was replaced.
_OPEN = "id = :authenticator_id AND account_id = :account_id AND confirmed_at IS NOT NULL AND closed_at IS NULL"

_TEXTED = Use(f"""used AS (
    UPDATE challenge SET consumed_at = :now, attempts = attempts + 1
    WHERE {_OURS} AND nonce = :nonce AND expires_at > :now AND authenticator_id = :authenticator_id
      -- Threat 9: it may have become known since it was compared.
      AND swap IS DISTINCT FROM '{Swap.SWAPPED}'
      AND EXISTS (SELECT FROM authenticator WHERE {_OPEN})
      AND EXISTS (SELECT FROM charged)
    RETURNING swap, address_places, NULL::boolean AS verified
),
touched AS (
    UPDATE authenticator SET last_used_at = :now WHERE id = :authenticator_id AND EXISTS (SELECT FROM used)
),
-- Spending rules 6 and 7: a number that was texted is verified, for the first time.
proving AS ({PROVING} AND EXISTS (SELECT FROM used))""")

# RFC 6238 5.2: a time step is accepted once; design 6: it only grows
_STEP = Use(f"""used AS (
    UPDATE authenticator SET last_step = :step, last_used_at = :now
    WHERE {_OPEN} AND last_step < :step AND EXISTS (SELECT FROM spent)
    RETURNING {_NOTHING_SAID}
)""")


def _signed(when: str, *, same: str = "SELECT") -> Use:
    """WebAuthn 13.4.3: a challenge is good for one answer. 6.1.1: a count only grows, or is zero for ever."""
    return Use(
        f"""unused AS (
    INSERT INTO used_challenge (hash, used_at, expires_at)
    SELECT :challenge, :now, :challenge_expires_at WHERE EXISTS (SELECT FROM {when})
    ON CONFLICT DO NOTHING
    RETURNING hash
),
used AS (
    UPDATE authenticator SET sign_count = :count, copied = :copied, last_used_at = :now
    WHERE {_OPEN} AND (sign_count < :count OR (sign_count = 0 AND :count = 0)) AND EXISTS (SELECT FROM unused)
    RETURNING NULL::text AS swap, NULL::int AS address_places, :proved_verified::boolean AS verified
)""",
        same=same,
    )


_SIGNED = _signed("spent")
_ALONE = _signed("locked", same="SELECT FROM account WHERE id = :account_id AND disabled_at IS NULL FOR SHARE")

_THAT_CODE = "hash = :code_hash AND authenticator_id = :authenticator_id AND used_at IS NULL"

_SAVED = Use(
    f"""used AS (
    UPDATE recovery_code SET used_at = :now
    WHERE {_THAT_CODE}
      AND EXISTS (SELECT FROM authenticator WHERE {_OPEN})
      AND EXISTS (SELECT FROM spent)
    RETURNING {_NOTHING_SAID}
)""",
    right=f"EXISTS (SELECT FROM recovery_code WHERE {_THAT_CODE})",
)
