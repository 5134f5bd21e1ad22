"""What an operator sees of the spending rules: the counters, and what would happen to one number."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

from idp.flows.delivery.spending import facts_of, recipient_of
from idp.flows.idp import Idp
from idp.flows.operate.people import NotAcceptable, parse_phone
from idp.flows.operate.permitting import permit
from idp.policy import Act
from idp.sentences import sentence
from idp.sms.phone import describe, mask, spelled
from idp.spending import Country, Facts, Period, Ruling, decide, explain, in_words
from idp.store.delivery import denials
from idp.store.delivery.denials import Denials, Traffic

LOOK_BACK = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Counters:
    """The last 24 hours: what was denied or would have been, what never-verified numbers got, and the money."""

    denied: Sequence[Denials]
    traffic: Sequence[Traffic]
    closed_blocks: int
    spent: Mapping[Period, Decimal]


async def spending_counters(idp: Idp) -> Counters:
    """Everything that `idp sms rules` counts."""
    permit(idp, Act.SEE_SENDING)
    now = idp.clock.now()
    return Counters(
        denied=await denials.since(idp.db, since=now - LOOK_BACK),
        traffic=await denials.traffic(idp.db, now=now),
        closed_blocks=await denials.closed_blocks(idp.db, now=now),
        spent=await denials.spent(idp.db, now=now),
    )


@dataclass(frozen=True, slots=True)
class Explained:
    """What would happen to a code for one number now, asked for by somebody who never verified it, or who did."""

    phone: str
    region: str | None
    unverified: Sequence[Ruling]
    answer: str
    verified: Sequence[Ruling]
    answer_verified: str


async def explain_number(idp: Idp, typed: str) -> Explained:
    """The rules one by one for this number. Nothing is booked, counted or sent. Raises `NotAcceptable`."""
    permit(idp, Act.SEE_SENDING)
    number = "".join(character for character in spelled(typed) if character not in " -.()/")
    if not re.fullmatch(r"\+?[0-9]{1,60}", number):
        raise NotAcceptable(sentence("It must be a phone number with its country code, as in +37251234567."))
    phone = describe(number)
    recipient = recipient_of(idp, account_id=uuid4(), authenticator_id=uuid4(), number=number, phone=phone)
    facts = await facts_of(idp, recipient, phone, asks=True, now=idp.clock.now())
    known = replace(facts, known=True)
    return Explained(
        phone=mask(number),
        region=facts.region,
        unverified=explain(facts, idp.spending),
        answer=_answer(idp, facts),
        verified=explain(known, idp.spending),
        answer_verified=_answer(idp, known),
    )


def _answer(idp: Idp, facts: Facts) -> str:
    return in_words(decide(facts, idp.spending))


def never_texted(idp: Idp, typed: str) -> str | None:
    """Why a new phone would get no code, as a sentence for the operator who adds it; None when it would."""
    phone = parse_phone(typed, region=idp.settings.sms_region)
    why = closed_country(idp, phone.region)
    return None if why is None else sentence("No code will be sent to %(phone)s: %(why)s.", phone=phone.masked, why=why)


def closed_country(idp: Idp, region: str) -> str | None:
    """Why new phones there get no code, as a sentence without its end; None when they do."""
    if (country := idp.spending.country(region)) is Country.ALLOW:
        return None
    return (
        sentence("%(region)s is closed. IDP_SMS_COUNTRIES opens a country", region=region)
        if country is Country.DENY
        else sentence(
            "%(region)s is open only to numbers that were verified before. IDP_SMS_COUNTRIES opens a country",
            region=region,
        )
    )
