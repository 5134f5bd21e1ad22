"""Database URLs as libpq reads them, written again as asyncpg does. What cannot be had is told in half a sentence.

libpq, "Connection URIs" and "Parameter Key Words" of PostgreSQL 18. Opening what a URL names is in `store`.
"""

import configparser
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

DRIVER = "postgresql+asyncpg://"
# As libpq splits it: a password may hold `?` and `#`, but no `@` and no `/`.
_URI = re.compile(r"postgres(?:ql)?://(?:([^:@/]*)(?::([^@/]*))?@)?([^/?]*)(?:/([^?]*))?(?:\?(.*))?", re.DOTALL)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9._-]+)?\]|[^\[\]:@,\s]*)(?::([0-9]{0,5}))?", re.ASCII)
_PORTS = re.compile(r"[0-9]{1,5}(,[0-9]{1,5})*", re.ASCII)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")
_ESCAPED = "special characters of the user and the password are percent-encoded, as in %40 for @ and %2F for /"

_VALUES: Mapping[str, frozenset[str]] = {
    "sslmode": frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}),
    "sslnegotiation": frozenset({"postgres", "direct"}),
    "ssl_min_protocol_version": frozenset({"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}),
    "ssl_max_protocol_version": frozenset({"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"}),
    "target_session_attrs": frozenset({"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}),
    "gsslib": frozenset({"gssapi", "sspi"}),
}
_AS_THEY_ARE = frozenset(
    {
        *_VALUES,
        "application_name",
        "host",
        "krbsrvname",
        "options",
        "passfile",
        "port",
        "service",
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslpassword",
        "sslrootcert",
    }
)
# What the driver does in any case, or Stile by its own deadlines: dropped.
_DROPPED = frozenset(
    {
        "connect_timeout",
        "fallback_application_name",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "sslcompression",
        "sslsni",
        "tcp_user_timeout",
    }
)
# What the driver cannot do: these values say that it need not; any other, that it must.
_HARMLESS: Mapping[str, frozenset[str]] = {
    "channel_binding": frozenset({"disable", "prefer"}),
    "client_encoding": frozenset({"auto", "utf8", "utf-8", "unicode"}),
    "gssdelegation": frozenset({"0"}),
    "gssencmode": frozenset({"disable", "prefer"}),
    "load_balance_hosts": frozenset({"disable"}),
    "max_protocol_version": frozenset({"3.0", "3.2", "latest"}),
    "min_protocol_version": frozenset({"3.0"}),
    "replication": frozenset({"0", "off", "no", "false"}),
    "requiressl": frozenset({"0"}),
    "sslcertmode": frozenset({"allow", "disable"}),
    "hostaddr": frozenset(),
    "oauth_client_id": frozenset(),
    "oauth_client_secret": frozenset(),
    "oauth_issuer": frozenset(),
    "oauth_scope": frozenset(),
    "require_auth": frozenset(),
    "requirepeer": frozenset(),
    "scram_client_key": frozenset(),
    "scram_server_key": frozenset(),
    "servicefile": frozenset(),
    "sslcrldir": frozenset(),
    "sslkeylogfile": frozenset(),
}
_INSTEAD = {
    "channel_binding": "leave it out and ask for sslmode=verify-full&sslrootcert=system, which proves the server too",
    "client_encoding": "leave it out: Stile speaks UTF-8",
    "gssencmode": "leave it out and ask for sslmode=verify-full, which encrypts as well",
    "hostaddr": "leave it out and write the address as the host",
    "requiressl": "write sslmode=require",
    "servicefile": "set PGSERVICEFILE",
    "sslcrldir": "name one file as sslcrl",
}
_FILES = ("sslcert", "sslcrl", "sslkey", "sslrootcert")
SYSTEM = "system"  # sslrootcert: the certificate authorities that the system trusts
VERIFIED = frozenset({"verify-ca", "verify-full"})


def read_database_url(text: str) -> str:
    """The URL for asyncpg, with `sslrootcert=system` left to whoever connects. Raises ValueError without any value."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds bytes that are no text")
    uri = _URI.fullmatch(text.replace(DRIVER, "postgresql://", 1))
    if uri is None:
        raise ValueError("must start with postgresql:// (or postgresql+asyncpg://)")
    user, password, hosts, name, query = uri.groups()
    if _BAD_ESCAPE.search(text):
        raise ValueError(f"holds a % that encodes nothing: write %25 for it; {_ESCAPED}")
    given = _parameters(query or "")
    try:
        login = {
            "user": given.pop("user", "") or unquote(user or "", errors="strict"),
            "password": given.pop("password", "") or unquote(password or "", errors="strict"),
            "dbname": given.pop("dbname", "") or unquote(name or "", errors="strict"),
        }
    except UnicodeDecodeError:
        raise ValueError("holds percent-encoded bytes that are no UTF-8") from None
    authority = "" if given.get("host") else ",".join(map(_host, hosts.split(",")))
    _check(given)
    signed_in = quote(login["user"], safe="") + (f":{quote(login['password'], safe='')}" if login["password"] else "")
    rest = "&".join(f"{key}={quote(value, safe='')}" for key, value in given.items())
    return (
        f"postgresql://{signed_in}{'@' if signed_in else ''}{authority}/{quote(login['dbname'], safe='')}"
        f"{'?' if rest else ''}{rest}"
    )


def _host(text: str) -> str:
    found = _HOST.fullmatch(text)
    if found is None or int(found[2] or 1) > 65535:
        raise ValueError(f"must be postgresql://user:password@host:port/name, where {_ESCAPED}")
    return f"{found[1]}:{found[2]}" if found[2] else found[1]


def _parameters(query: str) -> dict[str, str]:
    """What libpq would keep: the last of each, not what is empty; only what the driver has to know."""
    kept: dict[str, str] = {}
    for pair in filter(None, query.split("&")):
        name, equals, encoded = pair.partition("=")
        name = unquote(name)
        try:
            value = unquote(encoded, errors="strict")
        except UnicodeDecodeError:
            raise ValueError("holds percent-encoded bytes that are no UTF-8") from None
        if name == "ssl" and value == "true":
            name, value = "sslmode", "require"  # libpq takes what JDBC writes
        if name not in _AS_THEY_ARE | _DROPPED | _HARMLESS.keys() | {"user", "password", "dbname"} or not equals:
            raise ValueError(_unknown(name))
        if value and name not in _DROPPED:
            kept[name] = value
    return kept


def _unknown(name: str) -> str:
    # What stands there may be a piece of a password: only what looks like a setting is repeated.
    if not re.fullmatch(r"[a-z]+(_[a-z]+)+|pgbouncer|schema|pool|ssl", name):
        return f"has a parameter that PostgreSQL does not know: correct it; {_ESCAPED}"
    return (
        f"has the parameter {name}, which PostgreSQL's own tools do not know: correct it, leave it out, "
        f"or give a setting of the server as options=-c%20name%3Dvalue"
    )


def _check(given: dict[str, str]) -> None:
    for name, allowed in _VALUES.items():
        if name in given and given[name] not in allowed:
            raise ValueError(f"must have one of {', '.join(sorted(allowed))} as {name}")
    if "port" in given and not _PORTS.fullmatch(given["port"]):
        raise ValueError("must have a number as port")
    for name in given.keys() & _HARMLESS.keys():
        proved = name == "channel_binding" and given.get("sslmode") == "verify-full"
        if given[name].lower() not in _HARMLESS[name] and not proved:
            advice = _INSTEAD.get(name, "leave it out")
            raise ValueError(f"asks for {name}, which Stile's driver cannot do in that way: {advice}")
        del given[name]
    _check_certificates(given)
    if "service" in given and not _has_service(given["service"]):
        raise ValueError("names a service that is in no ~/.pg_service.conf and in no file named in PGSERVICEFILE")


def _has_service(name: str) -> bool:
    file = configparser.ConfigParser(interpolation=None)
    try:
        file.read(os.environ.get("PGSERVICEFILE") or Path.home() / ".pg_service.conf", encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return False
    return name in file.sections()


def _knows_whom_to_trust(given: Mapping[str, str]) -> bool:
    return (
        "sslrootcert" in given
        or bool(os.environ.get("PGSSLROOTCERT"))
        or (Path.home() / ".postgresql/root.crt").is_file()
    )


def _check_certificates(given: dict[str, str]) -> None:
    if given.get("sslrootcert") == SYSTEM:
        # libpq: a weaker mode is refused, none means this one
        if given.setdefault("sslmode", "verify-full") != "verify-full":
            raise ValueError("must have sslmode=verify-full where it has sslrootcert=system")
    elif given.get("sslmode") in VERIFIED and not _knows_whom_to_trust(given):
        raise ValueError(f"must have sslrootcert (a file, or system) where it has sslmode={given['sslmode']}")
    for name in _FILES:
        if name in given and given[name] != SYSTEM and not Path(given[name]).is_file():
            raise ValueError(f"names a file as {name} that does not exist")
    if given.get("sslnegotiation") == "direct" and given.get("sslmode") not in VERIFIED | {"require"}:
        raise ValueError("must have sslmode=require or stronger where it has sslnegotiation=direct")
