"""What the robust planners claim is verified, for every set they take."""

from dataclasses import replace

import numpy as np
import pytest
from saddle_cases import SETS, SHARED, complete, is_rational, model, staged

from mdptheory import solvers
from mdptheory.certificates import check
from mdptheory.errors import InvalidCertificateError
from mdptheory.models import (
    CVaRSet,
    FactorSet,
    FiniteHorizon,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    TabularMDP,
)

EVERY = SETS | {f"shared {name}": one for name, one in SHARED.items()}
MIXED = np.random.default_rng(3).dirichlet(np.ones(2), size=3)


def modes(ambiguity):
    return (False, True) if is_rational(ambiguity) else (False,)


@pytest.mark.parametrize("paid", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_a_solved_model(name, paid):
    r = np.arange(18.0).reshape(3, 2, 3) % 7 / 4
    mdp = complete(model(r=r, gamma=0.95)) if paid else model(gamma=0.95)
    solution = solvers.robust_value_iteration(mdp, EVERY[name], tol=1e-7)
    for exact in modes(EVERY[name]):
        verified = check(solution.certificate, mdp, exact=exact)
        assert verified.policy_loss <= 2e-7 + 1e-9
        assert verified.tolerance < 1e-11


@pytest.mark.parametrize("name", EVERY)
def test_a_fixed_policy(name):
    mdp = model(gamma=0.9)
    for policy in (np.array([0, 1, 1]), MIXED):
        solution = solvers.evaluate_robust(mdp, EVERY[name], policy)
        assert solution.certificate.fixed
        for exact in modes(EVERY[name]):
            assert check(solution.certificate, mdp, exact=exact).policy_loss < 1e-5
    better = replace(solution.certificate, lower=solution.certificate.lower + 1e-4,
                     upper=solution.certificate.upper + 1.0)  # fmt: skip
    with pytest.raises(InvalidCertificateError, match="dual bound"):
        check(better, mdp)


@pytest.mark.parametrize("name", EVERY)
def test_stages(name):
    one = model(gamma=None, objective=FiniteHorizon(4, 0.9, [1.0, 0.0, -1.0]))
    for mdp in (one, staged()):
        solution = solvers.robust_backward_induction(mdp, EVERY[name])
        for exact in modes(EVERY[name]):
            verified = check(solution.certificate, mdp, exact=exact)
            assert verified.policy_loss < 1e-10


@pytest.mark.parametrize(
    "sets",
    [
        L1Ball(0.3, "all"),
        KLBall(0.1),
        [CVaRSet(0.5), IntervalSet(np.zeros(3), np.ones(3)), FiniteSet(np.eye(3))],
    ],
)
def test_factors(sets):
    rng = np.random.default_rng(5)
    weights, factors = rng.dirichlet(np.ones(3), size=(3, 2)), rng.dirichlet(np.ones(3), size=3)
    mdp = TabularMDP.from_dense(weights @ factors, rng.random((3, 2)), 0.9, normalize=True)
    ambiguity = FactorSet(weights, factors, sets)
    certificate = solvers.robust_value_iteration(mdp, ambiguity, tol=1e-7).certificate
    for exact in (False,) if isinstance(sets, KLBall) else (False, True):
        assert check(certificate, mdp, exact=exact).policy_loss <= 2e-7 + 1e-9
