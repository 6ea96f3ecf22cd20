"""What the robust operators refuse, and in which words."""

import numpy as np
import pytest
from operator_models import ragged
from robust_sets import bounds, kernels

from mdptheory import CVaRSet, FiniteSet, IntervalSet, L1Ball, WassersteinBall, WeightedL1Ball
from mdptheory.errors import InvalidModelError
from mdptheory.operators import robust_bellman, robust_policy_bellman
from mdptheory.operators.robust_backup import RobustBackup


@pytest.mark.parametrize(
    ("ambiguity", "message"),
    [
        (L1Ball([0.1, 0.2], "all"), r"radius has shape \(2,\); expected a number, \(7,\) or"),
        (CVaRSet([0.1, 0.2]), r"alpha has shape \(2,\); expected a number, \(7,\) or"),
        (L1Ball(0.1, "all", "s"), r"rectangularity='s'; RobustBackup expects"),
        (IntervalSet([0.0, 0.5], [1.0, 1.0]), r"lower has shape \(2,\); expected \(7, 4, 7\), or"),
        (FiniteSet([[1.0, 0.0]]), r"rows has shape \(1, 2\); expected \(1, 7, 4, 7\)"),
        (IntervalSet([0.0], [1.0], [0, 1]), r"row_ptr runs to 1 in 1 rows; expected the model's"),
        (WeightedL1Ball(0.1, [1.0, 1.0], "all"), r"weights has shape \(2,\); expected \(7\)"),
        (WassersteinBall(0.1, np.zeros((2, 2))), r"cost has shape \(2, 2\); expected \(7, 7\)"),
    ],
)
def test_sets_of_another_model_are_refused(ambiguity, message):
    with pytest.raises(InvalidModelError, match=message):
        RobustBackup(ragged(), ambiguity)


def test_rows_that_a_set_does_not_have_are_refused():
    mdp, rng = ragged(), np.random.default_rng(0)
    s, a = 0, int(mdp.action[0])
    given = bounds(mdp, rng)
    lower, upper = np.array(given.lower), np.array(given.upper)
    lower[s, a] = upper[s, a] = 0.0
    with pytest.raises(InvalidModelError, match=rf"upper\[{s}, {a}\] is all zero, but the action"):
        RobustBackup(mdp, IntervalSet(lower, upper))
    rows = kernels(mdp, 2, rng)
    rows[:, s, a] = 0.0
    with pytest.raises(InvalidModelError, match=rf"rows\[:, {s}, {a}\] is all zero, but the"):
        RobustBackup(mdp, FiniteSet(rows, coupled=False))


def test_coupled_kernels_are_sent_to_iwocs():
    mdp = ragged()
    coupled = FiniteSet(kernels(mdp, 2, np.random.default_rng(0)), coupled=True)
    with pytest.raises(InvalidModelError, match=r"mdptheory\.algorithms\.iwocs"):
        RobustBackup(mdp, coupled)


def test_bad_arguments_are_refused():
    mdp = ragged()
    ball = L1Ball(0.1, "all")
    v = np.zeros(mdp.n_states)
    with pytest.raises(InvalidModelError, match=r"v has shape \(3,\); expected \(7\)"):
        robust_bellman(mdp, ball, np.zeros(3))
    with pytest.raises(InvalidModelError, match=r"v\[2\] is nan; expected a finite number"):
        robust_bellman(mdp, ball, np.where(np.arange(7) == 2, np.nan, 0.0))
    with pytest.raises(InvalidModelError, match="nature is 'neutral'; expected 'adversarial'"):
        robust_bellman(mdp, ball, v, nature="neutral")
    with pytest.raises(TypeError, match="ambiguity is of type str; expected an ambiguity set"):
        robust_bellman(mdp, "l1", v)
    with pytest.raises(NotImplementedError, match="expected rows with budgets of their own"):
        robust_bellman(mdp, L1Ball(0.1, "all", "s"), v, nature="cooperative")
    missing = (set(range(4)) - set(mdp.action[: int(mdp.choice_ptr[1])].tolist())).pop()
    ids = mdp.action[mdp.choice_ptr[:7]].astype(np.int64)
    ids[0] = missing
    with pytest.raises(InvalidModelError, match=rf"policy\[0\] is {missing}; expected an avail"):
        robust_policy_bellman(mdp, ball, ids, v)
    with pytest.raises(InvalidModelError, match=r"policy\[0\] is .*; expected probabilities of"):
        robust_policy_bellman(mdp, ball, np.full((7, 4), 0.3), v)
