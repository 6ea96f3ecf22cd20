"""Sound robust claims, made without any planner, are accepted; what is accepted is true."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from saddle_cases import (
    COST,
    KERNELS,
    SETS,
    SHARED,
    P,
    R,
    certify,
    certify_shared,
    certify_stages,
    complete,
    dense_model,
    is_rational,
    model,
    robust_value,
    staged,
)

from mdptheory.certificates import SaddleVerified, check
from mdptheory.errors import InvalidCertificateError
from mdptheory.models import (
    CVaRSet,
    FactorSet,
    FiniteHorizon,
    IntervalSet,
    KLBall,
    L1Ball,
    SaddleCertificate,
    TabularMDP,
    WassersteinBall,
)

MODES = pytest.mark.parametrize("exact", [False, True])
BY_SET = pytest.mark.parametrize("name", SETS)
PI = np.array([[0.25, 0.75], [0.5, 0.5], [0.6, 0.4]])


def modes(ambiguity):
    return (False, True) if is_rational(ambiguity) else (False,)


@BY_SET
def test_a_certificate_around_the_slow_robust_value_is_accepted(name):
    mdp, ambiguity = model(), SETS[name]
    claim = certify(mdp, ambiguity)
    for exact in modes(ambiguity):
        verified = check(claim, mdp, exact=exact)
        assert isinstance(verified, SaddleVerified)
        assert verified.exact is exact
        assert verified.checked_rows == 6
        assert verified.distance.shape == (6,)
        assert verified.tolerance == 0.0  # the width leaves room for every rounding
        assert verified.gap == pytest.approx(2e-6)
        assert verified.policy_loss == verified.gap


@BY_SET
def test_rewards_per_transition(name):
    r = np.arange(18.0).reshape(3, 2, 3) % 5 / 4
    mdp, ambiguity = complete(model(r=r)), SETS[name]
    claim = certify(mdp, ambiguity)
    for exact in modes(ambiguity):
        assert check(claim, mdp, exact=exact).tolerance == 0.0


@pytest.mark.parametrize("name", SHARED)
def test_rows_that_share_a_budget(name):
    """Primal: nature splits the budget in two; dual: one price; both by scanning."""
    mdp, ambiguity = model(), SHARED[name]
    claim = certify_shared(mdp, ambiguity, PI)
    for exact in modes(ambiguity):
        verified = check(claim, mdp, exact=exact)
        assert verified.tolerance == 0.0
        together = np.add.reduceat(verified.distance, mdp.choice_ptr[:-1])
        assert together == pytest.approx(np.full(3, ambiguity.radius), abs=1e-4)


@pytest.mark.parametrize(
    "ambiguity", [SETS["L1, all"], SETS["KL"], SETS["intervals"], SETS["CVaR"], SETS["Linf, all"]]
)
def test_finite_horizon(ambiguity):
    mdp = staged()
    claim = certify_stages(mdp, ambiguity)
    end = replace(claim, lower=claim.lower.copy(), upper=claim.upper.copy())
    for exact in modes(ambiguity):
        verified = check(end, mdp, exact=exact)
        assert verified.checked_rows == 18
        assert verified.distance.shape == (18,)
        assert verified.tolerance == 0.0


def test_stationary_data_serve_every_stage():
    mdp = staged()
    three = replace(mdp, objective=FiniteHorizon(3, 0.9, [0.0, 1.0, -1.0]))
    one = TabularMDP.from_dense(P, R, objective=three.objective, state_names=list(mdp.state_names))
    stacked = TabularMDP.from_dense(
        np.stack([P] * 3), np.stack([R] * 3), objective=one.objective,
        state_names=list(mdp.state_names),
    )  # fmt: skip
    claim = certify_stages(stacked, L1Ball(0.3, "nominal"))
    assert check(claim, one, exact=True).checked_rows == 18
    assert check(claim, stacked, exact=True).checked_rows == 18


def factor_case(sets):
    weights = np.array([[[0.5, 0.5], [1.0, 0.0]], [[0.25, 0.75], [0.0, 1.0]], [[0.75, 0.25]] * 2])
    factors = np.array([[0.5, 0.25, 0.25], [0.0, 0.5, 0.5]])
    mdp = TabularMDP.from_dense(weights @ factors, R, 0.5)
    ambiguity = FactorSet(weights, factors, sets)
    single = TabularMDP.from_dense(
        np.stack([factors, factors, factors]), np.zeros((3, 2)), 0.5
    )  # its first two rows are the factors
    from saddle_cases import price, worst_case

    def solve(v):
        return [worst_case(p, 0.5 * v, one) for p, one in zip(factors, ambiguity.sets, strict=True)]

    v = np.zeros(3)
    for _ in range(60):
        b = np.array([one.value for one in solve(v)])
        q = R + weights @ b
        v = q.max(axis=1)
    chosen = np.array([one.row for one in solve(v)])
    pairs = [
        price(one, p, 0.5 * (v - 1e-6)) for p, one in zip(factors, ambiguity.sets, strict=True)
    ]
    claim = SaddleCertificate(
        mdp.objective, ambiguity, v - 1e-6, v + 1e-6, q.argmax(axis=1),
        dense_model(mdp, (weights @ chosen).reshape(6, 3)), np.array([lam for lam, _ in pairs]),
        np.array([eta for _, eta in pairs]), factors=chosen,
    )  # fmt: skip
    assert single.n_rows == 6
    return mdp, claim


@pytest.mark.parametrize(
    "sets", [L1Ball(0.3, "all"), KLBall(0.1), [CVaRSet(0.5), IntervalSet(np.zeros(3), np.ones(3))]]
)
def test_factors(sets):
    mdp, claim = factor_case(sets)
    for exact in (False, True) if not isinstance(sets, KLBall) else (False,):
        verified = check(claim, mdp, exact=exact)
        assert verified.distance.shape == (2,)
        assert verified.tolerance == 0.0
    bad = claim.factors.copy()
    bad[0] = [1.0, 0.0, 0.0]
    with pytest.raises(InvalidCertificateError, match=r"worst_case: the row of state 0 and"):
        check(replace(claim, factors=bad), mdp)
    other = replace(claim.ambiguity, factors=claim.ambiguity.factors[::-1])
    with pytest.raises(InvalidCertificateError, match=r"the model: the row of .* differs from"):
        check(replace(claim, ambiguity=other), mdp)
    with pytest.raises(InvalidCertificateError, match=r"factors has shape \(0,\)"):
        check(replace(claim, factors=None), mdp)


def test_sets_without_a_rational_proof_are_named():
    mdp = model()
    with pytest.raises(InvalidCertificateError, match=r"KLBall has no rational proof.*L1Ball"):
        check(certify(mdp, SETS["KL"]), mdp, exact=True)


# ---- rounding -----------------------------------------------------------------------------------


@BY_SET
def test_what_rounding_may_hide_is_of_rounding_size(name):
    """The scanned duals are good to 1e-9 or so; less room than that is refused, or is rounding."""
    mdp, ambiguity = model(), SETS[name]
    claim = certify(mdp, ambiguity, width=1e-12)
    try:
        verified = check(claim, mdp)
    except InvalidCertificateError as error:
        size = float(str(error).split(" by ")[1].split(" ")[0])
    else:
        size = verified.tolerance
    assert size < 1e-8


@pytest.mark.parametrize(
    "ambiguity",
    [
        L1Ball(0.5, "nominal"),
        CVaRSet(2 / 3),
        IntervalSet(np.zeros((2, 1, 2)), np.array([[[0.75, 1.0]], [[1.0, 1.0]]])),
    ],
)
def test_rows_off_by_rounding_are_moved_into_the_set_not_let_through(ambiguity):
    """A row outside by 1e-12: in rational arithmetic it costs the certificate 1e-12's worth."""
    mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[0.0], [1.0]], 0.5)
    v1 = 2.0  # 1 + v1 / 2
    off = 2.0**-40
    q = 0.75 + off  # radius 0.5 allows 0.75
    v0 = 0.5 * (q * 0.0 + (1 - q) * v1) / (1 - 0.5 * q)
    true = Fraction(1, 2) * Fraction(1, 4) * 2 / (1 - Fraction(3, 8))
    worst = TabularMDP.from_dense([[[q, 1 - q]], [[0.0, 1.0]]], [[0.0], [1.0]], 0.5)
    zero = np.zeros(2)
    claim = SaddleCertificate(
        mdp.objective, ambiguity, np.zeros(2), np.array([v0, v1]),
        np.zeros(2, int), worst, zero, zero,
    )  # fmt: skip
    assert Fraction(v0) < true  # so accepting it would be wrong
    for exact in (False, True):
        with pytest.raises(InvalidCertificateError, match=r"upper\[0\] is 0\.39.*less than"):
            check(claim, mdp, exact=exact)
    fine = replace(claim, upper=np.array([float(true) + 1e-15, v1]))
    assert check(fine, mdp, exact=True).checked_rows == 2


def test_nominal_rows_are_read_divided_by_their_sum():
    """A row that sums to 1 + 2**-31: a radius of 0 admits the divided row only."""
    p = 1.0 + 2.0**-31
    mdp = TabularMDP(
        choice_ptr=[0, 1], action=[0], row_ptr=[0, 1], next_state=[0], prob=[p], reward=[1.0],
        objective=model().objective, n_states=1,
    )  # fmt: skip
    two, one = np.array([2.0]), np.zeros(1)
    claim = SaddleCertificate(
        mdp.objective, L1Ball(0.0, "nominal"), two, two, np.zeros(1, int), mdp,
        np.array([math.inf]), one,
    )  # fmt: skip
    verified = check(claim, mdp, exact=True)
    assert (verified.gap, verified.tolerance, verified.distance[0]) == (0.0, 0.0, 0.0)


# ---- soundness: what is accepted is true --------------------------------------------------------


def nudged(claim, rng):
    """A claim whose numbers have all been moved, some a little and some a lot."""

    def shake(x, scale):
        return x + scale * rng.normal(size=x.shape) * (rng.random(x.shape) < 0.5)

    scale = float(rng.choice([1e-12, 1e-4, 0.03, 0.3]))
    with np.errstate(invalid="ignore"):
        multiplier = np.abs(shake(claim.multiplier, scale))
    worst = claim.worst_case
    if rng.random() < 0.5:
        prob = np.maximum(shake(worst.prob, scale), 0) + 1e-6
        ptr = worst.row_ptr
        prob /= np.repeat(np.add.reduceat(prob, ptr[:-1]), np.diff(ptr))
        worst = replace(worst, prob=prob)
    policy = claim.policy if rng.random() < 0.7 else rng.integers(0, 2, 3)
    push = float(rng.choice([0.0, 1e-9, 0.01, 0.2]))
    return replace(
        claim, multiplier=multiplier, level=shake(claim.level, scale), policy=policy,
        worst_case=worst, lower=claim.lower - rng.choice([-1, 1]) * push * rng.random(),
        upper=claim.upper + rng.choice([-1, 1]) * push * rng.random(),
    )  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [name for name in SETS if name not in ("Wasserstein", "list", "KL, tiny", "KL, huge")],
)
def test_acceptance_implies_the_enclosure(name):
    mdp, ambiguity = model(), SETS[name]
    base, rng, seen = certify(mdp, ambiguity, width=1e-3), np.random.default_rng(1), set()
    best = robust_value(mdp, ambiguity)
    own = {}
    for _ in range(120):
        claim = nudged(base, rng)
        accepted = set()
        for exact in modes(ambiguity):
            try:
                verified = check(claim, mdp, exact=exact)
            except InvalidCertificateError:
                accepted.add(False)
                continue
            accepted.add(True)
            key = tuple(claim.policy)
            own.setdefault(key, robust_value(mdp, ambiguity, claim.policy))
            assert (claim.lower - verified.tolerance <= own[key] + 1e-9).all()
            assert (best <= claim.upper + verified.tolerance + 1e-9).all()
        assert len(accepted) == 1  # both arithmetics agree on these coarse claims
        seen |= accepted
    assert seen == {True, False}


def test_distances_are_those_of_the_definitions():
    mdp = model()
    for name, distance in {
        "L1, nominal": lambda p, q: np.abs(p - q).sum(),
        "weighted L1, nominal": lambda p, q: (np.array([1.0, 2.0, 0.5]) * np.abs(p - q)).sum(),
        "Linf, nominal": lambda p, q: np.abs(p - q).max(),
        "L2": lambda p, q: math.sqrt(((p - q) ** 2).sum()),
        "KL": lambda p, q: sum(b * math.log(b / a) for a, b in zip(p, q, strict=True) if b > 0),
        "Burg, nominal": lambda p, q: sum(
            a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0
        ),
        "chi-square": lambda p, q: ((p - q)[p > 0] ** 2 / p[p > 0]).sum(),
    }.items():
        claim = certify(mdp, SETS[name])
        rows = claim.worst_case.to_dense()[0].reshape(6, 3)
        wanted = [distance(p, q) for p, q in zip(P.reshape(6, 3), rows, strict=True)]
        assert check(claim, mdp).distance == pytest.approx(wanted, abs=1e-12)


def test_a_list_and_a_plan_report_their_distances():
    mdp = model()
    assert (check(certify(mdp, SETS["list"]), mdp, exact=True).distance == 0).all()
    assert len(KERNELS) == 3
    cheap = certify(mdp, WassersteinBall(0.2, COST))
    assert check(cheap, mdp).distance == pytest.approx(np.full(6, 0.2), abs=1e-6)
