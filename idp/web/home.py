"""From what the account flow loaded to the account page. No request is read and nothing is decided here."""

from collections.abc import Iterator
from typing import assert_never

from idp.flows.delivery.outgoing import masked
from idp.flows.idp import ACCOUNT_PATH
from idp.flows.people.forgotten import FORGOT_PATH
from idp.flows.people.home import App, Home
from idp.flows.people.rooms import (
    AUTHENTICATORS_PATH,
    EMAIL_PATH,
    ENROL_PATH,
    NEW_PHONE_PATH,
    PASSKEY_PATH,
    PASSWORD_PATH,
    PHONES_PATH,
    PROFILE_PATH,
    RECOVERY_PATH,
)
from idp.model import TRAITS, Authenticator, Factor
from idp.policy import Barrier, Policy, site_of
from idp.policy.advice import guard, next_step
from idp.store.people.devices import Known
from idp.store.people.home import Browser
from idp.web import pages
from idp.web.activity import activity, device
from idp.web.pages import AddressRow, AppRow, AuthenticatorRow, DeviceRow, Done, Fixed, Standing
from idp.web.purposes import scope_line

WITHDRAW_PATH = f"{ACCOUNT_PATH}/apps/withdraw"
END_PATH = f"{ACCOUNT_PATH}/sessions/end"
END_OTHERS_PATH = f"{ACCOUNT_PATH}/sessions/end-others"
SIGN_OUT_PATH = f"{ACCOUNT_PATH}/sign-out"
PREFER_PATH = f"{ACCOUNT_PATH}/first"
DEVICES_PATH = f"{ACCOUNT_PATH}/devices"
AT_HAND_PATH = f"{RECOVERY_PATH}/at-hand"


def device_path(key: bytes) -> str:
    """The page of a known browser."""
    return f"{DEVICES_PATH}/{key.hex()}"


def home_page(home: Home, policy: Policy, *, base: str, done: Done | None) -> pages.Home:
    """The account page."""
    inside = home.inside
    others = [each for each in home.browsers if each.session_id != inside.session.id]
    open_ = [each for each in inside.loaded.authenticators if each.closed_at is None]
    counting = [each for each in open_ if each.factor in home.counting]
    has_codes = any(each.factor is Factor.RECOVERY for each in open_)
    return pages.Home(
        now=inside.now,
        zone=inside.account.claims.get("zoneinfo"),
        refused=masked(inside.account.email) if inside.account.email and inside.account.email_refused_at else None,
        username=inside.account.username,
        name=inside.account.name,
        sign_out=base + SIGN_OUT_PATH,
        done=done,
        guard=guard(counting, mailbox=home.mailbox is not None, closed=home.closed, now=inside.now),
        step=next_step(
            counting,
            offered=home.counting,
            closed=home.closed,
            may_add=home.may_add_authenticator,
            may_renew=home.may_renew_codes,
            passkeys=home.passkeys,
        ),
        apps=tuple(_app(each, policy, base) for each in home.apps),
        authenticators=(*(_authenticator(each, home, base) for each in open_), *_mailbox(home)),
        devices=tuple(_devices(home, base)),
        choices=tuple(home.choices) if len(home.choices) > 1 else (),
        prefers=inside.account.prefers,
        prefer=base + PREFER_PATH,
        activity=tuple(activity(home.activity)),
        add_authenticator=base + ENROL_PATH if home.may_add_authenticator else None,
        add_phone=base + NEW_PHONE_PATH if home.may_add_phone else None,
        add_passkey=base + PASSKEY_PATH if home.may_add_authenticator and home.passkeys else None,
        new_recovery_codes=base + RECOVERY_PATH if home.may_renew_codes and not has_codes else None,
        renew_codes=base + RECOVERY_PATH if home.may_renew_codes else None,
        codes_at_hand=base + AT_HAND_PATH if home.asks_for_codes else None,
        email=_address(home, base),
        profile=base + PROFILE_PATH,
        change_password=base + PASSWORD_PATH if home.may_change_password else None,
        end_others=base + END_OTHERS_PATH if others else None,
        frozen=home.barrier is Barrier.FROZEN,
        recover=base + FORGOT_PATH if home.barrier is Barrier.FROZEN else None,
        shut_until=inside.account.strong_from if home.barrier is Barrier.CLOSED else None,
    )


def _app(app: App, policy: Policy, base: str) -> AppRow:
    return AppRow(
        name=app.name,
        value=app.client_id,
        open=app.home_uri,
        # That it is they is what every application learns.
        scopes=tuple(scope_line(scope, policy) for scope in app.scopes if scope != "openid" or len(app.scopes) == 1),
        used_at=app.used_at or app.agreed_at,
        withdraw=base + WITHDRAW_PATH if app.used_at or app.agreed_at else None,
        site=site_of(app.client_id) is not None,
    )


def _authenticator(each: Authenticator, home: Home, base: str) -> AuthenticatorRow:
    standing = Standing.TRUSTED
    if each.factor not in home.counting:
        standing = Standing.BARRED
    elif each.factor in home.closed:
        standing = Standing.CLOSED
    elif TRAITS[each.factor].strong and each.trusted_at is None:
        standing = Standing.UNTOLD if home.reached else Standing.NOBODY
    elif TRAITS[each.factor].strong and each.trusted_at is not None and each.trusted_at > home.inside.now:
        standing = Standing.ON_HOLD
    leads_to = _change(each, home)
    return AuthenticatorRow(
        factor=each.factor,
        label=each.label,
        hint=each.hint,
        standing=standing,
        trusted_at=each.trusted_at,
        hold=each.hold,
        last_used_at=each.last_used_at,
        remaining=each.remaining,
        change=base + leads_to if isinstance(leads_to, str) else None,
        fixed=leads_to if isinstance(leads_to, Fixed) else None,
        copied=None if each.passkey is None else each.passkey.eligible and each.passkey.copied,
    )


def _change(each: Authenticator, home: Home) -> str | Fixed:
    """Where this can be changed, or why it cannot."""
    match each.factor:
        case Factor.TOTP | Factor.PASSKEY:
            return f"{AUTHENTICATORS_PATH}/{each.id}"
        case Factor.RECOVERY:
            return RECOVERY_PATH if home.may_renew_codes else Fixed.CODES
        case Factor.SMS:
            return f"{PHONES_PATH}/{each.id}" if home.may_add_phone else Fixed.PHONE
        case Factor.EMAIL | Factor.PASSWORD:
            return Fixed.ADDRESS
        case _:
            assert_never(each.factor)


def _mailbox(home: Home) -> Iterator[AuthenticatorRow]:
    """The address codes go to, which is no authenticator: it cannot be changed here, and nobody wrote down its use."""
    if home.mailbox is not None:
        standing = Standing.CLOSED if Factor.EMAIL in home.closed else Standing.TRUSTED
        yield AuthenticatorRow(factor=Factor.EMAIL, hint=home.mailbox, standing=standing)


def _address(home: Home, base: str) -> AddressRow:
    """Where notices and links go, and codes where the policy sends any."""
    account = home.inside.account
    may = home.may_change_email
    return AddressRow(
        address=None if account.email is None else masked(account.email),
        verified=account.email_verified,
        change=base + EMAIL_PATH if may else None,
        fixed=None if may else Fixed.ADDRESS,
    )


def _devices(home: Home, base: str) -> Iterator[DeviceRow]:
    """The browser that asks, the others that are signed in, and those that are known and signed out."""
    inside, known = home.inside, {each.key: each for each in home.devices}
    key = None if inside.loaded.device is None else inside.loaded.device.key
    here = Browser(inside.session.id, inside.now, inside.session.user_agent, key)
    signed_in = (here, *(each for each in home.browsers if each.session_id != here.session_id))
    for each in signed_in:
        current = each is here
        device = None if each.device is None else known.get(each.device)
        yield DeviceRow(
            name=_name(each.user_agent, device),
            last_seen_at=each.seen_at,
            place=None if device is None else device.address,
            current=current,
            value=str(each.session_id),
            end=None if current else base + END_PATH,
            change=None if device is None else base + device_path(device.key),
        )
    for device in home.devices:
        if device.key in {each.device for each in signed_in}:
            continue
        yield DeviceRow(
            name=_name(device.user_agent, device),
            last_seen_at=device.seen_at,
            place=device.address,
            signed_in=False,
            change=base + device_path(device.key),
        )


def _name(user_agent: str, known: Known | None) -> str:
    return (known.label if known else "") or device(user_agent)
