"""Database URLs as managed PostgreSQL hands them out."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from idp.cli import main
from idp.crypto import new_secret_key
from idp.errors import SettingsError, Unavailable
from idp.settings import read_database_url, read_settings
from idp.store import migrations, revision
from idp.store.connecting import connect
from idp.store.engine import Database
from tests.world.postoffice import certificates

LONGEST = 300


def with_query(url: str, query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{query}"


async def settings_of(url: str, *names: str) -> list[str]:
    raw = await connect(url, patience=5)
    try:
        return [await raw.fetchval("SELECT current_setting($1)", name) for name in names]
    finally:
        await raw.close()


@pytest.mark.parametrize(
    "query",
    [
        "channel_binding=prefer&connect_timeout=10",
        "keepalives=1&keepalives_idle=30&keepalives_interval=10&keepalives_count=3&tcp_user_timeout=1000",
        "gssencmode=disable&sslmode=prefer",
        "gssencmode=prefer&krbsrvname=postgres&gsslib=gssapi",
        "sslmode=disable&sslcompression=0&sslsni=1&requiressl=0",
        "sslmode=allow&ssl_min_protocol_version=TLSv1.2&ssl_max_protocol_version=TLSv1.3",
        "target_session_attrs=read-write&load_balance_hosts=disable",
        "target_session_attrs=primary&client_encoding=UTF8&replication=false",
        "fallback_application_name=psql&connect_timeout=",
        "passfile=/nowhere/.pgpass&max_protocol_version=latest",
        "options=-c%20search_path%3Dpublic",
        "application_name=ours&&",
    ],
)
async def test_what_libpq_takes_is_taken(database_url: str, query: str) -> None:
    db = Database(read_database_url(with_query(database_url, query)), size=2)
    await db.open()
    await db.ping()
    await db.close()


async def test_options_and_the_application_s_name_reach_the_server(database_url: str) -> None:
    query = "options=-c%20search_path%3Da%2Cb%20-c%20statement_timeout%3D70000&application_name=our%20own%2Bname"
    url = read_database_url(with_query(database_url, query))
    assert await settings_of(url, "search_path", "application_name") == ["a,b", "our own+name"]
    db = Database(url, size=1)  # ours stay ours
    await db.open()
    async with db._connection() as raw:
        assert await raw.fetchval("SELECT current_setting('statement_timeout')") == "10s"
        assert await raw.fetchval("SELECT current_setting('application_name')") == "our own+name"
    await db.close()


async def test_migrations_take_the_same_urls(database_url: str) -> None:
    url = read_database_url(with_query(database_url, "connect_timeout=10&gssencmode=disable&sslmode=prefer"))
    assert await migrations.migrate(url) == (revision.WANTED, revision.WANTED)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("channel_binding=require&sslmode=require", "sslmode=verify-full&sslrootcert=system"),
        ("gssencmode=require", "asks for gssencmode"),
        ("require_auth=scram-sha-256", "asks for require_auth"),
        ("replication=database", "asks for replication"),
        ("client_encoding=LATIN1", "Stile speaks UTF-8"),
        ("hostaddr=127.0.0.1", "write the address as the host"),
        ("load_balance_hosts=random", "asks for load_balance_hosts"),
        ("oauth_issuer=https://x.example", "asks for oauth_issuer"),
        ("sslmode=no-verify", "one of allow, disable, prefer, require, verify-ca, verify-full as sslmode"),
        ("sslmode=verify-full", "must have sslrootcert"),
        ("sslmode=require&sslrootcert=system", "must have sslmode=verify-full"),
        ("sslrootcert=/nowhere/ca.pem", "names a file as sslrootcert that does not exist"),
        ("sslnegotiation=direct", "must have sslmode=require or stronger"),
        ("ssl_min_protocol_version=SSLv3", "as ssl_min_protocol_version"),
        ("target_session_attrs=any-port", "as target_session_attrs"),
        ("pgbouncer=true", "has the parameter pgbouncer"),
        ("statement_timeout=7", "options=-c%20name%3Dvalue"),
        ("servicefile=/x", "PGSERVICEFILE"),
        ("service=nobody", "names a service"),
        ("port=http", "must have a number as port"),
        ("ssl", "has the parameter ssl"),
        ("q7x=1", "has a parameter that PostgreSQL does not know"),
        ("options=%zz", "write %25"),
        ("options=%00", "write %25"),
        ("options=%ff", "no UTF-8"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_sentence(
    query: str, says: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("IDP_SECRET_KEYS", new_secret_key("k"))
    monkeypatch.setenv("IDP_DATABASE_URL", f"postgresql://stile:hush-hush@db.example/idp?{query}")
    assert main(["user", "list"]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert "IDP_DATABASE_URL" in said
    assert "hush" not in said
    assert len(said) <= LONGEST


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("postgres://u:p@h/d", "postgresql://u:p@h/d"),
        ("postgresql+asyncpg://u@h:5433/d", "postgresql://u@h:5433/d"),
        ("postgresql://u:p#1?x@h/d", "postgresql://u:p%231%3Fx@h/d"),
        ("postgresql://u:p%40%2F@a,b:5433,[::1]:5434/d", "postgresql://u:p%40%2F@a,b:5433,[::1]:5434/d"),
        ("postgresql://u:p@h:/d", "postgresql://u:p@h/d"),
        ("postgresql:///d?host=/run/pg&user=u&password=p%2Bq", "postgresql://u:p%2Bq@/d?host=%2Frun%2Fpg"),
        ("postgresql://localhost/d?host=/cloudsql/a:b:c&dbname=e", "postgresql:///e?host=%2Fcloudsql%2Fa%3Ab%3Ac"),
        ("postgresql://%2Frun%2Fpg/d", "postgresql://%2Frun%2Fpg/d"),
        ("postgresql://h/d?sslmode=prefer&sslmode=require", "postgresql://h/d?sslmode=require"),
        ("postgresql://h/d?ssl=true", "postgresql://h/d?sslmode=require"),
        ("postgresql://h?sslrootcert=system", "postgresql://h/?sslrootcert=system&sslmode=verify-full"),
        (
            "postgresql://h/d?sslmode=verify-full&sslrootcert=system&channel_binding=require",
            "postgresql://h/d?sslmode=verify-full&sslrootcert=system",
        ),
    ],
)
def test_a_url_is_read_as_libpq_reads_it(url: str, meant: str) -> None:
    assert read_database_url(url) == meant


UNENCODED = (
    "postgresql://u:p@ss@h/d",
    "postgresql://u:p/w@h/d",
    "postgresql://h:70000/d",
    f"postgresql://h:{'9' * 5000}/d",
    "postgresql://[x/d",
)


@pytest.mark.parametrize("url", [*UNENCODED, "mysql://u:p@h"])
def test_a_password_that_is_not_encoded_is_told_and_not_repeated(url: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings({"IDP_DATABASE_URL": url, "IDP_SECRET_KEYS": new_secret_key("k")})
    (problem,) = raised.value.problems
    assert "percent-encoded" in problem or "must start with" in problem
    assert "p@ss" not in problem.replace("user:password@host", "")


@given(
    rest=st.text(max_size=60), scheme=st.sampled_from(["postgresql://", "postgres://u:se-cret@h/d?", "postgres://h/"])
)
@example(scheme="postgresql://h/", rest="\udcff")
@example(scheme="postgresql://", rest="u:se-cret\u2100@h/d")
def test_any_text_is_taken_or_told(scheme: str, rest: str) -> None:
    try:
        read, told = read_database_url(scheme + rest), ""
    except ValueError as error:
        read, told = "", str(error)
    assert "se-cret" not in told
    assert len(told) < LONGEST
    if read:
        assert urlsplit(read).scheme == "postgresql"
        assert read_database_url(read) == read


@pytest.mark.parametrize("query", ["options=-c%20nonsense%3D1", "options=-x", "user=nobody", "dbname=none"])
async def test_what_the_server_refuses_is_no_crash(database_url: str, query: str) -> None:
    url = read_database_url(with_query(database_url, query))
    with pytest.raises(Unavailable, match="cannot be reached"):
        await Database(url, size=1).open()
    with pytest.raises(Unavailable, match="cannot be reached"):
        await migrations.migrate(url)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await revision.current(url)


@asynccontextmanager
async def behind_tls(url: str, context: ssl.SSLContext) -> AsyncIterator[int]:
    """The port of a server that answers as PostgreSQL does when it is asked for TLS, and passes the rest on."""
    query = dict(parse_qsl(urlsplit(url).query))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readexactly(8)  # SSLRequest
            writer.write(b"S")
            await writer.start_tls(context)
            answers, server = await asyncio.open_unix_connection(f"{query['host']}/.s.PGSQL.{query['port']}")
        except OSError:
            writer.transport.abort()
            return
        back = asyncio.create_task(copy(answers, writer))
        await copy(reader, server)
        await back

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
        writer.transport.abort()

    # 127.0.0.2 is this machine, too, and not in the certificate
    server = await asyncio.start_server(serve, "0.0.0.0", 0)  # noqa: S104 - for the length of a test
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_the_system_s_authorities_prove_the_server(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`sslrootcert=system` was the name of a file that did not exist."""
    if "host=" not in database_url:
        pytest.skip("needs the embedded PostgreSQL's socket")
    ours = certificates(tmp_path)
    parts = urlsplit(database_url)
    async with behind_tls(database_url, ours.server) as port:

        def url(host: str, *more: str) -> str:
            query = "&".join(("sslrootcert=system", "channel_binding=require", "sslmode=verify-full", *more))
            return read_database_url(
                f"postgresql://{parts.netloc.rpartition('@')[0]}@{host}:{port}{parts.path}?{query}"
            )

        with pytest.raises(Unavailable, match="SSLCertVerificationError"):
            await connect(url("localhost"), patience=5)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
        more: tuple[str, ...]
        for more in ((), ("application_name=o%20k", "ssl_min_protocol_version=TLSv1.3")):
            raw = await connect(url("localhost", *more), patience=5)
            assert await raw.fetchval("SELECT 1") == 1
            await raw.close()
        with pytest.raises(Unavailable, match="SSLCertVerificationError"):
            await connect(url("127.0.0.2"), patience=5)
