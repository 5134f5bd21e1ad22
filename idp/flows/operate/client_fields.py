"""Fields of a client that an operator describes: what each may say. What they mean together is in `registrations`."""

from collections.abc import Callable, Iterable, Sequence

from idp.flows.operate.people import NotAcceptable, known_group
from idp.model import AssuranceLevel
from idp.oidc import claims, origins
from idp.policy import Policy
from idp.sentences import sentence

LONGEST_URI = 2000

Wrong = Callable[[str], None]
"""Takes a mistake down; reading goes on."""


def parse_audience(given: tuple[str, ...], wrong: Wrong) -> tuple[str, ...]:
    """For whom its access tokens are."""
    for each in given:
        if not each or len(each) > LONGEST_URI or not each.isprintable() or " " in each:
            wrong(sentence("%(text)s is no audience: give the URL or name of a resource server.", text=repr(each)))
    return given


def parse_id_token_claims(given: tuple[str, ...], scopes: frozenset[str], wrong: Wrong) -> frozenset[str]:
    """Claims that come in its ID tokens, too, each with the scope it belongs to."""
    for name in given:
        if name not in claims.OF_A_PERSON:
            wrong(
                sentence(
                    "%(name)s is no claim here: there are %(known)s.",
                    name=repr(name),
                    known=", ".join(sorted(claims.OF_A_PERSON)),
                )
            )
        elif name not in claims.for_scopes(scopes):
            scope = next(scope for scope, names in claims.BY_SCOPE.items() if name in names)
            wrong(
                sentence(
                    "The claim %(name)s comes with the scope %(scope)s: give the client both, or neither.",
                    name=repr(name),
                    scope=scope,
                )
            )
    return frozenset(given)


def parse_groups(given: Iterable[str], policy: Policy, wrong: Wrong, *, kept: frozenset[str]) -> frozenset[str]:
    """Whose members alone may use it; one that was `kept` may have lost its row."""
    for group in given:
        try:
            if group not in kept:
                known_group(group, policy)
        except NotAcceptable as error:
            wrong(error.problems[0])
    return frozenset(given)


def parse_details_types(given: Sequence[str], policy: Policy, wrong: Wrong, *, kept: frozenset[str]) -> frozenset[str]:
    """Types of details that it may ask approval of; one that was `kept` may have lost its table."""
    for name in given:
        if name not in policy.details and name not in kept:
            there = ", ".join(policy.details) or sentence("none, until the policy has a table [details.NAME]")
            wrong(
                sentence(
                    "The type %(type)s has no table %(table)s in the policy: there are %(there)s.",
                    type=repr(name),
                    table=f"[details.{name}]",
                    there=there,
                )
            )
    return frozenset(given)


def parse_origins(given: tuple[str, ...], wrong: Wrong) -> tuple[str, ...]:
    """Whose pages may call it, as browsers write them, each once."""
    for origin in given:
        if (problem := origins.problem(origin)) is not None:
            wrong(
                sentence(
                    "The origin %(origin)s cannot be registered: it %(problem)s.", origin=repr(origin), problem=problem
                )
            )
    return tuple(dict.fromkeys(made for origin in given if (made := origins.serialised(origin)) is not None))


def parse_level(
    given: str, policy: Policy, kinds: frozenset[str], wrong: Wrong, *, kept: AssuranceLevel | None
) -> AssuranceLevel:
    """What signing in to it takes."""
    level = next((level for level in AssuranceLevel if level.name.lower() == given), AssuranceLevel.NONE)
    if level not in policy.levels and level is not kept:
        wrong(
            sentence(
                "%(given)s is no level of the policy: there are %(levels)s.",
                given=repr(given),
                levels=", ".join(each.name.lower() for each in policy.levels),
            )
        )
    elif level > policy.most and level is not kept:
        wrong(sentence("Nobody could sign in: no factor of the policy gives %(level)s.", level=given))
    elif level > AssuranceLevel.TWO_FACTOR and "authorization_code" not in kinds:
        wrong(sentence("The level is what people prove, and this client signs nobody in."))
    return level
