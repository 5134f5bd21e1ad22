"""Reports about our mail: what counts for good, what does not, and that nothing anybody sends breaks the reader."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.sms import Reason
from idp.sms.bounces import LONGEST, Returned, read
from tests.world.returned import ATTEMPT, complaint, report

OURS = f"{ATTEMPT}@login.example.com"


@pytest.mark.parametrize("whole", [True, False], ids=["the whole mail", "its headers"])
@pytest.mark.parametrize("status", ["5.1.1", "5.1.10", "5.2.1", "5.0.0"])
def test_a_mailbox_that_is_not_there_is_told(status: str, *, whole: bool) -> None:
    found = read(report(status=status, whole=whole))
    assert found == Returned(UUID(ATTEMPT), OURS, "ada@example.com", Reason.INVALID_NUMBER, status)


@pytest.mark.parametrize("status", ["5.2.2", "5.7.1", "5.4.4", "5.3.4"])
def test_a_full_mailbox_and_a_policy_against_us_close_nothing(status: str) -> None:
    found = read(report(status=status))
    assert found is not None
    assert found.reason is Reason.UNREACHABLE


@pytest.mark.parametrize(
    ("action", "status"), [("delayed", "4.4.1"), ("delivered", "2.0.0"), ("relayed", "2.0.0"), ("failed", "4.2.2")]
)
def test_later_and_arrived_are_no_failures(action: str, status: str) -> None:
    assert read(report(action=action, status=status)) is None


@pytest.mark.parametrize("kind", ["abuse", "fraud"])
def test_a_complaint_is_told(kind: str) -> None:
    assert read(complaint(kind)) == Returned(UUID(ATTEMPT), OURS, "ada@example.com", Reason.OPTED_OUT, kind)


@pytest.mark.parametrize("kind", ["not-spam", "virus", "other", "auth-failure", ""])
def test_what_else_a_feedback_loop_says_is_no_complaint(kind: str) -> None:
    assert read(complaint(kind)) is None


@pytest.mark.parametrize(
    "message_id",
    [
        "<ada@example.com>",
        "<>",
        "",
        f"<{ATTEMPT}>",
        f"{ATTEMPT}@login.example.com",
        f"<{ATTEMPT.replace('-', '')}@login.example.com>",
        f"<x{ATTEMPT}@login.example.com>",
    ],
)
def test_what_is_not_about_a_mail_of_ours_is_nothing(message_id: str) -> None:
    assert read(report(message_id=message_id)) is None


@pytest.mark.parametrize("to", ["", "nobody", "a@b@c", "a\x00b@example.com"])
def test_an_address_that_is_none_is_nothing(to: str) -> None:
    assert read(report(to=to)) is None


def test_an_out_of_office_note_and_a_plain_mail_are_nothing() -> None:
    assert read(b"From: ada@example.com\r\nSubject: I am away\r\n\r\nUntil Monday.\r\n") is None
    assert read(report().replace(b"delivery-status;", b"disposition-notification;")) is None


@pytest.mark.parametrize("cut", range(0, 1800, 37))
def test_a_report_that_was_cut_off_is_read_as_far_as_it_goes(cut: int) -> None:
    whole = report()
    found = read(whole[: len(whole) - cut])
    assert found is None or found.attempt_id == UUID(ATTEMPT)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00" * 1000,
        b"\xff\xfe" * 1000,
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=\r\n\r\n",
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n" + b"--b\r\n" * 2000,
        b"Content-Type: message/rfc822\r\n\r\n" * 2000,
        report().replace(b"Status: 5.1.1", b"Status: 5.1.1" * 5000),
        report().replace(b"multipart/report", b"multipart/report; report-type*=utf-8''%ff"),
        report(to="a" * 100_000),
        b"Content-Type: multipart/report; report-type=\xff\xff\r\n\r\n",
        b"Subject: =?utf-8?b?" + b"A" * LONGEST,
    ],
    ids=range(11),
)
def test_hostile_mail_breaks_nothing(raw: bytes) -> None:
    assert read(raw) is None or True


@given(st.binary(max_size=2000), st.integers(0, 1500))
def test_whatever_stands_in_it_is_read_or_is_nothing(noise: bytes, at: int) -> None:
    whole = report()
    read(whole[:at] + noise + whole[at:])
    read(noise)
