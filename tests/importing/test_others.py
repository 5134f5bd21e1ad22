"""Auth0, authentik, Kratos, directories and tables: whoever has a hash that can be compared signs in here."""

import json
import random
from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest

from idp.factors.password import Password, verify
from idp.factors.totp import problem
from idp.flows.operate.arriving import Terms
from idp.flows.operate.importing import bring
from idp.importing.incoming import Left, Person, Unreadable
from idp.importing.ldif import plain_dn
from idp.importing.secrets import app as app_of
from idp.importing.sources import READERS
from idp.model import AppCodes, AssuranceLevel
from idp.store.sql import Sql
from tests.world.cost import in_passwords
from tests.world.exported import (
    ARGON2,
    AUTH0,
    AUTHENTIK,
    BCRYPT,
    FILES,
    KRATOS,
    REALM_FILE,
    SECRET,
    SEED,
    SSHA,
    TYPED,
    UUID,
    ldif,
)
from tests.world.provider import Provider, parameters

STORED = Sql("SELECT password_hash FROM account WHERE username = :username")


def read(source: str, text: str) -> tuple[dict[str, Person], list[Left]]:
    entries = list(READERS[source](text.encode()))
    people = {each.username: each for each in entries if isinstance(each, Person)}
    return people, [each for each in entries if isinstance(each, Left)]


@pytest.mark.parametrize(("source", "text"), FILES)
async def test_a_person_signs_in_with_the_password_they_had(provider: Provider, source: str, text: str) -> None:
    entries = list(READERS[source](text.encode()))
    terms = Terms(source, vouch_totp=True, vouch_phones=True)
    done = await bring(provider.idp, entries, terms)
    assert "ada@example.com" in done.people
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    page = await browser.submit("/password", username="ada@example.com", password=TYPED)
    assert page.status_code == 200
    if source == "ldif":
        answer = await browser.submit("/sms", code=await provider.texted(browser))
    else:
        answer = await browser.submit("/totp", code=pyotp.TOTP(SECRET).at(provider.clock.now()))
    assert "code" in parameters(answer)
    stored = await provider.idp.db.value(STORED, username="ada@example.com")
    assert stored.startswith("$argon2id$v=19$m=8,")
    assert verify(Password(TYPED), hashed=stored)


def test_what_auth0_says_in_two_files_is_one_person() -> None:
    people, left = read("auth0", AUTH0)
    assert set(people) == {"ada@example.com", "euclid@example.com"}
    ada, euclid = people["ada@example.com"], people["euclid@example.com"]
    assert (ada.name, ada.email_verified, ada.password) == ("Ada Lovelace", True, BCRYPT)
    assert (euclid.name, euclid.disabled, euclid.password) == (None, True, BCRYPT)
    assert [phone.verified for phone in ada.phones] == [True]
    assert {each.what for each in left if each.who == ada.username} == {
        "app_metadata",
        "the id that applications know them by",
    }


def test_what_auth0_has_from_another_provider_is_nobody_else() -> None:
    """Whoever may say what their id is elsewhere would have brought an app to ada, and a password."""
    mallory = {
        "user_id": "oauth2|elsewhere|5dea9f9c82dd7c0e76e4ec93",
        "email": "mallory@example.com",
        "passwordHash": BCRYPT,
        "mfa_factors": [{"totp": {"secret": SECRET}}, {"phone": {"value": "+37256789052"}}],
    }
    named = {"username": "5dea9f9c82dd7c0e76e4ec93", "mfa_factors": [{"phone": {"value": "+37256789053"}}]}
    before = read("auth0", AUTH0)[0]
    for order in ((AUTH0, json.dumps(mallory), json.dumps(named)), (json.dumps(named), json.dumps(mallory), AUTH0)):
        people, _ = read("auth0", "\n".join(order))
        assert set(people) == {*before, "mallory@example.com", named["username"]}
        assert people["ada@example.com"] == before["ada@example.com"]


def test_who_has_no_id_in_auth0_is_nobody_else() -> None:
    """A name or an address alone makes no two people one, else one of them would sign in as the other."""
    ada = {"email": "ada@example.com", "email_verified": True, "name": "Ada"}
    apps = [{"totp": {"secret": "JBSWY3DPEHPK3PXP"}}]
    other = {"email": "ada@example.com", "password_hash": BCRYPT, "mfa_factors": apps}
    found = [each for each in READERS["auth0"](json.dumps([ada, other]).encode()) if isinstance(each, Person)]
    assert [(each.email_verified, each.password is None, len(each.apps)) for each in found] == [
        (True, True, 0),
        (False, False, 1),
    ]


def test_kratos_and_authentik_keep_their_ids() -> None:
    for source, text in (("kratos", KRATOS), ("authentik", AUTHENTIK), ("ldif", ldif(SSHA))):
        assert str(read(source, text)[0]["ada@example.com"].id) == UUID


def test_of_authentik_only_people_and_confirmed_devices_come() -> None:
    people, left = read("authentik", AUTHENTIK)
    assert set(people) == {"ada@example.com", "off"}
    ada = people["ada@example.com"]
    assert [(app.label, app.codes) for app in ada.apps] == [("Pixel", AppCodes())]
    assert ada.groups == ("treasury",)
    assert [each.what for each in left] == ["group same"]
    assert (people["off"].disabled, people["off"].password) == (True, None)


def test_a_directory_is_read_line_by_line() -> None:
    people, _ = read("ldif", ldif("{ARGON2}" + ARGON2))
    ada = people["ada@example.com"]
    assert (ada.email, ada.name, ada.claims["given_name"]) == ("ada@example.com", "Ada Lovelace", "Adà")
    assert ada.groups == ("treasury",)
    assert people["off"].disabled


def test_what_a_directory_has_in_binary_stops_nobody() -> None:
    """That of a group that every Active Directory has is bytes that are UTF-8 by chance; and photos are long."""
    builtin = "dn: CN=Administrators,CN=Builtin,DC=x\nobjectClass: group\ncn: Administrators\n"
    sid = "objectSid:: AQIAAAAAAAUgAAAAIAIAAA==\n\n"
    photo = "jpegPhoto:: " + "/9j/" * 19 + f"\n {'/9j/' * 19}" * 20_000 + "\n\n"
    file = builtin + sid + "dn: uid=ada,dc=x\nuid: ada\n" + photo
    people, left = read("ldif", file)
    assert (set(people), left) == ({"ada"}, [])
    assert in_passwords(lambda: read("ldif", file)) < 40


def test_a_directory_is_read_as_slapcat_writes_it() -> None:
    """What slapadd brought in has a creator without a name, and other programs read nothing of it."""
    people, _ = read(
        "ldif",
        "dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n"
        "structuralObjectClass: organization\nentryUUID: b25f6322-7fc0-1041-9adb-f3c0693ed10a\ncreatorsName:\n"
        "entryCSN: 20261128214456.423621Z#000000#000#000000\nmodifiersName:\nmodifyTimestamp: 20261128214456Z\n\n"
        "dn: uid=ada,dc=example,dc=com\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nuid: ada\ncn: Ada\n"
        "sn: Lovelace\nloginShell:\ngecos:\nmail: ada@example.com\nentryUUID: b26109a2-7fc0-1041-9adc-f3c0693ed10a\n"
        "creatorsName:\nmodifiersName:\n\n",
    )
    (ada,) = people.values()
    assert (ada.username, ada.email, ada.name) == ("ada", "ada@example.com", "Ada")


def test_weak_hashes_do_not_come_and_say_no_more_than_their_name() -> None:
    for hashed in (SSHA, "{MD5}abcd", "{SHA}abcd", "in clear"):
        ada = read("ldif", ldif(hashed))[0]["ada@example.com"]
        assert ada.password is None
        assert ada.unlike is not None
        assert hashed.partition("}")[2] not in ada.unlike or "}" not in hashed
        assert "in clear" not in ada.unlike


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        (SECRET, AppCodes()),
        (SECRET.lower(), AppCodes()),
        (" ".join(SECRET[at : at + 4] for at in range(0, 32, 4)), AppCodes()),
        (f"otpauth://totp/x?secret={SECRET}", AppCodes()),
        (f"OTPAUTH://TOTP/x?Secret={SECRET}&digits=8", AppCodes(digits=8)),
        (f"otpauth://totp/x?secret={SECRET}&algorithm=SHA256&period=60", AppCodes("SHA256", 6, timedelta(seconds=60))),
    ],
)
def test_an_app_is_read_as_it_is_written(text: str, codes: AppCodes) -> None:
    made = app_of(text)
    assert made is not None
    assert (made.seed, made.codes) == (SEED, codes)


@pytest.mark.parametrize("seconds", [-(10**15) + 1, 0, 10**15 - 1])
def test_a_period_beyond_all_bounds_is_no_app_of_ours(seconds: int) -> None:
    about = {"secretData": json.dumps({"value": SEED.decode()}), "credentialData": json.dumps({"period": seconds})}
    realm = {"realm": "r", "users": [{"username": "ada", "credentials": [{"type": "otp", **about}]}]}
    device = {"user": 1, "key": SEED.hex(), "step": seconds}
    rows = [
        {"model": "authentik_core.user", "pk": 1, "fields": {"username": "ada"}},
        {"model": "authentik_stages_authenticator_totp.totpdevice", "pk": 1, "fields": device},
    ]
    address = f"otpauth://totp/x?secret={SECRET}&period={seconds}"
    for source, text in (
        ("keycloak", json.dumps(realm)),
        ("authentik", json.dumps(rows)),
        ("csv", f"username,totp\nada,{address}\n"),
    ):
        for app in read(source, text)[0]["ada"].apps:
            assert (problem(app.seed, app.codes) is None) is (app.codes == AppCodes())


@pytest.mark.parametrize(
    "text",
    ["", "18", f"otpauth://hotp/x?secret={SECRET}", "otpauth://totp/x", f"otpauth://totp/x?secret={SECRET}&digits=x",
     f"otpauth://[/x?secret={SECRET}"],
)  # fmt: skip
def test_what_is_no_app_is_none(text: str) -> None:
    made = app_of(text)
    assert made is None or len(made.seed) < 16


@pytest.mark.parametrize(
    ("source", "content", "said"),
    [
        pytest.param("auth0", b'[{"email": 1}]', "entries[0].email is not a text", id="auth0 type"),
        pytest.param("auth0", b"[{}]", "has no username", id="auth0 nobody"),
        pytest.param("kratos", b"[{}]", "no traits", id="kratos"),
        pytest.param("kratos", b'[{"traits": {}}]', "no username", id="kratos nobody"),
        pytest.param("authentik", b"[]", "no rows", id="authentik"),
        pytest.param("authentik", b'[{"model": 3}]', "model is not a text", id="authentik type"),
        pytest.param("ldif", b"", "it is empty", id="ldif empty"),
        pytest.param("ldif", b"version: 1\n", "no people", id="ldif of nobody"),
        pytest.param("ldif", b"uid: a\n", "Line 1 is of no entry", id="ldif without dn"),
        pytest.param("ldif", b"dn: a\nchangetype: delete\n", "is a change", id="ldif change"),
        pytest.param("ldif", b"dn: a\nuid:< file:///etc/passwd\n", "another file", id="ldif file"),
        pytest.param("ldif", b"dn: a\nuid:: %%%\n", "not base64", id="ldif base64"),
        pytest.param("ldif", b"dn: a\nnonsense\n", "not `name: value`", id="ldif line"),
        pytest.param("ldif", b"dn: a\nuid: a\x00b\n", "NUL", id="ldif NUL"),
        pytest.param("ldif", b"dn: \xff\n", "UTF-8", id="ldif encoding"),
        pytest.param("csv", b"", "is empty", id="csv empty"),
        pytest.param("csv", b"name\nada\n", "no column username", id="csv column"),
        pytest.param("csv", b"username,username\na,b\n", "twice", id="csv twice"),
        pytest.param("csv", b'username\n"ada\n', "no CSV", id="csv quote"),
        pytest.param("csv", b"username,email_verified\nada,perhaps\n", "Line 2: email_verified is yes", id="csv flag"),
        pytest.param("csv", b"username\na,b\n", "Line 2 has more cells", id="csv cells"),
        pytest.param("csv", b"username,name\n,b\n", "Line 2 has no username", id="csv nobody"),
        pytest.param("csv", b"username\n\x00\n", "NUL", id="csv NUL"),
        pytest.param("csv", "username\nä".encode("latin-1"), "UTF-8", id="csv encoding"),
        pytest.param("csv", b"username\n" + b"a" * 200_000, "Line 2 has a cell of more than 131072", id="csv bomb"),
    ],
)
def test_a_file_that_is_none_is_refused_by_a_sentence(source: str, content: bytes, said: str) -> None:
    with pytest.raises(Unreadable) as refused:
        list(READERS[source](content))
    assert said in str(refused.value)


def test_every_wrong_line_of_a_table_is_told_at_once() -> None:
    lines = ["username,email_verified,disabled", "ada,yes,no", ",yes,no", "bob,perhaps,ja", "eve,yes,no,more,cells"]
    with pytest.raises(Unreadable) as refused:
        list(READERS["csv"]("\n".join(lines).encode()))
    assert refused.value.problems == [
        "Line 3 has no username.",
        "Line 4: email_verified is yes or no.",
        "Line 4: disabled is yes or no.",
        "Line 5 has more cells than there are columns.",
    ]
    with pytest.raises(Unreadable) as refused:
        list(READERS["csv"]("\n".join([lines[0], *[lines[2]] * 300]).encode()))
    told = refused.value.problems
    assert (len(told), told[0], told[-1]) == (21, "Line 2 has no username.", "And 280 mistakes more.")


@pytest.mark.parametrize(("source", "text"), [*FILES, REALM_FILE])
@pytest.mark.parametrize("seed", range(3))
async def test_a_dry_run_says_what_the_run_then_does(provider: Provider, source: str, text: str, seed: int) -> None:
    """Whoever is there already, whatever is in the file twice, and however often it is run."""
    dice = random.Random(seed)
    entries = list(READERS[source](text.encode()))
    people = [each for each in entries if isinstance(each, Person)]
    some = [dice.choice(people), *(each for each in people if dice.random() < 0.3)]
    if seed:
        await bring(provider.idp, some, Terms(source))
    entries += [replace(each, username=each.username.upper()) for each in some]
    entries.append(Person(f"other-{seed}", id=some[0].id, email=some[0].email, email_verified=True))
    for again in (False, True):
        dry = await bring(provider.idp, entries, Terms(source), dry_run=True)
        assert await bring(provider.idp, entries, Terms(source)) == dry
        assert len(set(dry.left)) == len(dry.left)
        assert not (again and dry.people)


DIRECTORY = """
dn: CN=Löwe\\, Ada,OU=People,DC=example,DC=com
objectClass: user
sAMAccountName: ada
memberOf: cn=admins , ou=groups,dc=example,dc=com
memberOf: CN=Elsewhere,OU=Other,DC=example,DC=com

dn: uid=bea,ou=people,dc=example,dc=com
objectClass: posixAccount
uid: bea
uid: robert
gidNumber: 500

dn: cn=admins,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: admins
member: cn=L\\c3\\b6we\\2c  ada,ou=People, dc=example,dc=com

dn: cn=treasury,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: treasury
member: CN=löwe\\, ada,ou=people,dc=example,dc=com
member: cn=admins,ou=groups,dc=example,dc=com
member: cn=löwe,cn=ada,ou=people,dc=example,dc=com

dn: cn=treasury,ou=clubs,dc=example,dc=com
objectClass: groupOfNames
cn: Treasury
member: uid=bea,ou=people,dc=example,dc=com

dn: cn=ops,ou=groups,dc=example,dc=com
objectClass: posixGroup
cn: ops
gidNumber: 7
memberUid: Robert

dn: cn=users,ou=groups,dc=example,dc=com
objectClass: posixGroup
cn: users
gidNumber: 500
"""


def test_groups_of_a_directory_go_by_dn_by_uid_and_by_number() -> None:
    people, left = read("ldif", DIRECTORY)
    elsewhere, staff = "CN=Elsewhere,OU=Other,DC=example,DC=com", "cn=treasury,ou=groups,dc=example,dc=com"
    assert set(people["ada"].groups) == {"admins", staff, elsewhere}
    assert set(people["bea"].groups) == {"cn=treasury,ou=clubs,dc=example,dc=com", "ops", "users"}
    assert [each.what for each in left] == [f"group admins in group {staff}"]


async def test_an_operator_names_a_group_by_its_dn_however_it_is_written(provider: Provider) -> None:
    provider.idp.policy = replace(provider.idp.policy, groups={"staff": AssuranceLevel.TWO_FACTOR})
    named = {plain_dn("CN=Treasury, OU=Groups,dc=example,DC=com"): "staff"}
    done = await bring(provider.idp, list(READERS["ldif"](DIRECTORY.encode())), Terms("ldif", named))
    assert done.groups == (("staff", 1),)
    assert {each.who for each in done.left if each.what.startswith("group cn=treasury")} == {"bea"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("CN=Ada Löwe,DC=X", "cn = ada  löwe , dc=x", True),
        ("cn=a\\,b,dc=x", "cn=a\\2Cb,dc=x", True),
        ("cn=a\\,ou=b,dc=x", "cn=a,ou=b,dc=x", False),
        ("cn=a\\5c\\,ou=b,dc=x", "cn=a\\5c,ou=b,dc=x", False),
    ],
)
def test_two_ways_to_write_a_dn_are_one_and_two_dns_are_two(one: str, other: str, same: bool) -> None:
    assert (plain_dn(one) == plain_dn(other)) is same
