"""The divergence balls against worked examples and duals maximised with sixty digits."""

import decimal
import math
from decimal import Decimal

import numpy as np
import pytest

from mdptheory.kernels.divergence import burg_row, chi_square_row, kl_row
from mdptheory.kernels.euclidean import l2_row

KERNELS = {"kl": kl_row, "burg": burg_row, "chi2": chi_square_row, "l2": l2_row}
BALLS = list(KERNELS)
P, Z = (0.2, 0.3, 0.5), (4.0, 1.0, 3.0)


def run(ball, p, z, radius):
    p, z = np.array(p, dtype=float), np.array(z, dtype=float)
    q = np.full(p.size, np.nan)
    value, bound, *_ = KERNELS[ball](p, z, float(radius), q)
    return value, bound, q


def distance(ball, p, q):
    on = p > 0
    if ball == "l2":
        return float(np.linalg.norm(q - p))
    if ball == "chi2":
        return float((((q - p)[on] / np.sqrt(p[on])) ** 2).sum())
    a, b = (q[on], p[on]) if ball == "kl" else (p[on], q[on])
    a, b = a[a > 0], b[a > 0]
    return math.inf if (b == 0).any() else float((a * np.log(a / b)).sum())


def examine(ball, p, z, radius, tight=1e-12):
    """Check what holds for every row, whatever its optimum."""
    p, z = np.array(p, dtype=float), np.array(z, dtype=float)
    p = p / p.sum()
    value, bound, q = run(ball, p, z, radius)
    assert np.isfinite([value, bound, *q]).all()
    assert (q >= 0).all()
    assert abs(q.sum() - 1) <= 1e-12
    if ball in ("kl", "chi2"):
        assert not q[p == 0].any()
    assert distance(ball, p, q) <= radius + 1e-9 * max(1, radius)
    usable = z if ball in ("burg", "l2") else z[p > 0]
    zmin, span = usable.min(), usable.max() - usable.min()
    digits = 4e-16 * abs(zmin)
    assert value == pytest.approx(
        zmin + q @ np.where(q > 0, z - zmin, 0), abs=1e-15 * span + digits
    )
    assert zmin <= bound <= value <= bound + tight * span + digits
    return value, bound, q


# ---- the slow second route ----------------------------------------------------------------------


def largest(dual, low=-400, high=400):
    """Maximise a dual function, quasiconcave in the logarithm of its multiplier."""
    golden = (Decimal(5).sqrt() - 1) / 2
    low, high = Decimal(low), Decimal(high)
    a, b = high - golden * (high - low), low + golden * (high - low)
    at_a, at_b = dual(a.exp()), dual(b.exp())
    for _ in range(190):
        if at_a < at_b:
            low, a, at_a = a, b, at_b
            b = low + golden * (high - low)
            at_b = dual(b.exp())
        else:
            high, b, at_b = b, a, at_a
            a = high - golden * (high - low)
            at_a = dual(a.exp())
    return max(at_a, at_b, Decimal(0))


def simplex_projection(y):
    """Project on the distributions, by sorting."""
    total, shift = Decimal(0), None
    for k, item in enumerate(sorted(y, reverse=True), start=1):
        total += item
        if item - (total - 1) / k > 0:
            shift = (total - 1) / k
    return [max(item - shift, Decimal(0)) for item in y]


def l2_by_bisection(p, d, radius):
    low, high = Decimal(-60), Decimal(60)
    for _ in range(170):
        middle = (low + high) / 2
        t = middle.exp()
        q = simplex_projection([a - t * b for a, b in zip(p, d, strict=True)])
        far = sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) > radius**2
        low, high = (low, middle) if far else (middle, high)
    return sum(a * b for a, b in zip(q, d, strict=True))


def exact(ball, p, z, radius):
    """Return the optimum relative to zmin and span, for rows whose z is not constant."""
    with decimal.localcontext(prec=60, Emin=-999999, Emax=999999):
        keep = [i for i in range(len(p)) if p[i] > 0 or ball in ("burg", "l2")]
        p, z = [Decimal(float(p[i])) for i in keep], [Decimal(float(z[i])) for i in keep]
        p = [a / sum(p) for a in p]
        d = [(item - min(z)) / (max(z) - min(z)) for item in z]
        r = Decimal(float(radius))
        rows = list(zip(p, d, strict=True))
        if ball == "l2":
            return float(l2_by_bisection(p, d, r))

        def kl(lam):
            return -lam * (sum(a * (-b / lam).exp() for a, b in rows).ln() + r)

        def burg(nu):
            return (sum(a * (b + nu).ln() for a, b in rows if a > 0) - r).exp() - nu

        def chi2(eta):
            return eta - ((1 + r) * sum(a * max(eta - b, Decimal(0)) ** 2 for a, b in rows)).sqrt()

        return float(largest({"kl": kl, "burg": burg, "chi2": chi2}[ball]))


def compare(ball, p, z, radius, digits=1e-12):
    value, bound, _ = examine(ball, p, z, radius)
    p, z = np.array(p, dtype=float), np.array(z, dtype=float)
    usable = z if ball in ("burg", "l2") else z[p > 0]
    zmin, span = usable.min(), usable.max() - usable.min()
    best = zmin + span * exact(ball, p, z, radius)
    near = digits * span + 4e-16 * abs(zmin)
    assert value == pytest.approx(best, abs=near)
    assert bound == pytest.approx(best, abs=near)


# ---- worked examples ----------------------------------------------------------------------------

EXAMPLES = [
    ("kl", 0.1, 2.0909535914, (0.1050933423, 0.5070698754, 0.3878367823)),
    ("kl", 1, 1.0870857469, (0.0025115519, 0.9577129025, 0.0397755455)),
    ("kl", 1.3, 1.0, (0, 1, 0)),
    ("burg", 0.1, 2.0827033881, (0.1148483227, 0.5160724673, 0.36907921)),
    ("burg", 1, 1.2360082572, None),
    ("chi2", 0.1, 2.6 - math.sqrt(0.124), (0.1204853432, 0.4363108402, 0.4432038166)),
    ("chi2", 1, 1.5, (0, 0.75, 0.25)),
    ("chi2", 2, 1.1043560763, (0, 0.9478219619, 0.0521780381)),
    ("chi2", 3, 1.0, (0, 1, 0)),
    ("l2", 0.1, 2.3839753101, (0.13827866, 0.377151675, 0.484569665)),
    ("l2", 0.5, 1.5835585997, (0, 0.7082207001, 0.2917792999)),
    ("l2", 1, 1.0, (0, 1, 0)),
]


@pytest.mark.parametrize(("ball", "radius", "value", "row"), EXAMPLES)
def test_worked_example(ball, radius, value, row):
    found, bound, q = examine(ball, P, Z, radius)
    assert found == pytest.approx(value, abs=1e-10)
    assert bound == pytest.approx(value, abs=1e-10)
    if row is not None:
        assert q == pytest.approx(row, abs=1e-9)


@pytest.mark.parametrize(
    ("radius", "value", "row"),
    [
        (0.1, 2.5742427371, (0.7128786315, 0.2871213685, 0)),
        (0.5, 2.0505419190, (0.5252709595, 0.1750903198, 0.2996387207)),
    ],
)
def test_burg_row_with_an_unseen_best_outcome(radius, value, row):
    found, _, q = examine("burg", (0.5, 0.5, 0), (2, 4, 1), radius)
    assert found == pytest.approx(value, abs=1e-10)
    assert q == pytest.approx(row, abs=1e-9)


@pytest.mark.parametrize(("radius", "lam"), [(0.1, 2.5677571668), (1, 0.5416939999)])
def test_kl_multiplier(radius, lam):
    _, _, q = run("kl", P, Z, radius)
    slopes = np.diff(np.log(q / P)) / np.diff(Z)
    assert -1 / slopes == pytest.approx([lam, lam], rel=1e-9)


def test_the_sign_constraint_matters():
    p, z = np.array(P), np.array(Z)
    without = p @ z - math.sqrt(p @ (z - p @ z) ** 2)
    assert without == pytest.approx(1.4864471, abs=1e-7)
    assert run("chi2", P, Z, 1)[0] > without + 0.01
    without = p @ z - 0.5 * np.linalg.norm(z - z.mean())
    assert without == pytest.approx(1.5198765, abs=1e-7)
    assert run("l2", P, Z, 0.5)[0] > without + 0.06


# ---- against the second route -------------------------------------------------------------------


@pytest.mark.parametrize("ball", BALLS)
@pytest.mark.parametrize("seed", range(6))
def test_random_rows(ball, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    p = rng.integers(1, 5, n) if ball != "burg" else rng.integers(0, 3, n)
    p[rng.integers(n)] += 1
    z = rng.normal(size=n) if seed % 2 else rng.permutation(n) // 2 * 1.0
    z[0] += 5 * (np.ptp(z) == 0)
    for radius in 10.0 ** rng.uniform(-3, 0.3, 2):
        compare(ball, p / p.sum(), z, radius)


@pytest.mark.parametrize("ball", BALLS)
@pytest.mark.parametrize("radius", [1e-14, 1e-9, 1e-4])
def test_tiny_radii_keep_their_digits(ball, radius):
    compare(ball, P, Z, radius, digits=1e-14)
    compare(ball, (0.7, 0.1, 0.1, 0.1), (0, 1, 1, 5), radius, digits=1e-14)


@pytest.mark.parametrize("ball", BALLS)
@pytest.mark.parametrize("offset", [0.0, 1e4, -1e4])
@pytest.mark.parametrize("scale", [1.0, 1e12, 1e-12])
def test_offset_and_scale(ball, offset, scale):
    """A naive exponential or an unshifted variance overflows or loses its digits here."""
    for radius in (0.01, 0.7):
        compare(ball, P, offset + scale * np.array(Z), radius)


@pytest.mark.parametrize("ball", BALLS)
@pytest.mark.parametrize("radius", [1e-3, 0.3, 5])
def test_outcomes_on_many_scales(ball, radius):
    compare(ball, (1e-12, 0.5, 1e-3, 0.499), (0, 1, 1e-9, 1e-3), radius)
    compare(ball, (0.25, 0.25, 0.25, 0.25), (0, 1e-14, 1e-7, 1), radius)


def test_chi_square_radius_that_is_used_up_by_dropping():
    examine("chi2", (1e-20, 0.5, 0.5), (0, 0.5, 1), 1)


@pytest.mark.parametrize("radius", [1e-12, 1e-6, 0.01, 0.1, 0.3, 2, 50])
def test_burg_rows_with_zeros(radius):
    compare("burg", (0.5, 0.5, 0), (2, 4, 1), radius)
    compare("burg", (0.5, 0.5, 0, 0), (2, 4, 1, 1), radius)
    compare("burg", (0.5, 0.25, 0.25, 0), (2, 4, 1, 3), radius)
    compare("burg", (0, 1.0), (0, 1), radius)
    compare("burg", (0.4, 0.6, 0), (1e-9, 1, 0), radius)


def test_burg_mass_leaves_at_the_threshold():
    threshold = (math.log(1) + math.log(3)) / 2 + math.log((1 / 1 + 1 / 3) / 2)
    for radius, leaves in [(threshold * (1 - 1e-6), False), (threshold * (1 + 1e-6), True)]:
        _, _, q = examine("burg", (0.5, 0.5, 0), (2, 4, 1), radius)
        assert (q[2] > 0) == leaves
    examine("burg", (0.5, 0.5, 0), (2, 4, 1), threshold)


# ---- degenerate rows ----------------------------------------------------------------------------

DEGENERATE = {
    "single": ((1.0,), (7.0,)),
    "constant": ((0.2, 0.3, 0.5), (4.0, 4.0, 4.0)),
    "point mass": ((0.0, 1.0, 0.0), (1.0, 2.0, 3.0)),
    "point mass on the best": ((1.0, 0.0), (1.0, 2.0)),
    "several best": ((0.1, 0.2, 0.3, 0.4), (1.0, 1.0, 2.0, 1.0)),
    "ties above": ((0.1, 0.2, 0.3, 0.4), (2.0, 1.0, 2.0, 2.0)),
    "rare best": ((1e-300, 1.0), (0.0, 1.0)),
    "nearly constant": ((0.5, 0.5), (1e4, np.nextafter(1e4, 2e4))),
    "subnormal spread": ((0.5, 0.5), (0.0, 5e-324)),
    "tiny cluster": ((0.25, 0.25, 0.5), (0.0, 1e-250, 1.0)),
    "square underflows": ((0.001, 1.0, 0.0001), (0.0, 1e-160, 1.0)),
    "product underflows": ((1e-98, 1e-19, 1e-27), (0.0, 1e-282, 1.0)),
    "rare best that can be reached": ((1e-279, 1.0), (0.0, 1.0)),
}
RADII = [0, 1e-300, 1e-14, 1e-3, 0.01, 0.5, 1, 2, 100, 1e3, 1e6]


@pytest.mark.parametrize("ball", BALLS)
@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_row(ball, name):
    p, z = DEGENERATE[name]
    values = [examine(ball, p, z, radius)[0] for radius in RADII]
    assert (np.diff(values) <= 1e-15 * np.abs(z).max()).all()
    assert run(ball, p, z, 0)[2] == pytest.approx(np.array(p) / sum(p), rel=1e-15, abs=0)


def test_kl_radius_at_which_everything_moves():
    for p, z in [(P, Z), ((0.1, 0.2, 0.3, 0.4), (1, 1, 2, 3))]:
        p, z = np.array(p), np.array(z, dtype=float)
        best = p * (z == z.min())
        edge = -math.log(best.sum())
        for radius in (edge, np.nextafter(edge, 0), np.nextafter(edge, 9), edge * (1 - 1e-9)):
            value, _, q = examine("kl", p, z, radius)
            assert value == pytest.approx(z.min(), abs=1e-8)
            assert q == pytest.approx(best / best.sum(), abs=1e-8)


@pytest.mark.parametrize("ball", BALLS)
def test_a_huge_radius_reaches_the_smallest_worth(ball):
    value, bound, _ = examine(ball, P, Z, 100)
    assert value == pytest.approx(1.0, abs=1e-12)
    assert bound == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("ball", BALLS)
def test_rows_that_sum_to_one_only_nearly(ball):
    value, _, q = run(ball, np.array(P) * (1 + 9e-10), Z, 0.1)
    assert q.sum() == pytest.approx(1, abs=1e-15)
    assert value == pytest.approx(run(ball, P, Z, 0.1)[0], abs=1e-12)


@pytest.mark.parametrize("ball", BALLS)
def test_the_value_falls_as_the_radius_grows(ball):
    rng = np.random.default_rng(5)
    p, z = rng.dirichlet(np.ones(6)), rng.normal(size=6)
    values = [examine(ball, p, z, radius)[0] for radius in np.geomspace(1e-12, 50, 200)]
    assert (np.diff(values) <= 1e-14).all()
    assert values[0] > values[-1] + 0.1


def ragged_row(rng):
    n = int(rng.choice([1, 2, 3, 5, 8, 20]))
    p = [
        rng.integers(0, 4, n) * 1.0,
        rng.dirichlet(np.full(n, 0.2)),
        10.0 ** rng.uniform(-14, 0, n),
        10.0 ** rng.uniform(-300, 0, n),
    ][rng.integers(4)]
    p[rng.integers(n)] += p.sum() == 0
    z = [
        rng.integers(0, 4, n) * 1.0,
        rng.normal(size=n),
        10.0 ** rng.uniform(-15, 0, n),
        10.0 ** rng.uniform(-300, 0, n) * rng.integers(0, 2, n),
        1 + 1e-9 * rng.integers(0, 2, n) * rng.random(n),
    ][rng.integers(5)]
    return p / p.sum(), z * rng.choice([1, 1e12, 1e-12]) + rng.choice([0, 0, 1e4, -1e4])


@pytest.mark.parametrize("ball", BALLS)
@pytest.mark.parametrize("seed", range(4))
def test_every_row_gets_a_proven_answer(ball, seed):
    rng = np.random.default_rng(seed)
    for _ in range(250):
        p, z = ragged_row(rng)
        examine(ball, p, z, rng.choice([*RADII, 1e-30, 0.03, 0.1, 5.0]), tight=1e-11)
