"""Whether a series of samples grows, as the soak judges it."""

import random

import pytest

from benchmarks.flatness import slope

MINUTES = [n / 4 for n in range(241)]  # an hour, four samples a minute


def wandering(seed: int, step: float, pull: float) -> list[float]:
    """A series about 300 in which each sample resembles the one before."""
    chance, at, told = random.Random(seed), 0.0, []
    for _ in MINUTES:
        at = at * pull + chance.gauss(0, step)
        told.append(300 + at)
    return told


def test_what_stays_is_flat_and_its_slope_is_nothing() -> None:
    told = slope(MINUTES, [300.0] * len(MINUTES))
    assert (told.an_hour, told.low, told.high) == (0, 0, 0)
    assert told.flat


def test_a_slope_is_told_an_hour_and_of_the_last_two_thirds_alone() -> None:
    rising = [200 + 30 * min(at, 20) / 20 + 6 * at / 60 for at in MINUTES]
    told = slope(MINUTES, rising)
    assert told.an_hour == pytest.approx(6)
    assert told.low == pytest.approx(told.high)
    # The sixteen samples of either tenth of minutes 20 to 60; each rises by 0.025.
    assert told.first == pytest.approx(rising[80] + 7.5 * 0.025)
    assert told.last == pytest.approx(rising[-1] - 7.5 * 0.025)


@pytest.mark.parametrize(("an_hour", "flat"), [(0, True), (10, True), (20, False), (60, False)])
def test_flat_is_no_more_than_a_twentieth_in_an_hour(an_hour: float, flat: bool) -> None:
    series = [base + an_hour * at / 60 for at, base in
              zip(MINUTES, wandering(7, 0.5, 0.3), strict=True)]  # fmt: skip
    assert slope(MINUTES, series).flat is flat


def test_samples_that_resemble_each_other_tell_less() -> None:
    """Of a wandering series without any slope the interval has 0 in it, nearly always."""
    holds, narrow = 0, 0
    for seed in range(200):
        told = slope(MINUTES, wandering(seed, 1.0, 0.8))
        holds += told.low <= 0 <= told.high
        # As if each sample told something of its own: the interval would be a third as wide.
        width = (told.high - told.low) / 2 / 3
        narrow += told.an_hour - width <= 0 <= told.an_hour + width
    assert holds >= 180
    assert narrow < 160


def test_a_jump_at_the_end_is_no_slope_but_is_not_flat() -> None:
    assert not slope(MINUTES, [300.0] * 225 + [330.0] * 16).flat


def test_three_samples_tell_nothing() -> None:
    with pytest.raises(ValueError, match="four samples"):
        slope([0, 1, 2], [1, 2, 3])
