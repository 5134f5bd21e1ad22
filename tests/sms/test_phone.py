"""Which numbers get a code, and how numbers are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.sms.phone import Phone, Unusable, hint, mask, parse, region
from tests.world.cost import in_passwords


@pytest.mark.parametrize(
    ("typed", "e164", "iso"),
    [
        ("+37256789045", "+37256789045", "EE"),
        (" +372 5678 9045 ", "+37256789045", "EE"),
        ("+1 (202) 555-0123", "+12025550123", "US"),
        ("+49.151/12345678", "+4915112345678", "DE"),
        ("+44 7400 123456", "+447400123456", "GB"),
        pytest.param("\uff0b\uff13\uff17\uff12 56789045", "+37256789045", "EE", id="full-width digits"),
        pytest.param(
            "+\u0663\u0667\u0662\u0665\u0666\u0667\u0668\u0669\u0660\u0664\u0665", "+37256789045", "EE", id="Arabic"
        ),
        pytest.param("\u202a+372\u00a05678\u20119045\u202c", "+37256789045", "EE", id="out of a contact list"),
        pytest.param("\uff0b372\uff085678\uff09\u30fc9045", "+37256789045", "EE", id="Japanese keyboard"),
        pytest.param("tel:+372-5678-9045", "+37256789045", "EE", id="RFC 3966"),
        pytest.param(" TEL:\u2068+37256789045\u2069", "+37256789045", "EE", id="a link that was copied"),
    ],
)
def test_a_mobile_number_is_read(typed: str, e164: str, iso: str) -> None:
    phone = parse(typed)
    assert isinstance(phone, Phone)
    assert (phone.e164, phone.region) == (e164, iso)


@pytest.mark.parametrize("typed", ["56789045", "5678 9045", "0037256789045"])
def test_without_a_country_code_the_default_region_decides(typed: str) -> None:
    phone = parse(typed, default_region="EE")
    assert isinstance(phone, Phone)
    assert phone.e164 == "+37256789045"
    assert parse(typed) is Unusable.NOT_A_NUMBER


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param("", id="empty"),
        pytest.param("+", id="plus alone"),
        pytest.param("((()))", id="parentheses alone"),
        pytest.param("+372 5678 9045;ext=1", id="extension parameter"),
        pytest.param("+372 5678 9045 x12", id="extension"),
        pytest.param("+1-800-FLOWERS", id="letters"),
        pytest.param("+372\u24645678904", id="a circled digit"),
        pytest.param("+\u00b3\u2077\u00b256789045", id="superscript digits"),
        pytest.param("tel:+37256789045;ext=1", id="an extension in a link"),
        pytest.param("tel:tel:+37256789045", id="twice a link"),
        pytest.param("sms:+37256789045", id="another link"),
        pytest.param("+37256789045\n", id="line end"),
        pytest.param("++37256789045", id="two pluses"),
        pytest.param("+3725678904512345", id="16 digits"),
        pytest.param("+37256", id="short"),
        pytest.param("112", id="emergency"),
        pytest.param("+000056789045", id="no such country"),
        pytest.param("+372" + " " * 100 + "56789045", id="long"),
        pytest.param("+37256789045" * 100_000, id="a megabyte"),
    ],
)
def test_what_is_no_number_is_refused_at_once(typed: str) -> None:
    assert parse(typed, default_region="EE") is Unusable.NOT_A_NUMBER
    assert in_passwords(lambda: parse(typed, default_region="EE")) < 2


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        pytest.param("+1 (900) 234-5678", Unusable.NOT_MOBILE, id="premium"),
        pytest.param("+1 800 234 5678", Unusable.NOT_MOBILE, id="toll-free"),
        pytest.param("+372 612 3456", Unusable.NOT_MOBILE, id="fixed line"),
        pytest.param("+372 900 1234", Unusable.NOT_MOBILE, id="Estonian premium"),
        pytest.param("+881 6 212 3456", Unusable.NO_COUNTRY, id="satellite"),
        pytest.param("+870 773 123 456", Unusable.NO_COUNTRY, id="ships, which the plan calls mobile"),
        pytest.param("+882 16 12345", Unusable.NO_COUNTRY, id="international networks"),
        pytest.param("+979 123 456 789", Unusable.NO_COUNTRY, id="international premium"),
    ],
)
def test_otp_14_numbers_that_cost_or_cannot_be_texted_get_nothing(typed: str, why: Unusable) -> None:
    assert parse(typed) is why


@pytest.mark.parametrize(
    ("e164", "masked"),
    [
        ("+37256789555", "+372•••••555"),
        ("+12025550123", "+1•••••••123"),
        ("+4915112345678", "+49••••••••678"),
        ("+3725678", "+372••78"),
        ("", "•••"),
        ("nonsense", "•••"),
    ],
)
def test_a_masked_number_shows_country_and_last_digits(e164: str, masked: str) -> None:
    assert mask(e164) == masked


def test_a_number_is_only_ever_shown_masked() -> None:
    phone = parse("+37256789045")
    assert "56789045" not in repr(phone)
    assert "+372•••••045" in repr(phone)
    assert hint("+37256789055") == "ending 55"


@pytest.mark.parametrize(
    ("e164", "iso"), [("+37256789045", "EE"), ("+14165550123", "CA"), ("+870773123456", None), ("x", None)]
)
def test_the_region_of_a_number(e164: str, iso: str | None) -> None:
    assert region(e164) == iso


@given(st.text(max_size=50) | st.from_regex(r"\+?[0-9 ().\-/]{0,30}", fullmatch=True))
def test_whatever_is_typed_ends_in_a_number_or_a_reason(typed: str) -> None:
    phone = parse(typed, default_region="EE")
    if isinstance(phone, Phone):
        assert parse(phone.e164) == phone
        assert phone.e164[1:].isdecimal()
        assert len(phone.e164) <= 16
    mask(typed)
    region(typed)
