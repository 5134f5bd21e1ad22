"""What `idp doctor` says of SPF, DKIM and DMARC, as DNS has them; and that a silent DNS is nobody's fault."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from idp.flows.checks import dns
from idp.flows.checks.dns import NoAnswer
from idp.flows.checks.mail import mail
from idp.model.mail import Mailbox
from idp.settings import Settings
from tests.world.nameserver import answering
from tests.world.waiting import until

SPF = "v=spf1 include:_spf.example.net -all"
KEY = f"v=DKIM1; k=rsa; p={'A' * 400}"
DMARC = "v=DMARC1; p=reject; rua=mailto:dmarc@example.com"
GOOD = {
    "login.example.com": ["something=else", SPF],
    "s1._domainkey.login.example.com": [KEY],
    "_dmarc.login.example.com": [DMARC],
}


def settings(**changes: Any) -> Settings:
    given: dict[str, Any] = {"smtp_from": Mailbox("Acme", "no-reply@login.example.com"), "smtp_dkim": "s1"}
    return Settings(**given | changes)


def states(records: dict[str, list[str]], *, given: Settings | None = None, **server: Any) -> dict[str, str]:
    with answering(records, **server) as where:
        return {one.what: one.state for one in mail(given or settings(), [where])}


@pytest.mark.parametrize("long", [False, True], ids=["by datagram", "by stream"])
def test_all_is_well(*, long: bool) -> None:
    assert states(GOOD, long=long) == {"spf": "ok", "dkim": "ok", "dmarc": "ok"}


@pytest.mark.parametrize(
    ("name", "records", "what"),
    [
        pytest.param("login.example.com", ["v=spf10 -all", "v=spf1x"], "spf", id="no spf"),
        pytest.param("login.example.com", [SPF, "V=SPF1 -all"], "spf", id="two spf"),
        pytest.param("login.example.com", ["v=spf1 +all"], "spf", id="anybody"),
        pytest.param("login.example.com", ["v=spf1 all"], "spf", id="anybody too"),
        pytest.param("s1._domainkey.login.example.com", [], "dkim", id="no key"),
        pytest.param("s1._domainkey.login.example.com", ["v=DKIM1; p="], "dkim", id="revoked"),
        pytest.param("s1._domainkey.login.example.com", ["no record"], "dkim", id="no record"),
        pytest.param("_dmarc.login.example.com", [], "dmarc", id="no dmarc"),
        pytest.param("_dmarc.login.example.com", ["v=DMARC1; p=none"], "dmarc", id="only watched"),
        pytest.param("_dmarc.login.example.com", ["v=DMARC1"], "dmarc", id="says nothing"),
        pytest.param("_dmarc.login.example.com", [DMARC, DMARC], "dmarc", id="two"),
    ],
)
def test_what_is_missing_is_warned_of_with_what_to_do(name: str, records: list[str], what: str) -> None:
    with answering(GOOD | {name: records}) as where:
        found = {one.what: one for one in mail(settings(), [where])}
    assert found.pop(what).state == "warn"
    assert {one.state for one in found.values()} == {"ok"}


def test_each_warning_says_what_to_do() -> None:
    with answering({}) as where:
        found = mail(settings(), [where])
    assert [one.what for one in found] == ["spf", "dkim", "dmarc"]
    assert all(one.state == "warn" and one.advice for one in found)


@pytest.mark.parametrize(
    ("record", "state"),
    [("v=DMARC1; p=reject", "ok"), ("v=DMARC1; p=reject; sp=none", "warn"), ("v=DMARC1;p=none;sp=quarantine", "ok")],
)
def test_the_policy_of_the_domain_above_counts_for_those_below(record: str, state: str) -> None:
    records = {name: texts for name, texts in GOOD.items() if not name.startswith("_dmarc")}
    assert states(records | {"_dmarc.example.com": [record]})["dmarc"] == state


def test_spf_is_looked_at_where_reports_go() -> None:
    given = settings(smtp_bounces=Mailbox("", "bounces@mail.example.org"))
    assert states(GOOD, given=given)["spf"] == "warn"
    assert states(GOOD | {"mail.example.org": [SPF]}, given=given)["spf"] == "ok"


def test_without_a_selector_the_key_is_not_looked_at() -> None:
    given = settings().model_copy(update={"smtp_dkim": None})
    with answering(GOOD) as where:
        (found,) = [one for one in mail(given, [where]) if one.what == "dkim"]
    assert found.state == "ok"
    assert found.advice is not None
    assert "IDP_SMTP_DKIM" in found.advice


@pytest.mark.parametrize(
    "server",
    [
        pytest.param({"code": 2}, id="servfail"),
        pytest.param({"code": 5}, id="refused"),
        pytest.param({"noise": b"\x00"}, id="one byte"),
        pytest.param({"noise": b"\xfd" * 600}, id="noise"),
        pytest.param({"noise": bytes(12)}, id="somebody else's"),
        pytest.param({"silent": True}, id="nothing"),
    ],
)
def test_dns_that_does_not_answer_is_no_fault(monkeypatch: pytest.MonkeyPatch, server: dict[str, Any]) -> None:
    monkeypatch.setattr(dns, "PATIENCE", 0.2)
    assert states(GOOD, **server) == {"mail": "ok"}


def test_the_second_resolver_is_asked_where_the_first_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns, "PATIENCE", 0.2)
    with answering({}, silent=True) as first, answering(GOOD) as second:

        def found() -> bool:
            with suppress(NoAnswer):  # on a busy machine the second is late, too
                return dns.texts("login.example.com", [first, second]) == GOOD["login.example.com"]
            return False

        assert until(found)


def test_nothing_is_asked_where_no_mail_is_sent() -> None:
    assert mail(settings(smtp_from=None), []) == []
    assert mail(settings(smtp_from=Mailbox("", "no-reply@localhost")), []) == []


def test_the_systems_resolvers_are_read(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    named = "nameserver 192.0.2.1\nnameserver\nnameserver ::1\nnameserver 1.1.1.1\n"
    file.write_text(f"# comment\nsearch example.com\n{named}")
    assert dns.resolvers(file) == [("192.0.2.1", 53), ("::1", 53)]
    assert dns.resolvers(tmp_path / "none") == []
    with pytest.raises(NoAnswer):
        dns.texts("example.com", [])


@pytest.mark.parametrize("name", ["", "a..b", "é.example", "x" * 64 + ".example", ".".join(["abc"] * 70)])
def test_what_is_no_name_is_not_asked(name: str) -> None:
    with answering(GOOD) as where, pytest.raises(NoAnswer):
        dns.texts(name, [where])
