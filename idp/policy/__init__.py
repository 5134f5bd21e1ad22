"""What a request must have proved. Pure: no clock, no database, no HTTP."""

from idp.model import Change
from idp.policy.changes import Ends, May, NeedsProof, Vouched
from idp.policy.checks import CHECKS, decide, not_for_this_person
from idp.policy.details import (
    DAY,
    TYPE,
    Amount,
    Charge,
    DetailsRule,
    Due,
    FieldKind,
    FieldRule,
    Sums,
    Tier,
    amount_of,
    charge_of,
    due,
    headline,
)
from idp.policy.explain import Line, explain, in_words, left_out
from idp.policy.facts import UNMET, UNSURE, Ask, Barrier, Facts, Kind, Missing, Proceed, Reason, Refuse, Why, shut
from idp.policy.fields import misfit
from idp.policy.grants import is_for, recheck, still_approved, still_fresh
from idp.policy.lifetimes import LIFETIMES, LONGEST_ACCESS, LONGEST_HOLD, lifetimes_of
from idp.policy.limits import WINDOWS, limits_of, said
from idp.policy.loading import default_policy, load_policy
from idp.policy.offers import serves_signing_in, unasked
from idp.policy.operating import OPERATING, RIGHTS, Act, Denied, denied
from idp.policy.places import Wanted, good_until, readings, wanted
from idp.policy.reading import parse_span
from idp.policy.resetting import resetting
from idp.policy.sites import Place, Site, host_of, site_of
from idp.policy.table import ALWAYS, PERSONAL, Policy, ScopeRule, Sessions, in_units
from idp.policy.transitions import TRANSITIONS, permission
