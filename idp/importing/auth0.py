"""Exports of Auth0: people by the export extension or as for a bulk import, and the password hashes by its support.

They are in two files, of which one may follow the other in one: what has the same id is one person.
"""

from collections.abc import Iterator
from dataclasses import replace

from idp.importing import secrets
from idp.importing.document import Object, read_list, unread
from idp.importing.incoming import App, Entry, Left, Person, Phone, Unreadable
from idp.importing.pieces import Source

_CLAIMS = {"given_name", "family_name", "nickname"}
_ALGORITHMS = {"argon2", "bcrypt", "pbkdf2"}
_OTHERS = {
    "app_metadata": "nothing of it is a group or a standard claim: --group knows no groups of Auth0",
    "user_metadata": "it is no standard claim",
}
_FACTOR = "it works with Auth0 alone: they add what they have anew on their account page"
_Key = tuple[str, int]  # the id; where there is none, nobody else has this place in the file
_SUBJECT = "it is no UUID, so applications see another `sub`: tell them before they look people up by it"


def read(content: Source, *, phone_attribute: str | None = None) -> Iterator[Entry]:
    """Everybody in the file. Raises `Unreadable`."""
    people: dict[_Key, Person] = {}
    lost: dict[_Key, list[Left]] = {}
    wrong: Unreadable | None = None
    for place, entry in enumerate(read_list(content, inside="users"), 1):
        try:
            given, person, left = _person(entry, phone_attribute or "phone_number")
        except Unreadable as error:
            wrong = wrong or error
            yield unread(entry, error)
            continue
        key = (given, 0 if given else place)
        before = people.get(key)
        people[key] = person if before is None else _merged(before, person)
        lost.setdefault(key, []).extend(left)
    if wrong is not None and not people:
        raise wrong
    for key, person in people.items():
        for each in lost[key]:
            yield replace(each, who=person.username)
        yield person


def _person(entry: Object, phone_attribute: str) -> tuple[str, Person, list[Left]]:
    hidden = entry.object("_id").text("$oid")
    given = entry.text("alt_id") or hidden or _id(entry.text("user_id") or "")
    email, verified = entry.text("email"), entry.flag("email_verified")
    for each in entry.objects("identifiers"):
        if email is None and each.text("type") == "email":
            email, verified = each.text("value"), each.flag("verified")
    username = entry.text("username") or email or entry.text(phone_attribute)
    if username is None:
        raise Unreadable(f"{entry.where} has no username, no email and no number.")
    left = [Left(username, what, why) for what, why in _OTHERS.items() if entry.object(what).members]
    if "user_id" in entry:
        left.append(Left(username, "the id that applications know them by", _SUBJECT))
    identities = [each.text("provider") or "" for each in entry.objects("identities")]
    if any(provider != "auth0" for provider in identities):
        left.append(Left(username, "links to other providers", "Stile signs people in itself"))
    phones, apps = _factors(entry, left, username)
    password, unlike = _password(entry)
    number = entry.text(phone_attribute)
    if number is not None:
        phones.append(Phone(number, verified=entry.flag("phone_verified")))
    person = Person(
        username=username,
        name=_name(entry, email),
        email=email,
        email_verified=verified,
        claims={name: value for name in _CLAIMS if (value := entry.text(name)) is not None},
        disabled=entry.flag("blocked"),
        password=password,
        unlike=unlike,
        phones=tuple(phones),
        apps=tuple(apps),
    )
    return given, person, left


def _id(user_id: str) -> str:
    """As the hashes have it: who signs in elsewhere (`google-oauth2|7`) has none, and is not `auth0|7`."""
    return user_id.removeprefix("auth0|")


def _name(entry: Object, email: str | None) -> str | None:
    name = entry.text("name")
    return None if name == email else name  # which is what Auth0 puts there where it knows none


def _merged(before: Person, after: Person) -> Person:
    """The same person in two files: what the first does not say, the second may."""
    of_profile = before.name is not None or before.claims or before.phones
    first, second = (before, after) if of_profile else (after, before)
    return replace(
        first,
        email=first.email or second.email,
        email_verified=first.email_verified or (first.email is None and second.email_verified),
        disabled=first.disabled or second.disabled,
        password=first.password or second.password,
        unlike=first.unlike or second.unlike,
        phones=first.phones + second.phones,
        apps=first.apps + second.apps,
    )


def _password(entry: Object) -> tuple[str | None, str | None]:
    """The hash in our syntax; or why there is none."""
    hashed = entry.text("passwordHash") or entry.text("password_hash")
    custom = entry.object("custom_password_hash")
    provider, of_a_provider, _ = (entry.text("user_id") or "").partition("|")
    if hashed is None and not custom.members and of_a_provider and provider != "auth0":
        return None, f"they sign in with {provider[:40]}, and Stile signs people in itself"
    if hashed is None and custom.members:
        algorithm, inside = custom.text("algorithm") or "", custom.object("hash")
        if algorithm not in _ALGORITHMS or "salt" in custom or (inside.text("encoding") or "utf8") != "utf8":
            return None, f"the hash is {algorithm[:20]} in a way that Stile does not compare"
        hashed = inside.text("value")
    stored = None if hashed is None else secrets.stored(hashed)
    return stored, None if stored is None else secrets.unlike(stored)


def _factors(entry: Object, left: list[Left], username: str) -> tuple[list[Phone], list[App]]:
    """What was enrolled there, which took a code that came back."""
    phones, apps = [], []
    for factor in entry.objects("mfa_factors"):
        number, secret = factor.object("phone").text("value"), factor.object("totp").text("secret")
        if number is not None:
            phones.append(Phone(number, verified=True))
        elif "email" in factor:
            left.append(Left(username, "code by e-mail", "here it goes to the address that was verified"))
        elif secret is not None and (app := secrets.app(secret)) is not None:
            apps.append(app)
        elif secret is not None:
            left.append(Left(username, "authenticator app", "its secret is not base32"))
        else:
            left += [Left(username, f"second factor {kind[:40]}", _FACTOR) for kind in factor.members]
    if "mfa_factors" not in entry and entry.some("multifactor"):
        left.append(
            Left(username, "second factors", "that they have some is in the file, and not which: ask Auth0 for them")
        )
    return phones, apps
