"""Which rows of `[sites]` a request falls under, whatever it looks like; and which rows there may be."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.errors import SettingsError
from idp.flows.rules import policy_here
from idp.policy import ALWAYS, host_of, load_policy, readings, wanted
from tests.world.guarded import WIKI, rows
from tests.world.policies import BEFORE
from tests.world.running import settings_for

SITE = load_policy(BEFORE + rows()).sites[WIKI]
ROOT, ADMIN = f"site:{WIKI}/", f"site:{WIKI}/admin"


def scopes(target: str) -> tuple[str, ...] | None:
    found = wanted(SITE, target)
    return None if found is None else found.scopes


@pytest.mark.parametrize(
    "target",
    [
        "/admin", "/admin/", "/admin/users?x=1", "/admin?x=/../..", "/ADMIN", "/aDmIn/x", "//admin", "///admin//x",
        "/%61dmin", "/%41dmin", "/%2561dmin", "/%252561dmin", "/admin%2fx", "/%2fadmin",
        "/admin;x=1", "/;a/admin", "/admin%3bx", "/admin.json", "/admin%20", "/admin%3f", "/admin~", "/admin%c2%a0",
        "/%EF%BC%8Fadmin", "/%EF%BD%81dmin", "/admin%23",
        "/;%2fx/admin", "/;a%2fb;c%2f/admin", "/%3b%252fx/admin", "/%253b%25252fx/admin",
        "/adm%C4%B1n", "/adm%C4%B0n", "/%C3%A1dmin/x", "/a%CC%81dmin", "/ad%C2%ADmin", "/%E2%80%8Badmin",
    ],
)  # fmt: skip
def test_a_row_is_about_its_path_however_that_is_written(target: str) -> None:
    assert scopes(target) == (ROOT, ADMIN)


@pytest.mark.parametrize(
    "target", ["/", "/x", "/administrator", "/admin-x", "/admin_x", "/x/admin", "/?/admin", "/x?p=%2e%2e", "/100%25"]
)
def test_another_path_is_another_path(target: str) -> None:
    assert scopes(target) == (ROOT,)


@pytest.mark.parametrize(
    "target",
    [
        "/x/../admin", "/x/%2e%2e/admin", "/x/.%2E/admin", "/x/..;/admin", "/x/..;a=b/admin", "/./admin", "/x/..",
        "/x%2f..%2fadmin", "/x/%252e%252e/admin", "/x%5c..%5cadmin", "/\\admin", "/x\\..\\admin", "/%5cadmin",
        "/admin%00", "/%00/admin", "/ad%0amin", "/x%0d%0aRemote-User:%20root", "/%c0%ae%c0%ae/admin", "/%e9",
        "/%u002e%u002e/admin", "/%", "/%2", "/x#/admin", "admin", "", "*", "http://localhost:8081/admin", "?x",
        "/;%2f..%2fx/admin", "/.%E2%80%8B./admin",
        "/x/%EF%BC%8E%EF%BC%8E/admin", "/x/%20..%20/admin", "/x y", "/ä", "/%2525252561dmin",
        "/" + "x" * 9000,
    ],
)  # fmt: skip
def test_what_may_be_any_path_is_none(target: str) -> None:
    assert scopes(target) is None


@given(st.text(alphabet="/.%25;abADMINadmin2eEfFcC\\?#\x00 é", max_size=30))
def test_whatever_decodes_to_the_path_has_its_row(text: str) -> None:
    """What a careless application makes of a target, once or twice, is never a path that a row is about and was not."""
    target = f"/{text}"
    found = readings(target)
    if found is None:
        return
    assert all(".." not in path.split("/") and "\\" not in path and path == path.lower() for path in found)
    if any(path == "/admin" or path.startswith("/admin/") for path in found):
        assert scopes(target) == (ROOT, ADMIN)


@given(
    st.text(alphabet="/%2f3bs25;x", max_size=16).map(lambda text: f"/{text}/admin"),
    st.lists(st.sampled_from(["decodes", "leaves out parameters"]), max_size=6),
)
def test_in_whatever_order_an_application_reads_a_target_the_row_counts(target: str, steps: list[str]) -> None:
    path = target
    for step in steps:
        path = unquote(path) if step == "decodes" else re.sub(";[^/]*", "", path)
    if re.fullmatch("/+admin", path):
        assert scopes(target) in {(ROOT, ADMIN), None}


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Wiki.Example.com", "wiki.example.com"), ("wiki.example.com.", "wiki.example.com"),
        ("wiki.example.com:443", "wiki.example.com"), ("wiki.example.com:8443", "wiki.example.com:8443"),
        ("localhost:80", "localhost"), ("localhost:443", "localhost:443"), ("a@wiki.example.com", None),
        ("wiki.example.com, evil", None), ("wiki.example.com/x", None), ("", None), ("[::1]", None), ("a..b", None),
        ("wiki.example.com\n", None), ("\uff41.example.com", None), ("x" * 300, None),
    ],
)  # fmt: skip
def test_a_host_is_one_text(text: str, host: str | None) -> None:
    assert host_of(text) == host


def problems(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_policy(BEFORE + text)
    return caught.value.problems


def test_a_site_is_never_always_fresh_and_a_step_up_says_how_long_it_lasts() -> None:
    assert problems('[sites."a.example"]\nlevel = "strong"\nfresh = "always"\n') == [
        'sites.a.example.fresh: "always" is for one action, and of a site we see requests alone: say how long, as "15m"'
    ]
    found = problems('[sites."a.example"]\nlevel = "strong"\n')
    assert found == ['sites.a.example.fresh: must say how long a proof of strong opens it, such as "15m"']


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[sites."A.example"]\nlevel = "two_factor"', "a host in lower case"),
        ('[sites."https://a.example"]\nlevel = "two_factor"', "a host in lower case"),
        ('[sites."a.example"]\nlevel = "one_factor"', "nothing is granted below two_factor"),
        ('[sites."a.example"]\nlevel = "two_factor"\ngroups = ["nobody"]', "has no row under [groups]"),
        ('[sites."a.example"]\nlevel = "two_factor"\nfresh = "1s"', "must be 30 seconds to 30 days"),
        ('[sites."a.example"]\nlevle = "two_factor"', "unknown key"),
        ('[sites."a.example"]\nlevel = "two_factor"\npaths = {"/a/" = {}}', "no slash at the end"),
        ('[sites."a.example"]\nlevel = "two_factor"\npaths = {"/a/../b" = {}}', "a path is written as"),
        ('[sites."a.example"]\nlevel = "two_factor"\npaths = {"/a%20b" = {}}', "a path is written as"),
        ('[sites."a.example"]\nlevel = "two_factor"\npaths = {"/a" = {}, "/A" = {}}', "is there twice"),
        ('[sites."a.example"]\nlevel = "two_factor"\npaths = {"/a" = {level = "strong"}}', "must say how long"),
        ('[scopes]\nopenid = {level = "two_factor"}\n"site:a.example/" = {level = "two_factor"}', "rows of [sites]"),
    ],
)
def test_a_wrong_row_is_refused_with_what_is_wrong(text: str, said: str) -> None:
    body = text if text.startswith("[sites") else ""
    found = problems(body) if body else _whole(text)
    assert any(said in one for one in found), found


def _whole(text: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_policy(f'[levels]\ntwo_factor = "a"\n[factors]\nsms = "two_factor"\n{text}\n')
    return caught.value.problems


def test_a_path_needs_no_less_than_its_site() -> None:
    policy = load_policy(
        BEFORE + '[sites."a.example"]\nlevel="strong"\nfresh="5m"\npaths={"/open"={level="two_factor"}}'
    )
    needed = wanted(policy.sites["a.example"], "/open/x")
    assert needed is not None
    assert [policy.scopes[scope].level.name for scope in needed.scopes] == ["STRONG", "TWO_FACTOR"]
    assert all(rule.fresh != ALWAYS and rule.internal for rule in map(policy.scopes.__getitem__, needed.scopes))


@pytest.mark.parametrize(
    ("issuer", "host", "refused"),
    [
        ("https://id.example.com", "id.example.com", True),
        ("https://id.example.com/auth", "id.example.com:8443", True),
        ("https://id.example.com", "wiki.example.com", False),
        ("http://localhost:8000", "localhost:8081", False),
    ],
)
def test_a_site_on_our_own_host_would_be_sent_our_cookies(
    issuer: str, host: str, refused: bool, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path).model_copy(update={"issuer": issuer})
    text = f'{BEFORE}[sites."{host}"]\nlevel = "two_factor"\n'
    if not refused:
        assert host in policy_here(text, settings).sites
        return
    with pytest.raises(SettingsError) as caught:
        policy_here(text, settings)
    assert caught.value.problems == [
        f"sites.{host}: is the host of IDP_ISSUER: an application there would be sent Stile's own cookies"
    ]
