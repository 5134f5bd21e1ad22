"""What follows when a person is in other groups, in sentences. Pure."""

from collections.abc import Iterator, Sequence

from idp.model import Account, Client
from idp.policy import Policy, is_for
from idp.sentences import sentence


def consequences(before: Account, after: Account, registered: Sequence[Client], policy: Policy) -> Iterator[str]:
    """One sentence each, of their level, their factors and their applications."""
    old, new = policy.floor_of(before.groups), policy.floor_of(after.groups)
    if new > old:
        yield sentence(
            "They need %(level)s for anything from now on; what applications hold from less ends at their next"
            " refresh.",
            level=new.name.lower(),
        )
    elif new < old:
        yield sentence("They need %(level)s for what does not ask for more by itself.", level=new.name.lower())
    if (counts := set(policy.of(after.groups).factors)) != set(policy.of(before.groups).factors):
        those = ", ".join(sorted(counts)) or sentence("nothing")
        yield sentence("What counts for them as a second factor: %(factors)s.", factors=those)
    for client in registered:
        was, is_now = is_for(client, before.groups), is_for(client, after.groups)
        if was and not is_now:
            yield sentence(
                "They may not use %(client)s any more: what it holds for them ends at its next refresh.",
                client=client.name,
            )
        elif is_now and not was:
            yield sentence("They may use %(client)s.", client=client.name)
