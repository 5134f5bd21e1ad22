"""Realm exports of Keycloak: people. Clients are in `keycloak_clients`."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from idp.importing import keycloak_clients, keycloak_credentials
from idp.importing.document import Object, one_by_one, read_apart, read_object
from idp.importing.incoming import Entry, Left, Person, Phone, Unreadable
from idp.importing.pieces import Source

_ATTRIBUTE: Final = "phoneNumber"  # what Keycloak's own scope `phone` reads
_CLAIMS = ("nickname", "middle_name", "birthdate", "zoneinfo", "website", "profile", "picture", "gender")
_ADDRESS = {"street": "street_address", "locality": "locality", "region": "region", "postal_code": "postal_code"}
_KNOWN = {"UPDATE_PASSWORD", "VERIFY_EMAIL", "CONFIGURE_TOTP", "CONFIGURE_RECOVERY_AUTHN_CODES"}
_UNKNOWN = "Stile has nothing like it"
_STORAGE = "org.keycloak.storage.UserStorageProvider"
_IN_A_DIRECTORY = "it is in the directory that Keycloak asks"
_NO_UUID = "it is no UUID, so applications see another `sub`: tell them before they look people up by it"
_TWO_GROUPS = "two groups have this path: `idp user groups` puts people into the right one"


def read(content: Source, *, phone_attribute: str | None = None) -> Iterator[Entry]:
    """Everything in an export of `kc.sh export --users realm_file`, or of one of its files. Raises `Unreadable`."""
    realm = read_object(content, apart="users")
    if "realm" not in realm or not ("users" in realm or "clients" in realm or "federatedUsers" in realm):
        raise Unreadable("This is no realm export of Keycloak: it has no `realm` with `users` or `clients`.")
    if "users" not in realm and "federatedUsers" not in realm:
        why = "the file has none, as the console's partial export: use `kc.sh export --users realm_file`"
        yield Left("", "people", why)
    if "users" in realm and realm.flag("loginWithEmailAllowed", otherwise=True):
        why = "here people type their username: with --email-as-username the address is that"
        yield Left("", "signing in with the e-mail address", why)
    yield from _of_the_realm(realm)
    yield from keycloak_clients.read(realm)
    doubtful = _doubtful(realm.objects("groups"))
    people = read_apart(content, apart="users")
    yield from one_by_one(people, lambda user: _person(user, doubtful, phone_attribute or _ATTRIBUTE))


def _of_the_realm(realm: Object) -> Iterator[Left]:
    for provider in realm.objects("identityProviders"):
        yield Left("", f"identity provider {provider.text('alias') or ''}", "Stile signs people in itself")
    for organization in realm.objects("organizations"):
        why = "Stile has groups, and no organizations: its members are people like all others"
        yield Left("", f"organization {organization.text('name') or ''}", why)
    # The second is of versions before 2.5.
    for each in (
        *realm.object("components").objects(_STORAGE),
        *realm.objects("userFederationProviders"),
    ):
        name = each.text("name") or each.text("displayName") or ""
        yield Left("", f"user federation {name}", "its people are in that directory: `idp import ldif` brings them")
    if count := sum(1 for _ in realm.objects("federatedUsers")):
        why = "the file has their groups and apps, and neither username nor password: `idp import ldif` brings people"
        yield Left("", f"{count} {'person' if count == 1 else 'people'} of a user federation", why)
    if "applications" in realm:
        yield Left("", "applications", "they are as a Keycloak before 1.2 wrote them")


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
    password, unlike, apps, lost = keycloak_credentials.read(user)
    used = {phone_attribute, "locale", *_CLAIMS, *_ADDRESS}
    lost += [(f"attribute {name}", "it is no standard claim") for name in attributes.members if name not in used]
    lost += [(f"group {path}", _TWO_GROUPS) for path in paths if path in doubtful]
    lost += _beyond(user)
    for what, why in lost:
        yield Left(username, what, why)
    if "id" in user and user.uuid("id") is None:
        yield Left(username, "the id that applications know them by", _NO_UUID)
    linked = "federationLink" in user and password is None
    numbers = attributes.some(phone_attribute)
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
        unlike=_IN_A_DIRECTORY if linked else unlike,
        temporary="UPDATE_PASSWORD" in user.texts("requiredActions"),
        phones=tuple(Phone(number) for number in dict.fromkeys(numbers)),
        apps=tuple(apps),
        consents=_consents(user),
    )


def _beyond(user: Object) -> Iterator[tuple[str, str]]:
    """What Stile has nothing like."""
    roles = [role for role in user.texts("realmRoles") if not role.startswith("default-roles-")]
    if roles or user.object("clientRoles").members or user.object("applicationRoles").members:
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
    return next(iter(attributes.some(name)), None)


def _claims(user: Object, attributes: Object) -> dict[str, str]:
    claims = {"given_name": user.text("firstName"), "family_name": user.text("lastName")}
    claims |= {name: _first(attributes, name) for name in _CLAIMS}
    claims |= {f"address.{ours}": _first(attributes, theirs) for theirs, ours in _ADDRESS.items()}
    return {name: value for name, value in claims.items() if value}
