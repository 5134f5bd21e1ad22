"""`idp demo`: the provider, two applications and an inbox in one process, on a database that stays."""

import asyncio
import os
import shlex
import shutil
import signal
import socket
import sys
from contextlib import ExitStack, nullcontext
from pathlib import Path

from idp import localpg, logs
from idp.app import create_app
from idp.cli import output
from idp.demo import people
from idp.demo.bank import bank
from idp.demo.notes import notes
from idp.demo.registration import registration
from idp.demo.site import DemoUrls
from idp.demo.start import DemoPerson, start_page
from idp.errors import IdpError
from idp.serving.place import Place, prepare
from idp.serving.server import bind, new_event_loop, serve
from idp.settings import POLICY_FILE, Settings, default_data_dir, read_settings
from idp.sms import Callback, Channel, Message, Outcome, Receipt, Sent

HOST = "127.0.0.1"
BRAND = "Acme ID"
NO_WHEEL = (
    "The demo needs the embedded PostgreSQL: install it with `make clean demo`, or pip install 'stile-idp[embedded]'."
)


class Phones:
    """What stands for `console` here: nothing leaves this machine; the inbox page derives the texts from the outbox.

    It takes e-mail too, so no mail server is ever asked, whatever `IDP_SMTP_URL` names.
    """

    name = "console"
    channels = frozenset(Channel)
    idempotent = True

    async def send(self, message: Message) -> Sent:
        """Accept; the inbox shows it."""
        return Sent(Outcome.ACCEPTED, str(message.attempt_id))

    def receipt(self, callback: Callback) -> list[Receipt]:  # noqa: ARG002 - nobody calls back
        """None ever come."""
        return []


def run(*, port: int, as_json: bool) -> None:
    """Run the demonstration until told to stop. Raises `IdpError` in one sentence when it cannot begin."""
    urls = DemoUrls(
        provider=f"http://localhost:{port}",
        bank=f"http://localhost:{port + 1}",
        notes=f"http://localhost:{port + 2}",
        start=f"http://localhost:{port + 1}/demo/",
    )
    settings = _settings(urls.provider)
    if not localpg.available():
        raise IdpError(NO_WHEEL)
    logs.configure(level="warning", form="text")
    with ExitStack() as stack:
        sockets = [stack.enter_context(_bound(port + offset)) for offset in range(3)]
        local = stack.enter_context(localpg.start(settings.data_dir))
        settings = _with_policy(settings)
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            place = runner.run(prepare(settings, local.url, migrate=True))
            runner.run(_run(place, sockets, local, urls, as_json=as_json))


def _settings(issuer: str) -> Settings:
    """What is set, less what the demo decides: it runs here, sends nothing, and needs no metrics.

    Everybody knows the passwords of its people, so they are never where `idp serve` would find them unasked.
    """
    refused = [name for name in ("IDP_DATABASE_URL", "IDP_ISSUER") if os.environ.get(name)]
    if refused:
        raise IdpError(f"The demo has a database and an issuer of its own: unset {' and '.join(refused)}.")
    brand = {} if os.environ.get("IDP_BRAND") else {"IDP_BRAND": BRAND}
    # Everybody in a demonstration comes from one address, so nobody may use up the text messages of the others.
    here = {} if os.environ.get("IDP_TRUSTED_NETWORKS") else {"IDP_TRUSTED_NETWORKS": "127.0.0.0/8,::1/128"}
    named = any(os.environ.get(name) for name in ("IDP_DATA_DIR", "IDP_DATA_DIR_FILE"))
    home = {} if named else {"IDP_DATA_DIR": str(default_data_dir().with_name("stile-demo"))}
    # Nothing leaves this machine; the countries of its people show what an operator does.
    open_ = {} if os.environ.get("IDP_SMS_COUNTRIES") else {"IDP_SMS_COUNTRIES": people.COUNTRIES}
    # E-mail as text messages: taken, shown, never sent. Both are set together, or neither.
    mailed = any(os.environ.get(name) for name in ("IDP_SMTP_URL", "IDP_SMTP_FROM"))
    mail = {} if mailed else {"IDP_SMTP_URL": "smtp://localhost", "IDP_SMTP_FROM": f"{BRAND} <no-reply@example.com>"}
    ours = {"IDP_ISSUER": issuer, "IDP_DEV": "true", "IDP_SMS_GATEWAYS": "console", "IDP_METRICS": "off"}
    return read_settings({**os.environ, **brand, **here, **home, **open_, **mail, **ours})


def _with_policy(settings: Settings) -> Settings:
    """The demo's own, a file beside its database, unless `IDP_POLICY` names one."""
    path = settings.data_dir / POLICY_FILE
    if settings.policy not in {None, path}:
        return settings
    path.write_text(people.policy_text(), encoding="utf-8")
    return settings.model_copy(update={"policy": path})


def _bound(port: int) -> socket.socket:
    try:
        return bind(HOST, port)
    except IdpError as error:
        raise IdpError(
            f"{error} The demo takes three ports in a row: `idp demo --port 9000` or `make demo PORT=9000` moves them."
        ) from None


async def _run(
    place: Place, sockets: list[socket.socket], local: localpg.LocalPostgres, urls: DemoUrls, *, as_json: bool
) -> None:
    stop = asyncio.Event()
    failure: list[str] = []
    unread: BrokenPipeError | None = None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)

    def database_ended(status: int) -> None:
        log = place.settings.data_dir / "postgres.log"
        failure.append(f"The embedded PostgreSQL ended by itself (status {status}): see {log}.")
        stop.set()

    def watch(status: int) -> None:
        loop.call_soon_threadsafe(database_ended, status)

    local.watch(watch)
    provider = create_app(place.settings, url=place.url, secrets=place.secrets, gateways=(Phones(),))
    async with provider.router.lifespan_context(provider):
        idp = provider.state.idp
        shown, secrets = await people.make(idp, bank=urls.bank, notes=urls.notes)
        start = start_page(shown, urls, brand=place.settings.brand, now=idp.clock.now)
        at_bank = registration(urls.provider, people.BANK, secrets.bank, urls.bank)
        at_notes = registration(urls.provider, people.NOTES, secrets.notes, urls.notes)
        apps = [provider, bank(at_bank, urls, start=start), notes(at_notes, urls)]
        listening = [asyncio.Event() for _ in apps]
        async with asyncio.TaskGroup() as group:
            for app, sock, ready in zip(apps, sockets, listening, strict=True):
                lifespan = nullcontext() if app is provider else app.router.lifespan_context(app)
                group.create_task(serve(app, lifespan, sock, stop=stop, ready=ready.set))
            for ready in listening:
                await ready.wait()
            try:
                _say(shown, urls, place.settings.data_dir, as_json=as_json)
            except BrokenPipeError as error:  # kept until everything has stopped: here it would come out in a group
                unread = error
                stop.set()
    if unread is not None:
        raise unread
    if failure:
        raise IdpError(failure[0])
    if not as_json:
        print(
            f"\nStopped. What you did is kept in {place.settings.data_dir}; the same command goes on with it.",
            file=sys.stderr,
        )


def _role(person: DemoPerson) -> str:
    return "" if person.role is None else f", {person.role.name.lower()}"


def _beside(urls: DemoUrls, data_dir: Path) -> str:
    """What commands are told, so that they speak of this demonstration: their links lead here."""
    told = {"IDP_DATA_DIR": str(data_dir), "IDP_ISSUER": urls.provider, "IDP_SMS_COUNTRIES": people.COUNTRIES}
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in told.items())


def _idp() -> str:
    """How a shell finds this command again: by its name where the search path leads here, else as it was called."""
    called = Path(sys.argv[0])
    found = shutil.which("idp")
    if called.name != "idp" or not called.exists() or (found is not None and called.samefile(found)):
        return "idp"
    return shlex.quote(str(called))


def _say(shown: list[DemoPerson], urls: DemoUrls, data_dir: Path, *, as_json: bool) -> None:
    fields = {
        "start": urls.start,
        "provider": urls.provider,
        "bank": urls.bank,
        "notes": urls.notes,
        "inbox": urls.inbox,
        "console": urls.console,
        "data_dir": str(data_dir),
        "people": [{"username": person.username, "password": person.password} for person in shown],
    }
    lines = [
        "",
        f"  Open this first     {urls.start}",
        "",
        f"  Acme Bank           {urls.bank}",
        f"  Acme Notes          {urls.notes}",
        f"  Texts and e-mail    {urls.inbox}",
        f"  Your account        {urls.account}",
        f"  Console             {urls.console}",
        f"  Commands            {_beside(urls, data_dir)} {_idp()} user list",
        "",
        *(
            f"  {person.name:<19} {person.username} / {person.password}"
            f"   ({'phone and authenticator app' if person.totp_secret else 'phone only'}{_role(person)})"
            for person in shown
        ),
        "",
        "  Try",
        "   1. Sign in to the bank as alice: password, then her app's code, or a text message instead.",
        "      The start page shows the app's code, and a QR code for an app of your own.",
        "   2. Open Acme Notes: no question is asked, you are signed in already.",
        "   3. Make a transfer: the bank shows the amount, and the provider asks for a new code of the app.",
        "   4. Do the same as bob: a text message signs him in; without an app the transfer is refused. Set one up on",
        "      the account page; as a stolen phone number is enough for that, it opens transfers only after 24 hours.",
        "   5. On the sign-in page press 'Forgot your password?'. The link comes by e-mail, to the inbox of the texts.",
        "      So does the news of each change, with a link that freezes the account.",
        "   6. Open the console as ada, in a private window: people, applications, the policy, the audit trail.",
        "",
        "  Ctrl-C stops everything. Nothing leaves this machine, and what you do is kept.",
    ]
    output.show(fields, lines, as_json=as_json)
