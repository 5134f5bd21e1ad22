"""Questions whose answer is a code: a fresh one, and which live one a code answers. Nothing is sent or stored here."""

from datetime import datetime
from uuid import UUID

from idp.crypto import random_bytes
from idp.factors import sms
from idp.flows.idp import Idp
from idp.flows.signin.authorize import Show
from idp.flows.signin.destinations import Destination
from idp.model import Account, Challenge, Factor, Interaction
from idp.policy import Policy, serves_signing_in
from idp.store.signin.challenges import Question


def question(
    idp: Idp,
    interaction: Interaction,
    account: Account,
    factor: Factor,
    to: Destination | None,
    *,
    locale: str | None,
    now: datetime,
) -> Question:
    """A fresh question, whose code goes `to`; if a live one exists the store keeps that instead."""
    return Question(
        interaction_id=interaction.id,
        factor=factor,
        account_id=account.id,
        authenticator_id=to.authenticator_id if to else None,
        purpose=to.purpose(interaction, idp.policy) if to else factor.value,
        nonce=random_bytes(sms.NONCE_BYTES),
        key_id=idp.secrets.current,
        expires_at=now + idp.policy.challenge.ttl,
        max_attempts=idp.policy.challenge.attempts,
        message_id=UUID(bytes=random_bytes(16), version=4) if to else None,
        locale=locale,
    )


def waiting(show: Show, factor: Factor, policy: Policy) -> Challenge | None:
    """The question of this factor that may still be answered here, else this request's own last one, if there was any.

    One code is good in every tab of its browser and person that asks for the same thing, to sign in; its tries are
    counted once. A request that wants a proof of its own takes no other's, and lends none.
    """
    own, account = show.loaded.challenges.get(factor), show.facts.account
    if (own is not None and own.alive(show.facts.now)) or account is None:
        return own
    if not serves_signing_in(show.interaction.request, policy):
        return own
    lent = [
        each
        for each in show.loaded.elsewhere
        if each.factor is factor and each.account_id == account.id and each.alive(show.facts.now)
    ]
    return max(lent, key=lambda each: each.created_at, default=own)


def asked_phone(show: Show, factor: Factor, policy: Policy) -> UUID | None:
    """The phone that the code went to which may be answered here, or that the last one went to."""
    asked = waiting(show, factor, policy)
    return None if asked is None else asked.authenticator_id
