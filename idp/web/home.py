"""From what the account flow loaded to the account page. No request is read and nothing is decided here."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, assert_never
from uuid import UUID

from idp import addresses
from idp.audit import (
    AuthenticatorAdded,
    AuthenticatorRemoved,
    CodeSent,
    ConsentGiven,
    ConsentWithdrawn,
    FactorRefused,
    FactorVerified,
    PasswordChanged,
    RecoveryCodesMade,
    SignedOut,
)
from idp.flows.idp import ACCOUNT_PATH
from idp.flows.people.account import Happened, Home
from idp.flows.people.rooms import AUTHENTICATORS_PATH, ENROL_PATH, PASSWORD_PATH, RECOVERY_PATH
from idp.model import TRAITS, Authenticator, Factor, Session
from idp.policy import Barrier, Policy
from idp.web import pages
from idp.web.asking import WORDS
from idp.web.pages import (
    Activity,
    ActivityRow,
    AuthenticatorRow,
    ConnectedApp,
    Done,
    ScopeLine,
    SessionRow,
    Standing,
)

WITHDRAW_PATH = f"{ACCOUNT_PATH}/apps/withdraw"
END_PATH = f"{ACCOUNT_PATH}/sessions/end"
END_OTHERS_PATH = f"{ACCOUNT_PATH}/sessions/end-others"
SIGN_OUT_PATH = f"{ACCOUNT_PATH}/sign-out"


def home_page(home: Home, policy: Policy, *, base: str, done: Done | None) -> pages.Home:
    """The account page."""
    inside = home.inside
    others = [each for each in home.sessions if each.id != inside.session.id]
    open_ = [each for each in inside.loaded.authenticators if each.closed_at is None]
    has_codes = any(each.factor is Factor.RECOVERY for each in open_)
    return pages.Home(
        now=inside.now,
        username=inside.account.username,
        name=inside.account.name,
        sign_out=base + SIGN_OUT_PATH,
        done=done,
        authenticators=(*(_authenticator(each, home, base) for each in open_), *_mailbox(home)),
        apps=tuple(
            ConnectedApp(
                name=app.name,
                value=app.client_id,
                scopes=tuple(ScopeLine(name=scope, sensitive=policy.is_fresh_scope(scope)) for scope in app.scopes),
                since=app.since,
                withdraw=base + WITHDRAW_PATH,
            )
            for app in home.consents
        ),
        sessions=tuple(_session(each, inside.session.id, base) for each in (inside.session, *others)),
        activity=tuple(_activity(home.activity)),
        add_authenticator=base + ENROL_PATH if home.may_add_authenticator else None,
        new_recovery_codes=base + RECOVERY_PATH if home.may_renew_codes and not has_codes else None,
        change_password=base + PASSWORD_PATH if home.may_change_password else None,
        end_others=base + END_OTHERS_PATH if others else None,
        frozen=home.barrier is Barrier.FROZEN,
        shut_until=inside.account.strong_from if home.barrier is Barrier.CLOSED else None,
    )


def _authenticator(each: Authenticator, home: Home, base: str) -> AuthenticatorRow:
    standing = Standing.TRUSTED
    if each.factor in home.closed:
        standing = Standing.CLOSED
    elif TRAITS[each.factor].strong and each.trusted_at is None:
        standing = Standing.UNTOLD if home.reached else Standing.NOBODY
    elif TRAITS[each.factor].strong and each.trusted_at is not None and each.trusted_at > home.inside.now:
        standing = Standing.ON_HOLD
    return AuthenticatorRow(
        factor=each.factor,
        label=each.label,
        hint=each.hint,
        standing=standing,
        trusted_at=each.trusted_at,
        hold=each.hold,
        last_used_at=each.last_used_at,
        remaining=each.remaining,
        change=_change(each, home, base),
    )


def _change(each: Authenticator, home: Home, base: str) -> str | None:
    match each.factor:
        case Factor.TOTP:
            return f"{base}{AUTHENTICATORS_PATH}/{each.id}"
        case Factor.RECOVERY:
            return base + RECOVERY_PATH if home.may_renew_codes else None
        case Factor.PASSWORD | Factor.SMS | Factor.EMAIL:
            return None
        case _:
            assert_never(each.factor)


def _mailbox(home: Home) -> Iterator[AuthenticatorRow]:
    """The address codes go to, which is no authenticator: it cannot be changed here, and nobody wrote down its use."""
    if home.mailbox is not None:
        standing = Standing.CLOSED if Factor.EMAIL in home.closed else Standing.TRUSTED
        yield AuthenticatorRow(factor=Factor.EMAIL, hint=home.mailbox, standing=standing)


def _session(each: Session, current: UUID, base: str) -> SessionRow:
    here = each.id == current
    return SessionRow(
        device=device(each.user_agent),
        value=str(each.id),
        last_seen_at=each.seen_at,
        current=here,
        end=None if here else base + END_PATH,
    )


def device(user_agent: str) -> str:
    """A browser as its owner knows it; one that nobody knows by the first word it says of itself."""
    return addresses.device(user_agent) or user_agent.partition("/")[0][:40] or "?"


def _activity(rows: Iterable[Happened]) -> Iterable[ActivityRow]:
    for row in rows:
        what = _what(row.name, row.fields)
        if what is not None:
            browser = row.fields.get("browser")
            from_where = None if browser is None else device(browser)
            yield ActivityRow(what=what, at=row.at, device=from_where, client_name=row.client_name)


def _what(name: str, fields: Mapping[str, Any]) -> Activity | None:
    """The sentence for an audit event; None for what would only repeat the next one."""
    factor = fields.get("factor")
    if name == FactorVerified.name:
        return words.verified if (words := WORDS.get(str(factor))) else None
    if name == FactorRefused.name:
        return Activity.SIGN_IN_FAILED if factor == Factor.PASSWORD else Activity.CODE_FAILED
    if name == AuthenticatorAdded.name and factor == Factor.SMS:
        return Activity.PHONE_ADDED
    if name == CodeSent.name:
        return Activity.EMAIL_SENT if fields.get("email") else Activity.SMS_SENT
    if name == SignedOut.name:
        return Activity.SESSION_ENDED if fields.get("why") in {"one", "others"} else Activity.SIGNED_OUT
    return _HAPPENED.get(name)


_HAPPENED = {
    ConsentGiven.name: Activity.CONSENT_GIVEN,
    ConsentWithdrawn.name: Activity.CONSENT_WITHDRAWN,
    AuthenticatorAdded.name: Activity.AUTHENTICATOR_ADDED,
    AuthenticatorRemoved.name: Activity.AUTHENTICATOR_REMOVED,
    RecoveryCodesMade.name: Activity.RECOVERY_MADE,
    PasswordChanged.name: Activity.PASSWORD_CHANGED,
}
