from decimal import Decimal
from fractions import Fraction

import pytest

from audit.metrics.proportion import Proportion, wilson


def test_nothing_of_nothing_has_no_value_and_no_interval() -> None:
    assert Proportion(0, 0, {}).value is None
    assert wilson(0, 0) is None


def test_a_proportion_is_exact_and_ten_are_enough() -> None:
    assert Proportion(3, 9, {}).value == Fraction(1, 3)
    assert [Proportion(3, n, {}).enough for n in (9, 10)] == [False, True]


@pytest.mark.parametrize(("k", "n", "excluded"), [(2, 1, {}), (-1, 1, {}), (0, 1, {"void": -1})])
def test_impossible_counts_are_refused(k: int, n: int, excluded: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"no proportion|below zero"):
        Proportion(k, n, excluded)


@pytest.mark.parametrize("n", [1, 2, 10, 37])
def test_every_interval_solves_the_score_equation(n: int) -> None:
    z2 = Decimal("1.959963984540054") ** 2
    for k in range(n + 1):
        for p in wilson(k, n) or ():
            at_the_end = (k == 0 and p == 0) or (k == n and p == 1)
            miss = n * (Decimal(k) / n - p) ** 2 - z2 * p * (1 - p)
            assert at_the_end or abs(miss) < Decimal("1e-20")


def test_an_interval_is_the_mirror_of_its_complement() -> None:
    low, high = wilson(7, 20) or (None, None)
    other_low, other_high = wilson(13, 20) or (None, None)
    assert low is not None
    assert high is not None
    assert other_low is not None
    assert other_high is not None
    assert abs(low - (1 - other_high)) < Decimal("1e-20")
    assert abs(high - (1 - other_low)) < Decimal("1e-20")
