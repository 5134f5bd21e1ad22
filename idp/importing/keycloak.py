"""Realm exports of Keycloak: people. Clients are in `keycloak_clients`."""

import base64
import binascii
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from idp.factors import hashes
from idp.importing import keycloak_clients, secrets
from idp.importing.document import Object, read_apart, read_object
from idp.importing.incoming import App, Entry, Left, Person, Phone, Unreadable
from idp.importing.pieces import Source
from idp.model import AppCodes

_ATTRIBUTE: Final = "phoneNumber"  # what Keycloak's own scope `phone` reads
_HASHES = {"pbkdf2": "sha1", "pbkdf2-sha256": "sha256", "pbkdf2-sha512": "sha512"}
_ALGORITHMS = {"HmacSHA1": "SHA1", "HmacSHA256": "SHA256", "HmacSHA512": "SHA512"}
_KINDS = {"id": "argon2id", "i": "argon2i", "d": "argon2d"}
_VERSIONS = {"1.3": 19, "1.0": 16}
_CLAIMS = ("nickname", "middle_name", "birthdate", "zoneinfo", "website", "profile", "picture", "gender")
_ADDRESS = {"street": "street_address", "locality": "locality", "region": "region", "postal_code": "postal_code"}
_KNOWN = {"UPDATE_PASSWORD", "VERIFY_EMAIL", "CONFIGURE_TOTP", "CONFIGURE_RECOVERY_AUTHN_CODES"}
_UNKNOWN = "Stile has nothing like it"
_TWO_GROUPS = "two groups have this path: `idp user groups` puts people into the right one"
_ELSEWHERE = {
    "webauthn": "a passkey works at the address alone that it was made for: they add it anew on their account page",
    "webauthn-passwordless": "a passkey works at the address alone that it was made for: they add it anew",
    "recovery-authn-codes": "the codes are kept there as unsalted hashes, so whoever sees the file may find them: new"
    " ones are made on the account page, or with `idp user recovery`",
}


def read(content: Source, *, phone_attribute: str | None = None) -> Iterator[Entry]:
    """Everything in an export of `kc.sh export --users realm_file`, or of one of its files. Raises `Unreadable`."""
    realm = read_object(content, apart="users")
    if "realm" not in realm or not ("users" in realm or "clients" in realm):
        raise Unreadable("This is no realm export of Keycloak: it has no `realm` with `users` or `clients`.")
    if "users" not in realm:
        why = "the file has none, as the console's partial export: use `kc.sh export --users realm_file`"
        yield Left("", "people", why)
    if "users" in realm and realm.flag("loginWithEmailAllowed", otherwise=True):
        why = "here people type their username: with --email-as-username the address is that"
        yield Left("", "signing in with the e-mail address", why)
    for provider in realm.objects("identityProviders"):
        yield Left("", f"identity provider {provider.text('alias') or ''}", "Stile signs people in itself")
    yield from keycloak_clients.read(realm)
    doubtful = _doubtful(realm.objects("groups"))
    for user in read_apart(content, apart="users"):
        yield from _person(user, doubtful, phone_attribute or _ATTRIBUTE)


def _doubtful(groups: Iterable[Object]) -> frozenset[str]:
    """Paths that two groups have: a name may hold a slash, which a path does not tell from its own."""
    paths = Counter(_paths(groups, ""))
    return frozenset(path for path, count in paths.items() if count > 1)


def _paths(groups: Iterable[Object], above: str) -> Iterator[str]:
    for group in groups:
        path = f"{above}/{group.needed('name')}"
        yield path
        yield from _paths(group.objects("subGroups"), path)


def _person(user: Object, doubtful: frozenset[str], phone_attribute: str) -> Iterator[Entry]:
    username = user.needed("username")
    if "serviceAccountClientId" in user:
        return  # comes with its client
    attributes, paths = user.object("attributes"), user.texts("groups")
    password, unlike, apps, lost = _credentials(user)
    used = {phone_attribute, "locale", *_CLAIMS, *_ADDRESS}
    lost += [(f"attribute {name}", "it is no standard claim") for name in attributes.members if name not in used]
    lost += [(f"group {path}", _TWO_GROUPS) for path in paths if path in doubtful]
    lost += _beyond(user)
    for what, why in lost:
        yield Left(username, what, why)
    numbers = attributes.texts(phone_attribute)
    yield Person(
        username=username,
        id=user.uuid("id"),
        name=" ".join(each for each in (user.text("firstName"), user.text("lastName")) if each) or None,
        email=user.text("email"),
        email_verified=user.flag("emailVerified"),
        locale=_first(attributes, "locale"),
        groups=tuple(path for path in paths if path not in doubtful),
        claims=_claims(user, attributes),
        disabled=not user.flag("enabled", otherwise=True),
        password=password,
        unlike=unlike,
        temporary="UPDATE_PASSWORD" in user.texts("requiredActions"),
        phones=tuple(Phone(number) for number in dict.fromkeys(numbers) if number.strip()),
        apps=tuple(apps),
        consents=_consents(user),
    )


def _credentials(user: Object) -> tuple[str | None, str | None, list[App], list[tuple[str, str]]]:
    """The password's hash or why there is none in our syntax, the apps, and what is left of them and why."""
    password, unlike = None, None
    apps: list[App] = []
    lost: list[tuple[str, str]] = []
    for credential in user.objects("credentials"):
        match credential.needed("type"):
            case "password":
                password, unlike = _password(credential)
            case "otp":
                app = _app(credential)
                if isinstance(app, App):
                    apps.append(app)
                else:
                    lost.append(("authenticator app", app))
            case kind:
                lost.append((kind[:60], _ELSEWHERE.get(kind, _UNKNOWN)))
    return password, unlike, apps, lost


def _beyond(user: Object) -> Iterator[tuple[str, str]]:
    """What Stile has nothing like."""
    roles = [role for role in user.texts("realmRoles") if not role.startswith("default-roles-")]
    if roles or user.object("clientRoles").members:
        yield "roles", "Stile has groups, and no roles"
    if any(user.objects("federatedIdentities")):
        yield "links to other providers", "Stile signs people in itself"
    for action in user.texts("requiredActions"):
        if action not in _KNOWN:
            yield f"required action {action[:60]}", _UNKNOWN


def _consents(user: Object) -> dict[str, tuple[str, ...]]:
    """By client, the scopes that say something here."""
    found = {each.needed("clientId"): each.texts("grantedClientScopes") for each in user.objects("clientConsents")}
    return {
        client: tuple(scope for scope in scopes if scope not in keycloak_clients.SILENT)
        for client, scopes in found.items()
        if client not in keycloak_clients.BUILT_IN
    }


def _first(attributes: Object, name: str) -> str | None:
    """All attributes are lists; where we have one value, it is the first."""
    return next((value.strip() for value in attributes.texts(name) if value.strip()), None)


def _claims(user: Object, attributes: Object) -> dict[str, str]:
    claims = {"given_name": user.text("firstName"), "family_name": user.text("lastName")}
    claims |= {name: _first(attributes, name) for name in _CLAIMS}
    claims |= {f"address.{ours}": _first(attributes, theirs) for theirs, ours in _ADDRESS.items()}
    return {name: value for name, value in claims.items() if value}


def _password(credential: Object) -> tuple[str | None, str | None]:
    """The hash in our syntax; or why there is none."""
    if "secretData" not in credential or "credentialData" not in credential:
        return None, "it is in clear, or as a Keycloak before 8 wrote it"
    secret, about = credential.inside("secretData"), credential.inside("credentialData")
    value, salt = _decoded(secret, "value"), _decoded(secret, "salt")
    algorithm, iterations = about.needed("algorithm"), about.whole("hashIterations")
    if value is None or salt is None or iterations is None:
        raise Unreadable(f"{credential.where} is no password: value, salt or hashIterations cannot be read.")
    if algorithm in _HASHES:
        return hashes.pbkdf2(_HASHES[algorithm], iterations, salt, value), None
    if algorithm != "argon2":
        return None, f"the hash is {algorithm[:40]}, which Stile does not compare"
    more = about.object("additionalParameters")
    kind, version = _KINDS.get(_first(more, "type") or ""), _VERSIONS.get(_first(more, "version") or "1.3")
    memory, lanes = _first(more, "memory"), _first(more, "parallelism")
    if kind is None or version is None or memory is None or lanes is None:
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
    if "secretData" not in credential or "credentialData" not in credential:
        return "it is as a Keycloak before 8 wrote it"
    secret, about = credential.inside("secretData"), credential.inside("credentialData")
    value = secret.needed("value")
    if (kind := about.text("subType") or "totp") != "totp":
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
