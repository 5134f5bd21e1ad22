"""`idp sms rules`, and what other commands say about countries that nobody opened."""

from pathlib import Path

import pytest

from tests.world.commands import PASSWORD, Run


def test_the_rules_are_shown_with_their_counters(idp: Run, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("IDP_SMS_COUNTRIES", "EE US:known_only")
    shown = idp("sms", "rules", "--json").json
    assert shown["countries"] == {"EE": "allow", "US": "known_only"}
    assert [rule["rule"] for rule in shown["rules"]] == [
        *("parse", "suppression", "country", "line_type", "neighbours", "conversion", "money")
    ]
    assert {rule["mode"] for rule in shown["rules"]} == {"enforce"}
    assert shown["money"]["hour"]["budget"] == "50"
    told = idp("sms", "rules")
    assert told.status == 0
    assert "EE allow, US known_only; the others are closed." in told.out
    assert "Spent this hour: 0.00 of 50.00 EUR." in told.out


def test_one_number_is_explained_and_never_repeated(idp: Run, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("IDP_SMS_COUNTRIES", "EE US:known_only")
    fine = idp("sms", "rules", "--explain", "+372 5678 9045", "--json").json
    assert (fine["region"], fine["never_verified"]["answer"]) == ("EE", "it would be sent")
    american = idp("sms", "rules", "--explain", "+1 213 373 4253", "--json").json
    assert "verified before only (country)" in american["never_verified"]["answer"]
    assert american["verified_before"]["answer"] == "it would be sent"
    told = idp("sms", "rules", "--explain", "+371 2123 4567")
    assert "=> it would not be sent, because LV is closed (country)" in told.out
    assert "2123" not in told.out
    assert "(parse)" in idp("sms", "rules", "--explain", "+372 12").out
    assert "2123" not in (pasted := idp("sms", "rules", "--explain", "tel:\u200e+371\u00a02123\u20114567").out)
    assert pasted == told.out


@pytest.mark.parametrize("typed", ["abc", "", "+", "+372 5678 904x", "\u2462\u2466\u2461\u2464\u2465"])
def test_what_is_no_number_at_all_is_not_explained(run: Run, typed: str) -> None:
    ran = run("sms", "rules", "--explain", typed)
    assert (ran.status, ran.out) == (2, "")
    assert "It must be a phone number with its country code, as in +37251234567." in ran.err


def test_the_rules_of_a_gateway_that_there_is_not_are_not_shown(idp: Run, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("IDP_SMS_GATEWAYS", "smpsm")
    for more in ((), ("--explain", "+37256789045")):
        ran = idp("sms", "rules", *more)
        assert (ran.status, ran.out) == (2, "")
        assert "IDP_SMS_GATEWAYS: 'smpsm' is not installed (there are: " in ran.err
        assert ran.err.count("\n") == 1


def test_every_mistake_in_the_table_is_told_at_once(idp: Run, settings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "spending.toml"
    file.write_text("[rules]\nmoney = 'on'\n[neighbours]\nnumbers = 0\n", encoding="utf-8")
    settings.setenv("IDP_SPENDING", str(file))
    settings.setenv("IDP_SMS_COUNTRIES", "Estonia")
    ran = idp("sms", "rules")
    assert ran.status == 2
    for told in ("rules.money", "neighbours.numbers", "IDP_SMS_COUNTRIES"):
        assert told in ran.err
    (found,) = [each for each in idp("doctor", "--json").json["checks"] if each["check"] == "spending"]
    assert found["state"] == "FAIL"


def test_an_operator_is_told_when_a_phone_gets_no_codes(idp: Run, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("IDP_SMS_COUNTRIES", "EE")
    added = idp("user", "add", "latvian", "--phone", "+37121234567", "--password-stdin", stdin=PASSWORD)
    assert added.status == 0
    assert "LV is closed. IDP_SMS_COUNTRIES opens a country." in added.out
    second = idp("user", "phone", "latvian", "+37121234568", "--json").json
    assert len(second["warnings"]) == 1
    fine = idp("user", "add", "estonian", "--phone", "+37256789045", "--password-stdin", "--json", stdin=PASSWORD)
    assert fine.json["warnings"] == []
    invited = idp("user", "invite", "lithuanian", "--phone", "+37061234567")
    assert "LT is closed. IDP_SMS_COUNTRIES opens a country." in invited.out


def test_the_doctor_says_when_nothing_is_open(run: Run, settings: pytest.MonkeyPatch) -> None:
    def spending() -> tuple[str, str]:
        (found,) = [each for each in run("doctor", "--json").json["checks"] if each["check"] == "spending"]
        return found["state"], found["found"]

    assert spending() == ("ok", "open: every country, for nothing leaves this machine")
    settings.setenv("IDP_SMS_GATEWAYS", "smspm")
    settings.setenv("IDP_SMSPM_HASH", "h")
    settings.setenv("IDP_SMSPM_TOKEN", "t")
    assert spending() == ("warn", "no country is open, so no text message is sent")
    settings.setenv("IDP_SMS_COUNTRIES", "EE FI:known_only LV:deny")
    assert spending() == ("ok", "open: EE FI:known_only")
