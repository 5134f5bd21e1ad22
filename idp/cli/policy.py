"""`idp policy …`: who must prove what, in plain words, and what one person would be asked for one request."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from idp.cli import details as types
from idp.cli import output, policies, policy_audit, policy_text, sites, trying

if TYPE_CHECKING:
    from idp.policy import Policy, ScopeRule

app = typer.Typer(help="The policy: who must prove what, for what.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _policy() -> None:
    pass


@app.command(
    "check",
    epilog=(
        "\b\nExamples:\n"
        "  idp policy check                                       is the file right, and what does it say?\n"
        "  idp policy check --file new-policy.toml\n"
        "  idp policy check --user ada --client Bank --scope openid --scope transfers:write\n"
        "  idp policy check --scope transfers:write --signed-in sms\n"
        "  idp policy check --user ada --client Bank --details payment.json\n"
        "  idp policy check --user ada --site https://wiki.example.com/admin"
    ),
)
def check(
    *,
    file: policies.File = None,
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="A username.  [default: somebody with a phone and an app]")
    ] = None,
    client: Annotated[
        str | None, typer.Option(metavar="CLIENT", help="Name or id.  [default: a client that may ask for all]")
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option(metavar="SCOPE", help="What is asked for; may be repeated.")
    ] = None,
    acr: Annotated[
        list[str] | None, typer.Option(metavar="ACR", help="acr_values, the most wanted first; may be repeated.")
    ] = None,
    max_age: Annotated[int | None, typer.Option(metavar="SECONDS", min=0, help="max_age.")] = None,
    signed_in: Annotated[
        str | None,
        typer.Option(metavar="FACTOR", help="As sms, totp, passkey: signed in elsewhere with it 10 minutes ago."),
    ] = None,
    details: Annotated[
        Path | None, typer.Option(metavar="FILE", help="authorization_details in JSON: what is to be approved.")
    ] = None,
    site: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="An address of a site behind a proxy that somebody opens.")
    ] = None,
    as_json: output.Json = False,
) -> None:
    """Check the policy and explain it; or explain one decision.

    With --user, --client, --site, --scope, --acr or --details it walks through what the person would be asked, with the
    reasons, and says what comes out. Nobody is signed in and nothing is stored.
    """
    policy, where = policies.load(file)
    if not (user or client or site or scope or acr or signed_in or details or max_age is not None):
        from idp.policy.plain import plain

        output.show({"policy": where, **plain(policy)}, _lines(policy, where), as_json=as_json)
        return
    from idp.flows.operate.trying import Asked

    found = trying.found(
        policy,
        Asked(
            username=user,
            client=client,
            scopes=tuple(scope or ()),
            acr_values=tuple(acr or ()),
            max_age=None if max_age is None else timedelta(seconds=max_age),
            signed_in_with=signed_in,
            details=None if details is None else types.read(details),
            site=site,
        ),
    )
    output.show(trying.fields(found), trying.lines(found), as_json=as_json)


app.command("show", epilog=policy_text.SHOW_EXAMPLES)(policy_text.show)
app.command("try", epilog=policy_text.TRY_EXAMPLES)(policy_text.try_)
app.command("audit", epilog=policy_audit.EXAMPLES)(policy_audit.audit)


def _only(policy: "Policy", group: str) -> str:
    named = policy.only.get(group)
    return "" if named is None else f", and for them only {' and '.join(sorted(named))} counts"


def _lines(policy: "Policy", where: str) -> list[str]:
    from idp.policy import LIFETIMES, in_units, lifetimes_of, limits_of, said

    gives = ", ".join(f"{factor} gives {level.name.lower()}" for factor, level in policy.factors.items())
    lines = [f"{where} is right. On top of the password {gives}.", ""]
    rows = [
        (name, rule.level.name.lower() if rule.people else "", _freshness(rule), in_units(rule.ttl), _use(rule))
        for name, rule in policy.scopes.items()
        if name not in policy.places
    ]
    lines.append(output.table(("SCOPE", "NEEDS", "PROVED", "TOKEN LIVES", ""), rows))
    lines += [*sites.lines(policy), ""]
    lines += [
        f"Members of {name} need {level.name.lower()} for anything{_only(policy, name)}."
        for name, level in policy.groups.items()
    ]
    lines += types.lines(policy)
    hold, life = in_units(policy.enrolment.hold), in_units(policy.challenge.ttl)
    lines.append(f"An authenticator enrolled with a text message alone opens no strong scope for {hold}.")
    tries = policy.challenge.attempts
    lines.append(f"A code lives {life} and dies after {tries} wrong {'try' if tries == 1 else 'tries'}.")
    who = "everybody who has a phone" if policy.challenge.message_at_once else "who has nothing better"
    lines.append(f"After the password a code by text message leaves by itself for {who}.")
    lines += _told_by_text(policy)
    lived = [
        (row, in_units(span), f"{in_units(LIFETIMES[row].least)} to {in_units(LIFETIMES[row].most)}")
        for row, span in lifetimes_of(policy).items()
    ]
    lines += ["", output.table(("LIFETIME", "", "MAY BE"), lived)]
    counted = [(row, said(limit)) for row, limit in limits_of(policy.limits).items()]
    lines += ["", output.table(("LIMIT", "AT MOST"), counted)]
    return lines


def _told_by_text(policy: "Policy") -> list[str]:
    """Which notices cost text messages."""
    from idp.model import Notice, Texting

    words = {
        Texting.ALWAYS: "go to every phone, and by e-mail",
        Texting.UNMAILED: "go by e-mail, and to the phones of people who proved no mailbox",
        Texting.NEVER: "go by e-mail alone",
    }
    told = {each: [notice.value for notice in Notice if policy.notices.texting(notice) is each] for each in Texting}
    return [f"Of notices these {words[each]}: {', '.join(names)}." for each, names in told.items() if names]


def _freshness(rule: "ScopeRule") -> str:
    from idp.policy import in_units

    if not rule.people:
        return ""
    if rule.fresh is None:
        return "at any time"
    return f"within {in_units(rule.fresh)}" if rule.fresh else "in the same request"


def _use(rule: "ScopeRule") -> str:
    if not rule.people:
        return "machines only"
    words = (
        (rule.internal, "our own pages only"),
        (rule.machines, "machines too"),
        (not rule.refresh, "never refreshed"),
    )
    return ", ".join(word for true, word in words if true)
