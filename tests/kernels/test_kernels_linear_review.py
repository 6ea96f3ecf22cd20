"""Nature's replies to factors at levels of all sizes."""

import math

import numpy as np
import pytest
from factor_rows import CHI2, KL, KL_BALL, draw

from mdptheory.kernels.factor import worst_factor
from mdptheory.kernels.signed import signed_worth

EXTREME = [5e-324, 1e-310, 1e-160, 1e-12, 1e-6, 1.0, 1e6, 1e12, 1e200, 1e299]


def signed(kind, level, c, v, *, cap=3.0, shift=False):
    w = np.empty(1)
    row = np.ascontiguousarray(c, dtype=float)[None]
    signed_worth(kind, np.array([level]), row, v, np.argsort(v), float(v.min()), cap, shift, w)
    return w[0]


def test_large_chi_square_prices_give_the_mean():
    """Masses above the last outcome are nothing, however large the price that multiplies them."""
    third = np.array([1.0, 1.0, 1.0, 0.0]) / 3.0
    v = np.array([0.1, 0.7, 0.3, 2.0])
    for price in (1e9, 1e12, 1e100, 1e299):
        q = np.empty(4)
        assert worst_factor(CHI2, price, third, v, -1, q) == pytest.approx(third @ v, abs=1e-9)
        assert q == pytest.approx(third, abs=1e-9)
    rng = np.random.default_rng(0)
    for _ in range(300):
        m, v = draw(rng)
        for price in (1e9, 1e14, 1e299):
            q = np.empty(m.size)
            found = worst_factor(CHI2, price, m, v, -1, q)
            assert m @ v - np.ptp(v) ** 2 / price - 1e-12 <= found <= m @ v + 1e-12


@pytest.mark.parametrize("kind", [KL, CHI2, KL_BALL])
@pytest.mark.parametrize("shift", [False, True])
def test_signed_worths_stay_finite(kind, shift):
    rng = np.random.default_rng(1)
    for _ in range(60):
        n = int(rng.integers(1, 6))
        c, v = rng.normal(size=n) * (rng.random(n) < 0.7), rng.normal(1.0, 2.0, n)
        for level in EXTREME:
            found = signed(kind, level, c, v, shift=shift)
            assert math.isfinite(found), (kind, level, c, v)


def test_signed_chi_square_keeps_digits_at_small_prices():
    rng = np.random.default_rng(2)
    for _ in range(200):
        m, v = draw(rng)
        for price in (1e-12, 1e-9, 1e-6):
            exact = worst_factor(CHI2, price, m, v, -1, np.empty(m.size))
            found = signed(CHI2, price, m, v)
            assert exact - 1e-9 <= found <= exact + 1e-9 + 1e-15 / price
    level = np.full(4, 1.3)  # no variance: no price can enlarge what rounding makes of it
    for price in (1e-310, 1e-100, 1e-12):
        found = signed(CHI2, price, [0.1, 0.2, 0.6, 0.1], level)
        assert found == pytest.approx(1.3, abs=1e-12)


def test_shifted_kl_worths_of_negative_values():
    rng = np.random.default_rng(3)
    for _ in range(200):
        c, v = 0.9 * rng.dirichlet(np.ones(4)), rng.normal(0.0, 2.0, 4)
        for price in (0.05, 1.0, 50.0):
            moment = 1.0 - c.sum() + c @ np.exp(-v / price)
            expected = min(-price * np.log(moment), 3.0)
            assert signed(KL, price, c, v, shift=True) == pytest.approx(expected, abs=1e-9)
        low = min(0.0, v.min())
        assert signed(KL, 1e-200, c, v, shift=True) == pytest.approx(low, abs=1e-9)


def test_kl_ball_dual_of_negative_values():
    rng = np.random.default_rng(4)
    for _ in range(20):
        c, v = 0.9 * rng.dirichlet(np.ones(4)), rng.normal(0.0, 2.0, 4)
        grid = np.geomspace(0.05, 100.0, 2000)
        for radius in (0.1, 1.0):
            moments = 1.0 + np.expm1(-v / grid[:, None]) @ c
            best = (-grid * (np.log(np.maximum(moments, 1e-6)) + radius)).max()
            assert signed(KL_BALL, radius, c, v) >= best - 1e-3
