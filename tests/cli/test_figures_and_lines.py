"""What is logged and what is counted."""

import json
import logging
import re
from datetime import timedelta
from io import StringIO

import pytest
import structlog
from prometheus_client import CollectorRegistry, generate_latest

from idp import logs, metrics
from idp.serving import place

SESAME = "sesame-7"


@pytest.mark.parametrize("name", ["provider_code", "masked"])
def test_what_a_provider_calls_a_failure_and_a_masked_number_are_written(name: str) -> None:
    out = StringIO()
    logs.configure(level="info", form="json", stream=out)
    structlog.get_logger("idp").info("event", **{name: "20003"})
    assert json.loads(out.getvalue())[name] == "20003"


def test_a_line_is_json_with_level_time_logger_and_request_id() -> None:
    out = StringIO()
    logs.configure(level="info", form="json", stream=out)
    answering = logs.REQUEST.set("r1")
    structlog.get_logger("idp.web").info("request", status=200)
    logs.REQUEST.reset(answering)
    structlog.get_logger("idp.web").debug("not written")
    line = json.loads(out.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {"event": "request", "status": 200, "level": "info", "logger": "idp.web", "request_id": "r1"}


@pytest.mark.parametrize(
    "name",
    ["password", "new_password", "client_secret", "code", "code_verifier", "refresh_token", "phone", "Cookie", "to"],
)
def test_a_secret_under_a_name_that_says_so_is_blotted_out(name: str) -> None:
    for form in ("json", "text"):
        out = StringIO()
        logs.configure(level="info", form=form, stream=out)
        structlog.get_logger("idp").info("event", **{name: SESAME})
        assert SESAME not in out.getvalue()
        assert logs.BLOT in out.getvalue()


def test_the_text_of_an_exception_is_never_written() -> None:
    for form in ("json", "text"):
        out = StringIO()
        logs.configure(level="info", form=form, stream=out)
        try:
            int(SESAME)
        except ValueError as error:
            structlog.get_logger("idp").exception("ours")
            structlog.get_logger("idp").error("ours", exc_info=error)
            logging.getLogger("uvicorn.error").exception("theirs")
        assert SESAME not in out.getvalue()
        assert out.getvalue().count("ValueError") == 3
        assert "test_figures_and_lines.py:" in out.getvalue()


def test_libraries_that_log_addresses_are_silent_until_they_warn() -> None:
    out = StringIO()
    logs.configure(level="debug", form="json", stream=out)
    for name in ("httpx", "httpcore.connection", "uvicorn.error", "asyncpg"):
        logging.getLogger(name).info("GET https://sms.example/?token=%s", SESAME)
    logging.getLogger("uvicorn.access").warning("GET /?code=%s", SESAME)
    assert out.getvalue() == ""


def test_a_stream_that_is_gone_loses_the_line_and_nothing_else() -> None:
    out = StringIO()
    logs.configure(level="info", form="json", stream=out)
    out.close()
    structlog.get_logger("idp").info("lost")


def shown(registry: CollectorRegistry) -> str:
    return generate_latest(registry).decode()


def test_a_method_that_a_stranger_makes_up_is_no_label() -> None:
    metrics.observe_request("token", "BREW", 405, 0.001)
    text = shown(metrics.REGISTRY)
    assert 'method="other",route="token",status="405"' in text
    assert "BREW" not in text


def test_each_occasion_is_counted() -> None:
    def so_far(line: str) -> float:
        found = re.search(f"^{re.escape(line)} ([0-9.]+)$", shown(metrics.REGISTRY), re.MULTILINE)
        return float(found[1]) if found else 0.0

    counted = (
        'idp_factors_total{factor="totp",outcome="refused"}',
        'idp_tokens_total{grant_type="refresh_token",outcome="invalid_grant"}',
        'idp_sms_total{gateway="smspm",outcome="accepted",region="EE"}',
        'idp_sms_unsent_total{state="denied"}',
        'idp_sms_misconfigured_total{gateway="smspm",reason="no_funds"}',
        'idp_sms_receipts_total{gateway="smspm",status="delivered"}',
    )
    before = [so_far(line) for line in counted]
    metrics.observe_factor("totp", "refused")
    metrics.observe_token("refresh_token", "invalid_grant")
    metrics.observe_sms("smspm", "EE", "accepted")
    metrics.observe_unsent("denied")
    metrics.observe_misconfigured("smspm", "no_funds")
    metrics.observe_receipt("smspm", "delivered")
    metrics.set_waiting(4, timedelta(seconds=90))
    metrics.set_breaker("smspm", "EE", "open")
    metrics.set_breaker("smspm", "LV", "closed")
    metrics.set_database_connections(size=7, idle=3)
    # other tests in this process count too
    assert [so_far(line) for line in counted] == [value + 1 for value in before]
    assert so_far("idp_sms_waiting") == 4
    assert so_far("idp_sms_oldest_seconds") == 90
    assert so_far('idp_sms_breaker{gateway="smspm",region="EE"}') == 2
    assert so_far('idp_sms_breaker{gateway="smspm",region="LV"}') == 0
    assert so_far('idp_database_connections{state="open"}') == 7
    assert so_far('idp_database_connections{state="idle"}') == 3


def test_a_librarys_line_in_a_command_is_written_as_ours(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger().handlers[:] = [place._Late()]
    for said in ("first", "second"):
        logging.getLogger("asyncio").error(said, exc_info=ValueError(SESAME))
    lines = capsys.readouterr().err.splitlines()
    assert [("first" in line, "second" in line) for line in lines] == [(True, False), (False, True)]
    assert all("ValueError" in line and SESAME not in line for line in lines)
