"""All tables. Promises that a database can keep are constraints here; the migrations create exactly this."""

from idp.store.schema.base import Time, metadata
from idp.store.schema.people import (
    account,
    authentication_event,
    authenticator,
    challenge,
    interaction,
    recovery_code,
    session,
)
from idp.store.schema.protocol import (
    client,
    client_assertion,
    consent,
    grant,
    parked_code,
    refresh_token,
    secret_key,
    signing_key,
)
from idp.store.schema.records import (
    audit_event,
    gateway_breaker,
    message,
    message_attempt,
    rate_limit,
    suppressed_number,
)
from idp.store.schema.spending import (
    spending_block,
    spending_closed,
    spending_denied,
    spending_money,
    spending_number,
    spending_region,
)
