"""From the stored details of a request to what their page shows, every field of them. Nothing is decided here."""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from idp.flows.idp import ACCOUNT_PATH
from idp.flows.signin.told import Told
from idp.model import Details
from idp.policy import TYPE, DetailsRule, FieldKind, FieldRule, Missing, Policy, headline
from idp.web.pages import Approval, DetailLine, Money, OutOfReach, ScopeLine


def approval_of(details: Details, policy: Policy, here: str, *, scopes: tuple[ScopeLine, ...]) -> Approval:
    """What is approved by answering; `scopes` stand beside it."""
    told, rule = headline(details, policy.details)
    amount = None
    if rule.money is not None and rule.money in told:
        amount = _line(rule.money, told, rule.fields[rule.money])
    return Approval(
        digest=details.digest.hex(),
        things=tuple(_thing(each, policy.details[each[TYPE]]) for each in details.objects),
        not_mine=f"{here}/not-mine",
        amount=amount,
        payee=None if rule.payee is None else told.get(rule.payee),
        scopes=scopes,
    )


def out_of_reach(told: Told, *, base: str) -> OutOfReach:
    """The page for who cannot approve it."""
    refuse, zone = told.refuse, None if told.account is None else told.account.claims.get("zoneinfo")
    return OutOfReach(
        client_name=told.client.name,
        why=(refuse.barrier or refuse.missing or Missing.NO_AUTHENTICATOR).value,
        account=base + ACCOUNT_PATH,
        cancel=f"{base}/i/{told.interaction_id}/cancel",
        until=refuse.retry_at,
        zone=zone if isinstance(zone, str) else None,
    )


def _thing(told: Mapping[str, Any], rule: DetailsRule) -> tuple[str, tuple[DetailLine, ...]]:
    return rule.title or told[TYPE], tuple(_lines(told, rule))


def _lines(told: Mapping[str, Any], rule: DetailsRule) -> Iterator[DetailLine]:
    return (_line(name, told, field) for name, field in rule.fields.items() if name in told)


def _line(name: str, told: Mapping[str, Any], rule: FieldRule) -> DetailLine:
    value: Any = told[name]
    match rule.kind:
        case FieldKind.MONEY:
            value = Money(Decimal(value["amount"]), value["currency"])
        case FieldKind.DATE:
            value = date.fromisoformat(value)
        case FieldKind.TEXT | FieldKind.ACCOUNT | FieldKind.IBAN | FieldKind.COUNT:
            pass
    return DetailLine(name, value, rule.label, grouped=rule.kind is FieldKind.IBAN)
