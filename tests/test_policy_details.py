"""The tables `[details.NAME]` of the policy: what they may say; a mistake names its row and what it must be."""

from datetime import timedelta
from decimal import Decimal

import pytest

from idp.errors import SettingsError
from idp.model import AssuranceLevel, Details
from idp.policy import due, load_policy, misfit
from idp.policy.table import ALWAYS
from tests.world.policies import BEFORE

LOAN = """
[details.loan]
level = "strong"
fresh = "5m"
[details.loan.fields]
sum = { kind = "money", currencies = ["EUR", "GBP"] }
months = { kind = "count", most = 360 }
"""
SMALL = "[[details.loan.under]]\nlevel = 'two_factor'\n"


def test_a_type_is_read() -> None:
    loan = load_policy(BEFORE + LOAN).details["loan"]
    assert (loan.level, loan.fresh, loan.money) == (AssuranceLevel.STRONG, timedelta(minutes=5), "sum")
    assert load_policy(BEFORE).details["payment"].fresh == ALWAYS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[details.loan]\nlevel = 'strong'", "details.loan.fields: there must be one at least"),
        (LOAN.replace('"money"', '"cash"'), "details.loan.fields.sum.kind: must be one of money, text, iban"),
        (LOAN.replace("360", "0"), "details.loan.fields.months.most: must be a whole number from 1"),
        (LOAN.replace('["EUR", "GBP"]', '"EUR"'), 'details.loan.fields.sum.currencies: must be a list such as ["EUR"'),
        (LOAN.replace("months", "approved_at"), "details.loan.fields.'approved_at': a field is letters"),
        (LOAN.replace('"5m"', '"1s"'), "details.loan.fresh: must be at least 30 seconds"),
        (LOAN.replace('"strong"', '"hard"'), "details.loan.level: must be a level of [levels]"),
        (LOAN.replace("fresh =", 'payee = "months"\nfresh ='), "details.loan.payee: must name"),
        (LOAN.replace("fresh =", "colour = 1\nfresh ="), "details.loan.colour: unknown key"),
        (LOAN + 'other = { kind = "money" }', "details.loan.fields: one amount is approved at a time"),
        (LOAN + SMALL, "details.loan.under[0]: say how much"),
        (LOAN + SMALL + "EUR = { each = '9', day = '5' }", "details.loan.under[0].EUR.day: must be at least as much"),
        (LOAN + SMALL + "EUR = { each = 9, day = '9' }", "details.loan.under[0].EUR.each: must be an amount such as"),
        (LOAN + SMALL + "USD = { each = '9', day = '9' }", "details.loan.under[0].USD: is no currency of this type"),
        (
            LOAN + SMALL.replace("two_factor", "phishing_resistant") + "EUR = { each = '9', day = '9' }",
            "details.loan.under[0].level: small amounts may take less",
        ),
    ],
)
def test_a_mistake_names_its_row_and_what_a_value_must_be(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_policy(BEFORE + text)
    assert said in str(caught.value)


def test_small_amounts_take_less_by_currency_and_sum() -> None:
    rules = load_policy(BEFORE + SMALL.replace("loan", "payment") + "EUR = { each = '30', day = '100' }").details

    def level(amount: str, currency: str = "EUR", before: str = "0") -> AssuranceLevel:
        money = f'{{"amount": "{amount}", "currency": "{currency}"}}'
        asked = Details(f'[{{"type": "payment", "amount": {money}, "payee": "Eve"}}]')
        assert misfit(asked.objects[0], rules["payment"]) is None
        return due(asked, {("payment", "EUR"): Decimal(before)}, rules)[0].level

    assert level("30.00") is AssuranceLevel.TWO_FACTOR
    assert level("30.01") is AssuranceLevel.STRONG
    assert level("30.00", "USD") is AssuranceLevel.STRONG
    assert level("30.00", before="70.00") is AssuranceLevel.TWO_FACTOR
    assert level("30.00", before="70.01") is AssuranceLevel.STRONG
