"""Every page of the administrators' console in the states an operator can meet, by name. Nothing here is a test."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from idp.flows.checks.stored import ROTATE
from idp.sentences import as_it_is, sentence
from idp.web.console.overview import chart
from idp.web.pages.console import (
    NO,
    YES,
    Cell,
    Check,
    Checks,
    Detail,
    Edit,
    Fact,
    Frame,
    Input,
    Link,
    Listing,
    Overview,
    Query,
    Section,
)
from idp.web.pages.parts import Page

NOW = datetime(2026, 11, 22, 19, 45, tzinfo=UTC)
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
ID = "0199f3a2-6c1e-7d4b-9a51-3f0c2b7e8d10"
MARIA = f"/admin/people/{ID}"
FRAME = Frame(
    who="ada",
    role="Administrator",
    links=(
        Link("Overview", "/admin"),
        Link("People", "/admin/people", here=True),
        Link("Applications", "/admin/applications"),
        Link("Policy", "/admin/policy"),
        Link("Messages", "/admin/messages"),
        Link("Audit", "/admin/audit"),
    ),
    account="/account",
    sign_out="/logout",
    now=NOW,
    zone="Europe/Tallinn",
)
ENABLED, DISABLED = Cell("Enabled", badge="good", ours=True), Cell("Disabled", badge="bad", ours=True)
INVITED, FROZEN = Cell("Invited", badge="wait", ours=True), Cell("Frozen", badge="wait", ours=True)


def _days(counts: Sequence[int]) -> Sequence[tuple[str, int]]:
    return [(f"{(hour + 20) % 24:02}:00", count) for hour, count in enumerate(counts)]


HOURS = _days([3, 1, 0, 0, 0, 1, 2, 9, 31, 58, 61, 49, 40, 44, 52, 57, 43, 30, 21, 12, 9, 7, 5, 4])
NONE = _days([0] * 24)
SIXTHS = {"00:00", "06:00", "12:00", "18:00"}
SIGN_INS = ("Sign-ins to applications", "Sign-ins to applications, hour by hour.", "Hour")
FAILS, WARNS = Cell("Fails", badge="bad", ours=True), Cell("Warning", badge="wait", ours=True)
TROUBLES = (
    Check(
        FAILS,
        "Secret keys",
        sentence("%(count)s stored values were sealed with the key %(key)s, which is not there", count=3, key="'old'"),
        sentence("put it back into IDP_SECRET_KEYS, behind the first"),
    ),
    Check(WARNS, "Signing keys", sentence("the current key is %(days)s days old", days=200), ROTATE),
)
OVERVIEW = Overview(
    frame=FRAME,
    hours=(
        chart("chart-0", *SIGN_INS, HOURS, named=SIXTHS),
        chart("chart-1", "Refused answers", "Wrong passwords and codes, hour by hour.", "Hour", NONE, named=SIXTHS),
    ),
    countries=(
        chart(
            "chart-sent",
            "Text messages sent",
            "Text messages that left, country by country.",
            "Country",
            (("EE", 210), ("FI", 41), ("LV", 12), ("DE", 1)),
            named={"EE", "FI", "LV", "DE"},
        ),
    ),
    money=(
        ("Spent this hour", "0.42", "20.00 EUR", 2),
        ("Spent today", "7.30", "100.00 EUR", 7),
        ("Spent this month", "1890.11", "2000.00 EUR", 94),
    ),
    waiting=3,
    oldest=NOW - timedelta(minutes=4),
    checkup="/admin/doctor",
    troubles=TROUBLES,
    paused=(("smspm", "", NOW + timedelta(minutes=5)), ("vonage", "EE", NOW + timedelta(minutes=5))),
)
CHECKS = Checks(
    frame=FRAME,
    back=Link("Overview", "/admin"),
    action="/admin/doctor",
    at=NOW,
    whole=False,
    looking=False,
    troubles=TROUBLES,
    rest=(
        Check(
            Cell("All right", badge="good", ours=True),
            "Settings",
            sentence("issuer %(issuer)s", issuer="https://id.acme.example"),
        ),
        Check(
            Cell("All right", badge="good", ours=True),
            "Text messages",
            as_it_is("smspm, vonage"),
            sentence("`idp sms test --to …` sends one, `idp email test --to …` an e-mail"),
        ),
    ),
)
PEOPLE = Listing(
    frame=FRAME,
    title="People",
    columns=("Username", "Name", "Email address", "Groups", "State"),
    rows=(
        (Cell("maria", MARIA), Cell("Maria Tamm"), Cell("maria@example.com"), Cell("treasury"), ENABLED),
        (Cell("paul", MARIA), Cell(), Cell(), Cell(), DISABLED),
        (Cell("new-here", MARIA), Cell("New Here"), Cell("new@example.com"), Cell("treasury, desk"), INVITED),
    ),
    here="/admin/people",
    search="",
    hint="Part of a username, name or email address.",
    count=203,
    following="/admin/people?q=&after=paul",
    csv="/admin/people.csv?q=",
    acts=(Link("Invite somebody", "/admin/people/invite"),),
)
TRAIL = Listing(
    frame=FRAME,
    title="Audit trail",
    columns=("When", "Event", "Person", "Application", "By", "Details"),
    rows=(
        (
            Cell(at=NOW),
            Cell("account.changed", "/admin/audit/17"),
            Cell("maria", MARIA),
            Cell(),
            Cell("person:ada"),
            Cell("groups treasury"),
        ),
        (Cell(at=NOW), Cell("authorization.granted"), Cell("maria", MARIA), Cell("bank"), Cell(), Cell("amr: pwd")),
    ),
    here="/admin/audit",
    search="maria",
    hint="A username; an event, such as account.changed; or who did it, such as shell:ada.",
    csv="/admin/audit.csv?q=maria",
)
EVENT = Detail(
    frame=FRAME,
    title="An account was changed",
    ours=True,
    back=Link("Audit trail", "/admin/audit"),
    sections=(
        Section(
            "What happened",
            facts=(
                Fact("When", (Cell(at=NOW),)),
                Fact("Event", (Cell("account.changed"),)),
                Fact("Person", (Cell("maria", MARIA),)),
                Fact("By", (Cell("person:ada"),)),
            ),
        ),
        Section("Details", facts=(Fact("What was changed", (Cell("groups treasury"),)),)),
    ),
    acts=(Link("All about this person", f"/admin/audit?person={ID}"),),
)
PERSON = Detail(
    frame=FRAME,
    title="Maria Tamm",
    back=Link("People", "/admin/people"),
    standing=(ENABLED, Cell("treasury", badge="")),
    sections=(
        Section(
            "About them",
            facts=(
                Fact("Username", (Cell("maria"),)),
                Fact("Account id", (Cell(ID),)),
                Fact("Email address", (Cell("maria@example.com"),)),
                Fact("Address verified", (Cell(YES, ours=True),)),
                Fact("Language", (Cell(""),)),
                Fact("Added", (Cell(at=NOW - timedelta(days=200)),)),
                Fact("Password set", (Cell(NO, ours=True),)),
                Fact("What makes them wait", (Cell("wrong passwords, until 20:10"), Cell("codes, until 20:40"))),
                Fact(
                    "Links that work", (Cell("Link that sets the account up", ours=True, at=NOW + timedelta(days=3)),)
                ),
            ),
        ),
        Section(
            "Ways to sign in",
            columns=("Kind", "Name", "Last used", "Trusted from"),
            rows=(
                (Cell("totp"), Cell("Pixel"), Cell(at=NOW), Cell(at=NOW - timedelta(days=90))),
                (Cell("sms"), Cell("ending 88"), Cell(), Cell()),
            ),
        ),
        Section("Signed in", columns=("Browser", "Last seen")),
        Section(
            "What happened",
            columns=("When", "What", "By"),
            rows=((Cell(at=NOW), Cell("account.changed"), Cell("person:ada")),),
            acts=(Link("All of it in the audit trail", f"/admin/audit?person={ID}"),),
        ),
    ),
    acts=(
        Link("Edit", f"{MARIA}/edit"),
        Link("Change groups", f"{MARIA}/groups"),
        Link("Link for another password", f"{MARIA}/reset"),
        Link("Sign out everywhere", f"{MARIA}/sign-out"),
        Link("Freeze", f"{MARIA}/freeze", grave=True),
        Link("Remove", f"{MARIA}/remove", grave=True),
    ),
)
POLICY = Detail(
    frame=FRAME,
    title="Policy",
    ours=True,
    back=Link("Overview", "/admin"),
    sections=(
        Section(
            "Where it is",
            facts=(Fact("File", (Cell("/etc/stile/policy.toml"),)), Fact("Mistakes", ())),
        ),
        Section("Who must prove what, for what", text='[levels]\ntwo_factor = "urn:stile:2fa"   # weakest first\n' * 8),
    ),
    acts=(Link("Try another text", "/admin/policy/try"),),
)
EDIT = Edit(
    frame=FRAME,
    title="Edit",
    about="Maria Tamm (maria)",
    action=f"{MARIA}/edit",
    back=MARIA,
    button="Save",
    inputs=(
        Input("username", "Username", "maria", required=True),
        Input("name", "Name", "Maria Tamm"),
        Input("phone", "Phone", hint="With + and the country code, if you know that it is theirs."),
        Input("email_verified", "I know that the address is theirs", "on", kind="checkbox"),
        Input("locale", "Language of our messages", "et", options=(("", "–"), ("en", "English"), ("et", "Eesti"))),
    ),
    version="1",
)
NOBODY = sentence("There is no user named %(name)s.", name="'nobody'")
LONG_NAME = sentence("A name has 1 to %(longest)s printable characters.", longest=200)
REMOVE = Edit(
    frame=FRAME,
    title="Remove",
    about="Maria Tamm (maria)",
    action=f"{MARIA}/remove",
    back=MARIA,
    button="Remove for ever",
    consequences=("The account and all that is theirs is deleted. This cannot be undone; the audit trail stays.",),
    grave=True,
)
TRY = Edit(
    frame=FRAME,
    title="Try another text",
    about="",
    action="/admin/policy/try",
    back="/admin/policy",
    button="Try it",
    consequences=("You see its mistakes, and what it would change here. Nothing is changed by trying.",),
    inputs=(Input("text", "Policy", '[levels]\ntwo_factor = "urn:stile:2fa"\n', kind="textarea", required=True),),
)

EXPLAIN = Detail(
    frame=FRAME,
    title="Explain a decision",
    ours=True,
    back=Link("Policy", "/admin/policy"),
    query=Query(
        action="/admin/policy/explain",
        about="What somebody would be asked, why, and what the application would get. Nobody is signed in by it.",
        button="Explain",
        inputs=(
            Input("username", "Username", "maria", "Empty: somebody with a phone and an app."),
            Input("signed_in_with", "Signed in elsewhere with", options=(("", "–"), ("sms", "sms"))),
            Input("details", "Details", kind="textarea"),
        ),
    ),
)
ANSWER = (
    Section(
        "What comes of it",
        facts=(Fact("Granted", (Cell(YES, badge="good", ours=True),)), Fact("Answer", (Cell("proceed: openid"),))),
    ),
    Section(
        "What they would be asked",
        columns=("Question", "What they do"),
        rows=((Cell("ask for password"), Cell("gives it")),),
    ),
    Section("The access token would say", text='{\n  "scope": "openid"\n}'),
)

SPENDING = Detail(
    frame=FRAME,
    title="Money and closed numbers",
    ours=True,
    back=Link("Messages", "/admin/messages"),
    sections=(
        Section("Money", facts=(Fact("Spent today", (Cell("7.30 / 100.00 EUR"),)),)),
        Section(
            "Closed blocks of numbers",
            columns=("Block", "Country", "Closed until"),
            rows=((Cell("0f0f0f0f0f0f", f"/admin/messages/spending/{'0f' * 32}"), Cell("EE"), Cell(at=NOW)),),
        ),
        Section(
            "Rules, and what they denied in 24 hours",
            columns=("Rule", "Mode", "Denies", "Denied", "Would have"),
            rows=((Cell("line_type"), Cell("enforce"), Cell("lines that are not mobile"), Cell("3"), Cell("0")),),
        ),
        Section("What they did in 24 hours", columns=("Gateway", "Country", "Tries", "Taken", "Refused", "Failed")),
    ),
    acts=(Link("Ask about a number", "/admin/messages/number"),),
)
NUMBER = Detail(
    frame=FRAME,
    title="Ask about a number",
    ours=True,
    back=Link("Messages", "/admin/messages"),
    query=Query(
        action="/admin/messages/number",
        about="Whether a code would be sent to it now, and why. Nothing is sent by asking.",
        button="Ask",
        inputs=(Input("phone", "Phone", "+37251234567", "With + and the country code.", "tel", required=True),),
        secret=True,
    ),
    sections=(Section("What comes of it", facts=(Fact("Phone", (Cell("+372•••567"),)),)),),
)

LOGO = Edit(
    frame=FRAME,
    title="Logo",
    about="Acme Bank",
    action="/admin/applications/bank/logo",
    back="/admin/applications/bank",
    button="Show this logo",
    consequences=("People see it where they sign in to the application and where they allow it something.",),
    inputs=(
        Input(
            "logo",
            "Picture",
            hint="PNG, JPEG or WebP, 16 to 1024 pixels each way, 100 kB at most.",
            kind="file",
            required=True,
        ),
    ),
)
SECRET = Edit(
    frame=FRAME,
    title="New secret",
    about="Acme Bank",
    action="/admin/applications/bank/secret",
    back="/admin/applications/bank",
    button="Make a new secret",
    follows=(sentence("Nobody has used it since the present one was made."),),
    inputs=(
        Input(
            "keep",
            "The old one works too, for",
            "7d",
            "So that every process of the application can be given the new one.",
            options=(("7d", "7 days"), ("", "Not at all: it stops working now")),
        ),
    ),
    version="1",
    made="sealed",
)

CONSOLE: Mapping[str, Page] = {
    "console-overview": OVERVIEW,
    "console-overview-empty": replace(
        OVERVIEW,
        hours=(chart("chart-0", *SIGN_INS, NONE, named=SIXTHS),),
        countries=(),
        troubles=(),
        looked=False,
        money=(("Spent today", "0.00", "0.00 EUR", 0),),
        waiting=0,
        oldest=None,
        paused=(),
    ),
    "console-checkup": CHECKS,
    "console-checkup-well": replace(CHECKS, whole=True, troubles=()),
    "console-checkup-looking": replace(CHECKS, at=None, looking=True, troubles=(), rest=()),
    "console-people": PEOPLE,
    "console-people-none": replace(
        PEOPLE, rows=(), count=0, search="nobody", following=None, done="The person is removed."
    ),
    "console-trail": TRAIL,
    "console-trail-wrong": replace(TRAIL, rows=(), said=(NOBODY,)),
    "console-event": EVENT,
    "console-explain": EXPLAIN,
    "console-explain-answer": replace(EXPLAIN, sections=ANSWER),
    "console-explain-wrong": replace(
        EXPLAIN, query=None if EXPLAIN.query is None else replace(EXPLAIN.query, said=(NOBODY,))
    ),
    "console-logo": LOGO,
    "console-logo-wrong": replace(LOGO, wrong=[("", sentence("Choose a picture first."))]),
    "console-secret": SECRET,
    "console-spending": SPENDING,
    "console-number": NUMBER,
    "console-person": PERSON,
    "console-person-link": replace(
        PERSON,
        done="The link is made. Those before it work no more.",
        once="https://id.acme.example/link/invite/7c2kq0pd8fwj7c2kq0pd8fwj7c2kq0pd8fwj7c2kq0pd",
    ),
    "console-person-app": replace(
        PERSON,
        done="The app is given. It counts at once, and they were told.",
        once="JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP",
        uri="otpauth://totp/Acme%20ID:maria?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Acme%20ID",
    ),
    "console-person-codes": replace(
        PERSON,
        done="The codes are made. Those before them work no more, and they were told.",
        codes=[f"7K3F-9QZM-4R2T-XW{number}H" for number in range(10)],
    ),
    "console-add": replace(
        EDIT,
        title="Add somebody",
        about="",
        button="Add",
        version="",
        made="sealed",
        groups=[Input(f"group-{each}", each, kind="checkbox", ours=False) for each in ("treasury", "desk")],
    ),
    "console-policy": POLICY,
    "console-edit": EDIT,
    "console-edit-wrong": replace(EDIT, wrong=[("name", LONG_NAME)]),
    "console-edit-meanwhile": replace(
        EDIT,
        wrong=[("", sentence("Somebody else changed %(who)s meanwhile: look at them again, then go on.", who="ada"))],
        now=(("Name", "Maria Silva"), ("Email address", "–")),
    ),
    "console-edit-late": replace(EDIT, waiting=True),
    "console-remove": REMOVE,
    "console-remove-never": replace(REMOVE, never=True, wrong=[("",
            sentence(
                "%(who)s is the last administrator who can sign in: make somebody else one first, or do it at a shell"
                " of the provider's machine.",
                who="ada",
            ),
        )],),
    "console-try": TRY,
    "console-long-people": replace(
        PEOPLE,
        rows=((Cell(LONG, MARIA), Cell(LONG), Cell(f"{LONG.lower()}@example.com"), Cell(LONG), FROZEN),),
        search=LONG,
    ),
    "console-long-person": replace(
        PERSON,
        frame=replace(FRAME, who=LONG),
        title=LONG,
        standing=(FROZEN, Cell(LONG, badge="")),
        sections=(
            Section("About them", facts=(Fact("Username", (Cell(LONG),)),)),
            Section("Signed in", columns=("Browser", "Last seen"), rows=((Cell(LONG), Cell(at=NOW)),)),
        ),
        once=f"https://id.acme.example/link/invite/{LONG}",
    ),
    "console-long-edit": replace(EDIT, about=LONG, inputs=(Input("name", "Name", LONG),), now=(("Name", LONG),)),
}  # fmt: skip
