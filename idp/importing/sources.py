"""Which systems people can come from, one row each."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Protocol

from idp.importing import auth0, authentik, keycloak, kratos, ldif, table
from idp.importing.incoming import Entry
from idp.importing.pieces import Source


class Reader(Protocol):
    """Reads what a system exported. Raises `Unreadable`, with a sentence that repeats no secret."""

    def __call__(self, content: Source, *, phone_attribute: str | None = None) -> Iterator[Entry]:
        """Everything in it, in the order of the file; `phone_attribute` is where numbers stand, if not as usual.

        What of a person does not come stands before them. A file is read as it is asked for, and again for each caller.
        """


READERS: Mapping[str, Reader] = MappingProxyType({
    "keycloak": keycloak.read,
    "auth0": auth0.read,
    "authentik": authentik.read,
    "kratos": kratos.read,
    "ldif": ldif.read,
    "csv": table.read,
})  # fmt: skip
