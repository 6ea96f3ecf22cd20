"""Tests of probabilities: exact sizes, against enumeration and simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binomtest

from mdptheory.errors import InvalidModelError
from mdptheory.theory import (
    Event,
    RateClaim,
    anytime_p_value,
    binomial_p_value,
)
from mdptheory.theory.events import false_alarm
from mdptheory.theory.rates import log_log_slopes, rate_report, slope_p_value


@pytest.mark.parametrize("delta", [0.0, 0.05, 0.5, 1.0])
@pytest.mark.parametrize("hits", [0, 1, 7, 20])
def test_binomial_p_value_is_scipys(hits, delta):
    occurred = [True] * hits + [False] * (20 - hits)
    expected = binomtest(hits, 20, delta, "greater").pvalue
    assert binomial_p_value(occurred, delta) == pytest.approx(expected, abs=1e-300)


@pytest.mark.parametrize("delta", [0.1, 0.3])
@pytest.mark.parametrize("level", [0.01, 0.1])
def test_attained_size_agrees_with_enumeration(delta, level):
    total = 0.0
    for outcome in itertools.product([False, True], repeat=8):
        chance = math.prod(delta if x else 1 - delta for x in outcome)
        total += chance * (binomial_p_value(outcome, delta) < level)
    assert false_alarm(binomial_p_value, 8, delta, level) == pytest.approx(total, abs=1e-15)
    assert total < level


@pytest.mark.parametrize("delta", [0.1, 0.3])
@pytest.mark.parametrize("level", [0.05, 0.2])
def test_anytime_size_is_below_the_level_by_enumeration(delta, level):
    """The p-value is the smallest along the path, so this is the chance of ever stopping."""
    total = 0.0
    for outcome in itertools.product([False, True], repeat=10):
        chance = math.prod(delta if x else 1 - delta for x in outcome)
        total += chance * (anytime_p_value(outcome, delta) <= level)
    assert total <= level


def test_looking_every_time_at_the_binomial_test_is_the_broken_twin():
    """Peeking: the same stopping rule with the fixed-n test exceeds its level."""
    rng = np.random.default_rng(0)
    runs, n, delta, level = 400, 150, 0.2, 0.05
    peeking = anytime = 0
    for _ in range(runs):
        occurred = rng.random(n) < delta
        hits = np.cumsum(occurred)
        peeking += any(
            binomtest(int(hits[t]), t + 1, delta, "greater").pvalue < level for t in range(0, n, 5)
        )
        anytime += anytime_p_value(occurred.tolist(), delta) < level
    assert binomtest(anytime, runs, level, "greater").pvalue > 1e-6
    assert binomtest(peeking, runs, level, "greater").pvalue < 1e-6


@pytest.mark.parametrize("delta", [0.0, 0.01, 0.2, 0.99, 1.0])
def test_e_value_agrees_with_quadrature(delta):
    from scipy.integrate import quad

    from mdptheory.theory.events import _log_e_value

    for hits, count in ((0, 1), (1, 1), (2, 9), (9, 9), (0, 30)):
        if delta in (0.0, 1.0):
            continue
        value, _ = quad(
            lambda q, k=hits, n=count: (
                (q / delta) ** k * ((1 - q) / (1 - delta)) ** (n - k) / (1 - delta)
            ),
            delta,
            1.0,
            epsabs=0,
        )
        assert math.exp(_log_e_value(hits, count, delta)) == pytest.approx(value, rel=1e-6)
    assert anytime_p_value([True], 0.0) == 0.0
    assert anytime_p_value([True] * 9, 1.0) == 1.0
    assert anytime_p_value([False] * 2000, 0.5) == 1.0


def test_e_value_is_a_supermartingale_step_by_step():
    from mdptheory.theory.events import _log_e_value

    for delta in (0.05, 0.4):
        for count in range(12):
            for hits in range(count + 1):
                now = math.exp(_log_e_value(hits, count, delta)) if count else 1.0
                up = math.exp(_log_e_value(hits + 1, count + 1, delta))
                down = math.exp(_log_e_value(hits, count + 1, delta))
                assert up >= down
                assert delta * up + (1 - delta) * down == pytest.approx(now, rel=1e-9)


def test_delta_outside_the_unit_interval_is_refused():
    with pytest.raises(InvalidModelError, match=r"delta is 1\.5"):
        Event("e", "", 1.5, bool)


def test_slopes_of_exact_powers():
    sizes = np.array([1.0, 10.0, 100.0, 1000.0])
    slopes = log_log_slopes(sizes, np.stack([3 * sizes**0.5, 7 / sizes]))
    assert slopes == pytest.approx([0.5, -1.0])
    with pytest.raises(InvalidModelError, match=r"measure gave 0\.0 at size 10 in replicate 0"):
        log_log_slopes(sizes, np.array([[1.0, 0.0, 1.0, 1.0]]))


def test_slope_test_has_its_level_under_normal_noise():
    rng = np.random.default_rng(1)
    refuted = sum(slope_p_value(rng.normal(0.5, 0.1, 8), 0.5) < 0.05 for _ in range(2000))
    assert binomtest(refuted, 2000, 0.05).pvalue > 1e-6
    assert slope_p_value(np.full(5, 0.5), 0.5) == 1.0
    assert slope_p_value(np.full(5, 0.6), 0.5) == 0.0


@pytest.mark.parametrize(("power", "refuted"), [(0.5, False), (0.4, False), (1.0, True)])
def test_rate_claim_is_one_sided(power, refuted):
    claim = RateClaim(
        "rate", "", 0.5, (10, 30, 100), lambda rng, n: n**power * np.exp(0.01 * rng.normal())
    )
    report = rate_report(claim, np.random.default_rng(2), 1e-6)
    assert report.refuted is refuted
    assert report.low < report.slope < report.high
    assert report.supported is (power == 0.4)


@pytest.mark.parametrize("grid", [(1, 2), (1, 1, 2), (0, 1, 2), (3, 2, 1)])
def test_bad_grid_is_refused(grid):
    with pytest.raises(InvalidModelError, match="expected at least three increasing, positive"):
        RateClaim("r", "", 0.5, grid, lambda rng, n: 1.0)
