"""Claims that a referee tried to break the checker of robust claims with."""

from dataclasses import replace

import numpy as np
import pytest
from saddle_cases import SETS, SHARED, model

from mdptheory import TabularMDP
from mdptheory.certificates import check
from mdptheory.errors import InvalidCertificateError
from mdptheory.models import FiniteHorizon, L1Ball, L2Ball, WassersteinBall, WeightedL1Ball
from mdptheory.solvers import rcpi, robust_backward_induction


def truth(mdp, ambiguity):
    """Return bounds on the robust value, narrower than any claim that is attacked here."""
    found = rcpi(mdp, ambiguity, tol=1e-9)
    return found.v - 2e-9, found.v + 2e-9


def disturbed(claim, rng):
    """Change numbers of a claim: bounds, prices, levels, nature's rows."""
    size = 10.0 ** rng.uniform(-8, 0)
    n, rows = len(claim.lower), len(claim.multiplier)
    prob = claim.worst_case.prob * np.exp(size * rng.normal(size=len(claim.worst_case.prob)))
    ptr = claim.worst_case.row_ptr.astype(np.int64)
    prob /= np.repeat(np.add.reduceat(prob, ptr[:-1]), np.diff(ptr))
    price = claim.multiplier
    if np.isfinite(price).all() and len(set(price.tolist())) == rows:
        price = price * np.exp(size * rng.normal(size=rows))
    parts = {
        "lower": claim.lower + size * rng.normal() * rng.integers(0, 2, n),
        "upper": claim.upper + size * rng.normal() * rng.integers(0, 2, n),
        "multiplier": price,
        "level": claim.level + size * rng.normal(size=rows),
        "worst_case": replace(claim.worst_case, prob=prob),
    }
    kept = {k: v for k, v in parts.items() if rng.random() < 0.5}
    return replace(claim, **kept)


def attack(count):
    rng, accepted = np.random.default_rng(0), 0
    for ambiguity in [*SETS.values(), *SHARED.values()]:
        mdp = model()
        low, high = truth(mdp, ambiguity)
        claim = rcpi(mdp, ambiguity, tol=1e-3).certificate
        for _ in range(count):
            forged = disturbed(claim, rng)
            try:
                verdict = check(forged, mdp)
            except InvalidCertificateError:
                continue
            accepted += 1
            assert (forged.lower <= high + verdict.tolerance).all()
            assert (forged.upper >= low - verdict.tolerance).all()
    assert accepted > count  # the attack reaches the inequalities


def test_disturbed_claims_are_true_or_refused():
    attack(25)


@pytest.mark.slow
def test_many_disturbed_claims_are_true_or_refused():
    attack(300)


def test_distances_are_looked_at_in_units_of_their_weights():
    mdp = TabularMDP.from_dense([[[1 / 3, 2 / 3]], [[0.7, 0.3]]], [[1.0], [0.0]], 0.9)
    ambiguity = WeightedL1Ball(0.0, np.array([1e7, 1e7]), "nominal")
    claim = rcpi(mdp, ambiguity).certificate
    prob = claim.worst_case.prob * (1 + np.array([3e-16, 0, 0, 3e-16]))
    check(replace(claim, worst_case=replace(claim.worst_case, prob=prob)), mdp)


def test_moves_that_cost_nothing_need_no_budget():
    mdp = TabularMDP.from_dense([[[1.0, 0.0]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
    found = rcpi(mdp, WassersteinBall(0.0, np.array([[0.0, 0.0], [1.0, 0.0]])))
    assert check(found.certificate, mdp).distance.tolist() == [0.0, 0.0]
    assert found.v == pytest.approx([1.0, 0.0], abs=1e-6)


def test_a_tiny_price_of_a_euclidean_ball_is_no_price():
    mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.5, 0.5]]], [[1.0], [0.0]], 0.9)
    claim = rcpi(mdp, L2Ball(0.1, "nominal")).certificate
    with pytest.raises(InvalidCertificateError, match="more than one step"):
        check(replace(claim, multiplier=np.full(2, 1e-320), lower=claim.lower + 1.0,
                      upper=claim.upper + 2.0), mdp)  # fmt: skip
    check(replace(claim, multiplier=np.full(2, 1e-320)), mdp)


def test_the_tolerance_is_that_of_the_least_certain_stage():
    mdp = TabularMDP.from_dense(
        [[[0.3, 0.7]], [[0.6, 0.4]]],
        [[1.0], [0.1]],
        objective=FiniteHorizon(2, gamma=1e-9, terminal=np.array([1e9, 2e9])),
    )
    found = robust_backward_induction(mdp, L1Ball(0.0, "nominal"))
    claim = found.certificate
    upper = claim.upper + np.array([[1.0], [0.0], [0.0]])
    upper[1] = found.v[1]  # within rounding of one step from the last stage
    lower = claim.lower - np.array([[1.0], [0.0], [0.0]])
    assert check(replace(claim, lower=lower, upper=upper), mdp).tolerance > 1e-17
