"""Whether one text message may be sent, and what it may cost. Pure: no clock, no database, no HTTP."""

from idp.spending.explain import Ruling, denies, explain, in_words
from idp.spending.loading import NOTHING_OPEN, default_spending, load_spending, read_spending, sends_out
from idp.spending.rules import Allowed, Closes, Denied, Facts, Objection, decide
from idp.spending.table import Country, Mode, Period, Rule, Spending
