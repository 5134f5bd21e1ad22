"""What an operator may do: people, their authenticators, clients. One transaction each, audited as the operator's."""

from idp.flows.operate.authenticators import (
    Ticket,
    add_phone,
    new_recovery_codes,
    out_of_reach,
    remove_authenticator,
    totp_ticket,
)
from idp.flows.operate.claims import SETTABLE, parse_claims, set_claims
from idp.flows.operate.client_changes import ChangedClient, set_client
from idp.flows.operate.clients import (
    NewClient,
    Registered,
    add_client,
    explain_client,
    find_client,
    list_clients,
    new_client_secret,
    remove_client,
    set_client_disabled,
)
from idp.flows.operate.deliveries import sent_to, unblock_number
from idp.flows.operate.groups import ChangedGroups, set_groups
from idp.flows.operate.people import (
    NotAcceptable,
    Person,
    add_user,
    find_user,
    list_users,
    parse_email,
    parse_group,
    parse_phone,
    parse_username,
    set_email,
    set_password,
    set_user_disabled,
)
from idp.flows.operate.spending import Counters, Explained, explain_number, never_texted, spending_counters
from idp.flows.operate.unlocking import unlock_user
from idp.flows.operate.walk import Step, Walk, walk

__all__ = [
    "SETTABLE",
    "ChangedClient",
    "ChangedGroups",
    "Counters",
    "Explained",
    "NewClient",
    "NotAcceptable",
    "Person",
    "Registered",
    "Step",
    "Ticket",
    "Walk",
    "add_client",
    "add_phone",
    "add_user",
    "explain_client",
    "explain_number",
    "find_client",
    "find_user",
    "list_clients",
    "list_users",
    "never_texted",
    "new_client_secret",
    "new_recovery_codes",
    "out_of_reach",
    "parse_claims",
    "parse_email",
    "parse_group",
    "parse_phone",
    "parse_username",
    "remove_authenticator",
    "remove_client",
    "sent_to",
    "set_claims",
    "set_client",
    "set_client_disabled",
    "set_email",
    "set_groups",
    "set_password",
    "set_user_disabled",
    "spending_counters",
    "totp_ticket",
    "unblock_number",
    "unlock_user",
    "walk",
]
