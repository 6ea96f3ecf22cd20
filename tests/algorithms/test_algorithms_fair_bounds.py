"""Right sides of the bandit bounds: closed numbers, shapes, limits, refusals."""

import math

import numpy as np
import pytest

from mdptheory.algorithms.fair_bounds import (
    Epochs,
    closed_loop_bound,
    epoch_log_term,
    grid_bound,
    infeasible_bound,
    log_term,
    logarithmic_violation_bound,
    pull_bound,
    row_scales,
    stationary_bound,
)
from mdptheory.errors import InvalidModelError
from mdptheory.models import Channel, LinearResidual, ServiceRate, residual_rows


def test_the_events_of_a_fixed_horizon_add_up_to_delta():
    log = log_term(8, 3, 5000, 0.05)
    assert 8 * 3 * 5000 * 2 * math.exp(-log) == pytest.approx(0.05, rel=1e-12)


def test_the_events_of_all_counts_add_up_to_delta():
    counts = range(1, 200_001)
    total = sum(2 * 6 * math.exp(-log_term(2, 3, n, 0.1, anytime=True)) for n in counts)
    assert total == pytest.approx(0.1, rel=1e-5)
    assert total < 0.1


def test_trials_multiply_the_counts_over_which_the_union_runs():
    assert log_term(4, 5, 1000, 0.05, trials=1) == log_term(4, 5, 1000, 0.05)
    assert log_term(4, 5, 1000, 0.05, trials=50) == log_term(4, 5, 50_000, 0.05)


def test_main_term_for_noise_of_a_known_width():
    width, k, t = 0.8, 5, 1000
    log = log_term(k, 2, t, 0.05)
    bound = stationary_bound(k, t, log, scale=width / 2, worst=0.0)
    assert bound == pytest.approx(width * math.sqrt(8 * log * k * t))


@pytest.mark.parametrize("worst", [0.0, 0.6])
def test_radius_scale_stretches_the_roots_and_squares_the_counts(worst):
    log = log_term(4, 2, 1000, 0.05)
    plain, wide = (
        stationary_bound(4, 1000, log, scale=0.25, worst=worst, radius_scale=s) for s in (1.0, 2.0)
    )
    assert wide - 4 * worst == pytest.approx(2 * (plain - 4 * worst))
    counts = [
        pull_bound([0.3], [[0.1]], log, scale=0.2, scales=[0.1], radius_scale=s) for s in (1.0, 2.0)
    ]
    assert (counts[1] - 1) == pytest.approx(4 * (counts[0] - 1))
    sums = [logarithmic_violation_bound([0.1], log, scale=0.2, radius_scale=s) for s in (1.0, 2.0)]
    assert sums[1] - 0.1 == pytest.approx(4 * (sums[0] - 0.1))


def test_excess_violation_has_the_bound_of_the_violation():
    log = log_term(8, 3, 200_000, 0.05)
    args = {"scale": 0.25, "worst": 0.7, "radius_scale": 1.5}
    assert infeasible_bound(8, 200_000, log, **args) == stationary_bound(8, 200_000, log, **args)


def test_pulls_are_bounded_by_the_sharpest_of_gap_and_residuals():
    log = log_term(4, 3, 10_000, 0.05)
    gaps, residuals = [0.5, 0.5, -1.0, 0.0], [[0.1, -1.0], [0.1, 0.9], [0.2, 0.0], [-0.1, 0.0]]
    bound = pull_bound(gaps, residuals, log, scale=0.25, scales=[0.25, 0.15])
    ratios = np.array([0.25 / 0.5, 0.15 / 0.9, 0.25 / 0.2])
    np.testing.assert_allclose(bound[:3], 1 + 8 * log * ratios**2)
    assert bound[3] == math.inf


def test_rows_add_the_scales_of_their_channels():
    channels = [Channel("reward", 0.5), Channel("gap", 0.1), Channel("service", 0.2)]
    mixed = LinearResidual({"reward": -1.0, "gap": 3.0}, 0.2)
    rows = residual_rows([ServiceRate(0.3), mixed], channels)
    np.testing.assert_allclose(row_scales(rows, channels), [0.2, 0.8])
    assert row_scales(residual_rows([], channels), channels).shape == (0,)
    with pytest.raises(InvalidModelError, match=r"rows\.matrix has shape \(2, 3\)"):
        row_scales(rows, channels[:2])


@pytest.mark.parametrize(
    ("horizon", "first", "most"),
    [(63, 64, 2), (64, 64, 2), (127, 64, 2), (128, 64, 3), (1_000_000, 1, 21), (1 << 20, 1, 22)],
)
def test_number_of_epochs(horizon, first, most):
    assert Epochs(horizon, first).most == most
    lengths, count = [first], 1  # the longest possible history of one arm
    while sum(lengths) < horizon:
        lengths.append(sum(lengths))
        count += 1
    assert count <= most


def test_epochs_without_feedback_or_burn_in():
    epochs = Epochs(10_000, first=1)
    log = epoch_log_term(4, 3, epochs, 0.05)
    bound = closed_loop_bound(4, log, scale=0.2, worst=0.9, drift=0.0, epochs=epochs)
    wanted = 4 * 0.9 + 2 * math.sqrt(2) * (1 + math.sqrt(2)) * 0.2 * math.sqrt(log * 40_000)
    assert bound == pytest.approx(wanted)


def test_shortest_epochs_have_a_short_form():
    epochs = Epochs(1_000_000, first=1, kappa=0.9)
    log, drift = epoch_log_term(3, 2, epochs, 0.05), 4.0
    bound = closed_loop_bound(3, log, scale=0.1, worst=1.0, drift=drift, epochs=epochs)
    e = epochs.most
    short = 3 + (4 + 2 * math.sqrt(2)) * 0.1 * math.sqrt(log * 3e6) + 3 * e**2 * drift
    assert bound == pytest.approx(short)


def test_burn_in_trades_bias_for_rounds():
    epochs = [Epochs(100_000, first=64, burn=b, kappa=0.9) for b in (0, 64)]
    log = epoch_log_term(3, 2, epochs[0], 0.05)
    args = {"scale": 1e-9, "worst": 0.0, "drift": 100.0}
    plain, burnt = (closed_loop_bound(3, log, epochs=e, **args) for e in epochs)
    share = (burnt - 3 * epochs[1].most * 100.0) / (plain - 3 * epochs[0].most * 100.0)
    assert share == pytest.approx(2 * 0.9**64, rel=1e-4)


def test_grid_adds_half_a_spacing_each_round():
    assert grid_bound(1000, 0.05, 2.0, 100.0) == pytest.approx(100 + 1000 * 2.0 * 0.025)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: log_term(0, 1, 10, 0.05), "n_arms is 0"),
        (lambda: log_term(2, 1, 10, 1.0), r"delta is 1\.0; expected a number in \(0, 1\)"),
        (lambda: log_term(2, 1, 10, 0.05, trials=-1), "trials is -1"),
        (lambda: stationary_bound(2, 10, -1.0, scale=1.0, worst=0.0), r"log is -1\.0"),
        (lambda: stationary_bound(2, 10, 5.0, scale=-1.0, worst=0.0), r"scale is -1\.0"),
        (lambda: stationary_bound(2, 10, 5.0, scale=1.0, worst=-0.1), r"worst is -0\.1"),
        (
            lambda: stationary_bound(2, 10, 5.0, scale=1.0, worst=0.0, radius_scale=0.5),
            r"radius_scale is 0\.5",
        ),
        (lambda: pull_bound([0.1], [[0.1]], 5.0, scale=1.0, scales=[1, 2]), r"residuals has shape"),
        (
            lambda: closed_loop_bound(
                2, 5.0, scale=1.0, worst=1.0, drift=1.0, epochs=Epochs(10, 4, 5)
            ),
            "burn is 5; expected at most first = 4",
        ),
        (
            lambda: closed_loop_bound(
                2, 5.0, scale=1.0, worst=1.0, drift=1.0, epochs=Epochs(10, 4, 0, 1.0)
            ),
            r"kappa is 1\.0",
        ),
    ],
)
def test_bad_numbers_are_refused_by_name(call, text):
    with pytest.raises(InvalidModelError, match=text):
        call()
