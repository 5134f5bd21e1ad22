"""A place in a block of numbers is checked again on the very row that is charged, however many book at once."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

from idp.spending import Period
from idp.store.delivery import bookings
from idp.store.delivery.bookings import Booked
from idp.store.delivery.spending import Recipient
from tests.world.parallel import at_once
from tests.world.provider import Provider

ROUNDS = range(5)


async def test_neighbours_who_book_in_the_same_moment_take_no_more_places_than_there_are(provider: Provider) -> None:
    """Nobody looked at the block before: what is known when it is booked alone decides."""
    for block in ROUNDS:

        async def book(number: int, key: bytes = bytes([block])) -> Booked:
            crowd = Recipient(uuid4(), uuid4(), bytes([number]), key, "EE")
            return await bookings.book(
                provider.idp.db,
                crowd,
                slot=True,
                most=3,
                price=Decimal("0.1"),
                caps=dict.fromkeys(Period),
                per=timedelta(hours=1),
                now=provider.clock.now(),
            )

        booked = await at_once(12, book)
        assert sum(each.placed for each in booked) == 3
        assert all(each.paid == each.placed for each in booked)
