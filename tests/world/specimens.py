"""Every page in the states a person can meet, by name. Used by the tests of this directory; nothing here is a test."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from idp.model import SECOND, AppCodes, Factor, Notice
from idp.policy.advice import Guard, Step
from idp.web.pages import (
    AccountChoice,
    Activity,
    ActivityRow,
    AddressRow,
    Alternative,
    Approval,
    Approve,
    AppRow,
    AuthenticatorCode,
    AuthenticatorRow,
    BeginEnrolment,
    Brand,
    ChangePassword,
    ConfirmLogout,
    Consent,
    Delivery,
    DetailLine,
    DeviceRow,
    Done,
    EditAuthenticator,
    EditDevice,
    EditPhone,
    EmailAddress,
    EmailCode,
    EnrolAuthenticator,
    ErrorPage,
    FirstPassword,
    Fixed,
    Forgot,
    ForgotSent,
    FormPost,
    Freeze,
    Frozen,
    Home,
    InviteLink,
    Kept,
    LoggedOut,
    Loss,
    Lost,
    Message,
    Money,
    NewPasskey,
    NewPassword,
    NewPhone,
    NewRecoveryCodes,
    Outbox,
    OutboxMessage,
    Outcome,
    OutOfReach,
    Page,
    Problem,
    Profile,
    Purpose,
    RecoveryCode,
    RecoveryCodes,
    Register,
    RegisterSent,
    ResetLink,
    ScopeLine,
    SelectAccount,
    SignIn,
    SmsCode,
    Standing,
    Trouble,
    UsePasskey,
    VerifyEmail,
    VerifyPhone,
    Welcome,
    Who,
    Why,
)
from tests.world.client_pages import APPLICATIONS
from tests.world.console_pages import CONSOLE

NOW = datetime(2026, 11, 22, 19, 45, tzinfo=UTC)
BRAND = Brand(
    name="Acme ID",
    help_url="https://acme.example/help",
    privacy_url="https://acme.example/privacy",
    logo_url="/static/stile.svg",
)
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
RTL = "بنك الأمل الوطني"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202egnp.exe\u2066&amp;{{ 7*7 }}%(x)s"

TRANSFERS = ScopeLine(name="transfers:write", sensitive=True, new=True)
SALARIES = ScopeLine(name="salaries:write", title="Release salaries", sensitive=True, within=timedelta(hours=8))
BANK = Purpose(client_name="Acme Bank")
STEP_UP = Purpose(why=Why.SCOPE, client_name="Acme Bank", scopes=(TRANSFERS,))
WAYS = (Alternative(Factor.TOTP, "/i/1?factor=totp"), Alternative(Factor.RECOVERY, "/i/1?factor=recovery"))
KEY = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
CODES = tuple(f"{n}7KQM-2X0PD-8FW{n}J" for n in range(10))

SIGN_IN = SignIn(action="/i/1/password", purpose=BANK, forgot="/forgot", cancel="/i/1/cancel")
WHO = Who("maria", "/i/1/account")
SMS = SmsCode(
    who=WHO,
    action="/i/1/sms",
    purpose=BANK,
    hint="ending 88",
    resend="/i/1/sms/send",
    valid_for=timedelta(minutes=5),
    resend_in=timedelta(seconds=45),
    tries_left=3,
    alternatives=WAYS,
    cancel="/i/1/cancel",
)
EMAIL = EmailCode(
    who=WHO,
    action="/i/1/email",
    purpose=BANK,
    hint="m•••@example.com",
    resend="/i/1/email/send",
    valid_for=timedelta(minutes=5),
    resend_in=timedelta(seconds=45),
    tries_left=3,
    delivery=Delivery.SENT,
    alternatives=WAYS,
    cancel="/i/1/cancel",
)
TOTP = AuthenticatorCode(
    who=WHO,
    action="/i/1/totp",
    purpose=STEP_UP,
    strong=True,
    hold=timedelta(hours=24),
    label="Pixel",
    tries_left=3,
    cancel="/i/1/cancel",
)
RECOVERY = RecoveryCode(
    who=WHO, action="/i/1/recovery", purpose=BANK, tries_left=3, alternatives=WAYS[:1], cancel="/i/1/cancel"
)
ENROL = EnrolAuthenticator(
    action="/account/totp",
    uri=f"otpauth://totp/Acme%20ID:maria?secret={KEY}&issuer=Acme%20ID",
    key=KEY,
    client_name="Acme Bank",
    hold=timedelta(hours=24),
    back="/account",
)
SAVE = RecoveryCodes(action="/account/codes/saved", codes=CODES, download="/account/codes.txt")
CONSENT = Consent(
    action="/i/1/consent",
    client_name="Acme Bank",
    host="bank.acme.example",
    who=WHO,
    scopes=(
        ScopeLine(name="openid"),
        ScopeLine(name="email", optional=True),
        TRANSFERS,
        SALARIES,
        ScopeLine(name="loans:apply", title="Apply for a loan in your name", optional=True, ticked=False, new=True),
    ),
)
PAYMENT = Purpose(
    why=Why.APPROVAL,
    client_name="Acme Bank",
    approval=Approval(
        digest="5f" * 32,
        things=(
            (
                "Make a payment",
                (
                    DetailLine("amount", Money(Decimal("1250.00"), "EUR")),
                    DetailLine("payee", "Maria Silva"),
                    DetailLine("account", "DE89370400440532013000", grouped=True),
                    DetailLine("reference", "Invoice 4711"),
                    DetailLine("date", date(2026, 12, 1)),
                ),
            ),
        ),
        not_mine="/i/1/not-mine",
        amount=DetailLine("amount", Money(Decimal("1250.00"), "EUR")),
        payee="Maria Silva",
    ),
)
assert PAYMENT.approval is not None
ALSO = replace(PAYMENT, approval=replace(PAYMENT.approval, scopes=(ScopeLine(name="email", optional=True),)))
PLAIN = replace(PAYMENT, approval=replace(PAYMENT.approval, amount=None, payee=None))
BEYOND = OutOfReach(client_name="Acme Bank", why="on_hold", account="/account", cancel="/i/1/cancel")
APPROVE = Approve(who=WHO, action="/i/1/approve", purpose=PAYMENT, cancel="/i/1/cancel")
SELECT = SelectAccount(
    action="/i/1/account",
    purpose=BANK,
    accounts=(AccountChoice("1", "maria", "Maria Tamm"), AccountChoice("2", "treasury")),
    cancel="/i/1/cancel",
)
HOME = Home(
    guard=Guard.APP,
    zone="Europe/Tallinn",
    now=NOW,
    username="maria",
    name="Maria Tamm",
    sign_out="/logout",
    done=Done.AUTHENTICATOR_ADDED,
    authenticators=(
        AuthenticatorRow(
            factor=Factor.TOTP, label="Pixel", last_used_at=NOW - timedelta(minutes=5), change="/account/totp/1"
        ),
        AuthenticatorRow(
            factor=Factor.TOTP,
            label="Work phone",
            standing=Standing.ON_HOLD,
            trusted_at=NOW + timedelta(hours=14, minutes=20),
            change="/account/totp/2",
        ),
        AuthenticatorRow(
            factor=Factor.TOTP,
            label="Tablet",
            standing=Standing.UNTOLD,
            hold=timedelta(hours=24),
            change="/account/totp/4",
        ),
        AuthenticatorRow(factor=Factor.TOTP, label="Old phone", standing=Standing.NOBODY, change="/account/totp/5"),
        AuthenticatorRow(factor=Factor.TOTP, standing=Standing.CLOSED, change="/account/totp/3"),
        AuthenticatorRow(factor=Factor.PASSKEY, label="My phone", copied=True, change="/account/totp/6"),
        AuthenticatorRow(factor=Factor.PASSKEY, label="Security key", copied=False, change="/account/totp/7"),
        AuthenticatorRow(
            factor=Factor.SMS, hint="ending 88", last_used_at=NOW - timedelta(days=1, hours=2), fixed=Fixed.PHONE
        ),
        AuthenticatorRow(factor=Factor.SMS, hint="ending 99", standing=Standing.BARRED, change="/account/phones/2"),
        AuthenticatorRow(factor=Factor.EMAIL, hint="m…@example.com"),
        AuthenticatorRow(factor=Factor.RECOVERY, remaining=8),
    ),
    apps=(
        AppRow(
            name="Acme Bank",
            value="bank",
            open="https://bank.acme.example/",
            scopes=(ScopeLine(name="email"), TRANSFERS),
            used_at=NOW - timedelta(days=40),
            withdraw="/account/apps/withdraw",
        ),
        AppRow(name="Acme Notes", value="notes", open="https://notes.acme.example/"),
        AppRow(name="Wiki", value="site:wiki.acme.example", open="https://wiki.acme.example/", site=True),
        AppRow(name="Forum", value="forum", used_at=NOW - timedelta(days=2), withdraw="/account/apps/withdraw"),
    ),
    choices=(Factor.SMS, Factor.TOTP),
    prefers=Factor.TOTP,
    prefer="/account/first",
    devices=(
        DeviceRow(
            name="Chrome, Linux", last_seen_at=NOW, place="203.0.113.7", current=True, change="/account/devices/1"
        ),
        DeviceRow(name="My old laptop", last_seen_at=NOW - timedelta(days=2), value="b", end="/account/sessions/end"),
        DeviceRow(
            name="Safari, iPhone",
            last_seen_at=NOW - timedelta(days=40),
            place="2001:db8::7",
            signed_in=False,
            change="/account/devices/3",
        ),
    ),
    activity=(
        ActivityRow(
            what=Activity.STEPPED_UP, at=NOW, device="Chrome, Linux", client_name="Acme Bank", factor=Factor.TOTP
        ),
        ActivityRow(what=Activity.OWN_CODE_WRONG, at=NOW - timedelta(minutes=1), device="Chrome, Linux", times=2),
        ActivityRow(what=Activity.PASSWORD_WRONG, at=NOW - timedelta(hours=3), device="?", place="198.51.100.7"),
        *(
            ActivityRow(what=Activity.SIGNED_IN, at=NOW - timedelta(days=day), factor=factor)
            for day, factor in enumerate((*SECOND, *SECOND), 1)
        ),
        ActivityRow(what=Activity.SMS_SENT, at=NOW - timedelta(days=20)),
    ),
    add_authenticator="/account/totp",
    add_phone="/account/phones/new",
    email=AddressRow(address="m•••@example.com", change="/account/email"),
    profile="/account/profile",
    new_recovery_codes="/account/codes",
    change_password="/account/password",
    end_others="/account/sessions/others",
)
EDIT = EditAuthenticator(
    label="Pixel",
    rename="/account/totp/1/name",
    remove="/account/totp/1/remove",
    back="/account",
    last=True,
    hold=timedelta(hours=24),
)
PROFILE = Profile(
    action="/account/profile",
    back="/account",
    fields={
        "name": "Maria Tamm",
        "given_name": "Maria",
        "family_name": "Tamm",
        "nickname": "",
        "website": "",
        "zoneinfo": "Europe/Tallinn",
        "locale": "es",
    },
    zones={"UTC": ["Etc/UTC"], "Europe": ["Europe/Tallinn", "Europe/London"]},
    languages=[("en", "English"), ("es", "Español")],
)
EMAIL_ADDRESS = EmailAddress(
    back="/account",
    action="/account/email",
    remove="/account/email/remove",
    current="maria@example.com",
    verified=True,
    loss=Loss(),
)
REFUSED_ADDRESS = replace(EMAIL_ADDRESS, refused=True)
NEW_PHONE = NewPhone(action="/account/phones/new", back="/account", hold=timedelta(hours=24))
VERIFY_PHONE = VerifyPhone(
    action="/account/phones/confirm",
    resend="/account/phones/confirm/send",
    other="/account/phones/new",
    back="/account",
    hint="ending 45",
    hold=timedelta(hours=24),
    valid_for=timedelta(minutes=5),
    resend_in=timedelta(seconds=50),
    delivery=Delivery.SENDING,
)
EDIT_PHONE = EditPhone(
    hint="ending 45",
    label="Work phone",
    rename="/account/phones/1/rename",
    replace="/account/phones/1/number",
    remove="/account/phones/1/remove",
    prefer="/account/phones/1/first",
    others=True,
    back="/account",
    loss=Loss(),
)
USE_PASSKEY = UsePasskey(
    who=WHO,
    action="/i/1/passkey",
    purpose=STEP_UP,
    options='{"challenge": "AAAA"}',
    strong=True,
    alternatives=(Alternative(Factor.TOTP, "/i/1/totp"),),
    cancel="/i/1/cancel",
)
SIGN_IN_PASSKEY = SignIn(
    action="/authorize/password?x=1",
    purpose=Purpose(client_name="Acme Bank"),
    passkey="/authorize/with-passkey?x=1",
    options='{"challenge": "AAAA"}',
    cancel="/authorize/cancel?x=1",
)
NEW_PASSKEY = NewPasskey(action="/account/passkeys/new", back="/account", options='{"challenge": "AAAA"}')
DEVICE = EditDevice(
    told="Safari, iPhone",
    label="My phone",
    since=NOW - timedelta(days=90),
    rename="/account/devices/3/rename",
    forget="/account/devices/3/forget",
    back="/account",
)
PASSWORD = ChangePassword(action="/account/password", username="maria", back="/account", least=8)
WELCOME = Welcome(
    username="maria",
    password="/welcome/password",
    add_phone="/account/phones/new",
    add_app="/account/authenticators/new",
    add_passkey="/account/passkeys/new",
    renew_codes="/account/recovery-codes",
    finish=None,
)
REGISTER = Register(action="/register", back="/account")
FORGOT = Forgot(action="/forgot", back="/account")
FORM_POST = FormPost(
    redirect_uri="https://bank.acme.example/callback",
    client_name="Acme Bank",
    fields=(("code", "SplxlOBeZQQYbYS6WxSbIA"), ("state", 'a "b" & <c>'), ("iss", "https://id.acme.example")),
)
OUTBOX = Outbox(
    here="/dev/outbox",
    messages=(
        OutboxMessage(
            to="+372•••••555",
            at=NOW,
            text="042917 is your Acme code. It expires in 5 minutes. Never share it; we will not ask for it.\n\n"
            "@localhost #042917",
            code="042917",
        ),
        OutboxMessage(to="m•••@acme.example", at=NOW - timedelta(minutes=3), text="An authenticator app was added."),
    ),
)

PAGES: dict[str, Page] = {
    "sign-in": SIGN_IN,
    "sign-in-account": SignIn(action="/login", purpose=Purpose()),
    "sign-in-console": SignIn(action="/login", purpose=Purpose(why=Why.CONSOLE)),
    "sign-in-again": replace(
        SIGN_IN,
        purpose=Purpose(why=Why.AGAIN, client_name="Acme Bank"),
        username="maria",
        fixed=True,
        another="/i/1/other",
    ),
    "sign-in-again-wrong": replace(
        SIGN_IN,
        purpose=Purpose(why=Why.AGAIN),
        username="maria",
        fixed=True,
        problems=(Problem.PASSWORD_WRONG,),
    ),
    "sign-in-wrong": replace(SIGN_IN, username="maria", problems=(Problem.SIGN_IN_WRONG,)),
    "sign-in-empty": replace(SIGN_IN, problems=(Problem.USERNAME_MISSING, Problem.PASSWORD_MISSING)),
    "sign-in-wait": replace(SIGN_IN, username="maria", wait=timedelta(seconds=90), problems=(Problem.SIGN_IN_WAIT,)),
    "sign-in-wait-here": replace(
        SIGN_IN, username="maria", saved=True, wait=timedelta(minutes=14), problems=(Problem.SIGN_IN_WAIT_HERE,)
    ),
    "sign-in-wrong-here": replace(SIGN_IN, username="maria", saved=True, problems=(Problem.SIGN_IN_WRONG_HERE,)),
    "sign-in-form-old": replace(SIGN_IN, username="maria", problems=(Problem.FORM_OLD,)),
    "sms": SMS,
    "sms-sending": replace(SMS, delivery=Delivery.SENDING),
    "sms-delivered": replace(SMS, delivery=Delivery.DELIVERED, resend_in=None),
    "sms-failed": replace(SMS, delivery=Delivery.FAILED, resend_in=None),
    "sms-swapped": replace(SMS, delivery=Delivery.SWAPPED, resend_in=None, valid_for=None),
    "sms-wrong": replace(SMS, tries_left=1, valid_for=timedelta(seconds=50), problems=(Problem.CODE_WRONG,)),
    "sms-missing": replace(SMS, tries_left=None, problems=(Problem.SMS_CODE_MISSING,)),
    "sms-shape": replace(SMS, problems=(Problem.CODE_SHAPE,)),
    "sms-resend-wait": replace(SMS, problems=(Problem.RESEND_WAIT,)),
    "sms-send-failed": replace(SMS, resend_in=None, problems=(Problem.SEND_FAILED,)),
    "sms-wait": replace(SMS, wait=timedelta(minutes=8), problems=(Problem.CODE_WAIT,)),
    "sms-none-yet": replace(SMS, valid_for=None, resend_in=None, tries_left=None, purpose=Purpose(why=Why.ACCOUNT)),
    "sms-not-sent": replace(SMS, valid_for=None, tries_left=None, asked=False, resend_in=timedelta(minutes=43)),
    "sms-not-sent-alone": replace(
        SMS, valid_for=None, tries_left=None, asked=False, resend_in=timedelta(minutes=43), alternatives=()
    ),
    "sms-last": replace(SMS, delivery=Delivery.FAILED, resend_in=None, last_for=timedelta(minutes=48)),
    "sms-last-none-yet": replace(SMS, valid_for=None, asked=False, resend_in=None, last_for=timedelta(minutes=48)),
    "sms-dead": replace(SMS, valid_for=None, tries_left=0, problems=(Problem.CODE_DEAD,)),
    "sms-expired": replace(SMS, valid_for=None, resend_in=None, problems=(Problem.CODE_EXPIRED,), alternatives=()),
    "email": EMAIL,
    "email-sending": replace(EMAIL, delivery=Delivery.SENDING),
    "email-failed": replace(EMAIL, delivery=Delivery.FAILED, resend_in=None),
    "email-failed-alone": replace(EMAIL, delivery=Delivery.FAILED, resend_in=None, alternatives=()),
    "email-missing": replace(EMAIL, problems=(Problem.EMAIL_CODE_MISSING,)),
    "email-none-yet": replace(EMAIL, valid_for=None, resend_in=None, tries_left=None),
    "email-not-sent": replace(EMAIL, valid_for=None, tries_left=None, asked=False, resend_in=timedelta(minutes=43)),
    "email-last": replace(EMAIL, resend_in=None, last_for=timedelta(minutes=48)),
    "totp-strong": TOTP,
    "totp-closed": replace(TOTP, problems=(Problem.CODE_CLOSED,)),
    "totp-strong-many": replace(
        TOTP,
        purpose=Purpose(
            why=Why.SCOPE,
            client_name="Acme Bank",
            scopes=(TRANSFERS, ScopeLine(name="loans:apply", title="Apply for a loan")),
        ),
        hold=None,
        label=None,
        alternatives=WAYS[1:],
    ),
    "totp-sign-in": replace(
        TOTP,
        purpose=BANK,
        strong=False,
        alternatives=(
            Alternative(Factor.SMS, "/i/1/sms", send="/i/1/sms/send"),
            Alternative(Factor.EMAIL, "/i/1/email", "m•••@example.com"),
            WAYS[1],
        ),
    ),
    "totp-account": replace(
        TOTP, purpose=Purpose(why=Why.SCOPE, scopes=(ScopeLine(name="password:write"),)), cancel=None
    ),
    "sms-phones": replace(
        SMS,
        alternatives=(
            Alternative(Factor.SMS, "/i/1/sms", "ending 47", "/i/1/sms/send", phone="1"),
            Alternative(Factor.SMS, "/i/1/sms", "ending 48", "/i/1/sms/send", phone="2", label="Work phone"),
            *SMS.alternatives,
        ),
    ),
    "totp-wrong": replace(TOTP, tries_left=1, problems=(Problem.CODE_WRONG,)),
    "totp-used": replace(TOTP, tries_left=2, problems=(Problem.CODE_USED,)),
    "totp-no-tries": replace(TOTP, tries_left=0, again="/i/1/totp/send", problems=(Problem.CODE_WRONG,)),
    "totp-wait": replace(TOTP, tries_left=None, wait=timedelta(seconds=30), problems=(Problem.CODE_WAIT,)),
    "totp-eight": replace(TOTP, codes=AppCodes("SHA256", 8, timedelta(seconds=60)), problems=(Problem.APP_CODE_ALL,)),
    "totp-eight-unnamed": replace(TOTP, label=None, codes=AppCodes("SHA256", 8)),
    "totp-several": replace(TOTP, label=None, codes=None),
    "totp-missing": replace(TOTP, purpose=Purpose(why=Why.AGAIN), problems=(Problem.APP_CODE_MISSING,)),
    "recovery": RECOVERY,
    "recovery-wrong": replace(RECOVERY, tries_left=2, problems=(Problem.RECOVERY_WRONG,)),
    "recovery-no-tries": replace(RECOVERY, again="/i/1/recovery/send"),
    "recovery-missing": replace(RECOVERY, purpose=Purpose(), alternatives=(), problems=(Problem.RECOVERY_MISSING,)),
    "enrol": ENROL,
    "enrol-trusted": replace(ENROL, hold=None, client_name=None),
    "enrol-wrong": replace(ENROL, label="Work phone", problems=(Problem.CODE_WRONG, Problem.LABEL_TOO_LONG)),
    "codes": SAVE,
    "codes-unsaved": replace(SAVE, download=None, problems=(Problem.SAVED_MISSING,)),
    "consent": CONSENT,
    "consent-plain": replace(CONSENT, host=None, who=None, scopes=(ScopeLine(name="openid"),)),
    "approve": APPROVE,
    **{
        f"out-of-reach-{why}": replace(BEYOND, why=why)
        for why in ("no_authenticator", "on_hold", "closed", "frozen", "group")
    },
    "out-of-reach-until": replace(BEYOND, until=NOW + timedelta(hours=20), zone="Europe/Tallinn"),
    "out-of-reach-closed-until": replace(BEYOND, why="closed", until=NOW + timedelta(hours=20)),
    "approve-plain": replace(APPROVE, purpose=PLAIN),
    "approve-totp": replace(TOTP, purpose=PAYMENT),
    "approve-totp-wrong": replace(TOTP, purpose=PAYMENT, tries_left=2, problems=(Problem.CODE_WRONG,)),
    "approve-totp-also": replace(TOTP, purpose=ALSO),
    "approve-sms": replace(SMS, purpose=PAYMENT),
    "approve-sms-none-yet": replace(SMS, purpose=PAYMENT, valid_for=None, resend_in=None, tries_left=None),
    "select": SELECT,
    "select-refused": replace(SELECT, accounts=(), refused=SELECT.accounts[0]),
    "select-alone": replace(SELECT, purpose=Purpose(), accounts=SELECT.accounts[:1], cancel=None),
    "home": HOME,
    "home-frozen": replace(
        HOME, done=None, frozen=True, recover="/forgot", add_authenticator=None, change_password=None
    ),
    "home-shut": replace(HOME, shut_until=NOW + timedelta(hours=20), add_authenticator=None, change_password=None),
    "email-refused": REFUSED_ADDRESS,
    "home-refused": replace(HOME, refused="m•••@example.com"),
    "home-codes": replace(HOME, codes_at_hand="/account/recovery-codes/at-hand", renew_codes="/account/codes"),
    "home-new": Home(now=NOW, username="maria", sign_out="/logout", guard=Guard.PHONE),
    **{f"home-{guard}": replace(HOME, guard=guard) for guard in Guard},
    **{
        f"home-next-{step}": replace(
            HOME, step=step, guard=Guard.PHONE, renew_codes="/account/codes", add_passkey="/account/passkeys/new"
        )
        for step in Step
    },
    "edit": EDIT,
    "edit-last": replace(
        EDIT, loss=Loss(scopes=(ScopeLine(name="transfers:write"), ScopeLine(name="password:write")), codes_only=True)
    ),
    "edit-kept": replace(EDIT, loss=Loss(kept=Kept.LAST)),
    "edit-wrong": replace(EDIT, label="", last=False, problems=(Problem.LABEL_MISSING,)),
    "profile": PROFILE,
    "profile-wrong": replace(
        PROFILE,
        problems=(
            Problem.NAME_LONG,
            Problem.GIVEN_NAME_LONG,
            Problem.FAMILY_NAME_LONG,
            Problem.NICKNAME_LONG,
            Problem.WEBSITE_SHAPE,
            Problem.LANGUAGE_UNKNOWN,
            Problem.ZONE_UNKNOWN,
        ),
    ),
    "email-address": EMAIL_ADDRESS,
    "email-address-waiting": replace(
        EMAIL_ADDRESS, codes=True, waiting="maria@example.org", until=NOW + timedelta(hours=24)
    ),
    "email-address-new": replace(EMAIL_ADDRESS, verified=False, problems=(Problem.EMAIL_SHAPE,), typed="maria"),
    "email-address-none": replace(EMAIL_ADDRESS, current=None, remove=None, problems=(Problem.EMAIL_MISSING,)),
    "email-address-kept": replace(EMAIL_ADDRESS, loss=Loss(kept=Kept.LAST), problems=(Problem.EMAIL_SAME,)),
    "email-address-wait": replace(
        EMAIL_ADDRESS, wait=timedelta(minutes=1), typed="maria@example.org", problems=(Problem.EMAIL_WAIT,)
    ),
    "email-address-fixed": replace(EMAIL_ADDRESS, action=None),
    "verify-email": VerifyEmail(action="/link/verify_email/1", address="maria@example.com"),
    "edit-phone-strong": replace(
        EDIT_PHONE, loss=Loss(scopes=(ScopeLine(name="transfers:write"), ScopeLine(name="password:write")))
    ),
    "new-phone": NEW_PHONE,
    "new-phone-wrong": replace(NEW_PHONE, number="12345", hold=None, problems=(Problem.PHONE_SHAPE,)),
    **{
        f"new-phone-{problem.name.lower()}": replace(NEW_PHONE, problems=(problem,))
        for problem in (
            Problem.PHONE_MISSING,
            Problem.PHONE_NOT_MOBILE,
            Problem.PHONE_COUNTRY,
            Problem.PHONE_THERE,
            Problem.PHONES_ENOUGH,
        )
    },
    "new-phone-wait": replace(NEW_PHONE, wait=timedelta(minutes=2), problems=(Problem.PHONE_WAIT,)),
    "new-number": replace(NEW_PHONE, replaces="ending 45"),
    "verify-phone": VERIFY_PHONE,
    "verify-phone-sent": replace(VERIFY_PHONE, delivery=Delivery.SENT, hold=None, resend_in=None, replaces=True),
    "verify-phone-arrived": replace(VERIFY_PHONE, delivery=Delivery.DELIVERED, label="Work phone"),
    "verify-phone-failed": replace(VERIFY_PHONE, delivery=Delivery.FAILED, resend_in=None),
    "verify-phone-wrong": replace(VERIFY_PHONE, tries_left=1, problems=(Problem.CODE_WRONG, Problem.LABEL_TOO_LONG)),
    "verify-phone-expired": replace(
        VERIFY_PHONE, valid_for=None, resend_in=None, problems=(Problem.CODE_EXPIRED,), tries_left=0
    ),
    "verify-phone-swapped": replace(VERIFY_PHONE, delivery=Delivery.SWAPPED),
    "edit-phone": EDIT_PHONE,
    "edit-phone-first": replace(EDIT_PHONE, prefer=None, loss=Loss(no_phone=True)),
    "edit-phone-alone": replace(EDIT_PHONE, others=False, prefer=None, loss=Loss(codes_only=True)),
    "edit-phone-kept": replace(EDIT_PHONE, others=False, prefer=None, loss=Loss(kept=Kept.LAST)),
    "edit-phone-kept-by-group": replace(EDIT_PHONE, loss=Loss(kept=Kept.GROUP), problems=(Problem.LABEL_MISSING,)),
    "device": DEVICE,
    "device-here": replace(DEVICE, current=True, label="", problems=(Problem.LABEL_TOO_LONG,)),
    "begin-enrolment": BeginEnrolment(action="/account/authenticators/new", back="/account"),
    "begin-enrolment-nobody": BeginEnrolment(
        action="/account/authenticators/new", back="/account", hold=timedelta(hours=24), reached=False
    ),
    "begin-enrolment-held": BeginEnrolment(
        action="/account/authenticators/new",
        back="/account",
        hold=timedelta(hours=24),
        problems=(Problem.FORM_OLD,),
    ),
    "begin-enrolment-too-often": BeginEnrolment(
        action="/account/authenticators/new",
        back="/account",
        wait=timedelta(minutes=20),
        problems=(Problem.CHANGES_WAIT,),
    ),
    "sign-in-passkey": SIGN_IN_PASSKEY,
    "sign-in-passkey-wrong": replace(SIGN_IN_PASSKEY, problems=(Problem.PASSKEY_WRONG,)),
    "use-passkey": USE_PASSKEY,
    "use-passkey-to-sign-in": replace(USE_PASSKEY, strong=False, purpose=Purpose(client_name="Acme Bank")),
    "use-passkey-wrong": replace(USE_PASSKEY, problems=(Problem.PASSKEY_WRONG,)),
    "use-passkey-no-script": replace(USE_PASSKEY, problems=(Problem.PASSKEY_MISSING,)),
    "sign-in-passkey-barred": replace(SIGN_IN_PASSKEY, problems=(Problem.PASSKEY_BARRED,)),
    "use-passkey-behind": replace(USE_PASSKEY, problems=(Problem.PASSKEY_BEHIND,)),
    "use-passkey-again": replace(USE_PASSKEY, options=None, again="/i/1/passkey/send"),
    "new-passkey": NEW_PASSKEY,
    "new-passkey-held": replace(NEW_PASSKEY, hold=timedelta(hours=24), problems=(Problem.PASSKEY_UNFIT,)),
    "new-passkey-nobody": replace(NEW_PASSKEY, hold=timedelta(hours=24), reached=False),
    "new-passkey-old": replace(NEW_PASSKEY, problems=(Problem.PASSKEY_OLD,)),
    "new-passkey-there": replace(NEW_PASSKEY, problems=(Problem.PASSKEY_THERE,)),
    "edit-passkey": replace(EDIT, factor=Factor.PASSKEY, label="My phone"),
    "edit-passkey-no-hold": replace(EDIT, factor=Factor.PASSKEY, label="My phone", hold=None),
    "first-codes": NewRecoveryCodes(action="/account/codes", back="/account", remaining=None),
    "new-codes": NewRecoveryCodes(action="/account/codes", back="/account", remaining=8),
    "password": PASSWORD,
    "password-held": replace(PASSWORD, hold=timedelta(hours=24)),
    "password-wrong": replace(
        PASSWORD, least=15, problems=(Problem.PASSWORD_SHORT, Problem.PASSWORD_COMMON, Problem.PASSWORD_REPEAT)
    ),
    "lost": Lost(account="/account", forgot="/forgot", hold=timedelta(hours=24)),
    "lost-no-mail": Lost(account="/account", forgot=None, hold=timedelta(hours=24)),
    "recovery-stuck": replace(RECOVERY, who=Who("maria", "/i/1/account", "/lost"), alternatives=()),
    "forgot": FORGOT,
    "forgot-missing": replace(FORGOT, problems=(Problem.WHO_MISSING,)),
    "forgot-wait": replace(FORGOT, username="maria", wait=timedelta(minutes=41), problems=(Problem.LINK_WAIT,)),
    "forgot-no-mail": replace(FORGOT, action=None),
    "forgot-sent": ForgotSent(valid_for=timedelta(minutes=20), again="/forgot"),
    "reset-link": ResetLink(action="/link/reset/1"),
    "new-password": NewPassword(action="/reset", username="maria"),
    "new-password-held": NewPassword(
        action="/reset", username="maria", hold=timedelta(hours=24), problems=(Problem.PASSWORD_SHORT,)
    ),
    "register": REGISTER,
    "register-wait": replace(
        REGISTER, email="maria@example.com", wait=timedelta(minutes=40), problems=(Problem.EMAIL_WAIT,)
    ),
    "register-sent": RegisterSent(valid_for=timedelta(hours=1), again="/register"),
    "sign-in-register": replace(SIGN_IN, register="/register"),
    "invite-link": InviteLink(action="/link/invite/1"),
    "welcome": WELCOME,
    "welcome-phone": replace(WELCOME, password=None, phones=1, finish="/welcome/finish"),
    "welcome-all": replace(WELCOME, password=None, phones=1, apps=1, codes=10, finish="/welcome/finish"),
    "welcome-unnamed": replace(WELCOME, username=None),
    "first-password": FirstPassword(action="/welcome/password", back="/welcome", username="maria"),
    "first-password-named": FirstPassword(
        action="/welcome/password", back="/welcome", fixed=False, problems=(Problem.USERNAME_TAKEN,)
    ),
    "first-password-no-name": FirstPassword(
        action="/welcome/password", back="/welcome", fixed=False, problems=(Problem.USERNAME_SHAPE,)
    ),
    "new-password-given": NewPassword(action="/i/1/new-password", username="maria", given=True, cancel="/i/1/cancel"),
    "message-again": Message(outcome=Outcome.LINK_OVER, again="/forgot"),
    "confirm-logout": ConfirmLogout(action="/logout", username="maria", client_name="Acme Bank"),
    "logged-out": LoggedOut(client_name="Acme Bank", back="https://bank.acme.example/bye", sign_in="/account"),
    "logged-out-bare": LoggedOut(),
    "form-post": FORM_POST,
    "form-post-again": FormPost(redirect_uri="/authorize?again", fields=(("client_id", "bank"),), ours=True),
    "outbox": OUTBOX,
    "outbox-empty": Outbox(here="/dev/outbox", messages=()),
    "freeze": Freeze(
        action="/link/freeze/1",
        notice=Notice.NEW_BROWSER,
        at=NOW,
        zone="Europe/Tallinn",
        device="Chrome, Windows",
        address="203.0.113.7",
    ),
    "freeze-operator": Freeze(action="/link/freeze/1", notice=Notice.PASSWORD_CHANGED, at=NOW),
    "frozen": Frozen(home="/account", forgot="/forgot"),
    "frozen-ask": Frozen(home="/account"),
    "long-sign-in": replace(SIGN_IN, username=LONG, purpose=Purpose(client_name=LONG)),
    "long-totp": replace(
        TOTP, label=LONG, purpose=Purpose(why=Why.SCOPE, client_name=LONG, scopes=(ScopeLine(name=LONG),))
    ),
    "long-approve": replace(
        APPROVE,
        purpose=replace(
            PAYMENT,
            client_name=LONG,
            approval=replace(
                PAYMENT.approval,
                payee=LONG,
                things=((LONG, (DetailLine("payee", LONG), DetailLine("count", 10**9))),),
            ),
        ),
    ),
    "long-consent": replace(CONSENT, client_name=LONG, host=f"{LONG.lower()}.example", who=replace(WHO, username=LONG)),
    "long-select": replace(SELECT, accounts=(AccountChoice("1", LONG, LONG),)),
    "long-home": replace(
        HOME,
        name=LONG,
        username=LONG,
        authenticators=(replace(HOME.authenticators[0], label=LONG),),
        apps=(replace(HOME.apps[0], name=LONG),),
        devices=(replace(HOME.devices[1], name=LONG, place=LONG),),
    ),
    "long-error": ErrorPage(
        trouble=Trouble.BAD_REDIRECT_URI, request_id="01JD5", detail=f"redirect_uri=https://{LONG}"
    ),
    "rtl-consent": replace(CONSENT, client_name=RTL, who=replace(WHO, username=RTL)),
    "rtl-home": replace(HOME, name=RTL, apps=(replace(HOME.apps[0], name=RTL),)),
    **{
        f"error-{trouble.name.lower().replace('_', '-')}": ErrorPage(
            trouble=trouble,
            request_id="01JD5Z6K8Q",
            retry=timedelta(minutes=3) if trouble.status in {429, 503} else None,
        )
        for trouble in Trouble
    },
    "error-signed-out": ErrorPage(trouble=Trouble.SIGNED_OUT, again="/i/1/again", home="/account"),
    "error-finished": ErrorPage(
        trouble=Trouble.FINISHED,
        client_name="Acme Bank",
        back="https://bank.acme.example/",
        again="/i/1/again",
        home="/account",
    ),
    "error-site-stopped": ErrorPage(trouble=Trouble.STOPPED, again="/page", home="/account"),
    "error-site-beyond": ErrorPage(trouble=Trouble.BEYOND, again="/page", home="/account"),
    "error-site-group": ErrorPage(trouble=Trouble.NOT_IN_GROUP, sign_out="/.stile/sign-out", home="/account"),
    "error-home": ErrorPage(trouble=Trouble.NOT_FOUND, home="/account"),
    **{
        f"message-{outcome.name.lower().replace('_', '-')}": Message(outcome=outcome, home="/account")
        for outcome in Outcome
    },
    "message-shut-until": Message(outcome=Outcome.SHUT, home="/account", until=NOW + timedelta(hours=20)),
    "message-bare": Message(outcome=Outcome.CLOSE),
    **CONSOLE,
    **APPLICATIONS,
}
