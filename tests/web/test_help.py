"""Help where people stand: over every combination one line, and none leads to what is not there."""

import re
from dataclasses import replace
from itertools import chain, combinations, product

import pytest

from idp.model import SECOND, SENT, Factor
from idp.web.pages import Alternative, Page, Problem, SignIn, render
from idp.web.pages.help import OFFERS, Asking, Offer, Stuck, help_of
from tests.world.specimens import BRAND, EMAIL, RECOVERY, SIGN_IN, SMS, TOTP, USE_PASSKEY

WAYS = tuple(
    Alternative(each, f"/i/1/{each}", "m@example.com", f"/i/1/{each}/send" if each in SENT else None) for each in SECOND
)
SETS = tuple(chain.from_iterable(combinations(WAYS, size) for size in range(len(WAYS) + 1)))
WRONG = {
    "SignIn": Problem.SIGN_IN_WRONG,
    "RecoveryCode": Problem.RECOVERY_WRONG,
    "UsePasskey": Problem.PASSKEY_WRONG,
}


def line(page: Page, *, help_url: str | None = None) -> str:
    html = render(page, brand=replace(BRAND, help_url=help_url), csrf=lambda _: "t")
    found: list[str] = re.findall(r'<p class="meta stuck">(.*?)</p>', html, re.DOTALL)
    assert len(found) <= 1
    return found[0] if found else ""


@pytest.mark.parametrize("page", [SMS, EMAIL, TOTP, USE_PASSKEY, RECOVERY], ids=lambda page: type(page).__name__)
def test_no_line_leads_to_what_is_not_there(page: Asking) -> None:
    assert not isinstance(page, SignIn)
    for ways, wrong, help_url in product(SETS, (False, True), (None, "https://acme.example/help")):
        problems = (WRONG.get(type(page).__name__, Problem.CODE_WRONG),) if wrong else ()
        shown = replace(page, alternatives=ways, problems=problems)
        html = render(shown, brand=replace(BRAND, help_url=help_url), csrf=lambda _: "t")
        said = line(shown, help_url=help_url)
        assert said, "there is always a line"
        (leads_to,) = re.findall(r'href="([^"]*)"', said) or [""]
        assert leads_to in {"", help_url, *(way.href for way in ways)}
        if leads_to:
            assert html.count(f'href="{leads_to}"') >= 2 or leads_to == help_url, "the page has it, too"
        if "another way on this page" in said:
            others = html.partition(said)[0]
            assert any(f'"{way.send or way.href}"' in others for way in ways if way.factor is not Factor.RECOVERY)
        if not ways:
            assert leads_to == (help_url or "")


@pytest.mark.parametrize("forgot", [None, "/forgot"])
def test_a_wrong_password_leads_to_a_new_one_where_there_is_a_way(forgot: str | None) -> None:
    assert line(replace(SIGN_IN, forgot=forgot, problems=())) == ""
    said = line(replace(SIGN_IN, forgot=forgot, problems=(Problem.SIGN_IN_WRONG,)))
    assert ('href="/forgot"' in said) == (forgot is not None)
    assert ("Ask the people who run this service" in said) == (forgot is None)


def test_every_situation_can_end_with_somebody_to_ask_and_is_met_on_some_page() -> None:
    assert {offers[-1] for offers in OFFERS.values()} == {Offer.ASK}
    met = set()
    for page in (SIGN_IN, SMS, EMAIL, TOTP, USE_PASSKEY, RECOVERY):
        for problems in ((), (WRONG.get(type(page).__name__, Problem.CODE_WRONG),)):
            if (found := help_of(replace(page, problems=problems))) is not None:
                met.add(found.stuck)
    assert met == set(Stuck) == set(OFFERS)
