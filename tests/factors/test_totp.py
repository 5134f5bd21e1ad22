"""Authenticator apps, against the vectors of RFC 6238 and the attacks of the threat model."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit

import pyotp
import pytest

from idp.factors import totp
from idp.factors.totp import Verified, Wrong
from idp.model import AppCodes

SEED = b"12345678901234567890"  # RFC 6238 appendix B
NOW = datetime(2026, 1, 15, 12, 0, 10, tzinfo=UTC)
STEP = totp.step_at(NOW)
PERIOD = timedelta(seconds=30)


def code(step: int) -> str:
    """What an app shows in a step, from another reading of the algorithm than ours."""
    return pyotp.TOTP(base64.b32encode(SEED).decode()).at(step * 30)


def check(answer: str, *, now: datetime = NOW, last_step: int = 0) -> Verified | Wrong:
    return totp.check(seed=SEED, answer=answer, now=now, last_step=last_step)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_vectors_of_rfc_6238_verify(seconds: int, shown: str) -> None:
    now = datetime.fromtimestamp(seconds, UTC)
    assert check(shown[-6:], now=now) == Verified(seconds // 30)


@pytest.mark.parametrize(
    ("algorithm", "seed", "shown"),
    [
        ("SHA1", SEED, "14050471"),
        ("SHA256", (SEED * 2)[:32], "67062674"),
        ("SHA512", (SEED * 4)[:64], "99943326"),
    ],
)
def test_apps_enrolled_elsewhere_show_what_the_rfc_says(algorithm: str, seed: bytes, shown: str) -> None:
    now, codes = datetime.fromtimestamp(1111111111, UTC), AppCodes(algorithm, 8)
    judged = totp.check(seed=seed, answer=shown, now=now, last_step=0, codes=codes)
    assert judged == Verified(1111111111 // 30)
    assert totp.check(seed=seed, answer=shown[-6:], now=now, last_step=0, codes=codes) == Wrong()


@pytest.mark.parametrize(
    ("seed", "codes", "taken"),
    [
        pytest.param(SEED, AppCodes(), True, id="ours"),
        pytest.param(SEED, AppCodes("SHA512", 8, timedelta(seconds=60)), True, id="other"),
        pytest.param(SEED[:16], AppCodes(), True, id="128 bits"),
        pytest.param(SEED[:15], AppCodes(), False, id="120 bits"),
        pytest.param(SEED * 7, AppCodes(), False, id="long"),
        pytest.param(SEED, AppCodes("MD5"), False, id="MD5"),
        pytest.param(SEED, AppCodes(digits=1), False, id="one digit"),
        pytest.param(SEED, AppCodes(period=timedelta(hours=1)), False, id="an hour"),
        pytest.param(SEED, AppCodes(period=timedelta(0)), False, id="no time"),
    ],
)
def test_an_app_of_another_system_is_taken_if_it_can_be_asked(seed: bytes, codes: AppCodes, taken: bool) -> None:
    assert (totp.problem(seed, codes) is None) is taken


@pytest.mark.parametrize(("offset", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_totp_04_one_step_to_either_side_is_accepted(offset: int, accepted: bool) -> None:
    assert check(code(STEP + offset)) == (Verified(STEP + offset) if accepted else Wrong())


def test_totp_01_a_code_works_once() -> None:
    assert check(code(STEP), last_step=STEP - 1) == Verified(STEP)
    assert check(code(STEP), last_step=STEP) == Wrong(used=True)


def test_totp_03_steps_only_move_forward() -> None:
    assert check(code(STEP - 1), last_step=STEP) == Wrong()
    assert check(code(STEP + 1), last_step=STEP) == Verified(STEP + 1)


def test_the_window_moves_at_the_very_second() -> None:
    start = datetime.fromtimestamp(STEP * 30, UTC)
    assert check(code(STEP), now=start - PERIOD) == Verified(STEP)
    assert check(code(STEP), now=start - PERIOD - timedelta(microseconds=1)) == Wrong()
    assert check(code(STEP), now=start + 2 * PERIOD - timedelta(microseconds=1)) == Verified(STEP)
    assert check(code(STEP), now=start + 2 * PERIOD) == Wrong()


def test_when_two_steps_share_their_digits_the_fresh_one_counts() -> None:
    twin = 910_737  # the first such step of this seed
    assert code(twin) == code(twin + 1)
    now = datetime.fromtimestamp(twin * 30, UTC)
    assert check(code(twin), now=now, last_step=twin) == Verified(twin + 1)


@pytest.mark.parametrize("answer", ["", "12345", "①②③④⑤⑥", "123456\n", "+12345"])
def test_what_is_no_code_is_wrong(answer: str) -> None:
    assert check(answer) == Wrong()


@pytest.mark.parametrize("zero", ["\uff10", "\u0660", "\u0966"])
def test_totp_01_a_code_is_the_same_code_in_every_script(zero: str) -> None:
    written = "".join(chr(ord(zero) + int(digit)) for digit in code(STEP))
    assert check(written) == Verified(STEP)
    assert check(written, last_step=STEP) == Wrong(used=True)


def test_spaces_and_hyphens_are_forgiven() -> None:
    shown = code(STEP)
    assert check(f"{shown[:3]} {shown[3:]}") == Verified(STEP)


def test_totp_10_seeds_are_160_random_bits() -> None:
    seeds = {totp.new_seed() for _ in range(50)}
    assert len(seeds) == 50
    assert {len(seed) for seed in seeds} == {20}


def test_a_short_seed_is_not_used() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        totp.check(seed=b"short", answer="123456", now=NOW, last_step=0)


def test_an_app_that_scans_the_address_shows_our_codes() -> None:
    address = totp.provisioning_uri(SEED, account="alice@example.com", issuer="Acme Bank")
    parsed = pyotp.parse_uri(address)
    assert isinstance(parsed, pyotp.TOTP)
    assert (parsed.issuer, parsed.name) == ("Acme Bank", "alice@example.com")
    assert parsed.at(STEP * 30) == code(STEP)
    query = parse_qs(urlsplit(address).query)
    assert set(query) == {"secret", "issuer"}  # SHA-1, six digits and 30 s are what apps assume


def test_a_colon_in_a_name_does_not_become_another_issuer() -> None:
    address = totp.provisioning_uri(SEED, account="bank:alice", issuer="Ac:me")
    assert unquote(urlsplit(address).path).count(":") == 1


def test_the_seed_can_be_typed() -> None:
    text = totp.secret_text(SEED)
    assert text == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
    assert base64.b32decode(text.replace(" ", "")) == SEED
