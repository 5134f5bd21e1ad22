"""Sites behind a proxy, for `idp policy check`: the rows in words."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from idp.policy import Policy


def lines(policy: "Policy") -> list[str]:
    """The rows, as a table."""
    from idp.cli import output
    from idp.policy import in_units

    rows = [
        (
            f"{host}{place.path}",
            place.level.name.lower(),
            "at any time" if place.fresh is None else f"within {in_units(place.fresh)}",
            ", ".join(sorted(place.groups)) or ("everybody" if place.path == "/" else "as the site"),
        )
        for host, site in policy.sites.items()
        for place in site.places
    ]
    return ["", output.table(("SITE", "NEEDS", "PROVED", "FOR"), rows)] if rows else []
