"""The figures about robust planning: what they show is so."""

import numpy as np
import pytest

from paper_figures.robust_core import (
    fig1_geometry,
    fig2_operator_time,
    fig3_price,
    fig4_planners,
)
from paper_figures.robust_core._balls import ROWS, balls


def quiet(label, done, total):
    pass


@pytest.fixture(scope="module")
def geometry():
    return fig1_geometry.compute(fig1_geometry.Config(), np.random.default_rng(0), quiet)


def test_the_worst_row_lies_on_the_rim_of_its_set(geometry):
    z = geometry["worth"]
    for k, ball in enumerate(balls()):
        rim, p, worst = geometry[f"rim_{k}"], geometry["nominal"][k], geometry["worst"][k]
        assert (rim >= -1e-12).all(), ball.title
        np.testing.assert_allclose(rim.sum(axis=1), 1.0, atol=1e-12)
        with np.errstate(divide="ignore", invalid="ignore"):
            assert ball.distance(worst[None], p)[0] <= ball.radius + 1e-9, ball.title
        value = float(geometry["value"][k])
        assert value == pytest.approx(worst @ z)
        assert 0.0 <= (rim @ z).min() - value + 1e-9 < 0.01, ball.title


def test_known_worst_rows(geometry):
    worst = dict(zip(geometry["title"], geometry["worst"], strict=False))  # the first rows
    for title, row in [
        ("L1, support = all", [0.2, 0.2, 0.6]),
        ("L1", [0.0, 0.5, 0.5]),
        ("Wasserstein, cost |i − j|", [0.0, 0.6, 0.4]),
        ("contamination", [0.14, 0.51, 0.35]),
        ("interval", [0.1, 0.5, 0.4]),
        ("finite", min(ROWS, key=lambda row: np.dot(row, [4, 1, 3]))),
    ]:
        np.testing.assert_allclose(worst[title], row, atol=1e-12)


def test_without_support_the_rim_stays_on_the_edge(geometry):
    for k, title in enumerate(geometry["title"]):
        if geometry["nominal"][k][1] == 0.0 and ("nominal" in title or title == "KL"):
            assert (geometry[f"rim_{k}"][:, 1] == 0.0).all()


def test_the_policy_made_for_a_radius_is_the_best_one_there():
    config = fig3_price.Config(steps=5)
    data = fig3_price.compute(config, np.random.default_rng(0), quiet)
    at = np.searchsorted(data["radii"], data["assumed"])
    np.testing.assert_array_equal(data["radii"][at], data["assumed"])
    for i in range(len(config.problems)):
        tol, column = float(data[f"tol_{i}"]), data[f"value_{i}"][:, at]
        assert (np.diag(column) >= column - 2 * tol).all()
        assert (data[f"best_{i}"] >= data[f"value_{i}"] - 2 * tol).all()
        np.testing.assert_allclose(np.diag(column), data[f"best_{i}"][at], atol=2 * tol)
        assert (np.diff(data[f"value_{i}"], axis=1) <= 2 * tol).all()  # more room for nature
        lost = data[f"best_{i}"] - data[f"value_{i}"]
        assert lost.max() > 1e3 * tol  # robustness has a price, and so has the lack of it


def test_price_at_known_radii():
    config = fig3_price.Config(problems=("population",), assumed=(0.0, 0.05, 0.4), steps=2)
    data = fig3_price.compute(config, np.random.default_rng(0), quiet)
    at = np.searchsorted(data["radii"], [0.0, 0.05, 0.4])
    expected = [1886.697233, -1332.460811, -9120.683580]
    np.testing.assert_allclose(data["best_0"][at], expected, atol=1e-3)


def test_equal_curves_are_one_line():
    curves = np.array([[1.0, 2.0], [1.0, 2.0 + 1e-9], [0.0, 2.0]])
    assert fig3_price._groups(curves, 1e-8) == [(0, [0, 1]), (2, [2])]


def test_every_planner_reaches_the_tolerance():
    config = fig4_planners.Config(
        problems=("riverswim20", "inventory21"), gammas=(0.9, 0.99), repeats=1, points=3
    )
    data = fig4_planners.compute(config, np.random.default_rng(0), quiet)
    for i in range(2):
        for g in range(2):
            sweeps = []
            for j in range(len(config.planners)):
                key = f"{i}_{g}_{j}"
                gap, work = data[f"gap_{key}"], data[f"work_{key}"]
                assert gap[-1] == data[f"bound_{key}"] <= config.tol < gap[0]
                assert (np.diff(work) > 0).all()
                assert data[f"seconds_{key}"].shape == (1, len(gap))
                assert data[f"residual_work_{key}"][-1] == pytest.approx(work[-1])
                sweeps.append(len(gap))
            assert max(sweeps[2:]) < sweeps[0]  # fewer outer iterations than value iteration


def test_times_of_every_set_are_there():
    config = fig2_operator_time.Config(sizes=(20,), programme_sizes=(20,), repeats=2)
    data = fig2_operator_time.compute(config, np.random.default_rng(0), quiet)
    assert (data["nominal"] > 0).all()
    for k in range(len(data["sets"])):
        assert (data[f"seconds_{k}"] > 0).all(), data["sets"][k]


def test_slow_sets_stop_at_small_sizes_and_cvxpy_may_be_missing(monkeypatch):
    from matplotlib.figure import Figure

    monkeypatch.setattr(fig2_operator_time.importlib.util, "find_spec", lambda name: None)
    config = fig2_operator_time.Config(sizes=(20, 25), repeats=1, longest=0.0)
    data = fig2_operator_time.compute(config, np.random.default_rng(0), quiet)
    assert np.isfinite(data["seconds_0"][0]).all()
    assert np.isnan(data["seconds_0"][1]).all()
    assert len(data["programmes"]) == 0
    figure = Figure(layout="constrained")
    fig2_operator_time.plot(data, figure)
    assert "cvxpy is not installed" in figure.get_supxlabel()
