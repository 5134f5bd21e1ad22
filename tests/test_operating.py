"""Who may do an operator's work, and on whom."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from idp.errors import SettingsError
from idp.model import NOBODY, OPERATOR, SHELL, Operator, Role
from idp.policy import RIGHTS, Act, Policy, default_policy, denied, load_policy
from tests.world.policies import OURS

_OPERATE = Path(__file__).parent.parent / "idp" / "flows" / "operate"
_GROUPS = """
admins = { level = "strong", role = "admin" }
desk = { level = "strong", role = "helpdesk" }
audit = { level = "strong", role = "auditor" }
treasury = { level = "strong" }
"""


def _with_groups(rows: str) -> Policy:
    return load_policy(OURS.replace("[groups]\n", f"[groups]\n{rows}\n", 1))


_ROLES = _with_groups(_GROUPS)
_EVERY = frozenset(scope for scope in default_policy().scopes if scope.startswith("stile:"))
_CHANGES = [
    act for act in Act if act not in {Act.SEE_PEOPLE, Act.SEE_CLIENTS, Act.SEE_POLICY, Act.SEE_SENDING, Act.SEE_AUDIT}
]


def _person(role: Role | None, scopes: frozenset[str] = _EVERY) -> Operator:
    return Operator("person:ada", role, uuid4(), "console", scopes)


def _machine(scopes: frozenset[str] = _EVERY) -> Operator:
    return Operator("client:reports", None, None, "reports", scopes)


def test_every_act_has_a_row() -> None:
    assert set(RIGHTS) == set(Act)


def test_every_scope_of_a_row_is_a_row_of_the_policy() -> None:
    assert {scope for right in RIGHTS.values() for scope in right.scopes} == _EVERY


@pytest.mark.parametrize("act", Act)
def test_a_shell_may_do_everything(act: Act) -> None:
    assert denied(SHELL, act, _ROLES, on=["admins"], into=["admins"]) is None


@pytest.mark.parametrize("act", Act)
def test_who_has_no_role_may_do_nothing(act: Act) -> None:
    assert denied(NOBODY, act, _ROLES) is not None
    assert denied(_person(None), act, _ROLES) is not None


@pytest.mark.parametrize("act", Act)
def test_a_scope_is_needed_beside_the_role(act: Act) -> None:
    for scope in RIGHTS[act].scopes:
        assert denied(_person(Role.ADMIN, frozenset({scope})), act, _ROLES) is None
    refused = denied(_person(Role.ADMIN, _EVERY.difference(RIGHTS[act].scopes)), act, _ROLES)
    assert refused is not None
    assert refused.scopes == RIGHTS[act].scopes


@pytest.mark.parametrize("act", _CHANGES)
def test_an_auditor_changes_nothing(act: Act) -> None:
    assert denied(_person(Role.AUDITOR), act, _ROLES) is not None


@pytest.mark.parametrize("act", _CHANGES)
@pytest.mark.parametrize("group", ["admins", "desk", "audit"])
def test_helpdesk_and_machines_touch_nobody_who_has_a_role(act: Act, group: str) -> None:
    for operator in (_person(Role.HELPDESK), _machine()):
        assert denied(operator, act, _ROLES, on=[group, "treasury"]) is not None
        assert denied(operator, act, _ROLES, into=["treasury", group]) is not None


def test_helpdesk_helps_everybody_else() -> None:
    for act in (Act.RESET, Act.RECOVER, Act.UNLOCK, Act.INVITE, Act.FREEZE, Act.REMOVE_AUTHENTICATOR):
        assert denied(_person(Role.HELPDESK), act, _ROLES, on=["treasury"]) is None


def test_a_machine_does_what_its_scopes_say_and_exports_nothing() -> None:
    assert denied(_machine(frozenset({"stile:people:write"})), Act.ADD_PERSON, _ROLES) is None
    assert denied(_machine(frozenset({"stile:people:write"})), Act.RESET, _ROLES) is not None
    assert denied(_machine(), Act.EXPORT, _ROLES) is not None


def test_no_machine_changes_an_application_that_may_administrate_or_makes_one() -> None:
    assert denied(_machine(), Act.CHANGE_CLIENTS, _ROLES, scopes=["openid", "reports:read"]) is None
    for scope in _EVERY:
        assert denied(_machine(), Act.CHANGE_CLIENTS, _ROLES, scopes=["openid", scope]) is not None
        assert denied(_person(Role.ADMIN), Act.CHANGE_CLIENTS, _ROLES, scopes=["openid", scope]) is None


def test_to_say_how_somebody_new_proves_themselves_is_to_write_factors() -> None:
    for operator in (
        _person(Role.HELPDESK, frozenset({"stile:people:write"})),
        _machine(frozenset({"stile:people:write"})),
    ):
        assert denied(operator, Act.VOUCH, _ROLES) is not None


def test_the_most_of_several_roles_counts() -> None:
    assert _ROLES.role_of(["audit", "treasury", "desk"]) is Role.HELPDESK
    assert _ROLES.role_of(["treasury", "unknown"]) is None


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ('x = { level = "two_factor", role = "admin" }', "needs strong at least"),
        ('x = { level = "strong", role = "boss" }', "must be one of auditor, helpdesk, admin"),
        ('x = { level = "strong", role = ["admin"] }', "must be one of auditor, helpdesk, admin"),
    ],
)
def test_a_role_that_cannot_be_is_a_mistake_of_the_policy(row: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        _with_groups(row)


def test_scopes_of_our_own_are_there_in_every_policy_and_no_others() -> None:
    bare = load_policy("""
        [levels]
        two_factor = "a"
        strong = "b"
        [factors]
        sms = "two_factor"
        [scopes]
        openid = { level = "two_factor" }
        "stile:people:read" = { level = "strong", machine = true }
    """)
    assert set(bare.scopes) >= _EVERY
    assert bare.for_machines() == {"stile:people:read"}
    with pytest.raises(SettingsError, match="has no such scope"):
        load_policy(OURS.replace("[scopes]\n", '[scopes]\n"stile:everything" = { level = "strong" }\n', 1))


def _public(module: Path) -> Iterator[ast.AsyncFunctionDef]:
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node


@pytest.mark.parametrize("module", sorted(_OPERATE.glob("*.py")), ids=lambda path: path.stem)
def test_everything_that_an_operator_does_asks_whether_they_may(module: Path) -> None:
    for function in _public(module):
        if any(argument.arg == "conn" for argument in function.args.args):
            continue  # part of what another function does, in its transaction
        called = {ast.unparse(each.func) for each in ast.walk(function) if isinstance(each, ast.Call)}
        assert called & {"permit", "find_user", "find_client"}, f"{module.stem}.{function.name} asks nobody"


def test_a_process_of_ours_works_for_its_operator() -> None:
    assert OPERATOR.get() == SHELL
    assert replace(SHELL, name="shell:ada").scopes is None
