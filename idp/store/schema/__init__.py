"""All tables. Promises that a database can keep are constraints here; the migrations create exactly this."""

from idp.store.schema import people, protocol, records, spending
from idp.store.schema.base import metadata
