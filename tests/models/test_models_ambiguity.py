"""Ambiguity sets refuse what they cannot be, in words; `completed` adds only what it says."""

import numpy as np
import pytest

from mdptheory import TabularMDP
from mdptheory.errors import InvalidModelError
from mdptheory.models import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    EVaRSet,
    FactorSet,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    SignedLpBall,
    WassersteinBall,
    WeightedL1Ball,
)

COST = 1.0 - np.eye(2)
KERNEL = np.full((1, 2, 1, 2), 0.5)
WEIGHTS = np.full((2, 1, 2), 0.5)
FACTORS = np.eye(2)

REFUSED = [
    (lambda: L1Ball(-0.1, "all"), r"radius is -0.1; expected a number in \[0, inf"),
    (lambda: KLBall(float("nan")), r"radius is nan; expected a number in \[0, inf"),
    (lambda: L2Ball([0.1, -2.0], "all"), r"radius\[1\] is -2.0; expected a number in \[0, inf"),
    (lambda: BurgBall([[0.1, np.nan]], "all"), r"radius\[0, 1\] is nan"),
    (lambda: LinfBall(np.ones((1, 1, 1)), "all"), r"radius has shape \(1, 1, 1\); expected"),
    (lambda: ChiSquareBall([]), r"radius has shape \(0,\); expected a number"),
    (lambda: CVaRSet(0.0), r"alpha is 0.0; expected a number in \(0, 1\]"),
    (lambda: EVaRSet([0.5, 1.5]), r"alpha\[1\] is 1.5; expected a number in \(0, 1\]"),
    (lambda: ContaminationSet(1.1, "all"), r"fraction is 1.1; expected a number in \[0, 1\]"),
    (lambda: L1Ball(0.1, "some"), "support is 'some'; expected 'nominal' or 'all'"),
    (lambda: KLBall(0.1, "r"), "rectangularity is 'r'; expected 'sa' or 's'"),
    (lambda: L1Ball([[0.1]], "all", "s"), r"radius has shape \(1, 1\); with rectangularity='s'"),
    (lambda: WeightedL1Ball(0.1, [1.0, 0.0], "all"), r"weights\[1\] is 0.0; expected a positive"),
    (lambda: WassersteinBall(0.1, [[0.0, -1.0], [1.0, 0.0]]), r"cost\[0, 1\] is -1.0"),
    (lambda: WassersteinBall(0.1, np.ones((2, 2))), r"cost\[0, 0\] is 1.0; .* zero diagonal"),
    (lambda: IntervalSet([0.6, 0.6], [1.0, 1.0]), "lower sums to 1.2 and upper to 2"),
    (lambda: IntervalSet([0.0, 0.0], [0.4, 0.4]), "upper to 0.8; expected sum lower <= 1"),
    (lambda: IntervalSet([0.5, 0.2], [0.4, 1.0]), r"lower\[0\] is 0.5 and upper\[0\] is 0.4"),
    (lambda: IntervalSet([0.5, 0.2], [1.0, 1.0], [0, 1]), r"row_ptr runs from 0 to 1; .* 0 to 2"),
    (lambda: FiniteSet([[0.5, 0.4]]), r"rows\[0\] sums to 0.9"),
    (lambda: FiniteSet(np.empty((0, 2))), r"rows has shape \(0, 2\); expected at least one row"),
    (lambda: FiniteSet(KERNEL), "coupled is not given; with kernels say whether"),
    (lambda: FiniteSet(np.full((1, 3, 1, 2), 0.5), coupled=True), r"rows has shape \(1, 3, 1, 2\)"),
    (lambda: FactorSet(WEIGHTS, FACTORS, [L1Ball(0.1, "all")]), "sets has 1 entries; expected 2"),
    (lambda: FactorSet(WEIGHTS, FACTORS, L1Ball([0.1], "all")), r"sets\[0\] is not the set of one"),
    (lambda: FactorSet(WEIGHTS, FACTORS, KLBall(0.1, "s")), r"sets\[0\] is not the set of one row"),
    (lambda: FactorSet(WEIGHTS[:, :, :1], FACTORS, KLBall(0.1)), "weights has shape"),
    (lambda: FactorSet(0.9 * WEIGHTS, FACTORS, KLBall(0.1)), "weights.* sums to 0.9"),
    (lambda: SignedLpBall(0.1, 0.5), r"order is 0.5; expected a number in \[1, inf"),
]  # fmt: skip


@pytest.mark.parametrize(("build", "message"), REFUSED)
def test_sets_refuse_in_words(build, message):
    with pytest.raises(InvalidModelError, match=message):
        build()


@pytest.mark.parametrize(
    "build",
    [
        lambda: LinfBall(0.1, "all", "s"),
        lambda: L2Ball(0.1, "all", "s"),
        lambda: WassersteinBall(0.1, COST, "s"),
    ],
)
def test_sets_without_an_s_rectangular_algorithm_name_those_that_have_one(build):
    expected = (
        "no s-rectangular algorithm; .* L1Ball, WeightedL1Ball, KLBall, BurgBall, ChiSquareBall"
    )
    with pytest.raises(NotImplementedError, match=expected):
        build()


def test_factors_of_the_wrong_kind():
    with pytest.raises(TypeError, match=r"sets\[0\] is of type float; expected the set of a row"):
        FactorSet(WEIGHTS, FACTORS, 0.1)


def test_radii_are_copied_and_frozen():
    given = np.array([0.1, 0.2])
    ball = L1Ball(given, "all")
    given[0] = 9.0
    assert ball.radius.tolist() == [0.1, 0.2]
    assert not ball.radius.flags.writeable
    assert isinstance(L1Ball(1, "all").radius, float)


def test_rows_of_actions_that_are_not_available_are_all_zero():
    rows = KERNEL.repeat(2, axis=2)
    rows[:, 1, 1] = 0.0
    assert FiniteSet(rows, coupled=False).rows.shape == (1, 2, 2, 2)
    lower, upper = np.zeros((2, 2, 2)), np.ones((2, 2, 2))
    upper[1, 1] = 0.0
    assert IntervalSet(lower, upper).lower.ndim == 3


def test_completed_stores_every_successor_and_changes_nothing_else():
    P = np.array([[[0.0, 1.0, 0.0]], [[0.5, 0.0, 0.5]], [[0.0, 0.0, 1.0]]])
    paid = np.where(P > 0, 3.0, 0.0)
    for reward in (paid, np.ones((3, 1))):
        mdp = TabularMDP.from_dense(P, reward, 0.9)
        full = mdp.completed(-7.0)
        assert full.n_transitions == 9
        np.testing.assert_array_equal(full.to_dense()[0], P)
        np.testing.assert_array_equal(full.reward, mdp.reward)
        again = full.completed(5.0)
        np.testing.assert_array_equal(again.prob, full.prob)
        if mdp.transition_reward is not None:
            np.testing.assert_array_equal(
                full.transition_reward, np.where(P > 0, 3.0, -7.0).ravel()
            )
            np.testing.assert_array_equal(again.transition_reward, full.transition_reward)
    with pytest.raises(InvalidModelError, match="reward is nan"):
        mdp.completed(float("nan"))
