"""Whether a claimed message is still good for anything. Claiming and sending are in `leases` and `deliver`."""

from sqlalchemy import CTE, ColumnElement, Integer, and_, exists, literal_column, or_, select

from idp.store.schema import account, authenticator, challenge, interaction, session

_one = literal_column("1", Integer)


def wanted(claimed: CTE) -> ColumnElement[bool]:
    """A notice always is. A code is while its question is open, in a session that goes on, to an open phone."""
    open_question = (
        select(_one)
        .select_from(
            challenge.join(interaction, interaction.c.id == challenge.c.interaction_id).join(
                session, session.c.id == interaction.c.session_id
            )
        )
        .where(
            challenge.c.interaction_id == claimed.c.interaction_id,
            challenge.c.factor == claimed.c.channel,
            challenge.c.nonce == claimed.c.nonce,
            challenge.c.consumed_at.is_(None),
            challenge.c.attempts < challenge.c.max_attempts,
            interaction.c.finished_at.is_(None),
            session.c.ended_at.is_(None),
        )
    )
    return or_(
        claimed.c.kind != literal_column("'code'"),
        and_(account.c.disabled_at.is_(None), authenticator.c.closed_at.is_(None), exists(open_question)),
    )
