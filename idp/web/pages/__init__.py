"""Pages as values, and how they become HTML: `render(SignIn(...), brand=..., csrf=...)`. No request, no flow."""

from idp.web.pages.account import (
    Activity,
    ActivityRow,
    AddressRow,
    AppRow,
    AuthenticatorRow,
    BeginEnrolment,
    ChangePassword,
    DeviceRow,
    EditAuthenticator,
    EditDevice,
    Fixed,
    Home,
    NewPasskey,
    NewRecoveryCodes,
    Standing,
)
from idp.web.pages.answers import (
    ConfirmLogout,
    ErrorPage,
    FormPost,
    LoggedOut,
    Outbox,
    OutboxMessage,
    Trouble,
)
from idp.web.pages.brand import Brand, brand_css
from idp.web.pages.done import Done
from idp.web.pages.forgotten import Forgot, ForgotSent, Lost, NewPassword, ResetLink
from idp.web.pages.freezing import Freeze, Frozen
from idp.web.pages.headers import (
    FORM_POST_SCRIPT_HASH,
    HSTS,
    HSTS_ALONE,
    PASSKEY_SCRIPT,
    SECURITY_HEADERS,
    content_security_policy,
    page_headers,
)
from idp.web.pages.loss import Kept, Loss
from idp.web.pages.mailbox import EmailAddress, VerifyEmail
from idp.web.pages.messages import Message, Outcome
from idp.web.pages.parts import (
    Alternative,
    Approval,
    Delivery,
    DetailLine,
    Money,
    Page,
    Problem,
    Purpose,
    ScopeLine,
    Who,
    Why,
)
from idp.web.pages.phones import EditPhone, NewPhone, VerifyPhone
from idp.web.pages.profile import Profile
from idp.web.pages.prompts import (
    AccountChoice,
    Approve,
    AuthenticatorCode,
    Consent,
    EmailCode,
    EnrolAuthenticator,
    OutOfReach,
    RecoveryCode,
    RecoveryCodes,
    SelectAccount,
    SignIn,
    SmsCode,
    UsePasskey,
)
from idp.web.pages.render import render
from idp.web.pages.welcome import FirstPassword, InviteLink, Register, RegisterSent, Welcome
