"""What the database says of itself and of what is stored: version, clock, schema, keys, phones, queue."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from idp.clock import DatabaseClock
from idp.crypto import KeyChain
from idp.errors import IdpError, SealBroken, SettingsError
from idp.factors.password import NOBODY
from idp.flows.checks.findings import FAIL, OK, WARN, Finding
from idp.flows.rules import read_policy
from idp.flows.sealed import NUMBER, bound, purpose_of
from idp.flows.tokens.sealed_keys import SIGNING_KEY
from idp.flows.tokens.sealed_keys import bound as key_bound
from idp.model import Factor
from idp.oidc.keys import ALGORITHMS
from idp.sentences import as_it_is, listed, plural, sentence
from idp.settings import Settings
from idp.sms.phone import textable
from idp.store import inspection, revision
from idp.store.delivery import breakers, messages
from idp.store.engine import Database
from idp.store.people import accounts
from idp.store.tokens import clients, keys

OLDEST_VERSION, NEWEST_VERSION = 15, 18
SAMPLE = 50
PHONES = 10_000
KEYS_OLD = timedelta(days=180)
LATE = timedelta(minutes=1)
OFFSET = timedelta(seconds=2)
ROTATE = sentence("run `idp keys rotate`")
_MADE = sentence("`idp serve` makes them")
_IN_BRACKETS = "%(what)s (%(which)s)"  # nothing to translate


Keys = Callable[[], KeyChain | None]


async def stored(settings: Settings, db: Database, *, secrets: Keys, phones: int = PHONES) -> AsyncIterator[Finding]:
    """All of it, in about fifteen statements; `phones`: so many of the newest are looked at.

    `secrets` gives the secret keys of this installation, None where it has none, or raises `IdpError`.
    """
    version, _ = await inspection.about(db)
    major = version // 10_000
    named = f"PostgreSQL {major}.{version % 10_000}"
    if major < OLDEST_VERSION:
        advice = sentence("install PostgreSQL %(oldest)s to %(newest)s", oldest=OLDEST_VERSION, newest=NEWEST_VERSION)
        yield Finding("database", FAIL, as_it_is(named), advice)
        return
    if major > NEWEST_VERSION:
        advice = sentence("Stile is tested with %(oldest)s to %(newest)s", oldest=OLDEST_VERSION, newest=NEWEST_VERSION)
        yield Finding("database", WARN, as_it_is(named), advice)
    else:
        where = sentence("embedded") if settings.database_url is None else "IDP_DATABASE_URL"
        yield Finding("database", OK, sentence(_IN_BRACKETS, what=named, which=where))
    yield await _clock(db)
    current, wanted = await revision.of(db), revision.WANTED
    if current != wanted:
        found = sentence("at %(current)s, needs %(wanted)s", current=current or sentence("nothing"), wanted=wanted)
        if current is not None and current > wanted:  # they are numbers of one length
            advice = sentence("install a newer version of Stile")
        elif settings.database_url is None:
            advice = sentence("`idp serve` does it")
        else:
            advice = sentence("run `idp migrate`")
        yield Finding("migrations", FAIL, found, advice)
        return
    yield Finding("migrations", OK, sentence("at %(current)s", current=current))
    async for finding in _sealed(settings, db, secrets, phones):
        yield finding
    yield await _signing_keys(db)
    yield await _registered(db)
    async for finding in _hashed_otherwise(db):
        yield finding
    async for finding in _groups(settings, db):
        yield finding
    async for finding in _outbox(db):
        yield finding


async def _groups(settings: Settings, db: Database) -> AsyncIterator[Finding]:
    """Groups of people or clients that ask for nothing more, because the policy of this process has no row for them."""
    with suppress(SettingsError):
        known = read_policy(settings).groups
        lost = [group for group in await inspection.groups(db) if group not in known]
        if lost:
            found = sentence("no row in the policy for %(groups)s: they raise no floor", groups=", ".join(lost))
            advice = sentence("give IDP_POLICY the same file everywhere, or take them away with `idp user groups`")
            yield Finding("groups", WARN, found, advice)


async def _hashed_otherwise(db: Database) -> AsyncIterator[Finding]:
    """Passwords that came from another system, or from before our parameters changed."""
    if waiting := await inspection.hashed_otherwise(db, prefix=NOBODY[: NOBODY.rindex("$", 0, NOBODY.rindex("$")) + 1]):
        found = sentence(
            "%(count)s are under another hash than today's until their owners sign in (docs/import.md)", count=waiting
        )
        yield Finding("passwords", OK, found)


async def _clock(db: Database) -> Finding:
    here = DatabaseClock()
    before = here.now()
    _, there = await inspection.about(db)
    offset = there - (before + (here.now() - before) / 2)
    if abs(offset) > OFFSET:
        seconds = round(abs(offset).total_seconds())
        if offset > timedelta(0):
            found = sentence("this machine is %(seconds)s s behind of the database's", seconds=seconds)
        else:
            found = sentence("this machine is %(seconds)s s ahead of the database's", seconds=seconds)
        return Finding("clock", WARN, found, sentence("run a time service (NTP) on both"))
    return Finding("clock", OK, sentence("this machine and the database agree"))


async def _sealed(settings: Settings, db: Database, secrets: Keys, phones: int) -> AsyncIterator[Finding]:
    """Whether the secret keys at hand open what is stored."""
    by_key = await inspection.sealed_by(db)
    try:
        chain = secrets()
    except IdpError as error:
        yield Finding("secret keys", FAIL, as_it_is(str(error)))
        return
    if chain is None:
        state = FAIL if by_key else WARN
        advice = sentence("restore them from a backup") if by_key else _MADE
        found = sentence("there are none in %(place)s", place=str(settings.data_dir))
        yield Finding("secret keys", state, found, advice)
        return
    lost = {key_id: count for key_id, count in by_key.items() if key_id not in chain.ids()}
    for key_id, count in lost.items():
        found = sentence(
            "%(count)s stored values were sealed with the key %(key)s, which is not there",
            count=count,
            key=repr(key_id),
        )
        yield Finding("secret keys", FAIL, found, sentence("put it back into IDP_SECRET_KEYS, behind the first"))
    broken = await _broken(db, chain, lost)
    if broken:
        found = sentence("%(count)s of the stored values looked at do not open", count=broken)
        advice = sentence("a key has another value than before, or rows were changed")
        yield Finding("secret keys", FAIL, found, advice)
    elif not lost:
        used = ", ".join(f"{key_id} ({count})" for key_id, count in by_key.items())
        found = sentence("all open: %(used)s", used=used or sentence("nothing sealed yet"))
        yield Finding("secret keys", OK, found)
    sample = await inspection.sealed_sample(db, limit=phones)
    unknown = await asyncio.to_thread(_unknown_numbers, sample, chain)
    if unknown:
        found = sentence(
            "%(count)s of the stored phones are no mobile numbers by today's numbering plans", count=unknown
        )
        advice = sentence("no code reaches them: ask these people for another (`idp user phone`)")
        yield Finding("phones", WARN, found, advice)


def _unknown_numbers(sample: Sequence[tuple[UUID, UUID, str, bytes]], chain: KeyChain) -> int:
    """How many of these phones libphonenumber no longer knows: plans change, and so did it."""
    count = 0
    for account_id, authenticator_id, factor, sealed in sample:
        if factor != Factor.SMS.value:
            continue
        with suppress(SealBroken):  # told above
            number = chain.unseal(sealed, purpose=NUMBER, bound_to=bound(account_id, authenticator_id)).decode()
            count += not textable(number)
    return count


async def _broken(db: Database, chain: KeyChain, lost: Mapping[str, int]) -> int:
    stored = [(key.sealed, SIGNING_KEY, key_bound(key.alg, key.id)) for key in await keys.all_keys(db)]
    for account_id, authenticator_id, factor, sealed in await inspection.sealed_sample(db, limit=SAMPLE):
        if (purpose := purpose_of(Factor(factor))) is not None:
            stored.append((sealed, purpose, bound(account_id, authenticator_id)))
    return sum(not _opens(chain, *each, lost=lost) for each in stored)


def _opens(chain: KeyChain, sealed: bytes, purpose: str, bound_to: str, *, lost: Mapping[str, int]) -> bool:
    if sealed[2 : 2 + sealed[1]].decode("latin-1") in lost:
        return True  # told already
    try:
        chain.unseal(sealed, purpose=purpose, bound_to=bound_to)
    except SealBroken:
        return False
    return True


async def _signing_keys(db: Database) -> Finding:
    stored = await keys.all_keys(db)
    current = [key for key in stored if key.state == "current"]
    if not stored:
        return Finding("signing", WARN, sentence("no keys yet"), _MADE)
    missing = [alg for alg in ALGORITHMS if alg not in {key.alg for key in current}]
    if missing:
        found = sentence("no current key for %(algorithms)s", algorithms=" and ".join(missing))
        return Finding("signing", FAIL, found, ROTATE)
    _, now = await inspection.about(db)
    age = max(now - key.created_at for key in current)
    if age > KEYS_OLD:
        return Finding("signing", WARN, sentence("the current key is %(days)s days old", days=age.days), ROTATE)
    found = sentence("%(count)s keys, the oldest current one %(days)s days old", count=len(stored), days=age.days)
    return Finding("signing", OK, found)


async def _registered(db: Database) -> Finding:
    people, registered = await accounts.count(db), await clients.all_clients(db)
    some, others = (
        plural("%(num)s person", "%(num)s people", people),
        plural("%(num)s client", "%(num)s clients", len(registered)),
    )
    found = as_it_is(listed((some, others)))
    if not people or not registered:
        person, client = "`idp user add`", "`idp client add`"
        if people or registered:
            return Finding("content", WARN, found, as_it_is(client if people else person))
        advice = sentence("%(one)s and %(other)s", one=person, other=client)
        return Finding("content", WARN, found, advice)
    return Finding("content", OK, found)


async def _outbox(db: Database) -> AsyncIterator[Finding]:
    now: datetime
    _, now = await inspection.about(db)
    waiting, oldest = await messages.backlog(db, now=now)
    found = plural("%(num)s message waits", "%(num)s messages wait", waiting) if waiting else sentence("empty")
    if oldest is not None:
        seconds = max(0, round((now - oldest).total_seconds()))
        found = sentence("%(waiting)s, the oldest for %(seconds)s s", waiting=found, seconds=seconds)
    if oldest is not None and now - oldest > LATE:
        advice = sentence("is `idp serve` running, and does `idp sms test` work?")
        yield Finding("outbox", WARN, found, advice)
    else:
        yield Finding("outbox", OK, found)
    for one in await breakers.states(db, now=now):
        if one.state != "closed":
            told = {"gateway": one.gateway, "state": one.state}
            if one.region == breakers.EVERYWHERE:
                found = sentence("%(gateway)s fails, and is left alone for now (%(state)s)", **told)
            else:
                found = sentence(
                    "%(gateway)s fails in %(region)s, and is left alone for now (%(state)s)", region=one.region, **told
                )
            advice = sentence("the log of `idp serve` says why; `idp sms test --gateway …` tries it")
            yield Finding("gateway", WARN, found, advice)
