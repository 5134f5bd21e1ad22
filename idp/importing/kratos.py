"""Identities of Ory Kratos, as its admin API gives them with `include_credential`."""

from collections.abc import Iterator

from idp.importing import secrets
from idp.importing.document import Object, one_by_one, read_list
from idp.importing.incoming import App, Entry, Left, Person, Phone, Unreadable
from idp.importing.pieces import Source

_OTHERS = {
    "lookup_secret": "the file has the codes in clear: new ones are made on the account page",
    "webauthn": "a passkey works at the address alone that it was made for: they add it anew on their account page",
    "passkey": "a passkey works at the address alone that it was made for: they add it anew on their account page",
    "oidc": "Stile signs people in itself",
    "saml": "Stile signs people in itself",
}
_OURS = {"password", "totp", "code"}
_TRAITS = {"username", "email", "name", "phone", "given_name", "family_name", "nickname", "locale"}


def read(content: Source, *, phone_attribute: str | None = None) -> Iterator[Entry]:
    """Everybody in the file. Raises `Unreadable`."""
    identities = read_list(content, inside="identities")
    yield from one_by_one(identities, lambda identity: _person(identity, phone_attribute or "phone"))


def _person(identity: Object, phone_trait: str) -> Iterator[Entry]:
    given, credentials = identity.object("traits"), identity.object("credentials")
    if "traits" not in identity:
        raise Unreadable(f"{identity.where or 'The file'} has no traits: this is no identity of Kratos.")
    traits, unlike = _traits(given, phone_trait)
    password, app = credentials.object("password"), credentials.object("totp")
    proved = {
        (each.text("via"), each.text("value")): each.flag("verified")
        for each in identity.objects("verifiable_addresses")
    }
    email = traits.text("email") or next((value for (via, value) in proved if via == "email"), None)
    identifiers = password.texts("identifiers")
    username = traits.text("username") or next(iter(identifiers), None) or email
    if username is None:
        raise Unreadable(f"{identity.where} has no username, no email and no identifier.")
    apps: tuple[App, ...] = ()
    address = app.object("config").text("totp_url")
    if address is not None and (made := secrets.app(address)) is not None:
        apps = (made,)
    elif app.members:
        yield Left(username, "authenticator app", "its secret is not in the file: ask with include_credential=totp")
    for kind in credentials.members:
        if kind not in _OURS:
            yield Left(username, kind[:40], _OTHERS.get(kind, "Stile has nothing like it"))
    for trait in given.members:
        if trait in unlike:
            yield Left(username, f"trait {trait}", "it is no text")
        elif trait not in _TRAITS and trait != phone_trait:
            yield Left(username, f"trait {trait}", "it is no standard claim")
    config = password.object("config")
    for member in ("metadata_public", "metadata_admin", "organization_id", "external_id"):
        if member in identity:
            yield Left(username, member, "it is no standard claim")
    number = traits.text(phone_trait)
    hashed = config.text("hashed_password")
    stored = None if hashed is None else secrets.stored(hashed)
    name = _name(traits)
    yield Person(
        username=username,
        id=identity.uuid("id"),
        name=name.get("name"),
        email=email,
        email_verified=proved.get(("email", email), False),
        locale=traits.text("locale"),
        claims={claim: value for claim, value in name.items() if claim != "name"},
        disabled=identity.text("state") == "inactive",
        password=stored,
        unlike=_unlike(password, config, stored),
        phones=() if number is None else (Phone(number, verified=proved.get(("sms", number), False)),),
        apps=apps,
    )


def _traits(given: Object, phone_trait: str) -> tuple[Object, frozenset[str]]:
    """Traits are whatever a schema says: those that we read, and which of them are no texts, as a list of addresses."""
    read = _TRAITS | {phone_trait}
    no_texts = {
        name
        for name, value in given.members.items()
        if name in read and not isinstance(value, str | None) and not (name == "name" and isinstance(value, dict))
    }
    return Object({k: v for k, v in given.members.items() if k not in no_texts}, given.where), frozenset(no_texts)


def _unlike(password: Object, config: Object, stored: str | None) -> str | None:
    if stored is not None:
        return secrets.unlike(stored)
    if config.flag("use_password_migration_hook"):
        return "another system has it, which Kratos asks by its migration hook"
    return "the hash is not in the file, which include_credential=password asks for" if password.members else None


def _name(traits: Object) -> dict[str, str]:
    """A name is a text, or the object of the quickstart, or claims of their own."""
    found = {claim: traits.text(claim) for claim in ("given_name", "family_name", "nickname")}
    if isinstance(traits.members.get("name"), dict):
        name = traits.object("name")
        found["given_name"] = found["given_name"] or name.text("first")
        found["family_name"] = found["family_name"] or name.text("last")
        found["name"] = " ".join(each for each in (found["given_name"], found["family_name"]) if each)
    else:
        found["name"] = traits.text("name")
    return {claim: value for claim, value in found.items() if value}
