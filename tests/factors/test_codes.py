"""Six digits: what is typed, and codes by text message."""

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.factors import email, sms
from idp.factors.answers import six_digits
from idp.flows.signin.judge import parse
from idp.model import NEVER_FRESH, SECOND, SENT, STRONG, TRAITS, Factor

KEY = bytes(range(32))
NONCE = bytes(range(16))
PAYMENT = hashlib.sha256(b"EUR 1,250.00 to J. Smith").digest()


@pytest.mark.parametrize(
    ("answer", "digits"),
    [
        ("123456", "123456"),
        ("000042", "000042"),
        ("123 456", "123456"),
        ("123-456", "123456"),
        (" 1 2 3 4 5 6 ", "123456"),
        pytest.param("\uff11\uff12\uff13\uff14\uff15\uff16", "123456", id="full width"),
        pytest.param("\u0967\u0968\u0969\u096a\u096b\u096c", "123456", id="Devanagari"),
        pytest.param("\u0660\u0660\u0660\u0660\u0664\u0662", "000042", id="Arabic"),
        pytest.param("\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6", "123456", id="Persian"),
        pytest.param("12\u096956\uff17", "123567", id="mixed"),
        pytest.param("\t123456", "123456", id="tab"),
        pytest.param("123\u00a0456\u3000", "123456", id="no-break and ideographic space"),
        pytest.param("123\u2011456", "123456", id="no-break hyphen"),
        pytest.param("123\u2013456", "123456", id="dash"),
        pytest.param("123\u30fc456", "123456", id="Japanese hyphen"),
        pytest.param("\u2068\u200e123\u200b456\u2069\ufeff", "123456", id="direction marks"),
    ],
)
def test_six_digits_are_read_however_they_are_grouped(answer: str, digits: str) -> None:
    assert six_digits(answer) == digits


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("①②③④⑤⑥", id="circled"),
        pytest.param("¹²³⁴⁵⁶", id="superscript"),
        pytest.param("\u2460\u0967\u0968\u0969\u096a\u096b", id="one circled"),
        pytest.param("\u2081\u2082\u2083\u2084\u2085\u2086", id="subscript"),
        pytest.param("\u4e00\u4e8c\u4e09\u56db\u4e94\u516d", id="numerals that are words"),
        pytest.param("123456\n", id="line end"),
        pytest.param("123456\r", id="carriage return"),
        pytest.param("123456\u2028", id="line separator"),
        pytest.param("+123456", id="plus"),
        pytest.param("123456.0", id="decimal"),
        pytest.param("12_3456", id="underscore"),
        pytest.param("0x1234", id="hexadecimal"),
        pytest.param("12345", id="five"),
        pytest.param("1234567", id="seven"),
        pytest.param("", id="empty"),
        pytest.param("123456" + " " * 100_000, id="long"),
        pytest.param("123456\x00", id="NUL"),
        pytest.param("12345\ud800", id="lone surrogate"),
        pytest.param(123456, id="a number"),
        pytest.param(["123456"], id="a list"),
        pytest.param(None, id="missing"),
        pytest.param(b"123456", id="bytes"),
    ],
)
def test_otp_11_anything_else_is_refused(answer: object) -> None:
    assert six_digits(answer) is None
    if isinstance(answer, str):
        assert not sms.check(key=KEY, nonce=NONCE, purpose="login", answer=answer)


def test_a_code_is_right_for_its_own_challenge_only() -> None:
    """OTP-09: another purpose, another challenge, another key, other details."""
    code = sms.code(key=KEY, nonce=NONCE, purpose="login")
    assert sms.check(key=KEY, nonce=NONCE, purpose="login", answer=code)
    assert sms.check(key=KEY, nonce=NONCE, purpose="login", answer=f"{code[:3]} {code[3:]}")
    assert not sms.check(key=KEY, nonce=NONCE, purpose="verify_phone", answer=code)
    assert not sms.check(key=KEY, nonce=bytes(16), purpose="login", answer=code)
    assert not sms.check(key=bytes(32), nonce=NONCE, purpose="login", answer=code)
    assert not sms.check(key=KEY, nonce=NONCE, purpose="login", details=PAYMENT, answer=code)


def test_changed_details_kill_the_code() -> None:
    code = sms.code(key=KEY, nonce=NONCE, purpose="transfer", details=PAYMENT)
    changed = hashlib.sha256(b"EUR 9,250.00 to J. Smith").digest()
    assert sms.check(key=KEY, nonce=NONCE, purpose="transfer", details=PAYMENT, answer=code)
    assert not sms.check(key=KEY, nonce=NONCE, purpose="transfer", details=changed, answer=code)


def test_a_resend_carries_the_same_code() -> None:
    assert len({sms.code(key=KEY, nonce=NONCE, purpose="login") for _ in range(3)}) == 1


def test_codes_of_a_running_system_keep_their_meaning() -> None:
    """A changed derivation would break every code on its way during an upgrade."""
    assert sms.code(key=KEY, nonce=NONCE, purpose="login") == "546607"


@given(st.binary(min_size=16, max_size=16))
def test_a_code_is_always_six_digits(nonce: bytes) -> None:
    code = sms.code(key=KEY, nonce=nonce, purpose="login")
    assert six_digits(code) == code


def test_codes_are_spread_evenly_and_keep_their_leading_zeros() -> None:
    firsts = Counter(sms.code(key=KEY, nonce=n.to_bytes(16, "big"), purpose="login")[0] for n in range(20_000))
    assert set(firsts) == set("0123456789")
    assert all(1800 < count < 2200 for count in firsts.values())


@pytest.mark.parametrize(
    ("nonce", "details"), [(b"", PAYMENT), (bytes(15), PAYMENT), (NONCE, b""), (NONCE, b"details")]
)
def test_a_code_without_full_nonce_and_digest_is_not_made(nonce: bytes, details: bytes) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        sms.code(key=KEY, nonce=nonce, purpose="login", details=details)


def test_a_code_for_one_address_is_none_for_another_nor_for_a_phone() -> None:
    to, other = email.details("ada@example.com"), email.details("ada@example.org")
    made = sms.code(key=KEY, nonce=NONCE, purpose="login", details=to)
    assert sms.check(key=KEY, nonce=NONCE, purpose="login", details=to, answer=made)
    assert not sms.check(key=KEY, nonce=NONCE, purpose="login", details=other, answer=made)
    assert not sms.check(key=KEY, nonce=NONCE, purpose="login", answer=made)


def test_every_factor_has_a_row_and_texts_and_mail_are_sent() -> None:
    assert set(TRAITS) == set(Factor)
    assert {Factor.SMS, Factor.EMAIL} == SENT
    assert SECOND == (Factor.PASSKEY, Factor.SMS, Factor.TOTP, Factor.EMAIL, Factor.RECOVERY)
    assert {Factor.TOTP, Factor.PASSKEY} == STRONG
    assert {Factor.EMAIL} == NEVER_FRESH
    assert [row.amr for row in TRAITS.values()] == [("pwd",), ("sms",), ("email",), ("otp",), (), ("swk", "user")]


@pytest.mark.parametrize("factor", list(Factor))
@pytest.mark.parametrize("posted", [None, 1, [], {}, b"x", ""])
def test_no_factor_reads_an_answer_out_of_what_is_no_text(factor: Factor, posted: object) -> None:
    assert parse(factor, posted, ()) is None
