"""One of ten thousand who is broken: they are left, by their place, and all others come."""

import base64
import json
import random
import re
from collections.abc import Iterable
from typing import Any

import pytest

from idp.flows.operate import importing
from idp.flows.operate.arriving import Terms
from idp.importing.incoming import PERSON, Application, Entry, Left, Person, Unreadable
from idp.importing.sources import READERS
from idp.store.sql import Sql
from tests.world.exported import FILES, REALM_FILE
from tests.world.provider import Provider

SALT = base64.b64encode(b"s" * 16).decode()
WHOLE = {
    "type": "otp",
    "secretData": json.dumps({"value": "abcdefghijklmnopqrst"}),
    "credentialData": json.dumps({"subType": "totp"}),
}
ANN = {"username": "ann"}
KRATOS = {"traits": ANN}
USER = "authentik_core.user"
DISABLED = Sql("SELECT disabled_at IS NOT NULL FROM account WHERE username = 'ann'")


def realm(*users: Any, clients: Iterable[Any] = ()) -> bytes:
    return json.dumps({"realm": "r", "users": users, "clients": list(clients)}).encode()


def rows(*users: Any) -> bytes:
    return json.dumps([{"model": USER, "pk": number, "fields": each} for number, each in enumerate(users)]).encode()


def read(source: str, content: bytes) -> list[Entry]:
    return list(READERS[source](content))


def left(entries: Iterable[Entry]) -> dict[str, str]:
    return {each.what: each.why for each in entries if isinstance(each, Left) and each.who}


@pytest.mark.parametrize(
    ("source", "content", "who", "place"),
    [
        pytest.param(
            "keycloak", realm({"username": "ann"}, {"username": 7}), "users[1]", "users[1].username", id="name"
        ),
        pytest.param(
            "keycloak",
            realm(ANN, {"username": "bob", "attributes": {"phoneNumber": {}}}),
            "bob",
            "users[1].attributes.phoneNumber is not a list",
            id="attribute",
        ),
        pytest.param(
            "auth0",
            json.dumps([{"email": "ann"}, {"email": "bob", "mfa_factors": {}}]).encode(),
            "bob",
            "entries[1]",
            id="auth0",
        ),
        pytest.param(
            "kratos", json.dumps([KRATOS, {"id": "b"}]).encode(), "b", "entries[1] has no traits", id="kratos"
        ),
        pytest.param("authentik", rows(ANN, {"username": None}), "entries[1]", "username", id="authentik"),
    ],
)
def test_who_is_broken_is_left_by_their_place_and_all_others_come(
    source: str, content: bytes, who: str, place: str
) -> None:
    entries = read(source, content)
    assert [each.username for each in entries if isinstance(each, Person)] == ["ann"]
    (lost,) = [each for each in entries if isinstance(each, Left) and each.what == PERSON]
    assert lost.who == who
    assert lost.why.startswith("it cannot be read: ")
    assert place in lost.why


def test_where_nobody_can_be_read_it_is_another_file() -> None:
    for source, content in (("keycloak", realm({}, {})), ("kratos", b"[{}, {}]"), ("auth0", b"[{}, {}]")):
        with pytest.raises(Unreadable):
            read(source, content)


@pytest.mark.parametrize(
    ("credential", "what"),
    [
        pytest.param({"type": "otp"}, "authenticator app", id="app without secret"),
        pytest.param({"type": "otp", "secretData": "{", "credentialData": "{}"}, "authenticator app", id="no JSON"),
        pytest.param({"type": "password", "secretData": "{}", "credentialData": "{}"}, None, id="password of nothing"),
        pytest.param({"type": "password", "secretData": 7}, None, id="password of a number"),
    ],
)
def test_a_broken_credential_is_left_and_its_owner_comes_with_the_others(
    credential: dict[str, Any], what: str | None
) -> None:
    entries = read("keycloak", realm({"username": "ann", "credentials": [None, credential, WHOLE]}))
    (ann,) = [each for each in entries if isinstance(each, Person)]
    assert len(ann.apps) == 1
    why = ann.unlike if what is None else left(entries)[what]
    assert why is not None
    assert why.startswith("it cannot be read: users[0].credentials[")


def test_a_broken_client_is_left_and_the_others_come() -> None:
    whole = {"clientId": "shop", "publicClient": True, "redirectUris": ["https://shop.example.com/cb"]}
    entries = read("keycloak", realm(clients=[{**whole, "clientId": "bad", "publicClient": "yes"}, whole]))
    assert [each.client_id for each in entries if isinstance(each, Application)] == ["shop"]
    assert left(entries)["the client"] == "it cannot be read: clients[0].publicClient is not true or false"


async def test_what_was_lost_of_who_is_broken_is_said_of_nobody_else(provider: Provider) -> None:
    broken = {"username": "bob", "realmRoles": ["auditor"], "federatedIdentities": [7]}
    content = realm(broken, {"username": "carl"}, {"username": "ann", "realmRoles": ["admin"]})
    for dry_run in (True, False):
        done = await importing.bring(provider.idp, read("keycloak", content), Terms("keycloak"), dry_run=dry_run)
        assert done.people == ("ann", "carl")
        assert [each.who for each in done.left if each.what == "roles"] == ["ann"]
        assert [each.who for each in done.left if each.what == PERSON] == ["bob"]


def test_a_trait_that_is_no_text_is_left() -> None:
    several = {"traits": {"username": "ann", "email": ["a@example.com"], "name": [], "phone": None}}
    entries = read("kratos", json.dumps(several).encode())
    assert {each.what for each in entries if isinstance(each, Left)} == {"trait email", "trait name"}
    assert [each.email for each in entries if isinstance(each, Person)] == [None]


def test_what_works_with_auth0_alone_is_said() -> None:
    factors = [{"webauthn": {"id": "x"}}, {"recovery_code": {"value": "x"}}, {"phone": {"value": "+37256780001"}}]
    entries = read("auth0", json.dumps([{"email": "ann@example.com", "mfa_factors": factors}]).encode())
    assert {"second factor webauthn", "second factor recovery_code"} <= left(entries).keys()


def test_a_number_that_authentik_keeps_as_a_hash_is_said_to_be_one() -> None:
    fields = {"user": 0, "confirmed": True, "phone_number": "hash:" + "a" * 64}
    device = {"model": "authentik_stages_authenticator_sms.smsdevice", "pk": 1, "fields": fields}
    entries = read("authentik", json.dumps([*json.loads(rows({"username": "ann"})), device]).encode())
    assert "kept as a hash" in left(entries)["phone"]


def entry(dn: str, *lines: str) -> str:
    return "\r\n".join((f"dn: {dn}", *lines, "", ""))


def test_of_a_directory_only_people_come() -> None:
    """Of Active Directory, as `ldapsearch` writes it without -LLL."""
    people = "".join((
        entry("CN=PC,DC=x", "objectClass: user", "objectClass: computer", "sAMAccountName: PC01$"),
        entry("CN=svc,DC=x", "objectClass: msDS-GroupManagedServiceAccount", "sAMAccountName: svc"),
        entry("uid=box$,DC=x", "objectClass: posixAccount", "uid: box$"),
        entry("CN=Ann,DC=x", "objectClass: user", "sAMAccountName: ann", "thumbnailPhoto:: /9j/4A=="),
    ))  # fmt: skip
    ends = "# search reference\r\nref: ldap://DomainDnsZones.x/DC=x\r\n\r\nsearch: 2\r\nresult: 0 Success\r\n"
    content = f"# extended LDIF\r\n\r\nversion: 1\r\n\r\n{people}{ends}"
    entries = read("ldif", content.encode())
    assert [each.username for each in entries if isinstance(each, Person)] == ["ann"]
    assert [(each.what, each.why) for each in entries if isinstance(each, Left)] == [
        ("3 computers and service accounts", "they are no people")
    ]


def test_of_several_hashes_the_first_that_can_be_compared_comes() -> None:
    argon2 = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQxMjM0NTY3OA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"
    lines = ("uid: ann", "userPassword: {SSHA}abc", "userPassword: {CRYPT}$6$x$y", f"userPassword: {{ARGON2}}{argon2}")
    (ann,) = read("ldif", entry("uid=ann", *lines).encode())
    assert isinstance(ann, Person)
    assert (ann.password, ann.unlike) == (argon2, None)
    (ann,) = read("ldif", entry("uid=ann", *lines[:-1]).encode())
    assert isinstance(ann, Person)
    assert ann.unlike is not None
    assert "{SSHA}" in ann.unlike


@pytest.mark.parametrize(
    ("line", "disabled", "said"),
    [
        pytest.param("accountExpires: 132223104000000000", True, "ended there on 2020-01-01", id="windows, over"),
        pytest.param("accountExpires: 9223372036854775807", False, None, id="windows, never"),
        pytest.param("accountExpires: 0", False, None, id="windows, never either"),
        pytest.param("accountExpires: 999999999999999999", False, "nothing ends it here", id="windows, far"),
        pytest.param("shadowExpire: 1", True, "ended there on 1970-01-02", id="shadow, over"),
        pytest.param("shadowExpire: -1", False, None, id="shadow, never"),
        pytest.param("krbPrincipalExpiration: 20200101000000Z", True, "ended there on 2020-01-01", id="freeipa, over"),
        pytest.param("krbPrincipalExpiration: 20201399000000Z", False, None, id="freeipa, no time"),
        pytest.param("loginDisabled: TRUE", True, None, id="edirectory"),
    ],
)
async def test_whose_account_has_ended_there_is_disabled_here(
    provider: Provider, line: str, disabled: bool, said: str | None
) -> None:
    entries = read("ldif", entry("uid=ann", "uid: ann", line).encode())
    done = await importing.bring(provider.idp, entries, Terms("ldif"))
    assert await provider.idp.db.value(DISABLED) is disabled
    found = [each.why for each in done.left if "account" in each.what]
    assert (len(found), said is None or said in found[0]) == (said is not None, True)


ODD: tuple[Any, ...] = (
    None,
    7,
    -1,
    10**14,
    True,
    "",
    " ",
    "\u202eabc",
    "a" * 300,
    "\u00c9\u00df\u03a3@example.com",
    "x@example.com",
    [],
    {},
    [None],
    "1" * 15,
    "\U0001f600",
)


def spoilt(value: Any, dice: random.Random) -> Any:
    """Here and there something else."""
    if dice.random() < 0.02:
        return dice.choice(ODD)
    if isinstance(value, dict):
        return {name: spoilt(each, dice) for name, each in value.items()}
    if isinstance(value, list):
        return [spoilt(each, dice) for each in value]
    if isinstance(value, str) and value.startswith("{"):  # JSON in JSON
        return json.dumps(spoilt(json.loads(value), dice))
    return value


def spoilt_text(text: str, dice: random.Random) -> str:
    """Of LDIF or a table: values that are exchanged, gone, or odd."""
    odd = [each for each in ODD if isinstance(each, str)]
    parts = re.split(r"([,:\n])", text)
    return "".join(dice.choice(odd) if dice.random() < 0.03 and part not in ",:\n" else part for part in parts)


@pytest.mark.parametrize(("source", "text"), [*FILES, REALM_FILE])
@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_spoilt_the_dry_run_says_what_the_run_does(
    provider: Provider, source: str, text: str, seed: int
) -> None:
    dice = random.Random(seed)
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        content = spoilt_text(text, dice)
    else:
        content = json.dumps(spoilt(whole, dice))
    try:
        entries = read(source, content.encode())
    except Unreadable:
        return  # before anything is stored
    dry = await importing.bring(provider.idp, entries, Terms(source, vouch_phones=bool(seed % 2)), dry_run=True)
    assert await importing.bring(provider.idp, entries, Terms(source, vouch_phones=bool(seed % 2))) == dry
    again = await importing.bring(provider.idp, entries, Terms(source, vouch_phones=bool(seed % 2)))
    assert (again.people, again.people_there) == ((), tuple(sorted((*dry.people, *dry.people_there))))
