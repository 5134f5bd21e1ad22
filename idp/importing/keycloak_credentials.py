"""Credentials of people in a realm export of Keycloak: passwords and apps, as versions 1 to 26 write them."""

import base64
import binascii
from collections.abc import Callable
from typing import TypeVar

from idp.factors import hashes
from idp.importing import secrets
from idp.importing.document import Object, cannot
from idp.importing.incoming import App, Unreadable
from idp.model import AppCodes

T = TypeVar("T")
_HASHES = {"pbkdf2": "sha1", "pbkdf2-sha256": "sha256", "pbkdf2-sha512": "sha512"}
_ALGORITHMS = {"HmacSHA1": "SHA1", "HmacSHA256": "SHA256", "HmacSHA512": "SHA512"}
_KINDS = {"id": "argon2id", "i": "argon2i", "d": "argon2d"}
_VERSIONS = {"1.3": 19, "1.0": 16}
_UNKNOWN = "Stile has nothing like it"
_IN_CLEAR = "the file has it in clear, so whoever saw the file knows it"
_ELSEWHERE = {
    "webauthn": "a passkey works at the address alone that it was made for: they add it anew on their account page",
    "webauthn-passwordless": "a passkey works at the address alone that it was made for: they add it anew",
    "password-history": "Stile keeps no passwords from before",
    "recovery-authn-codes": "the codes are kept there as unsalted hashes, so whoever sees the file may find them: new"
    " ones are made on the account page, or with `idp user recovery`",
}


def read(user: Object) -> tuple[str | None, str | None, list[App], list[tuple[str, str]]]:
    """The password's hash or why there is none in our syntax, the apps, and what is left of them and why."""
    password, unlike = None, None
    apps: list[App] = []
    lost: list[tuple[str, str]] = []
    for credential in user.objects("credentials"):
        match credential.needed("type"):
            case "password":
                password, unlike = _readable(_password, credential, otherwise=lambda why: (None, why))
            case "otp" | "totp" | "hotp":  # the last two before Keycloak 8
                app = _readable(_app, credential, otherwise=str)
                if isinstance(app, App):
                    apps.append(app)
                else:
                    lost.append(("authenticator app", app))
            case kind:
                lost.append((kind[:60], _ELSEWHERE.get(kind, _UNKNOWN)))
    return password, unlike, apps, lost


def _readable(read: Callable[[Object], T], credential: Object, *, otherwise: Callable[[str], T]) -> T:
    """One that is broken is left, and its owner comes."""
    try:
        return read(credential)
    except Unreadable as error:
        return otherwise(cannot(error))


def _password(credential: Object) -> tuple[str | None, str | None]:
    """The hash in our syntax; or why there is none."""
    if "value" in credential:
        return None, _IN_CLEAR
    if "hashedSaltedValue" in credential:  # before Keycloak 8
        secret, about, what = credential, credential, "hashedSaltedValue"
    else:
        secret, about, what = credential.inside("secretData"), credential.inside("credentialData"), "value"
    # In versions 1 and 2 it went without saying.
    algorithm = about.text("algorithm") or "pbkdf2"
    if algorithm not in {*_HASHES, "argon2"}:  # another's module: what it writes may be whole, as bcrypt's is
        whole = secrets.stored(secret.text(what) or "")
        known = not isinstance(hashes.read(whole), hashes.Unfit)
        return (whole, None) if known else (None, f"the hash is {algorithm[:40]}, which Stile does not compare")
    value, salt, iterations = _decoded(secret, what), _decoded(secret, "salt"), about.whole("hashIterations")
    if value is None or salt is None or iterations is None:
        raise Unreadable(f"{credential.where} lacks value, salt or hashIterations.")
    if algorithm in _HASHES:
        return hashes.pbkdf2(_HASHES[algorithm], iterations, salt, value), None
    more = about.object("additionalParameters")
    given = {name: next(iter(more.some(name)), "") for name in ("type", "version", "memory", "parallelism")}
    kind, version = _KINDS.get(given["type"]), _VERSIONS.get(given["version"] or "1.3")
    memory, lanes = given["memory"], given["parallelism"]
    if kind is None or version is None or not memory or not lanes:
        raise Unreadable(f"{credential.where} is no argon2 hash: type, version, memory or parallelism are missing.")
    costs = f"v={version}$m={memory},t={iterations},p={lanes}"
    return f"${kind}${costs}${hashes.unpadded(salt)}${hashes.unpadded(value)}", None


def _decoded(secret: Object, name: str) -> bytes | None:
    try:
        return base64.b64decode(secret.text(name) or "", validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _app(credential: Object) -> App | str:
    """The app, or why it cannot come."""
    if "secretData" in credential:
        secret, about = credential.inside("secretData"), credential.inside("credentialData")
        value, kind = secret.needed("value"), about.text("subType") or "totp"
    else:  # before Keycloak 8, or by hand
        about, kind = credential, credential.needed("type")
        value = credential.text("hashedSaltedValue") or credential.needed("value")
        kind = "totp" if kind == "otp" else kind
    if kind != "totp":
        return f"{kind[:40]} counts presses: Stile takes apps that go by the time"
    algorithm = about.text("algorithm") or "HmacSHA1"
    seed = value.encode()  # the key itself, not base32 of it
    if about.text("secretEncoding") == "BASE32":
        try:
            seed = base64.b32decode(value.upper() + "=" * (-len(value) % 8))
        except (binascii.Error, ValueError):
            raise Unreadable(f"{credential.where} says that its secret is base32, and it is not.") from None
    return App(
        seed,
        label=credential.text("userLabel") or "",
        codes=AppCodes(
            _ALGORITHMS.get(algorithm, algorithm),
            about.whole("digits") or 6,
            secrets.period(about.whole("period") or 30),
        ),
    )
