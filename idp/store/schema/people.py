"""People, what they prove themselves with, and their browsers."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from idp.model import SECOND, TRAITS, Factor
from idp.store.schema.base import EMPTY_OBJECT, Texts, Time, account_id, has, lists, may_have, table


def _is_one_of(factors: Iterable[Factor]) -> sa.CheckConstraint:
    names = ", ".join(f"'{each}'" for each in sorted(factors, key=list(Factor).index))
    return sa.CheckConstraint(f"factor IN ({names})", name="factor")


account = table(
    "account",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("username", sa.Text, nullable=False, unique=True),
    *may_have(sa.Text, "password_hash", "name", "email"),
    sa.Column("email_verified", sa.Boolean, nullable=False, server_default=sa.text("false")),
    *lists("groups"),
    sa.Column("claims", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    *may_have(sa.Text, "locale", "prefers"),
    *has(Time, "created_at", "updated_at"),
    # What was told until `former_until` is told there too: whoever changes an address silences nobody.
    sa.Column("former_email", sa.Text),
    sa.Column("former_until", Time),
    *may_have(Time, "disabled_at", "frozen_at", "strong_from", "password_until", "provisional_until"),
    # Until then the address recovers nothing by itself.
    sa.Column("email_trusted_at", Time),
    # Since then the address takes no mail of ours.
    sa.Column("email_refused_at", Time),
    # Which operator chose the password, if it was no shell.
    sa.Column("password_by", sa.Text),
    sa.Index(
        "ix_account_provisional_until",
        "provisional_until",
        postgresql_where=sa.text("provisional_until IS NOT NULL"),
    ),
    # As `typed.mailbox`: the database's own lower case differs from place to place.
    sa.Index("ix_account_mailbox", sa.text('lower(email COLLATE "C")'), postgresql_where=sa.text("email_verified")),
)

# A phone, an app or a set of recovery codes. `sealed` is the number or the seed; a pending enrolment has no
# `confirmed_at` and belongs to `session_id` until `expires_at`. `swapped_at` is when a changed SIM was last seen. Of
# several phones codes go to the one with the latest `preferred_at`, else to the newest. It opens strong scopes from
# `trusted_at` on; while that is NULL nobody could be told of it, and the `hold` begins when somebody was. `tell_at`
# is when to try again. A closed phone is told what happens until `told_until`. Of a passkey `sealed` is its public
# key, so that nobody plants another, and `sign_count` the last that it told.
authenticator = table(
    "authenticator",
    sa.Column("id", sa.Uuid, primary_key=True),
    account_id(),
    *has(sa.Text, "factor", "label", "hint"),
    *may_have(sa.LargeBinary, "sealed", "lookup"),
    sa.Column("created_at", Time, nullable=False),
    *may_have(Time, "confirmed_at", "expires_at", "trusted_at", "tell_at"),
    sa.Column("hold", sa.Interval),
    *may_have(sa.Uuid, "enrolled_in", "session_id"),
    sa.Column("last_step", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    *may_have(Time, "last_used_at", "closed_at", "swapped_at", "preferred_at", "told_until", "checked_at"),
    sa.Column("credential_id", sa.LargeBinary),
    sa.Column("sign_count", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    *may_have(sa.Boolean, "eligible", "copied", "attested"),
    sa.Column("transports", Texts),
    sa.Column("aaguid", sa.Text),
    # Of an app that was enrolled in another system: how it makes its codes.
    sa.Column("algorithm", sa.Text),
    sa.Column("digits", sa.SmallInteger),
    sa.Column("period", sa.Interval),
    # Which operator gave it, if it was no shell.
    sa.Column("given_by", sa.Text),
    _is_one_of(each for each in SECOND if TRAITS[each].enrolled),
    sa.CheckConstraint("(confirmed_at IS NULL) = (expires_at IS NOT NULL)", name="pending"),
    sa.CheckConstraint("(trusted_at IS NULL) = (hold IS NOT NULL)", name="hold"),
    sa.CheckConstraint("num_nulls(algorithm, digits, period) IN (0, 3)", name="codes"),
    sa.Index("ix_authenticator_account_id", "account_id"),
    sa.Index("ix_authenticator_lookup", "lookup", postgresql_where=sa.text("lookup IS NOT NULL")),
    sa.CheckConstraint(
        "factor <> 'passkey' OR (sealed IS NOT NULL AND credential_id IS NOT NULL AND eligible IS NOT NULL)",
        name="passkey",
    ),
    sa.Index(
        "ix_authenticator_credential_id",
        "credential_id",
        unique=True,
        postgresql_where=sa.text("credential_id IS NOT NULL"),
    ),
    sa.Index("ix_authenticator_tell_at", "tell_at", postgresql_where=sa.text("tell_at IS NOT NULL")),
    sa.Index("ix_authenticator_expires_at", "expires_at", postgresql_where=sa.text("expires_at IS NOT NULL")),
)

# The code that went to a phone which somebody wants to add: as a challenge, but of no interaction. `replaces` is the
# phone that it takes the place of.
verification = table(
    "verification",
    sa.Column("authenticator_id", sa.Uuid, sa.ForeignKey("authenticator.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("replaces", sa.Uuid),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("nonce", sa.LargeBinary, nullable=False),
    *has(Time, "asked_at", "expires_at"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("max_attempts", sa.Integer, nullable=False),
    sa.Column("sends", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("swap", sa.Text),
    sa.CheckConstraint("swap IN ('swapped', 'not_swapped', 'unknown')", name="swap"),
    sa.CheckConstraint("attempts <= max_attempts", name="attempts"),
)

recovery_code = table(
    "recovery_code",
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("authenticator_id", sa.Uuid, sa.ForeignKey("authenticator.id", ondelete="CASCADE"), nullable=False),
    sa.Column("used_at", Time),
    sa.Index("ix_recovery_code_authenticator_id", "authenticator_id"),
)

# Links of mails, by the hash of the token. Each works once and until it expires; `about` is what it is about beside the
# person.
link = table(
    "link",
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False),
    account_id(),
    sa.Column("about", sa.Uuid),
    sa.Column("fields", JSONB, nullable=False, server_default=EMPTY_OBJECT),
    *has(Time, "created_at", "expires_at"),
    sa.Column("used_at", Time),
    sa.Index("ix_link_account_id", "account_id"),
    sa.Index("ix_link_expires_at", "expires_at"),
)

# A challenge of a passkey that was answered, by its hash: until then nothing is stored of it.
used_challenge = table(
    "used_challenge",
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    *has(Time, "used_at", "expires_at"),
    sa.Index("ix_used_challenge_expires_at", "expires_at"),
)

# A browser that this person signed in from with two factors, by the hash of the id in its cookie. `factor` is what they
# used there last, `address` from where.
device = table(
    "device",
    sa.Column("account_id", sa.Uuid, sa.ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("key", sa.LargeBinary, primary_key=True),
    sa.Column("label", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("user_agent", sa.Text, nullable=False),
    *may_have(sa.Text, "address", "factor"),
    *has(Time, "created_at", "seen_at", "expires_at"),
    sa.Index("ix_device_expires_at", "expires_at"),
)

# One browser. Anonymous until a password was right; the token changes with every proof. `previous_hash` is of the token
# before, until the new one is used: a form that is sent twice still finds its way. Codes of an earlier `generation`
# than the session's are good for nothing. One that a link opened (`link`) is good for what the link is for alone.
# `device_key` is that of the browser in which a second factor was proved.
session = table(
    "session",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("token_hash", sa.LargeBinary, nullable=False, unique=True),
    account_id(nullable=True),
    *has(Time, "created_at", "seen_at"),
    sa.Column("ended_at", Time),
    sa.Column("user_agent", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("previous_hash", sa.LargeBinary),
    sa.Column("replaced_at", Time),
    sa.Column("generation", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("link", sa.Text),
    sa.Column("device_key", sa.LargeBinary),
    sa.Index("ix_session_account_id", "account_id", postgresql_where=sa.text("account_id IS NOT NULL")),
    sa.Index("ix_session_seen_at", "seen_at"),
)

authentication_event = table(
    "authentication_event",
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("session_id", sa.Uuid, sa.ForeignKey("session.id", ondelete="CASCADE"), nullable=False),
    sa.Column("account_id", sa.Uuid, nullable=False),
    *has(sa.Text, "factor", "client_id"),
    sa.Column("at", Time, nullable=False),
    *may_have(sa.Uuid, "interaction_id", "authenticator_id"),
    sa.Column("swap", sa.Text),
    sa.Column("verified", sa.Boolean),
    sa.CheckConstraint("swap IN ('swapped', 'not_swapped', 'unknown')", name="swap"),
    _is_one_of(Factor),
    sa.Index("ix_authentication_event_session_id", "session_id"),
)

# A paused authorization request. `consented` is the answer to the consent page, NULL until it was given.
interaction = table(
    "interaction",
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("session_id", sa.Uuid, sa.ForeignKey("session.id", ondelete="CASCADE"), nullable=False),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("request", JSONB, nullable=False),
    *has(Time, "started_at", "expires_at"),
    sa.Column("consented", Texts),
    sa.Column("account_chosen", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Column("finished_at", Time),
    sa.Index("ix_interaction_session_id", "session_id"),
    sa.Index("ix_interaction_expires_at", "expires_at"),
)

# One outstanding question per factor of an interaction. No code is stored: it is derived from `nonce` (design 6).
# `swap` is what was known of the SIM when the code was last sent. `address_places`: so many of `sends` took a place of
# the address that asked.
challenge = table(
    "challenge",
    sa.Column("interaction_id", sa.Uuid, sa.ForeignKey("interaction.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("factor", sa.Text, primary_key=True),
    account_id(),
    sa.Column("authenticator_id", sa.Uuid),
    *has(sa.Text, "purpose", "key_id"),
    sa.Column("nonce", sa.LargeBinary, nullable=False),
    *has(Time, "created_at", "expires_at"),
    sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("max_attempts", sa.Integer, nullable=False),
    sa.Column("sends", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("address_places", sa.Integer, nullable=False, server_default=sa.text("0")),
    sa.Column("consumed_at", Time),
    sa.Column("swap", sa.Text),
    sa.CheckConstraint("swap IN ('swapped', 'not_swapped', 'unknown')", name="swap"),
    sa.Index("ix_challenge_phone", "authenticator_id", postgresql_where=sa.text("factor = 'sms'")),
    sa.CheckConstraint("attempts <= max_attempts", name="attempts"),
    _is_one_of(SECOND),
    # An e-mail address is no authenticator: a code that went there can pass for nobody's phone.
    sa.CheckConstraint("factor <> 'email' OR authenticator_id IS NULL", name="email"),
    sa.Index("ix_challenge_email", "account_id", postgresql_where=sa.text("factor = 'email'")),
)
