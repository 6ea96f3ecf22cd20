"""Worst rows of every ambiguity set: known answers, a convex solver, relations and refusals."""

import dataclasses
import math

import numpy as np
import pytest

import mdptheory
from mdptheory import (
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
    worst_case,
)
from mdptheory.errors import InvalidModelError

P, Z = (0.2, 0.3, 0.5), (4.0, 1.0, 3.0)
P4, Z4, W4 = (0.2, 0.3, 0.3, 0.2), (2.9, 0.9, 1.5, 0.0), [1.0, 1.0, 2.0, 2.0]
LINE = np.abs(np.subtract.outer(np.arange(3.0), np.arange(3.0)))
W3 = [1.0, 2.0, 0.5]

GOLDEN = [
    (P, Z, L1Ball(0.4, "all"), 2.0, (0, 0.5, 0.5)),
    (P, Z, L1Ball(1.0, "all"), 1.4, (0, 0.8, 0.2)),
    ((0.2, 0.3, 0.4, 0.1), (4, 3, 2, 1), L1Ball(0.2, "all"), 2.3, None),
    ((0.2, 0.3, 0.4, 0.1), (4, 3, 2, 1), L1Ball(0.4, "all"), 2.0, (0, 0.3, 0.4, 0.3)),
    ((0.2, 0.3, 0.4, 0.1), (4, 3, 2, 1), L1Ball(1.0, "all"), 1.4, None),
    ((0.2, 0.3, 0.4, 0.1), (4, 3, 2, 1), L1Ball(1.8, "all"), 1.0, None),
    (P, Z, WeightedL1Ball(0.4, W3, "all"), 2.2, (0.2 / 3, 1.3 / 3, 0.5)),
    (P, Z, WeightedL1Ball(1.0, W3, "all"), 1.68, (0, 0.66, 0.34)),
    (P, Z, WeightedL1Ball(2.0, W3, "all"), 1.0, (0, 1, 0)),
    (P4, Z4, WeightedL1Ball(0.3, W4, "all"), 1.0, (0.05, 0.45, 0.3, 0.2)),
    (P4, Z4, WeightedL1Ball(0.6, W4, "all"), 0.72, (0, 0.3, 0.3, 0.4)),
    (P4, Z4, WeightedL1Ball(1.0, W4, "all"), 0.57, (0, 0.3, 0.2, 0.5)),
    (P4, Z4, WeightedL1Ball(1.5, W4, "all"), 0.3825, (0, 0.3, 0.075, 0.625)),
    (P4, Z4, WeightedL1Ball(2.0, W4, "all"), 0.21, (0, 0.7 / 3, 0, 2.3 / 3)),
    (P4, Z4, WeightedL1Ball(3.0, W4, "all"), 0.0, (0, 0, 0, 1)),
    (P, Z, LinfBall(0.1, "all"), 2.3, (0.1, 0.4, 0.5)),
    (P, Z, LinfBall(0.25, "all"), 1.9, (0, 0.55, 0.45)),
    (P, Z, IntervalSet([0.1, 0.1, 0.2], [0.6, 0.5, 0.7]), 2.1, (0.1, 0.5, 0.4)),
    (P, Z, KLBall(0.1), 2.0909535914, (0.1050933423, 0.5070698754, 0.3878367823)),
    (P, Z, KLBall(1.0), 1.0870857469, (0.0025115519, 0.9577129025, 0.0397755455)),
    (P, Z, KLBall(1.3), 1.0, (0, 1, 0)),
    (P, Z, BurgBall(0.1, "all"), 2.0827033881, (0.1148483227, 0.5160724673, 0.36907921)),
    (P, Z, BurgBall(1.0, "all"), 1.2360082572, None),
    ((0.5, 0.5, 0), (2, 4, 1), BurgBall(0.1, "all"), 2.5742427371, (0.7128786315, 0.2871213685, 0)),
    (
        (0.5, 0.5, 0),
        (2, 4, 1),
        BurgBall(0.5, "all"),
        2.0505419190,
        (0.5252709595, 0.1750903198, 0.2996387207),
    ),
    (P, Z, ChiSquareBall(0.1), 2.2478636628, (0.1204853432, 0.4363108402, 0.4432038166)),
    (P, Z, ChiSquareBall(1.0), 1.5, (0, 0.75, 0.25)),
    (P, Z, ChiSquareBall(2.0), 1.1043560763, (0, 0.9478219619, 0.0521780381)),
    (P, Z, ChiSquareBall(3.0), 1.0, (0, 1, 0)),
    (P, Z, L2Ball(0.1, "all"), 2.3839753101, (0.13827866, 0.377151675, 0.484569665)),
    (P, Z, L2Ball(0.5, "all"), 1.5835585997, (0, 0.7082207001, 0.2917792999)),
    (P, Z, L2Ball(1.0, "all"), 1.0, (0, 1, 0)),
    (P, Z, WassersteinBall(0.1, LINE), 2.3, (0.1, 0.4, 0.5)),
    (P, Z, WassersteinBall(0.3, LINE), 1.8, (0, 0.6, 0.4)),
    (P, Z, WassersteinBall(0.6, LINE), 1.2, (0, 0.9, 0.1)),
    (P, Z, CVaRSet(0.5), 1.8, (0, 0.6, 0.4)),
    (P, Z, CVaRSet(0.2), 1.0, (0, 1, 0)),
    (P, Z, EVaRSet(math.exp(-0.1)), 2.0909535914, None),
    (P, Z, ContaminationSet(0.1, "all"), 0.9 * 2.6 + 0.1, (0.18, 0.37, 0.45)),
    (P, Z, FiniteSet([[0.2, 0.3, 0.5], [0.1, 0.4, 0.5]]), 2.3, (0.1, 0.4, 0.5)),
]


@pytest.mark.parametrize(("p", "z", "ambiguity", "value", "row"), GOLDEN)
def test_known_answers(p, z, ambiguity, value, row):
    answer = worst_case(p, z, ambiguity)
    assert answer.value == pytest.approx(value, abs=1e-10)
    assert answer.bound == pytest.approx(value, abs=1e-10)
    if row is not None:
        np.testing.assert_allclose(answer.row, row, atol=1e-9)


def naive_kl(p, z, radius):
    """Maximise the dual over a grid of multipliers without shifting z."""
    lam = np.geomspace(0.1, 10, 2000)[:, None]
    with np.errstate(all="ignore"):
        return np.max(-lam[:, 0] * (np.log(np.exp(-z / lam) @ p) + radius))


def test_the_short_cuts_that_known_answers_refute():
    p, z = np.array(P), np.array(Z)
    mean, spread = p @ z, np.sqrt(p @ (z - p @ z) ** 2)
    assert mean - spread == pytest.approx(1.4864471, abs=1e-7)  # q may be negative: too low
    assert worst_case(P, Z, ChiSquareBall(1.0)).value == pytest.approx(1.5)
    euclidean = mean - 0.5 * np.linalg.norm(z - z.mean())
    assert euclidean == pytest.approx(1.5198765, abs=1e-7)
    assert worst_case(P, Z, L2Ball(0.5, "all")).value == pytest.approx(1.58355860)
    assert naive_kl(p, z, 0.1) == pytest.approx(2.09095359, abs=1e-5)
    assert not np.isfinite(naive_kl(p, z - 1e4, 0.1))  # exp overflows
    assert worst_case(P, z - 1e4, KLBall(0.1)).value == pytest.approx(2.0909535914 - 1e4, abs=1e-9)


def costs(n, rng):
    cost = rng.integers(0, 4, (n, n)).astype(float)
    np.fill_diagonal(cost, 0.0)
    return cost


def interval(p, r):
    return IntervalSet(np.maximum(p - r, 0), np.minimum(p + 2 * r, 1))


SETS = {  # set of a row p and a size r >= 0; support "nominal" where the set has it
    "L1": lambda p, r, rng: L1Ball(r, "nominal"),
    "L1 all": lambda p, r, rng: L1Ball(r, "all"),
    "weighted": lambda p, r, rng: WeightedL1Ball(r, rng.integers(1, 5, p.size) / 2, "nominal"),
    "weighted all": lambda p, r, rng: WeightedL1Ball(r, rng.integers(1, 5, p.size) / 2, "all"),
    "Linf": lambda p, r, rng: LinfBall(r, "nominal"),
    "Linf all": lambda p, r, rng: LinfBall(r, "all"),
    "interval": lambda p, r, rng: interval(p, r),
    "L2": lambda p, r, rng: L2Ball(r, "nominal"),
    "L2 all": lambda p, r, rng: L2Ball(r, "all"),
    "KL": lambda p, r, rng: KLBall(r),
    "Burg": lambda p, r, rng: BurgBall(r, "nominal"),
    "Burg all": lambda p, r, rng: BurgBall(r, "all"),
    "chi2": lambda p, r, rng: ChiSquareBall(r),
    "Wasserstein": lambda p, r, rng: WassersteinBall(r, costs(p.size, rng)),
    "CVaR": lambda p, r, rng: CVaRSet(1 / (1 + r)),
    "EVaR": lambda p, r, rng: EVaRSet(math.exp(-min(r, 700.0))),
    "contamination": lambda p, r, rng: ContaminationSet(r / (1 + r), "nominal"),
    "contamination all": lambda p, r, rng: ContaminationSet(r / (1 + r), "all"),
    "finite": lambda p, r, rng: FiniteSet(rng.dirichlet(np.ones(p.size), 3)),
}
BALLS = [k for k in SETS if k not in ("interval", "finite", "Wasserstein", "CVaR", "EVaR")]
BALLS = [k for k in BALLS if not k.startswith("contamination")]


def draws(count, seed):
    """Rows p, z and sizes; three of four degenerate: ties, zeros, point masses, one outcome."""
    rng = np.random.default_rng(seed)
    for k in range(count):
        n = int(rng.integers(1, 7))
        p = rng.multinomial(8, rng.dirichlet(np.ones(n))).astype(float) / 8
        z = rng.integers(0, 3, n).astype(float)
        if k % 4 == 0:
            n = 5
            p, z = rng.dirichlet(np.ones(n)), rng.normal(size=n)
        yield rng, p, z, float((0.3, 0.05, 1.0, 2.5)[k // 4 % 4])


def support(p, ambiguity):
    if isinstance(ambiguity, KLBall | ChiSquareBall | CVaRSet | EVaRSet):
        return p > 0
    return p > 0 if getattr(ambiguity, "support", "all") == "nominal" else p >= 0


def program(cp, p, ambiguity, q):
    """Return the constraints of section "row of the set" for a cvxpy variable q."""
    match ambiguity:
        case L1Ball(radius=r):
            return [cp.norm1(q - p) <= r]
        case WeightedL1Ball(radius=r, weights=w):
            return [cp.sum(cp.multiply(w, cp.abs(q - p))) <= r]
        case LinfBall(radius=r):
            return [cp.norm_inf(q - p) <= r]
        case IntervalSet(lower=lower, upper=upper):
            return [q >= lower, q <= upper]
        case L2Ball(radius=r):
            return [cp.norm2(q - p) <= r]
        case KLBall(radius=r):
            return [cp.sum(cp.kl_div(q[p > 0], p[p > 0])) <= r]
        case EVaRSet(alpha=alpha):
            return program(cp, p, KLBall(-math.log(alpha)), q)
        case BurgBall(radius=r):
            m = p[p > 0]
            return [-m @ cp.log(q[p > 0]) + m @ np.log(m) <= r]
        case ChiSquareBall(radius=r):
            return [cp.sum(cp.multiply(1 / p[p > 0], cp.square(q[p > 0] - p[p > 0]))) <= r]
        case WassersteinBall(radius=r, cost=cost):
            plan = cp.Variable((p.size, p.size), nonneg=True)
            moved = cp.sum(cp.multiply(plan, cost))
            return [cp.sum(plan, axis=1) == p, cp.sum(plan, axis=0) == q, moved <= r]
        case CVaRSet(alpha=alpha):
            return [q <= p / alpha]
        case ContaminationSet(fraction=f):
            return [q >= (1 - f) * p]
        case FiniteSet(rows=rows):  # a mixture is as good as the best row
            mix = cp.Variable(rows.shape[0], nonneg=True)
            return [cp.sum(mix) == 1, rows.T @ mix == q]


def by_cvxpy(p, z, ambiguity):
    cp = pytest.importorskip("cvxpy")
    q = cp.Variable(p.size, nonneg=True)
    keep = support(p, ambiguity)
    limits = [cp.sum(q) == 1, *program(cp, p, ambiguity, q)]
    if not keep.all():
        limits.append(q[~keep] == 0)
    problem = cp.Problem(cp.Minimize(q @ z), limits)
    problem.solve(solver=cp.CLARABEL)
    return problem.value


def distance(p, q, ambiguity):
    """Return by how much q leaves the set, in the units of its radius."""
    keep = support(p, ambiguity)
    off = np.abs(q[~keep]).sum() + abs(q.sum() - 1) + max(0.0, -q.min())
    on = p > 0
    with np.errstate(divide="ignore"):
        forward = sum(b * math.log(b / a) for a, b in zip(p[on], q[on], strict=True) if b > 0)
        burg = (p[on] * (np.log(p[on]) - np.log(q[on]))).sum()
    match ambiguity:
        case L1Ball(radius=r):
            return off + np.abs(q - p).sum() - r
        case WeightedL1Ball(radius=r, weights=w):
            return off + w @ np.abs(q - p) - r
        case LinfBall(radius=r):
            return off + np.abs(q - p).max() - r
        case IntervalSet(lower=lower, upper=upper):
            return off + max((lower - q).max(), (q - upper).max())
        case L2Ball(radius=r):
            return off + np.linalg.norm(q - p) - r
        case KLBall(radius=r):
            return off + forward - r
        case EVaRSet(alpha=alpha):
            return off + forward + math.log(alpha)
        case BurgBall(radius=r):
            return off + burg - r
        case ChiSquareBall(radius=r):
            return off + ((q - p)[on] ** 2 / p[on]).sum() - r
        case WassersteinBall(radius=r, cost=cost):
            return off + transport(p, q, cost) - r
        case CVaRSet(alpha=alpha):
            return off + (q - p / alpha).max()
        case ContaminationSet(fraction=f):
            return off + ((1 - f) * p - q).max()
        case FiniteSet(rows=rows):
            return off + np.abs(rows - q).sum(axis=1).min()


def transport(p, q, cost):
    from scipy.optimize import linprog

    n = p.size
    marginals = np.r_[np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))]
    return linprog(cost.ravel(), A_eq=marginals[:-1], b_eq=np.r_[p, q][:-1]).fun


@pytest.mark.parametrize("kind", SETS)
def test_a_convex_solver_agrees(kind):
    for rng, p, z, r in draws(25, 11):
        ambiguity = SETS[kind](p, r, rng)
        answer = worst_case(p, z, ambiguity)
        span = max(np.ptp(z), 1.0)
        reference = span * by_cvxpy(p, z / span, ambiguity)
        assert answer.value == pytest.approx(reference, abs=1e-6 * span)
        assert reference - 1e-6 * span <= answer.bound <= answer.value
        assert answer.bound == pytest.approx(answer.value, abs=1e-11 * span)
        assert answer.row @ z == pytest.approx(answer.value, abs=1e-12 * span)
        assert distance(p, answer.row, ambiguity) <= 1e-9


@pytest.mark.parametrize("kind", SETS)
def test_relations_of_every_set(kind):
    for rng, p, z, r in draws(40, 12):
        ambiguity = SETS[kind](p, r, rng)
        worst = worst_case(p, z, ambiguity)
        best = worst_case(p, z, ambiguity, nature="cooperative")
        mirrored = worst_case(p, -z, ambiguity)
        assert (best.value, best.bound) == (-mirrored.value, -mirrored.bound)
        assert (best.row == mirrored.row).all()
        if kind != "finite":
            assert worst.value - 1e-12 <= p @ z <= best.value + 1e-12
        for scale, offset in ((1e12, 0.0), (1e-12, 0.0), (1.0, 1e4), (-0.0, 7.0)):
            moved = worst_case(p, scale * z + offset, ambiguity)
            assert moved.value == pytest.approx(
                scale * worst.value + offset, rel=1e-11, abs=1e-12 * scale * (1 + offset)
            )
            assert distance(p, moved.row, ambiguity) <= 1e-9
            assert moved.bound <= moved.value


@pytest.mark.parametrize("kind", [k for k in SETS if k not in ("interval", "finite")])
def test_values_fall_with_the_size_from_nominal_to_the_least(kind):
    for k, (_, p, z, _) in enumerate(draws(20, 13)):
        sizes = (0.0, 1e-9, 0.01, 0.1, 0.3, 0.7, 1.5, 3.0, 1e3)
        made = [SETS[kind](p, r, np.random.default_rng(k)) for r in sizes]
        values = [worst_case(p, z, s).value for s in made]
        if kind != "Wasserstein":  # its moves of cost 0 need no radius
            assert (worst_case(p, z, made[0]).row == p).all()
            assert values[0] == pytest.approx(p @ z, abs=1e-14)
        assert (np.diff(values) <= 1e-12).all()
        if kind in BALLS:
            least = z[support(p, made[0])].min()
            assert values[-1] == pytest.approx(least, abs=1e-12)
            endless = worst_case(p, z, dataclasses.replace(made[0], radius=math.inf))
            assert endless.value == pytest.approx(least, abs=1e-12)
            assert endless.bound <= endless.value
        nominal = getattr(made[0], "support", None) == "nominal"
        if nominal and (p == 1).any():
            assert (worst_case(p, z, made[-1]).row == p).all()


@pytest.mark.parametrize("kind", BALLS)
def test_radius_zero_keeps_the_row(kind):
    rng = np.random.default_rng(4)
    for _ in range(30):
        p, z = rng.dirichlet(np.ones(6)), rng.normal(size=6)
        row = worst_case(p, z, SETS[kind](p, 0.0, rng)).row
        assert (row == p).all()


def test_nested_sets_give_ordered_values():
    for _, p, z, r in draws(150, 14):

        def least(ambiguity, p=p, z=z):
            return worst_case(p, z, ambiguity).value - 1e-9

        def most(ambiguity, p=p, z=z):
            return worst_case(p, z, ambiguity).value

        assert least(L1Ball(math.sqrt(2 * r), "nominal")) <= most(KLBall(r))
        assert least(KLBall(math.log1p(r))) <= most(ChiSquareBall(r))
        for which in ("nominal", "all"):
            assert least(LinfBall(r, which)) <= most(L2Ball(r, which))
            assert least(L2Ball(r, which)) <= most(L1Ball(r, which))
            f = min(r, 1.0)
            assert least(L1Ball(2 * f, which)) <= most(ContaminationSet(f, which))
        assert least(EVaRSet(1 / (1 + r))) <= most(CVaRSet(1 / (1 + r)))
        metric = 1 - np.eye(p.size)  # transport at unit cost is half the L1 distance
        assert least(WassersteinBall(r / 2, metric)) + 1e-9 == pytest.approx(most(L1Ball(r, "all")))
        ones = np.ones(p.size)
        weighted = most(WeightedL1Ball(r, ones, "nominal"))
        assert weighted == pytest.approx(most(L1Ball(r, "nominal")), abs=1e-13)
        kept = most(L1Ball(r, "nominal")) - most(L1Ball(r, "all"))
        assert kept >= -1e-12


def test_unsupported_outcomes_are_worth_nothing_to_a_nominal_support():
    p, z = [0.5, 0.0, 0.5], [2.0, -1e300, 4.0]
    for kind in ("L1", "weighted", "Linf", "L2", "KL", "Burg", "chi2", "CVaR", "contamination"):
        answer = worst_case(p, z, SETS[kind](np.array(p), 0.2, np.random.default_rng(0)))
        assert 2.0 <= answer.bound <= answer.value <= 3.0
        assert answer.row[1] == 0.0
    assert worst_case(p, z, L1Ball(0.2, "all")).value < -1e298


NAN = math.nan


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L1Ball(-0.1, "all"), ValueError, r"radius is -0.1; expected a number in \[0, inf"),
        (lambda: KLBall(NAN), ValueError, "radius is nan; expected a number in"),
        (lambda: L2Ball("1", "all"), TypeError, "radius is '1' of type str; expected a number"),
        (lambda: L1Ball(0.1, "some"), ValueError, "support is 'some'; expected 'nominal' or 'all'"),
        (
            lambda: WeightedL1Ball(1, [1, 0], "all"),
            ValueError,
            r"weights\[1\] is 0.0; expected a p",
        ),
        (lambda: WeightedL1Ball(1, [1, NAN], "all"), ValueError, r"weights\[1\] is nan; expected"),
        (lambda: IntervalSet([0.6, 0.6], [1, 1]), ValueError, "lower sums to 1.2 and upper to 2;"),
        (lambda: IntervalSet([0, 0], [0.4, 0.4]), ValueError, "upper to 0.8; expected sum lower"),
        (
            lambda: IntervalSet([0.5, 0], [0.4, 1]),
            ValueError,
            r"lower\[0\] is 0.5 and upper\[0\] is",
        ),
        (lambda: IntervalSet([0.5, 0], [1]), ValueError, r"upper has shape \(1,\); expected \(2\)"),
        (lambda: CVaRSet(0.0), ValueError, r"alpha is 0.0; expected a number in \(0, 1\]"),
        (lambda: EVaRSet(1.5), ValueError, r"alpha is 1.5; expected a number in \(0, 1\]"),
        (lambda: ContaminationSet(2, "all"), ValueError, r"fraction is 2.0; expected a number in"),
        (
            lambda: WassersteinBall(1, [[0, -1], [1, 0]]),
            ValueError,
            r"cost\[0, 1\] is -1.0; expect",
        ),
        (
            lambda: WassersteinBall(1, [[0, 1], [1, 2]]),
            ValueError,
            r"cost\[1, 1\] is 2.0; expected",
        ),
        (lambda: WassersteinBall(1, [[0, 1]]), ValueError, r"cost has shape \(1, 2\); expected"),
        (lambda: FiniteSet([[0.5, 0.4]]), ValueError, r"rows\[0\] sums to 0.9; expected 1 within"),
        (lambda: FiniteSet(np.empty((0, 2))), ValueError, "expected at least one row"),
    ],
)
def test_sets_refuse_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()


KL = KLBall(0.1)


@pytest.mark.parametrize(
    ("p", "z", "ambiguity", "error", "message"),
    [
        ([0.5, 0.4], [1, 2], KL, InvalidModelError, "p sums to 0.9; expected 1 within"),
        ([1.1, -0.1], [1, 2], KL, InvalidModelError, r"p\[1\] is -0.1; expected a probability"),
        ([NAN, 1], [1, 2], KL, InvalidModelError, r"p\[0\] is nan; expected a finite number"),
        ([0.5, 0.5], [1, math.inf], KL, InvalidModelError, r"z\[1\] is inf; expected a finite"),
        ([0.5, 0.5], [1, 2, 3], KL, InvalidModelError, r"z has shape \(3,\); expected \(2\)"),
        ([[0.5, 0.5]], [1, 2], KL, InvalidModelError, r"p has shape \(1, 2\); expected \(any\)"),
        ([], [], KL, InvalidModelError, "p sums to 0; expected 1"),
        (["a"], [1], KL, TypeError, "p has dtype"),
        ([1.0], [1.0], None, TypeError, "ambiguity is of type NoneType; expected an ambiguity set"),
        ([1.0], [1.0], 0.2, TypeError, "ambiguity is of type float"),
        (
            [0.5, 0.5],
            [1, 2],
            WeightedL1Ball(1, [1.0], "all"),
            InvalidModelError,
            r"weights has shape \(1,\); expected \(2,\), as p has 2 entries",
        ),
        ([1], [1], IntervalSet([0, 0], [1, 1]), InvalidModelError, r"lower has shape \(2,\)"),
        ([1], [1], WassersteinBall(1, LINE), InvalidModelError, r"cost has shape \(3, 3\)"),
        (
            [1],
            [1],
            FiniteSet([[0.5, 0.5]]),
            InvalidModelError,
            r"rows has shape \(1, 2\); expected",
        ),
    ],
)
def test_worst_case_refuses_bad_input(p, z, ambiguity, error, message):
    with pytest.raises(error, match=message):
        worst_case(p, z, ambiguity)


def test_nature_is_named():
    with pytest.raises(InvalidModelError, match="nature is 'kind'; expected 'adversarial' or"):
        worst_case(P, Z, KL, nature="kind")


def test_arguments_are_left_alone_and_results_frozen():
    p, z = np.array(P), np.array(Z)
    p.setflags(write=False)
    z.setflags(write=False)
    answer = mdptheory.worst_case(p, z, L1Ball(0.4, "all"))
    assert isinstance(answer, mdptheory.WorstCase)
    assert answer.row is not p
    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.value = 0.0
    weights = np.array(W3)
    ball = WeightedL1Ball(0.4, weights, "all")
    weights[:] = 9.0
    assert worst_case(P, Z, ball).value == pytest.approx(2.2)
