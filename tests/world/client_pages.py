"""The pages of the console on which an application is described, by name. Nothing here is a test."""

from collections.abc import Mapping
from dataclasses import replace

from idp.model import AuthMethod, Client
from idp.policy import load_policy
from idp.sentences import sentence
from idp.web.console import client_fields
from idp.web.console.client_new import KINDS
from idp.web.pages.console import NO, YES, Cell, Link
from idp.web.pages.parts import Page
from idp.web.pages.registering import ClientForm, Consequences, Kinds
from tests.world.console_pages import FRAME, LONG
from tests.world.policies import OURS

_POLICY = load_policy(OURS)
_SHOP = Client(
    id="shop",
    name="Corner Shop",
    auth_method=AuthMethod.BASIC,
    redirect_uris=("https://shop.example.com/callback", f"https://shop.example.com/{LONG.lower()}"),
    post_logout_redirect_uris=("https://shop.example.com/bye",),
    grant_types=frozenset({"authorization_code", "refresh_token"}),
    scopes=frozenset({"openid", "profile", "email", "offline_access"}),
    groups=frozenset({"treasury"}),
    home_uri="https://shop.example.com/",
)
_VALUES = client_fields.values_of(_SHOP)
_BACK = Link("Back to the application", "/admin/applications/shop")
FORM = ClientForm(
    frame=FRAME,
    title="Edit",
    about="Corner Shop",
    action="/admin/applications/shop/edit",
    back=_BACK,
    button="Save",
    fieldsets=client_fields.fieldsets(_POLICY, _VALUES),
    hidden=(("version", "0123456789abcdef"), ("once", "x")),
)
_WRONG = (
    ("name", sentence("The name of a client has 1 to %(longest)s printable characters.", longest=80)),
    (
        "redirect_uris",
        sentence(
            "The %(what)s %(uri)s cannot be registered: it %(problem)s.",
            what=sentence("redirect URI"),
            uri=repr(f"javascript:{LONG}"),
            problem="must be https",
        ),
    ),
    ("redirect_uris", sentence("A %(what)s is given twice.", what=sentence("redirect URI"))),
    ("scopes", sentence("The scope %(scope)s is for our own account pages only.", scope="'password:write'")),
    ("require_pkce", sentence("A public client needs PKCE (RFC 9700 2.1.1).")),
)
APPLICATIONS: Mapping[str, Page] = {
    "console-client-form": FORM,
    "console-client-form-wrong": replace(
        FORM,
        wrong=_WRONG,
        fieldsets=client_fields.fieldsets(_POLICY, {**_VALUES, "name": "", "redirect_uris": f"javascript:{LONG}"}),
    ),
    "console-client-form-outdated": replace(
        FORM,
        wrong=[("", sentence("A client named %(name)s exists already.", name="'Shop'"))],
        now=[
            ("Name", [Cell("Shop")]),
            ("Redirect URIs", [Cell("https://shop.example.com/1"), Cell("https://x.example/2")]),
        ],
    ),
    "console-client-form-late": replace(FORM, prove="/admin/applications/shop/edit"),
    "console-client-form-waiting": replace(FORM, waiting=True),
    "console-client-consequences": Consequences(
        frame=FRAME,
        title="Look before you save",
        about="Corner Shop",
        action="/admin/applications/shop/edit",
        changes=(
            (
                "Redirect URIs",
                [Cell("https://shop.example.com/callback"), Cell(f"https://shop.example.com/{LONG.lower()}")],
                [Cell("https://shop.example.com/new")],
            ),
            ("Ours, so nobody is asked to agree", [Cell(NO, ours=True)], [Cell(YES, ours=True)]),
            ("Home page", [Cell("https://shop.example.com/")], []),
        ),
        follows=(
            sentence("People are not asked for consent any more."),
            sentence("The refresh tokens that it holds are refused."),
        ),
        hidden=(("name", "Corner Shop"),),
    ),
    "console-client-kinds": Kinds(
        frame=FRAME,
        back=Link("Applications", "/admin/applications"),
        kinds=[(Link(kind.title, f"?kind={name}"), kind.what) for name, kind in KINDS.items()],
    ),
}
