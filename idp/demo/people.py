"""Who and what the demonstration needs in the provider: its people and two clients, made once by the operator."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files

from idp.demo.start import DemoPerson
from idp.errors import NotThere
from idp.flows.idp import Idp
from idp.flows.operate.authenticators import totp_ticket
from idp.flows.operate.client_changes import edit_client
from idp.flows.operate.clients import add_client
from idp.flows.operate.finding import find_client, find_user
from idp.flows.operate.people import add_user
from idp.flows.operate.registrations import NewClient
from idp.flows.operate.secrets import new_client_secret
from idp.flows.sealed import SEED, bound
from idp.model import Factor, Role
from idp.store.people import authenticators

ALICE, BOB, ADA, HUGO, IRIS = "alice", "bob", "ada", "hugo", "iris"
PASSWORDS = {
    ALICE: "violet-harbour-lantern",
    BOB: "copper-meadow-compass",
    ADA: "granite-orchard-signal",
    HUGO: "linen-beacon-thicket",
    IRIS: "cobalt-pebble-archive",
}
PHONES = {
    ALICE: "+372 5678 9045",
    BOB: "+372 5678 9046",
    ADA: "+372 5678 9047",
    HUGO: "+372 5678 9048",
    IRIS: "+372 5678 9049",
}
# Who works in the console, and the row of the demo's policy that each group is.
GROUPS = {ADA: "admins", HUGO: "helpdesk", IRIS: "auditors"}
ROLES = {"admins": Role.ADMIN, "helpdesk": Role.HELPDESK, "auditors": Role.AUDITOR}
COUNTRIES = "EE"  # where text messages may go: what these need
NAMES = {ALICE: "Alice Ader", BOB: "Bob Berg", ADA: "Ada Aava", HUGO: "Hugo Hein", IRIS: "Iris Ilves"}
BANK, NOTES = "acme-bank", "acme-notes"


@dataclass(frozen=True, slots=True)
class Secrets:
    """The clients' secrets, new at each start: the database keeps hashes only."""

    bank: str = field(repr=False)
    notes: str = field(repr=False)


async def make(idp: Idp, *, bank: str, notes: str) -> tuple[list[DemoPerson], Secrets]:
    """Make what is missing; the people as the start page shows them, and the clients' secrets of this run."""
    secrets = Secrets(
        bank=await _client(
            idp,
            NewClient(
                name="Acme Bank",
                client_id=BANK,
                redirect_uris=(f"{bank}/callback",),
                post_logout_redirect_uris=(f"{bank}/signed-out",),
                home_uri=f"{bank}/",
                scopes=("openid", "profile", "transfers:write"),
                first_party=True,
                audience=(f"{bank}/api",),
                details_types=("payment",),
            ),
        ),
        notes=await _client(
            idp,
            NewClient(
                name="Acme Notes",
                client_id=NOTES,
                redirect_uris=(f"{notes}/callback",),
                post_logout_redirect_uris=(f"{notes}/signed-out",),
                home_uri=f"{notes}/",
                scopes=("openid", "profile", "offline_access"),
                first_party=True,
            ),
        ),
    )
    return [await _person(idp, name) for name in PASSWORDS], secrets


def policy_text() -> str:
    """The policy of the demonstration: the one that comes with Stile, with a group for each role."""
    shipped = (files("idp") / "policy.toml").read_text(encoding="utf-8")
    rows = "".join(f'{group} = {{ level = "strong", role = "{role.name.lower()}" }}\n' for group, role in ROLES.items())
    before, heading, after = shipped.partition("\n[groups]\n")
    return before + heading + rows + after


async def _client(idp: Idp, new: NewClient) -> str:
    try:
        await find_client(idp, new.client_id or new.name)
    except NotThere:
        registered = await add_client(idp, new)
    else:
        # What a demonstration that was begun with an older version does not have yet.
        now = {"home_uri": new.home_uri, "details_types": new.details_types}
        await edit_client(idp, new.client_id or new.name, now)
        registered = await new_client_secret(idp, new.client_id or new.name)
    assert registered.secret is not None
    return registered.secret


async def _person(idp: Idp, username: str) -> DemoPerson:
    try:
        person = await find_user(idp, username)
    except NotThere:
        person = await add_user(
            idp,
            username=username,
            password=PASSWORDS[username],
            phone=PHONES[username],
            name=NAMES[username],
            email=f"{username}@example.com",
            email_verified=True,
            groups=_groups(idp, username),
        )
        if username != BOB:
            await totp_ticket(idp, username)
    seeds = await authenticators.sealed(idp.db, account_id=person.account.id, factor=Factor.TOTP)
    secret = None
    if username != BOB and seeds:
        app, sealed, _ = seeds[-1]
        seed = idp.secrets.unseal(sealed, purpose=SEED, bound_to=bound(person.account.id, app))
        secret = base64.b32encode(seed).decode()
    role = next((ROLES[group] for group in GROUPS.values() if group in person.account.groups), None)
    return DemoPerson(username, NAMES[username], PASSWORDS[username], PHONES[username], secret, role)


def _groups(idp: Idp, username: str) -> Sequence[str]:
    """None where `IDP_POLICY` names another policy, without this group."""
    group = GROUPS.get(username, "")
    return [group] if group in idp.policy.groups else []
