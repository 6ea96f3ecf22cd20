"""A single inequality: when it holds, when it says something, and how tight it is."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdptheory.errors import InvalidModelError
from mdptheory.theory import Check

SIDES = (math.nan, -math.inf, math.inf, -1.0, 0.0, 1.0)


@pytest.mark.parametrize("other", SIDES)
def test_nan_never_holds(other):
    assert not Check(math.nan, other).holds
    assert not Check(other, math.nan).holds
    assert not Check(0.0, 0.0, scale=math.nan).holds
    assert not Check.worst([0.0, math.nan], [1.0, other]).holds


def test_slack_is_absolute_and_part_of_holding():
    assert Check(1.0 + 1e-10, 1.0).holds
    assert not Check(1.0 + 1e-8, 1.0).holds
    assert Check(1.5, 1.0, slack=0.5).holds


@pytest.mark.parametrize(
    ("check", "conclusive", "vacuous"),
    [
        (Check(0.1, 0.2, trivial=1.0), True, False),
        (Check(0.1, 1.0, trivial=1.0), False, True),
        (Check(0.1, math.inf), False, True),
        (Check(0.0, 1e-8), False, False),  # rounding noise, not a statement
        (Check(-1.0, 0.0), False, False),  # a bound of 0 has no size of its own
        (Check(-1.0, 0.0, scale=2.0), True, False),
        (Check(-5.0, -3.0, scale=3.0), True, False),
        (Check(-1.0, 0.0, scale=1e-8), False, False),
        (Check(-1.0, 0.0, scale=math.inf), False, False),
    ],
)
def test_conclusive_and_vacuous(check, conclusive, vacuous):
    assert (check.conclusive, check.vacuous, check.holds) == (conclusive, vacuous, True)
    assert math.isnan(check.tightness) is not conclusive


def test_tightness_is_the_ratio_without_a_scale_and_one_at_equality_with_it():
    assert Check(0.3, 0.4).tightness == 0.3 / 0.4
    assert Check.nonpositive(0.0, scale=7.0).tightness == 1.0
    assert Check.nonpositive(-7.0, scale=7.0).tightness == 0.0
    assert Check(0.3, 0.4, scale=0.4).tightness == pytest.approx(0.75)


def test_at_least_negates_and_keeps_the_size():
    good = Check.at_least(5.0, 4.0, trivial=0.0)
    assert good.holds
    assert good.conclusive
    assert good.tightness == pytest.approx(0.75)
    assert not Check.at_least(3.0, 4.0).holds
    assert Check.at_least(0.5, 0.0, trivial=0.0, scale=1.0).vacuous


def test_equal_is_two_inequalities():
    assert all(c.holds and c.tightness == 1.0 for c in Check.equal([1.0, 2.0], [1.0, 2.0]))
    verdicts = [c.holds for c in Check.equal([1.0, 2.0], [1.0, 2.1])]
    assert sorted(verdicts) == [False, True]
    with pytest.raises(InvalidModelError, match=r"left has shape \(2,\); expected \(1,\)"):
        Check.equal([1.0, 2.0], [1.0])


def test_equal_infinities_are_equal_and_others_are_not():
    table = [1.0, -math.inf]
    assert all(c.holds and c.conclusive for c in Check.equal(table, table))
    assert not all(c.holds for c in Check.equal(table, [1.0, math.inf]))
    assert not all(c.holds for c in Check.equal(table, [1.0, 0.0]))
    assert not any(c.holds for c in Check.equal(math.nan, math.nan))


def test_worst_prefers_violation_then_tightness_then_room():
    assert Check.worst([1.0, 5.0, 9.0], [2.0, 4.0, 7.0]).measured == 9.0
    assert Check.worst([0.1, 0.9], [0.2, 10.0]).measured == 0.1  # tighter, though not closer
    assert Check.worst([1.0, 2.0], [9.0, 9.0], trivial=3.0).measured == 2.0
    assert Check.worst([-3.0, -1.0], 0.0, scale=5.0).measured == -1.0
    with pytest.raises(InvalidModelError, match="measured is empty"):
        Check.worst([], [])


numbers = st.sampled_from((*SIDES, 1e-10, 0.5, 2.0))


@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=5))
def test_worst_holds_exactly_if_every_entry_does(entries):
    left, right, scale = (np.array(column) for column in zip(*entries, strict=True))
    scale = np.abs(scale)
    each = [Check(a, b, scale=c).holds for a, b, c in zip(left, right, scale, strict=True)]
    assert Check.worst(left, right, scale=scale).holds == all(each)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"slack": -1.0}, "slack is -1.0; expected a finite number >= 0"),
        ({"slack": math.nan}, "slack is nan"),
        ({"slack": math.inf}, "slack is inf"),
        ({"scale": -2.0}, "scale is -2.0; expected a number >= 0"),
    ],
)
def test_what_could_hide_a_violation_is_refused(options, text):
    with pytest.raises(InvalidModelError, match=text):
        Check(0.0, 1.0, **options)
