"""policy.toml: what it says by default, and every mistake it may not contain."""

from dataclasses import replace
from datetime import timedelta

import pytest

from idp.errors import SettingsError
from idp.model import AssuranceLevel, Factor
from idp.oidc.claims import PERSON_SCOPES
from idp.policy import ALWAYS, PERSONAL, Policy, ScopeRule, default_policy, load_policy
from tests.world.cost import in_passwords

SMALL = """
[levels]
two_factor = "two"
strong = "strong"
[factors]
sms = "two_factor"
totp = "strong"
[scopes]
openid = { level = "two_factor" }
"""


def problems(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_policy(text)
    return caught.value.problems


def row(text: str) -> ScopeRule:
    found = load_policy(f'{SMALL}"x:y" = {text}\n').scope_rule("x:y")
    assert found is not None
    return found


def minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


def test_the_default_policy_says_what_the_design_says() -> None:
    policy = default_policy()
    assert dict(policy.levels) == {
        AssuranceLevel.TWO_FACTOR: "urn:stile:2fa",
        AssuranceLevel.STRONG: "urn:stile:2fa-strong",
        AssuranceLevel.PHISHING_RESISTANT: "phr",
        AssuranceLevel.HARDWARE_BOUND: "phrh",
    }
    assert dict(policy.factors) == {
        Factor.SMS: AssuranceLevel.TWO_FACTOR,
        Factor.RECOVERY: AssuranceLevel.TWO_FACTOR,
        Factor.TOTP: AssuranceLevel.STRONG,
        Factor.PASSKEY: AssuranceLevel.PHISHING_RESISTANT,
    }
    plain = ScopeRule(AssuranceLevel.TWO_FACTOR, None, minutes(10), refresh=True, internal=False)
    change = ScopeRule(AssuranceLevel.STRONG, minutes(5), minutes(5), refresh=False, internal=False)
    look = replace(change, fresh=minutes(60))
    assert dict(policy.scopes) == {
        **dict.fromkeys(("openid", "profile", "email", "phone", "address", "groups", "offline_access"), plain),
        "transfers:write": ScopeRule(AssuranceLevel.STRONG, ALWAYS, minutes(5), refresh=False, internal=False),
        "password:write": ScopeRule(AssuranceLevel.STRONG, minutes(5), minutes(5), refresh=False, internal=False),
        "authenticators:write": ScopeRule(
            AssuranceLevel.TWO_FACTOR, minutes(5), minutes(5), refresh=False, internal=True
        ),
        **{f"stile:{kind}:read": look for kind in ("people", "clients", "policy", "sending", "audit")},
        **{f"stile:{kind}:write": change for kind in ("people", "factors", "clients", "keys", "sending")},
    }
    assert dict(policy.groups) == {}
    assert (policy.enrolment.hold, policy.challenge.ttl, policy.challenge.attempts) == (
        timedelta(days=1),
        minutes(5),
        3,
    )
    assert (policy.tokens.access, policy.tokens.refresh, policy.tokens.refresh_max) == (
        minutes(10),
        timedelta(days=30),
        timedelta(days=90),
    )


def test_a_small_policy_gets_the_same_numbers() -> None:
    policy, usual = load_policy(SMALL), default_policy()
    own = {name: getattr(usual, name) for name in ("levels", "factors", "scopes", "groups", "details")}
    same = replace(policy, **own)
    assert same == usual


def test_numbers_are_read() -> None:
    policy = load_policy(
        SMALL + '[enrolment]\nhold = "90s"\n[challenge]\nttl = "10m"\nattempts = 1\n'
        '[tokens]\naccess = "2h"\nrefresh = "7d"\nrefresh_max = "7d"\n'
    )
    assert (policy.enrolment.hold, policy.challenge.ttl, policy.challenge.attempts) == (
        timedelta(seconds=90),
        minutes(10),
        1,
    )
    assert (policy.tokens.access, policy.tokens.refresh, policy.tokens.refresh_max) == (
        minutes(120),
        timedelta(7),
        timedelta(7),
    )


def test_acrs_are_looked_up_both_ways() -> None:
    policy = default_policy()
    assert policy.acr_of(AssuranceLevel.STRONG) == "urn:stile:2fa-strong"
    assert policy.level_of("urn:stile:2fa") is AssuranceLevel.TWO_FACTOR
    assert policy.level_of("phr") is AssuranceLevel.PHISHING_RESISTANT
    assert policy.level_of("urn:stile:1fa") is None
    with pytest.raises(KeyError):
        policy.acr_of(AssuranceLevel.ONE_FACTOR)


def test_an_access_token_lives_as_long_as_its_shortest_scope_allows() -> None:
    policy = default_policy()
    assert policy.access_token_ttl(("openid", "email")) == minutes(10)
    assert policy.access_token_ttl(("openid", "transfers:write")) == minutes(5)
    assert policy.access_token_ttl(()) == policy.access_token_ttl(("unheard-of",)) == minutes(10)


def test_fresh_scopes_never_ride_on_a_refresh_token() -> None:
    policy = default_policy()
    asked = ("email", "transfers:write", "openid", "unheard-of", "password:write")
    assert policy.refreshable(asked) == ("email", "openid")
    assert [scope for scope in asked if policy.is_fresh_scope(scope)] == ["transfers:write", "password:write"]


def test_a_strong_scope_that_says_nothing_more_is_for_one_request() -> None:
    assert row('{ level = "strong" }') == ScopeRule(AssuranceLevel.STRONG, ALWAYS, minutes(5), False, False)
    assert row('{ level = "two_factor" }') == ScopeRule(AssuranceLevel.TWO_FACTOR, None, minutes(10), True, False)
    assert row('{ level = "two_factor", ttl = "1m", refresh = false }').refresh is False
    assert row('{ level = "two_factor", fresh = "30s" }').fresh == timedelta(seconds=30)
    assert row('{ level = "strong", ttl = "4m" }').ttl == minutes(4)


def test_a_scope_of_ones_own_says_in_words_what_it_allows() -> None:
    assert row('{ level = "two_factor", text = "Release salaries" }').text == "Release salaries"
    assert row('{ level = "two_factor" }').text is None
    for wrong in ('""', "3", f'"{"x" * 101}"', '"a\\nb"'):
        (told,) = problems(f'{SMALL}"x:y" = {{ level = "two_factor", text = {wrong} }}\n')
        assert told.startswith("scopes.x:y.text: must be one line of at most 100 characters"), wrong


def test_a_group_has_a_floor() -> None:
    policy = load_policy(SMALL + '[groups]\ntreasury = { level = "strong" }\nstaff = { level = "two_factor" }\n')
    assert policy.floor_of({"choir", "staff", "treasury"}) is AssuranceLevel.STRONG
    assert policy.floor_of({"choir"}) is policy.floor_of({"staff"}) is AssuranceLevel.TWO_FACTOR


def test_a_group_may_say_which_factors_count_and_says_so_rightly() -> None:
    rows = 'treasury = { factors = ["totp", "sms"] }\nit = { factors = ["totp"] }\n'
    policy = load_policy(f"{SMALL}[groups]\n{rows}")
    assert policy.floor_of({"treasury"}) is AssuranceLevel.TWO_FACTOR
    assert set(policy.of({"treasury"}).factors) == {Factor.TOTP, Factor.SMS}
    assert set(policy.of({"treasury", "it"}).factors) == {Factor.TOTP}
    assert policy.of({"choir"}) is policy
    for row, wrong in (
        ('{ level = "strong", factors = ["sms"] }', "none of them gives strong"),
        ("{ factors = [] }", "must be a list of one or more of"),
        ('{ factors = ["password"] }', "must be a list of one or more of"),
        ('{ factors = ["email"] }', "must be a list of one or more of"),
        ('{ factors = "totp" }', "must be a list of one or more of"),
        ("{ factors = [1, {}] }", "must be a list of one or more of"),
    ):
        (told,) = problems(f"{SMALL}[groups]\ntreasury = {row}\n")
        assert told.startswith(f"groups.treasury.factors: {wrong}"), row


def test_every_mistake_is_reported_at_once() -> None:
    text = """
[levels]
one_factor = "one"
two_factor = "a b"
strong = "same"
phishing_resistant = "same"
[factors]
sms = "strong"
recovery = "phishing_resistant"
fax = "two_factor"
email = "strong"
[scopes]
profile = { level = "one_factor" }
email = { level = "medium", fresh = "yes", ttl = 5, refresh = "no", colour = "red" }
phone = 3
"a b" = { level = "strong", refresh = true }
[groups]
treasury = { floor = "strong" }
[challenge]
ttl = "11m"
attempts = true
[enrolment]
hold = "0h"
[tokens]
refresh = "9d"
refresh_max = "8d"
acces = "1m"
[shoes]
"""
    assert problems(text) == [
        "levels.one_factor: unknown level; there are two_factor, strong, phishing_resistant, hardware_bound",
        "levels.two_factor: an acr is printable ASCII without spaces, not 'a b'",
        "levels.phishing_resistant: the acr 'same' stands for another level already",
        "levels.two_factor: this level must have an acr",
        "tokens.refresh_max: 8 days must not be shorter than tokens.refresh, which is 9 days",
        "tokens.acces: unknown key",
        "factors.sms: sms never gives more than two_factor",
        "factors.recovery: must be a level of [levels], not 'phishing_resistant'",
        "factors.fax: unknown factor; there are sms, email, recovery, totp, passkey",
        "factors.email: email never gives more than two_factor",
        "scopes.profile.level: nothing is granted below two_factor",
        "scopes.email.level: must be a level of [levels], not 'medium'",
        """scopes.email.fresh: must be a duration such as "30s", "5m", "24h", "90d" or "always", not 'yes'""",
        'scopes.email.ttl: must be a duration such as "30s", "5m", "24h", "90d", not 5',
        "scopes.email.refresh: must be true or false, not 'no'",
        "scopes.email.colour: unknown key",
        "scopes.phone: must be a table",
        "scopes.phone.level: must be a level of [levels], not None",
        "scopes.'a b': a scope is printable ASCII without spaces, quotes and backslashes",
        "scopes.a b.refresh: a scope with `fresh` never rides on a refresh token",
        "scopes.openid: this scope must have a row",
        "groups.treasury.level: must be a level of [levels], not None",
        "groups.treasury.floor: unknown key",
        "challenge.ttl: must be at most 10 minutes: no code may be good for longer (NIST SP 800-63B-4)",
        f"challenge.attempts: must be a whole number, not {True}",
        """enrolment.hold: must be a duration such as "30s", "5m", "24h", "90d", not '0h'""",
        "shoes: unknown key",
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param(("sms = ", "recovery = "), None, id="any factor will do"),
        pytest.param(('totp = "strong"', 'totp = "two_factor"'), None, id="less for an app is allowed"),
        pytest.param(('sms = "two_factor"', 'sms = "strong"'), "factors.sms: sms never", id="sms opens"),
        pytest.param(('sms = "two_factor"', 'recovery = "strong"'), "factors.recovery: recovery never", id="paper"),
        pytest.param(('totp = "strong"', 'password = "two_factor"'), "factors.password: unknown", id="password twice"),
        pytest.param(('sms = "two_factor"\ntotp = "strong"', ""), "factors: without a second", id="no factors"),
        pytest.param(('"strong"\n[f', '"strong"\nphishing_resistant = "phr"\n[f'), None, id="room for passkeys"),
        pytest.param(('{ level = "two_factor" }', '{ level = ["strong"] }'), "scopes.openid.level", id="no text"),
    ],
)
def test_one_change_is_one_mistake_or_none(change: tuple[str, str], problem: str | None) -> None:
    assert change[0] in SMALL
    text = SMALL.replace(*change)
    if problem is None:
        assert isinstance(load_policy(text), Policy)
    else:
        (only,) = problems(text)
        assert only.startswith(problem)


@pytest.mark.parametrize(
    ("row", "only"),
    [
        ('[scopes]\n"x:y" = { machin = "only" }', "scopes.x:y.machin: unknown key"),
        ('[scopes]\n"x:y" = { levle = "strong" }', "scopes.x:y.levle: unknown key"),
        ('[groups]\nboard = { levl = "strong" }', "groups.board.levl: unknown key"),
        ('[scopes]\n"x:y" = { fresh = "5m" }', "scopes.x:y.level: must be a level of [levels], not None"),
    ],
)
def test_a_misspelt_key_is_one_mistake(row: str, only: str) -> None:
    assert problems(f"{SMALL}{row.removeprefix('[scopes]')}\n") == [only]


def test_an_app_is_no_passkey() -> None:
    text = SMALL.replace("[factors]", 'phishing_resistant = "phr"\n[factors]')
    text = text.replace('totp = "strong"', 'totp = "phishing_resistant"')
    assert problems(text) == ["factors.totp: totp never gives more than strong"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{ level = "strong", fresh = "29s" }', "fresh"),
        ('{ level = "strong", ttl = "301s" }', "ttl"),
        ('{ level = "two_factor", fresh = "5m", ttl = "6m" }', "ttl"),
        ('{ level = "two_factor", ttl = "11m" }', "ttl"),
        ('{ level = "two_factor", ttl = "always" }', "ttl"),
        ('{ level = "two_factor", fresh = "5m", refresh = true }', "refresh"),
        ('{ level = "two_factor", internal = 1 }', "internal"),
        ('{ level = "two_factor", ttl = "\uff15m" }', "ttl"),  # a full-width digit
        ('{ level = "two_factor", ttl = "5m " }', "ttl"),
        ('{ level = "two_factor", ttl = "5" }', "ttl"),
    ],
)
def test_a_scope_that_would_break_a_promise_is_refused(text: str, key: str) -> None:
    (only,) = problems(f'{SMALL}"x:y" = {text}\n')
    assert only.startswith(f"scopes.x:y.{key}: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"x:y" = { level = "strong", machine = true, fresh = "5m" }', ["level: a machine has no", "fresh: a machine"]),
        ('"x:y" = { level = "strong", machine = "only" }', ["level: a machine has no"]),
        ('"x:y" = { machine = true }', ["level: must be a level"]),
        ('"x:y" = { machine = "only", refresh = true }', ["refresh: a machine"]),
        ('"x:y" = { machine = "only", internal = true }', ["internal: our own"]),
        ('"x:y" = { level = "two_factor", machine = 1 }', ["machine: must be true, false or"]),
        ('"x:y" = { level = "two_factor", machine = [] }', ["machine: must be true, false or"]),
        *(
            (f'{name} = {{ level = "two_factor", machine = true }}', ["machine: this scope is about a person"])
            for name in sorted(PERSONAL - {"openid"})
        ),
    ],
)
def test_a_machine_can_have_nothing_that_a_person_must_prove(text: str, said: list[str]) -> None:
    found = problems(f"{SMALL}{text}\n")
    assert len(found) == len(said), found
    for problem, words in zip(found, said, strict=True):
        assert words in problem


def test_a_row_says_whether_machines_may_have_it() -> None:
    usual = ScopeRule(AssuranceLevel.TWO_FACTOR, None, minutes(10), refresh=True, internal=False)
    assert row('{ level = "two_factor", machine = true }') == replace(usual, machines=True)
    assert row('{ machine = "only" }') == replace(usual, machines=True, people=False, refresh=False)
    assert row('{ level = "two_factor", machine = false }') == usual


def test_what_is_about_a_person_is_the_same_everywhere() -> None:
    assert PERSONAL == PERSON_SCOPES


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[challenge]\nttl = "601s"\n',
            "challenge.ttl: must be at most 10 minutes: no code may be good for longer (NIST SP 800-63B-4)",
        ),
        ('"x:y" = { level = "strong", ttl = "6m" }\n', "scopes.x:y.ttl: must be at most 5 minutes"),
        ('"x:y" = { level = "strong", fresh = "29s" }\n', 'scopes.x:y.fresh: must be at least 30 seconds, or "always"'),
        (
            '"x:y" = { level = "two_factor", ttl = "2m" }\n[tokens]\naccess = "1m"\n',
            "x:y.ttl: must be at most 1 minute",
        ),
        (
            '"x:y" = { level = "two_factor", ttl = "2d" }\n[tokens]\naccess = "23h"\n',
            "x:y.ttl: must be at most 23 hours",
        ),
    ],
)
def test_a_time_that_cannot_be_is_answered_in_words(text: str, said: str) -> None:
    (only,) = problems(SMALL + text)
    assert only.endswith(said)


@pytest.mark.parametrize("attempts", ["0", "4", "-1", '"3"', "3.0", "false"])
def test_attempts_are_a_small_whole_number(attempts: str) -> None:
    (only,) = problems(f"{SMALL}[challenge]\nattempts = {attempts}\n")
    assert only.startswith("challenge.attempts: ")


def test_what_is_not_toml_is_one_mistake() -> None:
    (only,) = problems("[levels\n")
    assert only.startswith("the policy is not TOML: ")


def test_a_policy_cannot_be_changed_after_it_was_read() -> None:
    rules = default_policy().scopes
    with pytest.raises(TypeError):
        rules["openid"] = rules["email"]  # type: ignore[index]  # that it is refused is the point


@pytest.mark.parametrize("key", ["a" + ".a" * 30_000, '"\u2028"' + '."\u2028"' * 15_000], ids=["plain", "quoted"])
def test_a_key_of_thousands_of_parts_is_not_parsed(key: str) -> None:
    """Whoever may try a policy would keep the process busy for a minute with each."""
    told: list[str] = []
    assert in_passwords(lambda: told.extend(problems(f"{SMALL}\n{key} = 1\n"))) < 40
    assert told[0].endswith("has more than 300 dots: break it")


@pytest.mark.parametrize("text", ["x = " + "9" * 5000, "x = " + "[" * 5000], ids=["a number", "brackets"])
def test_what_python_cannot_read_is_a_mistake_in_the_file(text: str) -> None:
    with pytest.raises(SettingsError, match="the policy is not TOML: "):
        load_policy(text)
