"""The robust chains: their slow routes against known values, and how tight their constants are."""

from dataclasses import replace
from functools import cache
from itertools import combinations, product
from math import comb
from pathlib import Path

import numpy as np
import pytest

from mdptheory import Discounted, worst_case
from mdptheory.models.ambiguity import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    EVaRSet,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    WassersteinBall,
    WeightedL1Ball,
)
from mdptheory.theory import ChainReport, load_case, replay, verify_chain
from mdptheory.theory.counterexample import link_check
from proofs_checks import _robust_oracles as oracles
from proofs_checks import robust_coverage, robust_sensitivity
from proofs_checks._cases import build, random_mdp
from proofs_checks._oracles import optimal_value
from proofs_checks.registry import CHAINS

pytestmark = pytest.mark.theorem
BY_ID = {chain.id: chain for chain in CHAINS}
TIGHT = sorted((Path(__file__).parent / "data" / "tight").glob("*.json"))
P, Z = np.array([0.2, 0.3, 0.5]), np.array([4.0, 1.0, 3.0])
STEPS = np.abs(np.subtract.outer(np.arange(3.0), np.arange(3.0)))


# ---- the second routes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ambiguity", "value"),
    [
        (L1Ball(0.4, "all"), 2.0),
        (L1Ball(1.0, "all"), 1.4),
        (WeightedL1Ball(1.0, np.array([1.0, 2.0, 0.5]), "all"), 1.68),
        (LinfBall(0.1, "all"), 2.3),
        (IntervalSet(np.array([0.1, 0.1, 0.2]), np.array([0.6, 0.5, 0.7])), 2.1),
        (KLBall(0.1), 2.0909535914),
        (KLBall(1.3), 1.0),
        (BurgBall(0.1, "all"), 2.0827033881),
        (BurgBall(1.0, "all"), 1.2360082572),
        (ChiSquareBall(0.1), 2.2478636628),
        (ChiSquareBall(2.0), 1.1043560763),
        (L2Ball(0.1, "all"), 2.3839753101),
        (L2Ball(0.5, "all"), 1.5835585997),
        (WassersteinBall(0.3, STEPS), 1.8),
        (CVaRSet(0.5), 1.8),
        (EVaRSet(float(np.exp(-0.1))), 2.0909535914),
        (ContaminationSet(0.25, "all"), 2.2),
        (FiniteSet(np.array([P, [0.0, 0.5, 0.5]])), 2.0),
    ],
    ids=lambda x: type(x).__name__ if not isinstance(x, float) else f"{x:g}",
)
def test_plain_duals_give_the_values_known_to_ten_digits(ambiguity, value):
    assert oracles.dual_bound(P, Z, ambiguity) == pytest.approx(value, abs=2e-10)
    shifted = 5.0 + 100.0 * Z
    assert oracles.dual_bound(P, shifted, ambiguity) == pytest.approx(5 + 100 * value, abs=2e-8)


def test_burg_dual_with_an_unseen_worst_outcome():
    p, z = np.array([0.5, 0.5, 0.0]), np.array([2.0, 4.0, 1.0])
    assert oracles.dual_bound(p, z, BurgBall(0.1, "all")) == pytest.approx(2.5742427371)
    assert oracles.dual_bound(p, z, BurgBall(0.5, "all")) == pytest.approx(2.0505419190)
    assert oracles.dual_bound(p, z, BurgBall(0.5, "nominal")) >= 2.0


def test_distances_by_definition():
    q = np.array([[0.5, 0.5, 0.0], [0.25, 0.25, 0.5]])
    p = np.array([0.5, 0.25, 0.25])
    expected = {
        L1Ball(0.0, "all"): [0.5, 0.5],
        WeightedL1Ball(0.0, np.array([1.0, 2.0, 4.0]), "all"): [1.5, 1.25],
        LinfBall(0.0, "all"): [0.25, 0.25],
        L2Ball(0.0, "all"): [np.sqrt(0.125), np.sqrt(0.125)],
        KLBall(0.0): [0.5 * np.log(2), 0.25 * np.log(0.5) + 0.5 * np.log(2)],
        BurgBall(0.0, "all"): [np.inf, 0.25 * np.log(2)],
        ChiSquareBall(0.0): [0.5, 0.375],
        WassersteinBall(0.0, STEPS): [0.25, 0.5],
        CVaRSet(1.0): [0.25, 0.25],
        ContaminationSet(0.0, "all"): [0.25, 0.25],
    }
    for ambiguity, distance in expected.items():
        np.testing.assert_allclose(oracles.excess(p, q, ambiguity), distance, atol=1e-14)


def test_rows_that_are_no_distributions_or_leave_the_support_are_outside():
    p = np.array([0.5, 0.5, 0.0])
    rows = np.array([[0.6, 0.6, -0.2], [0.5, 0.4, 0.0], [0.5, 0.25, 0.25], [0.25, 0.75, 0.0]])
    outside = oracles.excess(p, rows, L1Ball(1.5, "nominal")) > 0
    assert outside.tolist() == [True, True, True, False]
    assert (oracles.excess(p, rows, L1Ball(1.5, "all")) > 0).tolist() == [True, True, False, False]


@pytest.mark.parametrize("seed", range(10))
def test_projection_is_the_nearest_distribution(seed):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(5, 4))
    nearest = oracles.projected(points)
    np.testing.assert_allclose(nearest.sum(axis=1), 1.0)
    assert (nearest >= 0).all()
    others = rng.dirichlet(np.ones(4), 200)
    inner = np.einsum("ij,kij->ki", points - nearest, others[:, None, :] - nearest)
    assert inner.max() <= 1e-12  # the obtuse angle that marks a projection


@pytest.mark.parametrize("seed", range(10))
def test_robust_value_is_the_best_policys_worst_kernel(seed):
    """Every policy against every choice of a row from two, pair by pair."""
    rng = np.random.default_rng(seed)
    mdp = random_mdp(rng, max_states=2, max_actions=2)
    game = oracles.Game.of(mdp)
    n_rows, n = game.rows.shape
    sets = [FiniteSet(np.vstack([p, rng.dirichlet(np.ones(n))])) for p in game.rows]
    policies = product(*[np.flatnonzero(game.state == s) for s in range(n)])
    kernels = [
        np.array([one.rows[k] for one, k in zip(sets, picks, strict=True)])
        for picks in product(range(2), repeat=n_rows)
    ]
    worst = [
        np.min([game.value(rows, np.array(chosen)) for rows in kernels], axis=0)
        for chosen in policies
    ]
    value = oracles.robust_value(game, sets, worst_case)
    np.testing.assert_allclose(value, np.max(worst, axis=0), atol=1e-10)


def test_robust_value_survives_the_cycle_of_naive_policy_iteration():
    """From (60, 80) the frozen pair jumps between 80 and 20 for ever; the value is 61."""
    table = [[((1, 0), 3.0)], [((0, 1), 1.0), ((0, 1), 4.0)]]
    game = oracles.Game.of(build(table, Discounted(0.95)))
    both = FiniteSet(np.array([[0.0, 1.0], [1.0, 0.0]]))
    sets = [FiniteSet(game.rows[:1]), FiniteSet(game.rows[1:2]), both]
    np.testing.assert_allclose(oracles.robust_value(game, sets, worst_case), [60.0, 61.0])


# ---- how much of the bounds is used -------------------------------------------------------------


@cache
def report(chain_id: str) -> ChainReport:
    return verify_chain(replace(BY_ID[chain_id], twins=()), trials=120, seed=2)


@pytest.mark.parametrize(
    ("chain_id", "name"),
    [
        *[
            ("robust_core.nesting", name)
            for name in ("pinsker", "burg", "chi2_l1", "l1_l2", "l2_linf", "contamination")
        ],
        *[("robust_core.nesting", name) for name in ("cvar_l1", "cvar_chi2", "cvar_evar")],
        *[
            ("robust_core.sensitivity", name)
            for name in ("l1", "pinsker", "chi2", "l2", "linf", "transport", "contamination")
        ],
        ("robust_core.sensitivity", "lipschitz"),
        ("robust_core.sensitivity", "value"),
    ],
)
def test_the_constant_cannot_be_improved(chain_id, name):
    link = next(link for link in report(chain_id).links if link.name == name)
    assert link.violations == 0
    assert 0.97 < link.max_tightness < 1 + 1e-9


@pytest.mark.parametrize("path", TIGHT, ids=lambda path: path.stem)
def test_a_saved_instance_is_as_tight_as_it_was(path):
    saved = load_case(path)
    check = replay(saved, CHAINS).check
    assert check.holds
    assert check.tightness == pytest.approx(saved.check.tightness, rel=1e-6)
    assert check.tightness > 0.998


def test_the_saved_instances_are_those_of_the_findings():
    text = (Path(__file__).parents[2] / "FINDINGS.md").read_text(encoding="utf-8")
    assert len(TIGHT) == 5
    assert [path.name for path in TIGHT if f"tight/{path.name}" not in text] == []


@pytest.mark.parametrize("name", robust_sensitivity.VALUED)
def test_the_same_loss_in_every_state_makes_the_value_bound_an_equality(name):
    mdp = build([[((0.5, 0.5), 1.0)], [((0.5, 0.5), 0.0)]], Discounted(0.9))
    trace = robust_sensitivity.run(robust_sensitivity.Case(mdp, np.zeros(2), 0.02))
    row = float((trace.nominal - trace.at_v[name]).max())
    lost = trace.v_nominal - trace.v_robust[name]
    np.testing.assert_allclose(lost, row / (1 - 0.9), rtol=1e-9)
    np.testing.assert_allclose(trace.v_nominal, optimal_value(mdp))


# ---- data ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("trials", "rounded"), [(5, 0.99), (20, 0.74)])
def test_how_often_the_nominal_support_misses_a_row_with_rare_outcomes(trials, rounded):
    """Some outcome stays unseen, by inclusion and exclusion."""
    row = np.array([0.7, 0.2, 0.08, 0.02])
    unseen = sum(
        (-1) ** (size + 1) * sum((1 - sum(some)) ** trials for some in _subsets(row, size))
        for size in range(1, 5)
    )
    assert unseen == pytest.approx(rounded, abs=0.005)
    rows = np.tile(row, (4, 1)).reshape(4, 1, 4)
    case = robust_coverage.Case(rows, np.zeros((4, 1)), trials, 0)
    chain = BY_ID["robust_core.coverage"]
    broken = link_check(chain.broken(chain.twin("nominal_support")), "burg_row", case)
    assert unseen - 1e-12 <= broken.measured <= unseen + 1e-3
    true = link_check(chain, "burg_row", case)
    assert true.holds
    assert true.measured < 1e-3


def _subsets(row, size):
    return combinations(row.tolist(), size)


def test_all_counts_are_listed_once():
    for trials, n in ((5, 2), (4, 3), (3, 4), (1, 4)):
        listed = robust_coverage.all_counts(trials, n)
        assert len({tuple(c) for c in listed}) == len(listed) == comb(trials + n - 1, n - 1)
        assert (listed.sum(axis=1) == trials).all()
        assert (listed >= 0).all()
