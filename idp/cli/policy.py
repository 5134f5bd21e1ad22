"""`idp policy …`: who must prove what, in plain words, and what one person would be asked for one request."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from idp.cli import details as types
from idp.cli import output, policies, policy_audit

if TYPE_CHECKING:
    from idp.flows.operate.walk import Walk
    from idp.limits import Limit
    from idp.model import Client
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
        "  idp policy check --user ada --client Bank --details payment.json"
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
    as_json: output.Json = False,
) -> None:
    """Check the policy and explain it; or explain one decision.

    With --user, --client, --scope, --acr or --details it walks through what the person would be asked, with the
    reasons, and says what comes out. Nobody is signed in and nothing is stored.
    """
    policy, where = policies.load(file)
    if not (user or client or scope or acr or signed_in or details or max_age is not None):
        output.show(_fields(policy, where), _lines(policy, where), as_json=as_json)
        return
    walked, left_out = _walk(
        policy, user, client, scope=scope, acr=acr, max_age=max_age, signed_in=signed_in, details=details
    )
    fields = {
        "granted": walked.granted,
        "answer": walked.answer,
        "steps": [{"asked": step.asked, "answered": step.answered} for step in walked.steps],
        "left_out": [{"asked": asked, "why": why} for asked, why in left_out.items()],
        "checks": [{"check": line.check, "found": line.found} for line in walked.why],
    }
    lines = [f"{number}. {step.asked}\n   the person {step.answered}" for number, step in enumerate(walked.steps, 1)]
    ignored = [f"{asked} is left out: {why}" for asked, why in left_out.items()]
    output.show(fields, [*ignored, *lines, f"=> {walked.answer}"], as_json=as_json)


app.command("audit", epilog=policy_audit.EXAMPLES)(policy_audit.audit)


def _walk(
    policy: "Policy",
    user: str | None,
    client: str | None,
    *,
    scope: list[str] | None,
    acr: list[str] | None,
    max_age: int | None,
    signed_in: str | None,
    details: Path | None,
) -> "tuple[Walk, dict[str, str]]":
    from idp.clock import DatabaseClock
    from idp.flows.idp import Idp
    from idp.flows.operate.finding import find_client, find_user
    from idp.flows.operate.walk import some_client, somebody, usual_scopes, walk
    from idp.model import Factor
    from idp.serving.place import run

    if signed_in is not None and signed_in not in policy.factors:
        there = ", ".join(policy.factors)
        raise typer.BadParameter(
            f"{signed_in!r} is no factor of the policy: there are {there}", param_hint="'--signed-in'"
        )
    now = DatabaseClock().now()
    account, authenticators = somebody(now, also=None if signed_in is None else Factor(signed_in))
    asking = some_client(policy)

    async def look_up(idp: Idp) -> None:
        nonlocal account, authenticators, asking
        if user is not None:
            person = await find_user(idp, user)
            account, authenticators = person.account, person.authenticators
        if client is not None:
            asking = await find_client(idp, client)

    if user is not None or client is not None:
        run(look_up)
    scopes = scope or usual_scopes(policy, asking)
    walked = walk(
        policy,
        account=account,
        authenticators=authenticators,
        client=asking,
        scopes=scopes,
        acr_values=acr or [],
        max_age=None if max_age is None else timedelta(seconds=max_age),
        signed_in_with=None if signed_in is None else Factor(signed_in),
        details=None if details is None else types.read(details, asking, policy),
        now=now,
    )
    return walked, _left_out(policy, asking, scopes=scopes, acr_values=acr or [])


def _left_out(policy: "Policy", client: "Client", *, scopes: list[str], acr_values: list[str]) -> dict[str, str]:
    """What was asked for and has no part in the decision, with the reason (RFC 6749 3.3, OIDC Core 3.1.2.1)."""
    from idp.flows.operate.walk import by_itself
    from idp.policy import left_out

    known = set(policy.levels.values())
    itself = by_itself(policy, client, scopes)
    return left_out(policy, client, [scope for scope in scopes if scope not in itself]) | {
        acr: "the policy has no level of that name" for acr in acr_values if acr not in known
    }


def _fields(policy: "Policy", where: str) -> dict[str, Any]:
    return {
        "policy": where,
        "levels": {level.name.lower(): acr for level, acr in policy.levels.items()},
        "factors": {factor.value: level.name.lower() for factor, level in policy.factors.items()},
        "scopes": {
            name: {
                "level": rule.level.name.lower(),
                "fresh_seconds": None if rule.fresh is None else rule.fresh.total_seconds(),
                "ttl_seconds": rule.ttl.total_seconds(),
                "refresh": rule.refresh,
                "internal": rule.internal,
                "people": rule.people,
                "machines": rule.machines,
            }
            for name, rule in policy.scopes.items()
        },
        "groups": {name: level.name.lower() for name, level in policy.groups.items()},
        "group_factors": {name: sorted(factors) for name, factors in policy.only.items()},
        "details": types.fields(policy),
        "hold_seconds": policy.enrolment.hold.total_seconds(),
        **_by_table(policy),
    }


def _by_table(policy: "Policy") -> dict[str, dict[str, Any]]:
    """Lifetimes in seconds and the numbers beside them, by the tables of the file."""
    from idp.model import Notice
    from idp.policy import lifetimes_of, limits_of

    tables: dict[str, dict[str, Any]] = {}
    for row, span in lifetimes_of(policy).items():
        table, key = row.split(".")
        tables.setdefault(table, {})[f"{key}_seconds"] = span.total_seconds()
    tables["challenge"] |= {
        "attempts": policy.challenge.attempts,
        "message_at_once": policy.challenge.message_at_once,
    }
    tables["notices"] |= {
        "wrong_codes": policy.notices.wrong_codes,
        "texted": {notice.value: policy.notices.texting(notice).value for notice in Notice},
    }
    tables["limits"] = {row: _numbers(limit) for row, limit in limits_of(policy.limits).items()}
    return tables


def _numbers(limit: "Limit") -> dict[str, Any]:
    """The keys that the row has in the file, spans in seconds."""
    from idp.policy import WINDOWS

    numbers: dict[str, Any] = {}
    if (waits := limit.backoff) is not None:
        numbers |= {"free": waits.free, "base_seconds": waits.base.total_seconds()}
        numbers |= {"cap_seconds": waits.cap.total_seconds()}
        numbers |= {} if waits.close_at is None else {"close_at": waits.close_at}
        numbers |= {} if waits.forget is None else {"forget_seconds": waits.forget.total_seconds()}
    counts = {window.per: window.count for window in limit.windows}
    return numbers | {key: counts[per] for key, per in WINDOWS.items() if per in counts}


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
    ]
    lines.append(output.table(("SCOPE", "NEEDS", "PROVED", "TOKEN LIVES", ""), rows))
    lines.append("")
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
        Texting.UNMAILED: "go by e-mail, and to the phones of people whom no mail reaches",
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
