"""What a person agrees to: consent and approval, and what cannot be agreed to in silence. The checks of it, pure."""

from idp.model import Prompt
from idp.policy.approvals import misfits
from idp.policy.facts import Ask, Kind, Reason, Refuse, Why, shut
from idp.policy.view import View


def details_fit(view: View) -> Refuse | None:
    """The details are such as the policy has and the client may ask for."""
    # They did when they were asked for (RFC 9396 5); the policy or the client's registration may have changed since.
    if (problem := misfits(view.facts, view.policy.details)) is not None:
        return Refuse("invalid_authorization_details", "These details cannot be approved any more", problem)
    # A frozen account approves nothing, however little it takes.
    if view.facts.request.details is not None and view.account is not None:
        return shut(view.account, view.facts.now)
    return None


def nothing_fresh_in_silence(view: View) -> Refuse | None:
    """Asking each time cannot be done in silence."""
    # Threat 6: prompt=none never yields a scope that has to be proved and agreed to each time.
    if Prompt.NONE in view.facts.request.prompts and not view.facts.internal:
        for scope in view.granted:
            if view.policy.is_fresh_scope(scope):
                return Refuse("interaction_required", f"{scope} is never granted without asking", "prompt=none")
    return None


def details_are_approved(view: View) -> Ask | None:
    """Details are approved on a page of theirs, once."""
    # RFC 9396: what a person approves is seen by them each time, whoever asks and whatever was proved before.
    if view.facts.request.details is None or view.facts.approved_here:
        return None
    return Ask(Kind.APPROVAL, Reason(Why.APPROVAL, scope=view.dues[0].type), scopes=view.ticks)


def consent_is_given(view: View) -> Ask | None:
    """What the client does not have yet is agreed to."""
    if not view.ticks or view.facts.consented_here is not None:
        return None
    if view.facts.request.details is not None:
        return None  # they stood on the page of the approval, ticked or not
    if Prompt.CONSENT in view.facts.request.prompts:
        why = Why.CLIENT_ASKED_CONSENT
    elif any(view.policy.is_fresh_scope(scope) for scope in view.ticks):
        why = Why.CONSENT_EACH_TIME
    else:
        why = Why.CONSENT_NEW
    return Ask(Kind.CONSENT, Reason(why), scopes=view.ticks)


def something_is_granted(view: View) -> Refuse | None:
    """Something is left to be given."""
    if not view.granted and view.facts.request.details is None:
        return Refuse("access_denied", "The person agreed to none of the scopes", "every scope was unticked")
    return None
