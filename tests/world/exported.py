"""What other systems export, small and whole: each has a person whose password is `TYPED`."""

import base64
import hashlib
import json
from pathlib import Path

import argon2
import bcrypt
import pytest

TYPED = "Harbour-Gate-7"
REALM = Path(__file__).parents[1] / "importing" / "harbour.json"
SEED = b"12345678901234567890"
SECRET = base64.b32encode(SEED).decode()
UUID = "9bff9dc4-b4bb-48ea-9d84-6f531b0fe6ec"

BCRYPT = bcrypt.hashpw(TYPED.encode(), bcrypt.gensalt(4)).decode()
ARGON2 = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(TYPED)
MADE = hashlib.pbkdf2_hmac("sha256", TYPED.encode(), b"saltsalt", 1_000)
DJANGO = f"pbkdf2_sha256$1000$saltsalt${base64.b64encode(MADE).decode()}"
SSHA = "{SSHA}" + base64.b64encode(b"a digest of twenty b" + b"salt").decode()


def passlib(name: str) -> str:
    made = hashlib.pbkdf2_hmac(name.lower(), TYPED.encode(), b"saltsalt", 1_000)
    salt, value = (base64.b64encode(each).decode().rstrip("=").replace("+", ".") for each in (b"saltsalt", made))
    return f"{{PBKDF2-{name}}}1000${salt}${value}"


AUTH0 = "\n".join(
    json.dumps(each)
    for each in (
        {
            "user_id": "auth0|5dea9f9c82dd7c0e76e4ec93",
            "email": "ada@example.com",
            "email_verified": True,
            "name": "Ada Lovelace",
            "given_name": "Ada",
            "app_metadata": {"roles": ["x"]},
            "mfa_factors": [{"totp": {"secret": SECRET}}, {"phone": {"value": "+37256789051"}}],
        },
        {"user_id": "auth0|euclid", "email": "euclid@example.com", "name": "euclid@example.com", "blocked": True},
        {
            "_id": {"$oid": "5dea9f9c82dd7c0e76e4ec93"},
            "email": "ada@example.com",
            "email_verified": False,
            "passwordHash": BCRYPT,
            "connection": "Username-Password-Authentication",
        },
        {
            "_id": {"$oid": "5dea9f9c82dd7c0e76e4ec94"},
            "alt_id": "euclid",
            "identifiers": [{"type": "email", "value": "euclid@example.com", "verified": True}],
            "passwordHash": BCRYPT,
        },
    )
)
KRATOS = json.dumps([
    {
        "id": UUID,
        "state": "active",
        "traits": {"email": "ada@example.com", "name": {"first": "Ada", "last": "Lovelace"}, "phone": "+37256789051"},
        "credentials": {
            "password": {"identifiers": ["ada@example.com"], "config": {"hashed_password": ARGON2}},
            "totp": {"config": {"totp_url": f"otpauth://totp/Acme:ada?secret={SECRET}&issuer=Acme&digits=6&period=30"}},
            "lookup_secret": {"config": {"recovery_codes": [{"code": "abcd1234"}]}},
        },
        "verifiable_addresses": [
            {"value": "ada@example.com", "via": "email", "verified": True},
            {"value": "+37256789051", "via": "sms", "verified": True},
        ],
    },
])  # fmt: skip
AUTHENTIK = json.dumps([
    {"model": "authentik_core.group", "pk": "g1", "fields": {"name": "treasury"}},
    {"model": "authentik_core.group", "pk": "g2", "fields": {"name": "same"}},
    {"model": "authentik_core.group", "pk": "g3", "fields": {"name": "same"}},
    {
        "model": "authentik_core.user",
        "pk": 7,
        "fields": {
            "username": "ada@example.com", "name": "Ada Lovelace", "email": "ada@example.com", "uuid": UUID,
            "password": DJANGO, "is_active": True, "type": "internal", "groups": ["g1", "g2"], "attributes": {},
        },
    },
    {"model": "authentik_core.user", "pk": 8, "fields": {"username": "outpost", "type": "internal_service_account"}},
    {"model": "authentik_core.user", "pk": 9, "fields": {"username": "off", "password": "!x", "is_active": False}},
    {
        "model": "authentik_stages_authenticator_totp.totpdevice", "pk": 1,
        "fields": {"user": 7, "confirmed": True, "key": SEED.hex(), "step": 30, "digits": "6", "name": "Pixel"},
    },
    {
        "model": "authentik_stages_authenticator_totp.totpdevice", "pk": 2,
        "fields": {"user": 7, "confirmed": False, "key": "00", "step": 30, "digits": 6},
    },
    {
        "model": "authentik_stages_authenticator_sms.smsdevice", "pk": 3,
        "fields": {"user": 7, "confirmed": True, "phone_number": "+37256789051"},
    },
])  # fmt: skip


def ldif(hashed: str) -> str:
    return f"""version: 1

# people
dn: uid=ada@example.com,ou=People,dc=example,dc=com
objectClass: inetOrgPerson
uid: ada@example.com
cn: Ada Lovelace
sn: Lovelace
givenName:: {base64.b64encode("Adà".encode()).decode()}
mail: ada@exam
 ple.com
mobile: +372 5678 9051
userPassword:: {base64.b64encode(hashed.encode()).decode()}
jpegPhoto:: /9j/4AAQ
entryUUID: {UUID}

dn: uid=off,ou=People,dc=example,dc=com
objectClass: user
sAMAccountName: off
userAccountControl: 514

dn: cn=treasury,ou=Groups,dc=example,dc=com
objectClass: groupOfNames
cn: treasury
member: UID=ada@example.com, ou=People,dc=example,dc=com
"""


def table(hashed: str) -> str:
    return (
        "\ufeffUsername;Name;Email;email_verified;Phone;phone_verified;groups;password_hash;totp;colour\r\n"
        f'ada@example.com;"Ada; Lovelace";ada@example.com;yes;+37256789051;x;treasury other;{hashed};{SECRET};red\r\n'
        ";;;;;;;;;\r\n"
    )


FILES = [
    pytest.param("auth0", AUTH0, id="auth0"),
    pytest.param("kratos", KRATOS, id="kratos"),
    pytest.param("authentik", AUTHENTIK, id="authentik"),
    pytest.param("ldif", ldif("{ARGON2}" + ARGON2), id="LDIF, argon2"),
    pytest.param("ldif", ldif("{CRYPT}" + BCRYPT), id="LDIF, bcrypt"),
    pytest.param("ldif", ldif(passlib("SHA512")), id="LDIF, PBKDF2"),
    pytest.param("csv", table(ARGON2), id="CSV"),
]
REALM_FILE = pytest.param("keycloak", REALM.read_text("utf-8"), id="keycloak")
