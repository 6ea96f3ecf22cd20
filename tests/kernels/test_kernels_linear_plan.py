"""Kernels of planning in linear MDPs against NumPy and scipy."""

import numpy as np
import pytest
from scipy.special import logsumexp, rel_entr, softmax

from mdptheory.kernels.linear_plan import charged_mean, greedy, soft_maximum


def case(seed, n=5):
    rng = np.random.default_rng(seed)
    return rng.normal(size=n), rng.dirichlet(np.ones(n))


@pytest.mark.parametrize("tau", [0.01, 0.3, 1.0, 50.0, 1e6])
@pytest.mark.parametrize("seed", range(4))
def test_soft_maximum_is_a_log_sum_of_exponentials(seed, tau):
    q, reference = case(seed)
    pi = np.empty(5)
    value = soft_maximum(q, reference, tau, pi)
    tilted = q / tau + np.log(reference)
    assert value == pytest.approx(tau * logsumexp(tilted), rel=1e-12, abs=1e-15 * max(tau, 1.0))
    np.testing.assert_allclose(pi, softmax(tilted), rtol=1e-11)
    assert charged_mean(q, pi, reference, tau) == pytest.approx(value, abs=1e-14 * max(tau, 1.0))


def test_soft_maximum_of_a_hot_temperature_keeps_its_digits():
    q, reference = case(7)
    tau = 1e12  # the second-order term is below 1e-12
    value = soft_maximum(q, reference, tau, np.empty(5))
    assert value == pytest.approx(reference @ q, abs=1e-9)


@pytest.mark.parametrize("tau", [5e-324, 1e-300, 1e-5])
def test_soft_maximum_of_a_cold_temperature_is_the_maximum(tau):
    q, reference = np.array([-1e3, 2.0, 1.0, 2.0]), np.array([0.1, 0.2, 0.3, 0.4])
    pi = np.empty(4)
    assert soft_maximum(q, reference, tau, pi) == pytest.approx(2.0 + tau * np.log(0.6), abs=1e-15)
    np.testing.assert_allclose(pi, [0.0, 1 / 3, 0.0, 2 / 3], rtol=1e-15)


def test_greedy_takes_the_first_of_equals():
    pi = np.full(4, 9.0)
    assert greedy(np.array([-1.0, 3.0, 3.0, 0.0]), pi) == 3.0
    np.testing.assert_array_equal(pi, [0.0, 1.0, 0.0, 0.0])


@pytest.mark.parametrize("tau", [0.0, 0.7])
def test_charges_count_zero_times_log_zero_as_zero(tau):
    q, reference = case(3)
    pi = np.array([0.0, 0.25, 0.0, 0.75, 0.0])
    expected = pi @ q - tau * rel_entr(pi, reference).sum()
    assert charged_mean(q, pi, reference, tau) == pytest.approx(expected, abs=1e-14)
