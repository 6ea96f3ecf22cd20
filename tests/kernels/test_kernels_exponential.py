"""Exponentials of many numbers against those of the C library."""

import numpy as np
import pytest

from mdptheory.kernels.exponential import exp_below


@pytest.mark.parametrize("n", [1, 3, 16, 1001])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 50.0, 700.0])
def test_agrees_with_the_library(n, scale):
    rng = np.random.default_rng(n)
    x = -scale * rng.random(n)
    x[0] = 0.0
    out, power = np.empty(n), np.empty(n)
    exp_below(x, power, out)
    assert out[0] == 1.0
    np.testing.assert_allclose(out, np.exp(x), rtol=5e-16)


def test_far_below_it_is_all_but_nothing():
    x = np.array([0.0, -707.9, -708.0, -800.0, -1e300, -np.inf])
    out = np.empty(6)
    exp_below(x, np.empty(6), out)
    np.testing.assert_allclose(out, np.exp(np.maximum(x, -708.0)), rtol=5e-16)
    assert (out < 1e-300).tolist() == [False, True, True, True, True, True]


def test_grows_with_its_argument():
    x = np.sort(-30.0 * np.random.default_rng(0).random(10_000))
    out = np.empty(x.size)
    exp_below(x, np.empty(x.size), out)
    assert (np.diff(out) >= -4e-16 * out[1:]).all()
