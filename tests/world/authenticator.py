"""A passkey of our own, for what no browser shows: each flag, each count, each lie (WebAuthn 6.1, 6.5)."""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from idp.flows.operate.finding import find_user
from idp.flows.sealed import PASSKEY, bound
from idp.model import Authenticator, Factor, Passkey
from idp.store.sql import Sql, values_of
from tests.world.provider import Provider

ORIGIN = "http://localhost:8000"
UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40


def text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw(written: str) -> bytes:
    return base64.urlsafe_b64decode(written + "=" * (-len(written) % 4))


def options_in(page: str) -> dict[str, Any]:
    """What a page asks the browser for."""
    found = re.search(r'data-options="([^"]*)"', page)
    assert found is not None, page[:3000]
    options: dict[str, Any] = json.loads(unescape(found[1]))
    return options


@dataclass(slots=True)
class Key:
    """One passkey. `flags` are what it says of itself, `count` its next count; None: it counts nothing."""

    flags: int = UP | UV
    count: int | None = 1
    rp_id: str = "localhost"
    origin: str = ORIGIN
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    handle: bytes | None = None
    algorithm: int = -7

    def cose(self) -> bytes:
        numbers = self.key.public_key().public_numbers()
        return cbor2.dumps(
            {1: 2, 3: self.algorithm, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        )

    def data(self, flags: int, extra: bytes = b"") -> bytes:
        count = 0 if self.count is None else self.count
        if self.count is not None:
            self.count += 1
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes((flags,)) + count.to_bytes(4, "big") + extra

    def said(self, kind: str, challenge: str, **more: Any) -> bytes:
        given = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False, **more}
        return json.dumps(given).encode()

    def made(
        self, options: dict[str, Any], maker: "Maker | None" = None, *, apple: bool = False, **more: Any
    ) -> dict[str, Any]:
        """The answer to `navigator.credentials.create`, for which a maker vouches, or nobody."""
        self.handle = raw(options["user"]["id"])
        extra = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + self.cose()
        data, said = self.data(self.flags | AT, extra), self.said("webauthn.create", options["challenge"], **more)
        attestation: dict[str, Any] = {"fmt": "none", "attStmt": {}, "authData": data}
        if maker is not None and apple:
            statement = maker.vouches_as_apple(data + hashlib.sha256(said).digest(), self.key)
            attestation |= {"fmt": "apple", "attStmt": statement}
        elif maker is not None:
            attestation |= {"fmt": "packed", "attStmt": maker.vouches(data + hashlib.sha256(said).digest(), self.key)}
        response = {
            "clientDataJSON": text(said),
            "attestationObject": text(cbor2.dumps(attestation)),
            "transports": ["internal", "hybrid"],
        }
        return {"id": text(self.id), "rawId": text(self.id), "type": "public-key", "response": response}

    def answer(self, options: dict[str, Any], **more: Any) -> dict[str, Any]:
        """The answer to `navigator.credentials.get`."""
        said = self.said("webauthn.get", options["challenge"], **more)
        data = self.data(self.flags)
        signature = self.key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": text(said),
            "authenticatorData": text(data),
            "signature": text(signature),
            "userHandle": None if self.handle is None else text(self.handle),
        }
        return {"id": text(self.id), "rawId": text(self.id), "type": "public-key", "response": response}


class Maker:
    """Who makes authenticators: a root, and a certificate of a batch that it signed (WebAuthn 8.2).

    `unit` is what the batch is for, `model` the only one that it vouches for, if there is one.
    """

    def __init__(
        self,
        name: str = "Acme Keys",
        *,
        by_itself: bool = False,
        unit: str = "Authenticator Attestation",
        model: bytes | None = None,
    ) -> None:
        self.by_itself, self.name = by_itself, name
        self.root, self.batch = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.pem = _certificate(name, self.root, name, self.root, ca=True).public_bytes(Encoding.PEM)
        more = [] if model is None else [_extension("1.3.6.1.4.1.45724.1.1.4", b"\x04\x10" + model)]
        batch = _certificate(f"{name} batch", self.batch, name, self.root, ca=False, unit=unit, more=more)
        self.der = batch.public_bytes(Encoding.DER)

    def vouches(self, signed: bytes, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
        """The statement: signed by the batch, or by the new key itself, which proves nothing."""
        by = key if self.by_itself else self.batch
        statement = {"alg": -7, "sig": by.sign(signed, ec.ECDSA(hashes.SHA256()))}
        return statement if self.by_itself else statement | {"x5c": [self.der]}

    def vouches_as_apple(self, signed: bytes, key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
        """The statement of WebAuthn 8.8: a certificate of the new key, with the digest of what is signed in it."""
        says = _extension("1.2.840.113635.100.8.2", b"\x30\x24\xa1\x22\x04\x20" + hashlib.sha256(signed).digest())
        made = _certificate(f"{self.name} key", key, self.name, self.root, ca=False, more=[says])
        return {"x5c": [made.public_bytes(Encoding.DER)]}


def _extension(oid: str, value: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    by: str,
    with_: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
    unit: str | None = None,
    more: Sequence[x509.UnrecognizedExtension] = (),
) -> x509.Certificate:
    def named(one: str, unit: str | None = None) -> x509.Name:
        units = [] if unit is None else [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit)]
        return x509.Name([*units, x509.NameAttribute(NameOID.COMMON_NAME, one)])

    day = datetime(2020, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder().subject_name(named(name, unit)).issuer_name(named(by)).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(day)
    made = made.not_valid_after(day + timedelta(days=36500))
    made = made.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    for each in more:
        made = made.add_extension(each, critical=False)
    return made.sign(with_, hashes.SHA256())


_KEPT = Sql("""
INSERT INTO authenticator (id, account_id, factor, label, hint, sealed, created_at, confirmed_at, trusted_at,
                           credential_id, sign_count, eligible, copied, transports)
VALUES (:id, :account_id, :factor, :label, :hint, :public_key, :created_at, :created_at, :trusted_at,
        :credential_id, :count, :eligible, :copied, :transports)""")


async def keep(provider: Provider, key: Key, username: str = "alice") -> None:
    """The passkey is this person's, as if it had been set up long ago."""
    now, idp = provider.clock.now(), provider.idp
    person = await find_user(idp, username)
    id_, account_id, count = uuid4(), person.account.id, key.count or 0
    key.handle, key.count = account_id.bytes, None if key.count is None else count + 1
    sealed = idp.secrets.seal(key.cose(), purpose=PASSKEY, bound_to=bound(account_id, id_))
    kept = Passkey(key.id, sealed, count, eligible=bool(key.flags & BE), copied=bool(key.flags & BS))
    new = Authenticator(id_, account_id, Factor.PASSKEY, "My phone", "", now, now, now, passkey=kept)
    values = values_of(new) | values_of(kept) | {"transports": []}
    await idp.db.one(_KEPT, **values)
