"""Our policy, and one from before some of its tables."""

from importlib.resources import files

OURS = (files("idp") / "policy.toml").read_text(encoding="utf-8")
BEFORE = OURS[: OURS.index("[sessions]")]  # of an operator who wrote it when there were no such tables
