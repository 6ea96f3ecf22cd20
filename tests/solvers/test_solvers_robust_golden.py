"""Robust values of the public instances, computed once with independent code."""

import numpy as np
import pytest

from mdptheory import environments
from mdptheory.models import KLBall, L1Ball, Status
from mdptheory.solvers import (
    partial_policy_iteration,
    rcpi,
    robust_modified_policy_iteration,
    robust_policy_iteration,
    robust_solve,
    robust_value_iteration,
)

PLANNERS = [
    robust_value_iteration,
    robust_policy_iteration,
    robust_modified_policy_iteration,
    partial_policy_iteration,
    rcpi,
]


def l1(radius, support="nominal", rectangularity="sa"):
    return L1Ball(radius, support, rectangularity)


# environment, reward of added successors (None: none are added), set, state, its value, mean
GOLDEN = [
    ("riverswim", None, l1(0.2), 0, 163.81956571, 1362.61716615),
    ("riverswim", 0.0, l1(0.2, "all"), 0, 113.08737546, 1104.58687833),
    ("riverswim", None, KLBall(0.05), 0, 101.46112359, 1024.47202145),
    ("riverswim20", None, l1(0.2), 0, 50.0, 83.47228096),
    ("riverswim20", 0.0, l1(0.2, "all"), 0, 45.0, 68.15336541),
    ("riverswim20", None, KLBall(0.05), 0, 50.0, 74.14054066),
    ("machine_replacement", None, l1(0.2), 0, -9.27599853, -15.18752953),
    ("machine_replacement", 0.0, l1(0.2, "all"), 0, -17.63245832, -22.70674652),
    ("machine_replacement", None, KLBall(0.05), 0, -10.47115687, -17.29551563),
    ("inventory", None, l1(0.2), 0, 386.64900457, 413.36359866),
    ("inventory", None, KLBall(0.05), 0, 411.29685174, 438.34718879),
    ("healthcare", None, l1(0.2), 0, 98.58804021, 81.73809716),
    ("healthcare", 0.0, l1(0.2, "all"), 0, 34.48237126, 31.31605906),
    ("healthcare", None, KLBall(0.05), 0, 97.81319448, 80.18997249),
    ("population", 0.0, l1(0.05, "all"), 10, -1332.460811, -4983.745978),
    ("population", 0.0, l1(0.4, "all"), 10, -9120.683580, -11054.566794),
    ("riverswim", None, l1(0.2, rectangularity="s"), 0, 163.81956571, 1362.61716615),
    ("riverswim", None, l1(0.4, rectangularity="s"), 0, 50.0, 322.66562766),
    ("machine_replacement", None, l1(0.2, rectangularity="s"), 0, -9.20671972, -15.12352794),
    ("machine_replacement", None, l1(0.4, rectangularity="s"), 0, -13.88975448, -21.73841698),
]


def model(name, added):
    mdp = getattr(environments, name)()
    return mdp if added is None else mdp.completed(added)


def label(row):
    name, _, ambiguity, *_ = row
    support = getattr(ambiguity, "support", "nominal")
    return (
        f"{name}-{type(ambiguity).__name__}{ambiguity.radius}-{ambiguity.rectangularity}-{support}"
    )


@pytest.mark.parametrize("row", GOLDEN, ids=label)
def test_robust_solve_agrees_with_the_golden_values(row):
    name, added, ambiguity, state, value, mean = row
    solution = robust_solve(model(name, added), ambiguity, tol=1e-8)
    assert solution.convergence.status is Status.CONVERGED
    scale = max(1.0, abs(mean))
    assert solution.v[state] == pytest.approx(value, abs=1e-7 * max(1.0, scale / 1e3) + 6e-9)
    assert solution.v.mean() == pytest.approx(mean, abs=1e-7 * max(1.0, scale / 1e3) + 6e-9)


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda planner: planner.__name__)
@pytest.mark.parametrize(
    "row", [row for row in GOLDEN if row[0] == "machine_replacement"], ids=label
)
def test_every_planner_agrees_with_the_golden_values(planner, row):
    name, added, ambiguity, state, value, mean = row
    solution = planner(model(name, added), ambiguity, tol=1e-8)
    assert solution.convergence.status is Status.CONVERGED
    assert solution.v[state] == pytest.approx(value, abs=2e-8)
    assert solution.v.mean() == pytest.approx(mean, abs=2e-8)


def test_policies_of_the_golden_instances():
    swim = environments.riverswim()
    assert (robust_solve(swim, l1(0.2)).policy == 1).all()
    machine = environments.machine_replacement()
    for ambiguity in (l1(0.2), KLBall(0.05)):
        assert robust_solve(machine, ambiguity).policy.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 0]
    swim20 = environments.riverswim20()
    for ambiguity, first in ((l1(0.2), 14), (KLBall(0.05), 15)):
        assert np.flatnonzero(robust_solve(swim20, ambiguity).policy)[0] == first
    stock = environments.inventory()
    for ambiguity, level in ((l1(0.2), 14), (KLBall(0.05), 15)):
        order = robust_solve(stock, ambiguity).policy
        assert (np.arange(21) + order)[order > 0].max() == level


@pytest.mark.parametrize(
    ("budget", "repair"),
    [
        (0.2, [0, 0, 0, 0.084, 0.101, 1, 1, 1, 1, 0]),
        (0.4, [0, 0, 0.086, 0.1016, 0.1228, 1, 1, 1, 1, 0]),
    ],
)
def test_machines_are_repaired_at_random_under_a_shared_budget(budget, repair):
    machine = environments.machine_replacement()
    solution = robust_solve(machine, l1(budget, rectangularity="s"), tol=1e-9)
    assert solution.policy.shape == (10, 2)
    assert solution.policy[:, 1] == pytest.approx(repair, abs=1e-3)
