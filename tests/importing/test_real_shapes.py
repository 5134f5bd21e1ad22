"""What other systems write: each format of a hash, with the right and a wrong password, and what few files have."""

import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import argon2
import bcrypt
import pytest
from argon2.low_level import Type, hash_secret_raw

from idp.factors import hashes
from idp.flows.operate import importing
from idp.flows.operate.arriving import Terms
from idp.importing.incoming import Left, Person, Unreadable
from idp.importing.sources import READERS
from idp.model import AppCodes
from idp.store.tokens.clients import all_clients
from tests.world.provider import Provider

TYPED = "Harbour-Gäte-7"
SALT = b"sixteen bytes of"
KEY = "pa5qcNawNreEmWtMhc1v"  # twenty characters, as Keycloak has them
UUID = "9bff9dc4-b4bb-48ea-9d84-6f531b0fe6ec"


def b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def bare(value: bytes) -> str:
    return b64(value).rstrip("=")


def derived(name: str, iterations: int = 1_000, length: int | None = None) -> bytes:
    return hashlib.pbkdf2_hmac(name, TYPED.encode(), SALT, iterations, length)


def argon2_of(kind: Type, version: int, length: int = 32) -> bytes:
    return hash_secret_raw(TYPED.encode(), SALT, 2, 64, 1, length, kind, version)


def of_keycloak(algorithm: str, value: bytes, iterations: int = 1_000, **more: list[str] | str) -> dict[str, Any]:
    """As versions 8 to 26 write it."""
    about = {"hashIterations": iterations, "algorithm": algorithm, "additionalParameters": more}
    secret = {"value": b64(value), "salt": b64(SALT), "additionalParameters": {}}
    return {"type": "password", "secretData": json.dumps(secret), "credentialData": json.dumps(about)}


def of_old_keycloak(value: bytes, **more: Any) -> dict[str, Any]:
    """As versions 1 to 7 write it."""
    old = {"type": "password", "hashedSaltedValue": b64(value), "salt": b64(SALT), "hashIterations": 1_000}
    return {**old, "counter": 0, "digits": 0, "period": 0, "createdDate": 1_500_389_338_808, "config": {}, **more}


def argon2_in_keycloak(kind: str, version: str, value: bytes, *, listed: bool = True) -> dict[str, Any]:
    more = {"hashLength": str(len(value)), "memory": "64", "type": kind, "version": version, "parallelism": "1"}
    return of_keycloak("argon2", value, 2, **{name: [each] if listed else each for name, each in more.items()})


def realm(*users: Mapping[str, Any], **more: Any) -> bytes:
    return json.dumps({"realm": "r", "loginWithEmailAllowed": False, **more, "users": users}).encode()


def with_credential(credential: dict[str, Any]) -> bytes:
    return realm({"username": "ada", "credentials": [credential]})


def bcrypted(cost: int, prefix: bytes = b"2b") -> str:
    return bcrypt.hashpw(TYPED.encode(), bcrypt.gensalt(cost, b"2b")).decode().replace("$2b$", f"${prefix.decode()}$")


def auth0(**members: Any) -> bytes:
    return json.dumps({"email": "ada", **members}).encode()


def kratos(hashed: str, **more: Any) -> bytes:
    config = {"hashed_password": hashed, **more} if hashed else more
    password = {"identifiers": ["ada"], "config": config}
    return json.dumps({"id": UUID, "traits": {"username": "ada"}, "credentials": {"password": password}}).encode()


def authentik(hashed: str) -> bytes:
    return json.dumps([{"model": "authentik_core.user", "fields": {"username": "ada", "password": hashed}}]).encode()


ARGON2ID = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(TYPED)
ARGON2I = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1, type=Type.I).hash(TYPED)
OF_2015 = f"$argon2i$m=64,t=2,p=1${bare(SALT)}${bare(argon2_of(Type.I, 16))}"
TAKEN = [
    *(
        pytest.param("keycloak", with_credential(credential), id=f"keycloak, {name}")
        for name, credential in {
            "argon2id": argon2_in_keycloak("id", "1.3", argon2_of(Type.ID, 19)),
            "argon2id of 64 bytes": argon2_in_keycloak("id", "1.3", argon2_of(Type.ID, 19, 64)),
            "argon2id 1.0": argon2_in_keycloak("id", "1.0", argon2_of(Type.ID, 16)),
            "argon2i": argon2_in_keycloak("i", "1.3", argon2_of(Type.I, 19)),
            "argon2d": argon2_in_keycloak("d", "1.3", argon2_of(Type.D, 19)),
            "argon2id, not in lists": argon2_in_keycloak("id", "1.3", argon2_of(Type.ID, 19), listed=False),
            "pbkdf2": of_keycloak("pbkdf2", derived("sha1", length=64)),
            "pbkdf2-sha256": of_keycloak("pbkdf2-sha256", derived("sha256")),
            "pbkdf2-sha256 of 64 bytes": of_keycloak("pbkdf2-sha256", derived("sha256", length=64)),
            "pbkdf2-sha512": of_keycloak("pbkdf2-sha512", derived("sha512")),
            "pbkdf2 of 3": of_old_keycloak(derived("sha1", length=64), algorithm="pbkdf2"),
            "pbkdf2-sha256 of 4": of_old_keycloak(derived("sha256", length=64), algorithm="pbkdf2-sha256"),
            "pbkdf2 of 1": of_old_keycloak(derived("sha1", length=64)),
            "bcrypt of somebody's module": {
                "type": "password",
                "secretData": json.dumps({"value": bcrypted(4), "salt": ""}),
                "credentialData": json.dumps({"hashIterations": 4, "algorithm": "bcrypt"}),
            },
        }.items()
    ),
    *(
        pytest.param("auth0", auth0(passwordHash=bcrypted(cost, prefix)), id=f"auth0, {prefix.decode()} of cost {cost}")
        for cost, prefix in ((10, b"2b"), (11, b"2a"), (12, b"2b"))
    ),
    *(
        pytest.param(
            "auth0",
            auth0(custom_password_hash={"algorithm": name, "hash": {"value": hashed}}),
            id=f"auth0, {name} as for a bulk import",
        )
        for name, hashed in {
            "bcrypt": bcrypted(4),
            "argon2": ARGON2ID,
            "pbkdf2": f"$pbkdf2-sha512$i=1000,l=64${bare(SALT)}${bare(derived('sha512'))}",
        }.items()
    ),
    *(
        pytest.param("kratos", kratos(hashed), id=f"kratos, {name}")
        for name, hashed in {
            "bcrypt": bcrypted(4, b"2a"),
            "argon2id": ARGON2ID,
            "argon2i": ARGON2I,
            "pbkdf2-sha1": f"$pbkdf2-sha1$i=1000,l=20${bare(SALT)}${bare(derived('sha1'))}",
            "pbkdf2-sha256": f"$pbkdf2-sha256$i=1000,l=32${bare(SALT)}${bare(derived('sha256'))}",
            "pbkdf2-sha512 with another length": f"$pbkdf2-sha512$i=1000,l=32${bare(SALT)}${bare(derived('sha512'))}",
        }.items()
    ),
    pytest.param("csv", f'username,password_hash\nada,"{OF_2015}"'.encode(), id="argon2i that says no version"),
    *(
        pytest.param("authentik", authentik(hashed), id=f"authentik, {name}")
        for name, hashed in {
            "pbkdf2_sha256": f"pbkdf2_sha256$1000${SALT.decode()}${b64(derived('sha256'))}",
            "pbkdf2_sha1": f"pbkdf2_sha1$1000${SALT.decode()}${b64(derived('sha1'))}",
            "argon2": f"argon2{ARGON2ID}",
            "bcrypt": f"bcrypt${bcrypted(4)}",
        }.items()
    ),
]
NOT_IN_KRATOS = (
    "$scrypt$ln=16384,r=8,p=1$c2FsdA==$aGFzaA==",
    "$md5$pf=e1NBTFR9e1BBU1NXT1JEfQ==$c2FsdA==$aGFzaA==",
    "$sha1$pf=e1NBTFR9e1BBU1NXT1JEfQ==$c2FsdA==$aGFzaA==",
    "$sha512$pf=e1NBTFR9e1BBU1NXT1JEfQ==$c2FsdA==$aGFzaA==",
    "$hmac-sha256$aGFzaA==$a2V5",
    "$firescrypt$ln=14,r=8,p=1$c2FsdA==$aGFzaA==$c2VwYXJhdG9y$c2lnbmVy",
    "$md5-crypt$salt$hash",
    "$sha512-crypt$rounds=5000$salt$hash",
    "$pbkdf2-sha384$i=1000,l=48$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaA",
)
HMAC = {"algorithm": "hmac", "hash": {"value": "x", "key": {"value": "k"}}}
NOT_TAKEN = [
    *(("kratos", kratos(each), f"the hash is {each[1:].partition('$')[0]}") for each in NOT_IN_KRATOS),
    ("kratos", kratos("{SSHA256}aGFzaA=="), "the hash is {SSHA256}"),
    ("kratos", kratos("", use_password_migration_hook=True), "migration hook"),
    ("authentik", authentik(f"bcrypt_sha256${bcrypted(4)}"), "the hash is bcrypt_sha256"),
    ("authentik", authentik("scrypt$16384$salt$8$1$aGFzaA=="), "the hash is scrypt"),
    ("authentik", authentik("md5$salt$0123456789abcdef0123456789abcdef"), "the hash is md5"),
    ("auth0", auth0(user_id="google-oauth2|7"), "they sign in with google-oauth2"),
    ("auth0", auth0(custom_password_hash=HMAC), "the hash is hmac"),
    ("keycloak", with_credential(of_keycloak("scrypt", b"of somebody's module")), "the hash is scrypt"),
    ("keycloak", with_credential({"type": "password", "value": TYPED}), "the file has it in clear"),
    ("keycloak", realm({"username": "ada", "federationLink": "dir"}), "in the directory"),
    ("keycloak", with_credential(of_keycloak("pbkdf2", derived("sha1"), 1)), "found out by trying"),
]


@pytest.mark.parametrize(("source", "content"), TAKEN)
def test_every_format_that_is_taken_knows_the_right_password_and_no_other(source: str, content: bytes) -> None:
    (ada,) = [each for each in READERS[source](content) if isinstance(each, Person)]
    assert ada.unlike is None
    assert ada.password is not None
    hashed = hashes.read(ada.password)
    assert not isinstance(hashed, hashes.Unfit)
    assert hashes.verify(hashed, TYPED.encode())
    assert not hashes.verify(hashed, b"Harbour-Gate-7")


@pytest.mark.parametrize(("source", "content", "said"), NOT_TAKEN, ids=[said for _, _, said in NOT_TAKEN])
async def test_of_a_format_that_is_not_taken_it_is_said_which(
    provider: Provider, source: str, content: bytes, said: str
) -> None:
    done = await importing.bring(provider.idp, list(READERS[source](content)), Terms(source), dry_run=True)
    assert done.people == ("ada",)
    (why,) = [each.why for each in done.left if each.what == "password"]
    assert said in why
    assert TYPED not in str(done)


def read(source: str, content: bytes) -> tuple[dict[str, Person], set[tuple[str, str]]]:
    entries = list(READERS[source](content))
    people = {each.username: each for each in entries if isinstance(each, Person)}
    return people, {(each.who, each.what) for each in entries if isinstance(each, Left)}


def test_apps_of_old_realms_come_with_their_key() -> None:
    old = {"hashedSaltedValue": KEY, "hashIterations": 0, "counter": 0, "digits": 8, "period": 60}
    totp = {"type": "totp", "algorithm": "HmacSHA256", **old}
    hotp = {"type": "hotp", "algorithm": "HmacSHA1", **old}
    people, left = read("keycloak", realm({"username": "ada", "credentials": [totp, hotp]}))
    ((app,),) = [each.apps for each in people.values()]
    assert app.seed == KEY.encode()
    assert (app.codes.algorithm, app.codes.digits, app.codes.period.seconds) == ("SHA256", 8, 60)
    assert left == {("ada", "authenticator app")}
    assert app.codes != AppCodes()


def test_attributes_may_be_texts_lists_or_nothing() -> None:
    """Keycloak takes all three (its StringListMapDeserializer), so files by hand and of version 1 have them."""
    attributes = {
        "phoneNumber": "+37256789051",
        "locale": [None, "et"],
        "nickname": None,
        "street": ["", "Quay 1", "2"],
    }
    people, left = read("keycloak", realm({"username": "ada", "attributes": attributes}))
    ada = people["ada"]
    assert [phone.number for phone in ada.phones] == ["+37256789051"]
    assert (ada.locale, ada.claims) == ("et", {"address.street_address": "Quay 1"})
    assert left == set()


def test_what_only_some_realms_have_is_named() -> None:
    found = realm(
        {"id": "f:9b1c:ada", "username": "ada", "federationLink": "9b1c", "applicationRoles": {"shop": ["buyer"]}},
        {"username": "service-account-shop", "serviceAccountClientId": "shop"},
        organizations=[{"name": "acme", "alias": "acme", "members": [{"username": "ada"}]}],
        components={"org.keycloak.storage.UserStorageProvider": [{"name": "corp", "providerId": "ldap"}]},
        userFederationProviders=[{"displayName": "older"}],
        federatedUsers=[{"id": "f:9b1c:bea", "groups": ["/x"]}, {"id": "f:9b1c:carl"}],
        identityProviders=[{"alias": "github"}],
    )
    people, left = read("keycloak", found)
    assert set(people) == {"ada"}
    assert left == {
        ("", "organization acme"),
        ("", "user federation corp"),
        ("", "user federation older"),
        ("", "2 people of a user federation"),
        ("", "identity provider github"),
        ("ada", "the id that applications know them by"),
        ("ada", "roles"),
    }


def test_what_a_client_has_beyond_openid_connect_is_named() -> None:
    client = {
        "clientId": "shop", "publicClient": True, "redirectUris": ["https://shop.example.com/cb"],
        "authorizationServicesEnabled": True,
        "attributes": {
            "oauth2.device.authorization.grant.enabled": "true", "dpop.bound.access.tokens": "true",
            "tls.client.certificate.bound.access.tokens": "false", "frontchannel.logout.url": "https://shop.example.com/x",
        },
        "protocolMappers": [{"name": "mine", "protocolMapper": "oidc-sha256-pairwise-sub-mapper"}],
    }  # fmt: skip
    entries = list(READERS["keycloak"](realm(clients=[client])))
    left = {each.what: each.why for each in entries if isinstance(each, Left)}
    assert {
        "device authorization",
        "tokens bound to a key (DPoP)",
        "front-channel logout",
        "authorization services",
    } <= set(left)
    assert "tokens bound to a certificate" not in left
    assert "look people up anew" in left["mapper mine"]


def test_what_auth0_knows_of_others_and_of_factors_is_named() -> None:
    entry = {
        "user_id": "auth0|1", "email": "ada", "multifactor": ["guardian"],
        "identities": [{"provider": "auth0", "user_id": "1"}, {"provider": "google-oauth2", "user_id": "7"}],
    }  # fmt: skip
    mailed = {"email": "bea", "mfa_factors": [{"email": {"value": "bea@example.com"}}]}
    _, left = read("auth0", f"{json.dumps(entry)}\n{json.dumps(mailed)}".encode())
    assert left == {
        ("ada", "the id that applications know them by"),
        ("ada", "links to other providers"),
        ("ada", "second factors"),
        ("bea", "code by e-mail"),
    }


def test_what_authentik_and_kratos_keep_beside_is_named() -> None:
    rows = [
        {
            "model": "authentik_core.user",
            "pk": 1,
            "fields": {"username": "ada", "attributes": {"settings": {}, "shoe": 41}},
        },
        {"model": "authentik_stages_authenticator_email.emaildevice", "fields": {"user": 1, "confirmed": True}},
        {"model": "authentik_stages_authenticator_new.newdevice", "fields": {"user": 1}},
        {"model": "authentik_sources_oauth.useroauthsourceconnection", "fields": {"user": 1, "identifier": "7"}},
    ]
    _, left = read("authentik", json.dumps(rows).encode())
    assert left == {
        ("ada", each) for each in ("attribute shoe", "code by e-mail", "newdevice", "links to other providers")
    }
    identity = {
        "traits": {"username": "ada"},
        "metadata_public": {"a": 1},
        "organization_id": UUID,
        "metadata_admin": None,
    }
    _, left = read("kratos", json.dumps(identity).encode())
    assert left == {("ada", "metadata_public"), ("ada", "organization_id")}


def test_a_file_of_one_realm_in_a_list_is_read_and_of_several_one_has_to_be_taken() -> None:
    """As `kc.sh export --file` writes it, without `--realm`."""
    one, other = (realm({"username": name}) for name in ("ada", "bea"))
    assert set(read("keycloak", b"[" + one + b"]")[0]) == {"ada"}
    with pytest.raises(Unreadable, match="several in a list"):
        read("keycloak", b"[" + one + b"," + other + b"]")
    for broken in (b"[" + one, b"[" + one + b"}", b"[" + one + b"] x", b"[]"):
        with pytest.raises(Unreadable):
            read("keycloak", broken)


def test_a_file_of_the_people_of_a_federation_says_what_it_is() -> None:
    people, left = read("keycloak", json.dumps({"realm": "r", "federatedUsers": [{"id": "f:1:ada"}]}).encode())
    assert (people, left) == ({}, {("", "1 person of a user federation")})


async def test_clients_of_realms_without_scopes_have_those_that_their_mappers_stand_for(provider: Provider) -> None:
    """Before Keycloak 4 each client had a mapper for each claim, and one for SAML."""
    named = {"email": "email", "given name": "given_name", "shoe size": "shoe_size"}
    attribute = "oidc-usermodel-property-mapper"
    mappers = [
        {"name": name, "protocol": "openid-connect", "protocolMapper": attribute, "config": {"claim.name": claim}}
        for name, claim in named.items()
    ]
    mappers.append({"name": "full name", "protocol": "openid-connect", "protocolMapper": "oidc-full-name-mapper"})
    mappers.append({"name": "role list", "protocol": "saml", "protocolMapper": "saml-role-list-mapper"})
    shop = {"clientId": "shop", "publicClient": True, "redirectUris": ["https://shop.example.com/cb"]}
    content = realm(clients=[{**shop, "protocolMappers": mappers}])
    done = await importing.bring(provider.idp, list(READERS["keycloak"](content)), Terms("keycloak"))
    assert done.clients == ("shop",)
    (client,) = [each for each in await all_clients(provider.idp.db) if each.id == "shop"]
    assert client.scopes == {"openid", "profile", "email", "offline_access"}
    assert [each.what for each in done.left if each.what.startswith("mapper")] == ["mapper shoe size"]
