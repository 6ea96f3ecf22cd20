"""The normal instance of performative prediction: its points, its risk, and how it retrains."""

import numpy as np
import pytest

from mdptheory.errors import InvalidModelError
from mdptheory.models import PerformativeGaussian

MODEL = PerformativeGaussian(m=1.0, eps=0.5, s=2.0, bias=1.0)


def test_points():
    assert (MODEL.stable_point, MODEL.optimal_point, MODEL.contraction) == (2.0, 4.0, 0.5)
    plain = PerformativeGaussian(1.0, 0.5)
    assert plain.optimal_point == plain.stable_point


def test_risk_is_the_mean_loss():
    x = MODEL.m + MODEL.eps * 3.0 + MODEL.s * np.random.default_rng(0).standard_normal(400_000)
    loss = (1.0 - x) ** 2 / 2 - MODEL.bias * x
    assert MODEL.risk(1.0, deployed=3.0) == pytest.approx(loss.mean(), abs=6 * loss.std() / 632)
    assert MODEL.risk(3.0) == MODEL.risk(3.0, deployed=3.0)


def test_risk_is_least_at_the_optimal_point_and_not_at_the_stable_one():
    thetas = np.linspace(-10, 10, 2001)
    risks = [MODEL.risk(float(theta)) for theta in thetas]
    assert thetas[np.argmin(risks)] == pytest.approx(MODEL.optimal_point)
    assert MODEL.risk(MODEL.stable_point) > min(risks) + 0.1


@pytest.mark.parametrize("eps", [0.0, 0.5, -0.9])
def test_error_after_t_rounds_is_exact(eps):
    model = PerformativeGaussian(1.0, eps)
    found = np.abs(model.retrain(5.0, 30) - model.stable_point)
    np.testing.assert_allclose(found, abs(eps) ** np.arange(31) * found[0], atol=1e-13)


@pytest.mark.parametrize("eps", [1.5, -1.5, -1.0])
def test_strong_feedback_never_settles(eps):
    model = PerformativeGaussian(1.0, eps)
    error = np.abs(model.retrain(5.0, 30) - model.stable_point)
    assert (np.diff(error) >= 0).all()
    assert model.retrain(model.stable_point, 3) == pytest.approx(model.stable_point)


def test_divergence_beyond_floats_is_infinite():
    assert np.isinf(PerformativeGaussian(1.0, 3.0).retrain(1.0, 1000)[-1])


def test_sampled_retraining_stays_near_the_stable_point():
    """After many rounds the error is normal with variance s^2 / n / (1 - eps^2)."""
    found = MODEL.retrain(2.0, 20_000, samples=25, rng=0)[100:]
    variance = MODEL.s**2 / 25 / (1 - MODEL.eps**2)
    # successive errors correlate by eps: a mean over n has (1 + eps) / (1 - eps) = 3 times the
    # variance of independent ones, their squares (1 + eps^2) / (1 - eps^2) = 5/3 times
    n = len(found)
    assert abs(found.mean() - MODEL.stable_point) < 5 * np.sqrt(3 * variance / n)
    assert abs(found.var() / variance - 1) < 5 * np.sqrt(2 * 5 / 3 / n)


def test_seeds():
    first, again, other = (MODEL.retrain(0.0, 5, samples=4, rng=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first[1:] != other[1:]).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PerformativeGaussian(1.0, 1.0), r"eps is 1.0; expected another number"),
        (lambda: PerformativeGaussian(np.nan, 0.5), r"m is nan"),
        (lambda: PerformativeGaussian(1.0, 0.5, s=-1.0), r"s is -1.0"),
        (lambda: MODEL.retrain(np.inf, 3), r"start is inf"),
        (lambda: MODEL.retrain(0.0, -1), r"rounds is -1; expected an integer of at least 0"),
        (lambda: MODEL.retrain(0.0, 3, samples=0), r"samples is 0"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(InvalidModelError, match=message):
        make()
