"""What the kit's check costs: no network, and nothing read twice."""

import pytest

from bench import kit


@pytest.mark.xdist_group("processes")
def test_a_check_costs_little_beside_its_signature() -> None:
    assert kit.run(rounds=10).ratio < 2, "1.3 on an idle machine, and the target is 1.5 (`make bench`)"
