"""Which claims a client gets, and how it asks for them one by one (OIDC Core 5)."""

from dataclasses import replace

import pytest

from idp.model import Account, ClaimsRequest
from idp.oidc import claims
from idp.oidc.strictjson import Malformed

EVERYTHING = claims.OF_A_PERSON


def test_f7_absent_values_are_left_out_not_null(account: Account) -> None:
    said = claims.about(account, EVERYTHING, phone_number="+3725550155")
    assert said == {
        "name": "Mari Maasikas",
        "given_name": "Mari",
        "preferred_username": "mari",
        "locale": "et",
        "updated_at": int(account.updated_at.timestamp()),
        "email": "mari@example.ee",
        "email_verified": True,
        "phone_number": "+3725550155",
        "phone_number_verified": True,
        "address": {"country": "EE"},
        # who is in no group is told to be in none: who keeps groups in step must hear of it
        "groups": [],
    }


def test_f11_types_are_those_of_the_specification(account: Account) -> None:
    said = claims.about(account, EVERYTHING, phone_number="+3725550155")
    assert type(said["updated_at"]) is int
    assert said["email_verified"] is True
    assert said["phone_number_verified"] is True
    assert type(said["address"]) is dict
    unverified = claims.about(replace(account, email_verified=False), EVERYTHING)
    assert unverified["email_verified"] is False


def test_nothing_is_said_about_what_is_not_there(account: Account) -> None:
    bare = replace(account, name=None, email=None, email_verified=True, claims={"address": "x"}, locale=None)
    assert set(claims.about(bare, EVERYTHING)) == {"preferred_username", "updated_at", "groups"}
    assert "address" not in claims.about(replace(account, claims={"address": {"country": ""}}), EVERYTHING)


def test_only_what_was_asked_is_said(account: Account) -> None:
    assert claims.about(account, {"email", "sub", "nonsense"}) == {"email": "mari@example.ee"}
    assert claims.about(account, ()) == {}


def test_stored_claims_cannot_replace_ours(account: Account) -> None:
    sly = replace(account, claims={"sub": "x", "email": "other@example.ee", "email_verified": True, "iss": "x"})
    said = claims.about(replace(sly, email_verified=False), {*EVERYTHING, "sub", "iss"})
    assert said["email"] == "mari@example.ee"
    assert said["email_verified"] is False
    assert not {"sub", "iss"} & said.keys()


@pytest.mark.parametrize(
    ("scopes", "names"),
    [
        (["openid"], set()),
        (["email"], {"email", "email_verified"}),
        (["phone", "address"], {"phone_number", "phone_number_verified", "address"}),
        (["transfers:write"], set()),
    ],
)
def test_each_scope_asks_for_its_claims(scopes: list[str], names: set[str]) -> None:
    assert claims.for_scopes(scopes) == names


def test_the_profile_scope_has_the_fourteen_claims_of_core_5_4() -> None:
    assert len(claims.for_scopes(["profile"])) == 14


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("{}", ClaimsRequest(), id="nothing"),
        pytest.param('{"userinfo":null,"id_token":null,"other":7}', ClaimsRequest(), id="null and unknown members"),
        pytest.param(
            '{"userinfo":{"email":null,"name":{"essential":true},"foo":null},"id_token":{"email_verified":{}}}',
            ClaimsRequest(
                userinfo=frozenset({"email", "name"}),
                id_token=frozenset({"email_verified"}),
                scopes=("profile", "email"),
            ),
            id="names",
        ),
        pytest.param(
            '{"id_token":{"acr":{"essential":true,"values":["b","a","b"]}}}',
            ClaimsRequest(essential_acr=("b", "a")),
            id="essential acr",
        ),
        pytest.param(
            '{"id_token":{"acr":{"value":"a","values":["b"]}}}',
            ClaimsRequest(voluntary_acr=("a", "b")),
            id="wished acr",
        ),
        pytest.param('{"id_token":{"acr":{"essential":true}}}', ClaimsRequest(), id="acr without values"),
        pytest.param('{"userinfo":{"acr":{"essential":true,"value":"a"}}}', ClaimsRequest(), id="acr in userinfo"),
        pytest.param('{"id_token":{"sub":{"value":"me"}}}', ClaimsRequest(subject="me"), id="sub"),
        pytest.param(
            '{"id_token":{"sub":{"value":"me"}},"userinfo":{"sub":{"value":"me"}}}',
            ClaimsRequest(subject="me"),
            id="sub twice the same",
        ),
        pytest.param('{"id_token":{"auth_time":{"essential":true},"sub":null}}', ClaimsRequest(), id="always there"),
    ],
)
def test_the_claims_parameter_is_read(text: str, expected: ClaimsRequest) -> None:
    assert claims.parse(text, scopes=frozenset(claims.BY_SCOPE)) == expected


def test_a_claim_that_no_scope_of_the_client_gives_is_not_asked_for() -> None:
    text = '{"userinfo":{"email":null,"name":null},"id_token":{"phone_number":{"essential":true}}}'
    asked = claims.parse(text, scopes=frozenset({"openid", "profile"}))
    assert asked == ClaimsRequest(userinfo=frozenset({"name"}), scopes=("profile",))


def test_of_the_names_asked_for_those_are_left_whose_scope_may_be_told() -> None:
    asked = ClaimsRequest(frozenset({"email", "name"}), frozenset({"phone_number"}), ("profile", "email", "phone"))
    left = claims.within(asked, ("phone", "profile"))
    assert left.userinfo == {"name"}
    assert left.id_token == {"phone_number"}
    assert claims.within(asked, ()).userinfo == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[]", id="array"),
        pytest.param('{"id_token":[]}', id="id_token is an array"),
        pytest.param('{"userinfo":"x"}', id="userinfo is a string"),
        pytest.param('{"userinfo":{"email":true}}', id="a claim is a boolean"),
        pytest.param('{"userinfo":{"email":{"essential":"yes"}}}', id="essential is a string"),
        pytest.param('{"id_token":{"acr":{"values":"a"}}}', id="values is a string"),
        pytest.param('{"id_token":{"acr":{"value":7}}}', id="acr is a number"),
        pytest.param('{"id_token":{"acr":{"value":""}}}', id="acr is empty"),
        pytest.param('{"id_token":{"acr":{"values":[["a"]]}}}', id="acr is an array"),
        pytest.param('{"id_token":{"acr":{"values":' + str(["a"] * 21).replace("'", '"') + "}}}", id="21 values"),
        pytest.param('{"id_token":{"sub":{"values":["a","b"]}}}', id="two subjects"),
        pytest.param('{"id_token":{"sub":{"value":"a"}},"userinfo":{"sub":{"value":"b"}}}', id="subjects that differ"),
        pytest.param('{"id_token":{"acr":{"essential":true},"acr":null}}', id="acr twice"),
    ],
)
def test_a_claims_parameter_of_another_shape_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        claims.parse(text, scopes=frozenset(claims.BY_SCOPE))
