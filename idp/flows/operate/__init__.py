"""What an operator may do: people, their authenticators, clients. One transaction each, audited as the operator's."""

from idp.flows.operate.authenticators import (
    add_phone,
    new_recovery_codes,
    out_of_reach,
    remove_authenticator,
    totp_ticket,
)
from idp.flows.operate.claims import parse_claims, set_claims
from idp.flows.operate.client_changes import set_client
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
from idp.flows.operate.groups import set_groups
from idp.flows.operate.people import (
    NotAcceptable,
    Person,
    add_user,
    find_user,
    list_users,
    parse_phone,
    set_email,
    set_password,
    set_user_disabled,
)
from idp.flows.operate.spending import Counters, Explained, explain_number, never_texted, spending_counters
from idp.flows.operate.unlocking import unlock_user
from idp.flows.operate.walk import Walk, walk
