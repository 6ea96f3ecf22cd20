"""The robust table's machinery at a tiny size: truths, programmes, report; no time is asserted."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import (
    robust_cases,
    robust_operators,
    robust_report,
    robust_sets,
    robust_truth,
    robust_worker,
)
from benchmarks.robust_truth import Reference
from mdptheory import environments, operators, solvers
from mdptheory.models import L1Ball, TabularMDP
from mdptheory.operators.worst_case import worst_case

SMALL = environments.garnet(12, 3, 4, gamma=0.9, rng=3)
MODELS = {
    "garnet": SMALL,
    "ragged, pays a transition": environments.machine_replacement(),
    "river": environments.riverswim20(),
}


@pytest.mark.parametrize("mdp", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("radius", [0.0, 0.2, 3.0])
def test_the_reference_operator_is_the_librarys(mdp: TabularMDP, radius: float):
    v = np.random.default_rng(0).random(mdp.n_states)
    expected = operators.robust_bellman(mdp, L1Ball(radius, support="nominal"), v).value
    np.testing.assert_allclose(Reference(mdp, radius).backup(v), expected, rtol=1e-13, atol=1e-13)


def test_the_reference_encloses_from_anywhere(monkeypatch: pytest.MonkeyPatch):
    mdp = MODELS["ragged, pays a transition"]
    found = solvers.rcpi(mdp, robust_cases.ROWS, tol=1e-10).v
    known = Reference(mdp, 0.2).refine(np.zeros(mdp.n_states), 1e-8)
    assert known.radius <= 1e-8
    assert np.abs(found - known.middle).max() <= known.radius + 1e-10
    wide = Reference(mdp, 0.2).enclose(np.zeros(mdp.n_states))
    assert np.abs(found - wide.middle).max() <= wide.radius
    monkeypatch.setattr(robust_truth, "CAP", 10)
    with pytest.raises(RuntimeError, match=r"the reference stayed .* wide; expected 0"):
        Reference(SMALL, 0.2).refine(np.zeros(12), 0.0)


@pytest.mark.parametrize("radius", [0.0, 0.2, 3.0])
def test_the_plain_floor_proves_its_bound(radius: float):
    v, bound, sweeps = robust_cases.floor(SMALL, radius, 1e-6)
    known = Reference(SMALL, radius).refine(v, 1e-10)
    assert np.abs(v - known.middle).max() <= bound + known.radius
    assert bound <= 1e-6
    assert 1 < sweeps < 100


@pytest.mark.parametrize("name", robust_operators.PROGRAMMES)
def test_a_general_programme_agrees_with_worst_case(name: str):
    rng = np.random.default_rng(5)
    p, z = rng.dirichlet(np.ones(7)), rng.random(7)
    if name == "s: L1":
        worker = robust_worker.Sweeps(name, "")
        assert worker.programme(12, 0.0)["difference"] < 1e-9
        return
    if name in ("L2", "KL", "Burg", "chi2", "EVaR"):
        pytest.importorskip("cvxpy")
    mine = worst_case(p, z, robust_sets.row_set(name, p)).value
    assert robust_sets.programme(name, p).solve(z) == pytest.approx(mine, abs=2e-6)


@pytest.mark.parametrize("name", robust_sets.ENTRIES)
def test_sweeps_are_timed_at_iterates_that_move(name: str):
    entry = robust_sets.ENTRIES[name]
    mdp = environments.garnet(8, 2, 4, gamma=0.9, rng=1)
    around = entry.make(mdp)
    values = robust_worker.iterates(mdp, around, 0.0)
    assert len(values) >= 3
    assert all((a != b).any() for a, b in itertools.pairwise(values))
    np.testing.assert_allclose(
        values[2], operators.robust_bellman(mdp, around, values[1]).value, rtol=1e-12
    )
    found = robust_worker.compare(mdp, around, 0.0)
    assert found["robust"] > 0.0
    assert found["nominal"] > 0.0
    assert 0.0 < found["settled"] <= found["robust"] * len(values)
    assert (found["rows"], found["states"]) == (16, 8)


def test_models_have_rows_of_the_length_asked_for():
    for shape in ("dense", "sparse"):
        for shared in (False, True):
            mdp = robust_sets.model(shape, 20, shared=shared)
            assert set(np.diff(mdp.row_ptr)) == {20}
            assert (mdp.n_states == 20) == (shape == "dense")


def test_costs_are_foreseen_by_the_growth_seen():
    assert robust_operators.foreseen({}, 10) == 0.0
    assert robust_operators.foreseen({10: 1.0}, 20) == pytest.approx(2.0**1.4)
    assert robust_operators.foreseen({10: 1.0, 100: 1000.0}, 1000) == pytest.approx(1e6)
    assert robust_operators.foreseen({10: 1.0, 100: 0.1}, 1000) == pytest.approx(1.0)


def test_what_takes_too_long_is_left_out_by_name():
    plan = replace(robust_operators.QUICK, sizes=(8, 2_000), longest=0.0)
    lines = robust_operators.sweeps("CVaR", plan)
    assert ["failure" in line for line in lines] == [False, True, False, True]
    text = robust_report.sweeps({"CVaR": lines})
    assert "| CVaR | 3x |" in text
    assert "too long" in text


def test_a_lost_process_is_reported():
    plan = replace(robust_operators.QUICK, sizes=(8,), patience=0.0)
    lines = robust_operators.sweeps("CVaR", plan)
    assert all("no answer to 'start'" in line["failure"] for line in lines)
