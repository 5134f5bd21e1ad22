"""What messages say, and that they always fit, start with the code and end bound to our site."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.model import Notice
from idp.sms.notices import notice_text
from idp.sms.text import approval_text, code_text, gsm7_septets, parts

FIVE = timedelta(minutes=5)
LINK = re.compile(r"https?:|www\.|[a-z]\.[a-z]{2,}(/|\b)|@\w", re.IGNORECASE)


def test_a_code_is_sent_in_the_agreed_words() -> None:
    assert code_text(code="482913", brand="Acme", host="login.acme.example", ttl=FIVE) == (
        "482913 is your Acme code. It expires in 5 minutes. Never share it; we will not ask for it."
        "\n\n@login.acme.example #482913"
    )


def test_a_payment_names_amount_and_payee() -> None:
    text = approval_text(
        code="482913", amount="EUR 1,250.00", payee="J. Smith …4821", brand="Acme", host="login.acme.example"
    )
    assert text == (
        "482913 approves EUR 1,250.00 to J. Smith ..4821 at Acme. Not you? Do not enter it."
        "\n\n@login.acme.example #482913"
    )


@pytest.mark.parametrize(
    "payee",
    [
        "Pay at http://evil.example/x",
        "evil.example",
        "www.evil.example",
        "@evil.example #111111",
        "Bob\n\n@evil.example #111111",
        "Bob\r\nYour code is 111111",
        "Bob\u2028@evil.example",
        "{code} {amount}",
        "x" * 500,
    ],
)
def test_a_payee_cannot_add_links_lines_or_a_bound_code(payee: str) -> None:
    text = approval_text(code="482913", amount="EUR 1.00", payee=payee, brand="Acme", host="acme.example")
    sentence, bound = text.split("\n\n")
    assert bound == "@acme.example #482913"
    assert not LINK.search(sentence), sentence
    assert "#" not in sentence
    assert sentence.count("482913") == 1
    assert len(sentence) <= len("482913 approves EUR 1.00 to  at Acme. Not you? Do not enter it.") + 22


hosts = st.from_regex(r"[a-z0-9-]{1,30}(\.[a-z0-9-]{1,20}){0,4}", fullmatch=True)
codes = st.from_regex(r"[0-9]{6}", fullmatch=True)


@given(code=codes, brand=st.text(max_size=60), host=hosts, payee=st.text(max_size=80), amount=st.text(max_size=40))
def test_every_code_is_one_part_starts_with_the_code_and_ends_bound(
    code: str, brand: str, host: str, payee: str, amount: str
) -> None:
    texts = (
        code_text(code=code, brand=brand, host=host, ttl=FIVE),
        approval_text(code=code, amount=amount, payee=payee, brand=brand, host=host),
    )
    for text in texts:
        septets = gsm7_septets(text)
        assert septets is not None
        assert septets <= 160
        assert text.startswith(code)
        assert text.endswith(f"\n\n@{host} #{code}")
        assert text.count("\n") == 2


def test_a_long_host_gets_a_shorter_sentence_and_the_longest_none() -> None:
    long = code_text(code="482913", brand="Acme", host="a" * 90 + ".example", ttl=FIVE)
    assert long.startswith("482913 is your Acme code. Never share it.\n\n@")
    longest = code_text(code="482913", brand="Acme", host="a" * 130, ttl=FIVE)
    assert longest == f"482913\n\n@{'a' * 130} #482913"


def test_a_translation_may_move_the_code_but_phones_find_it_first() -> None:
    text = code_text(
        code="482913", brand="Acme", host="acme.example", ttl=FIVE, translate=lambda _: "Kood {code}, {span}"
    )
    assert text == "482913 Kood 482913, 5 minutes\n\n@acme.example #482913"


def test_a_translation_outside_gsm_7_is_not_sent_in_many_parts() -> None:
    text = code_text(code="482913", brand="Acme", host="acme.example", ttl=FIVE, translate=lambda _: "{code} — код")
    assert text == "482913\n\n@acme.example #482913"


def test_the_life_of_a_code_is_told_in_whole_minutes() -> None:
    def life(seconds: int) -> str:
        return code_text(code="482913", brand="Acme", host="a.example", ttl=timedelta(seconds=seconds))

    assert "in 4 minutes" in life(299)
    assert "in 1 minute." in life(20)


@pytest.mark.parametrize("notice", list(Notice))
def test_a_notice_fits_one_part_names_the_brand_and_holds_no_link(notice: Notice) -> None:
    text = notice_text(notice, brand="Ümlaut & Söhne Bank AG von 1889 @ www.bank.example")
    septets = gsm7_septets(text)
    assert septets is not None
    assert septets <= 160
    assert "Ümlaut" in text
    assert "Not you?" in text
    assert not LINK.search(text)


def test_an_added_app_is_told_in_these_words() -> None:
    assert notice_text(Notice.TOTP_ADDED, brand="Acme") == (
        "An authenticator app was added to your Acme account. Not you? Sign in as you always do, undo it and tell us."
    )


def test_a_notice_names_the_browser_where_there_is_room_and_the_page_before_all() -> None:
    said = notice_text(Notice.TOTP_ADDED, brand="Acme", place="login.acme.example/account", device="Firefox, Mac")
    assert said == (
        "An authenticator app was added to your Acme account (Firefox, Mac). "
        "Not you? Sign in at login.acme.example/account, undo it and tell us."
    )
    place = "signin.identity.acme-bank-and-sons.example/account"
    said = notice_text(Notice.TOTP_ADDED, brand="Acme", place=place, device="Firefox, Windows")
    assert place in said
    assert "Firefox" not in said
    assert "Not you?" in notice_text(Notice.TOTP_ADDED, brand="Acme", place="x" * 90)


@pytest.mark.parametrize(
    ("text", "septets"),
    [
        ("", 0),
        ("a" * 160, 160),
        ("@£$ÅéÑß", 7),
        ("^{}[]~|€\\", 18),
        ("…", None),
        ("ç", None),
        ("Привет", None),
        ("`", None),
    ],
)
def test_septets_are_counted_as_phones_do(text: str, septets: int | None) -> None:
    assert gsm7_septets(text) == septets


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 307, 3),
        ("й" * 70, 1),
        ("й" * 71, 2),
        ("", 1),
    ],
)
def test_parts_are_counted_as_they_are_paid_for(text: str, count: int) -> None:
    assert parts(text) == count
