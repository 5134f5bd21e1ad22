"""Why what an operator gave or wants is refused, in the words that several refusals share."""

from idp.factors import password as passwords
from idp.factors.strength import MIN_CHARACTERS, Problem
from idp.sentences import Sentence, sentence
from idp.sms.phone import Unusable

NOT_A_PHONE = {
    Unusable.NOT_A_NUMBER: sentence("it must be a mobile number with + and the country code, as in +37251234567"),
    Unusable.NOT_MOBILE: sentence("no text message reaches it: it is not a mobile number"),
    Unusable.NO_COUNTRY: sentence("it belongs to no country"),
}
NOT_A_PASSWORD = {
    Problem.TOO_SHORT: sentence("it has less than %(least)s characters", least=MIN_CHARACTERS),
    Problem.TOO_LONG: sentence("it has more than %(most)s characters", most=passwords.MAX_CHARACTERS),
    Problem.UNREADABLE: sentence("it holds control characters"),
    Problem.COMMON: sentence("it is among the first that anybody would try"),
    Problem.NAMES: sentence("it is mostly a name that anybody would try"),
    Problem.REPETITIVE: sentence("it repeats itself"),
    Problem.SEQUENCE: sentence("it is a row of keys or letters"),
}


def kept_out(username: str) -> Sentence:
    """Why somebody who is disabled is not helped to sign in."""
    return sentence(
        "%(who)s cannot sign in: let them in again first.",
        at_shell=f"{username} cannot sign in: let them in again first, with `idp user enable`.",
        who=username,
    )


def no_mail() -> Sentence:
    """Why no link can be mailed from here."""
    return sentence("Nothing here sends mail: set IDP_SMTP_URL, or ask for the link without mail.")


def works_no_more() -> Sentence:
    """Why what a form made before is not shown again."""
    return sentence("What this page made before works no more, so nothing was changed. Please try again")
