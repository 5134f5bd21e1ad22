"""What approving the details of a request takes, and whether they are such as the policy has today. Pure."""

from collections.abc import Mapping

from idp.policy.details import TYPE, DetailsRule, Due, due
from idp.policy.facts import Facts
from idp.policy.fields import misfit

Rules = Mapping[str, DetailsRule]


def dues_of(facts: Facts, rules: Rules) -> tuple[Due, ...]:
    """What each object takes; nothing where there are none, or where they do not fit any more."""
    details = facts.request.details
    if details is None or misfits(facts, rules) is not None:
        return ()
    return due(details, facts.sums, rules)


def misfits(facts: Facts, rules: Rules) -> str | None:
    """What is wrong with the details by the policy and the client of today; None where nothing is."""
    details = facts.request.details
    for each in () if details is None else details.objects:
        rule = rules.get(each[TYPE]) if each[TYPE] in facts.client.details_types else None
        if rule is None:
            return "is of a type that this client may not use"
        if (problem := misfit(each, rule)) is not None:
            return problem
    return None
