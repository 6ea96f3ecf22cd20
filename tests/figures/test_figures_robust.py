"""The figures about robust planning: what they show is so."""

import numpy as np
import pytest

from paper_figures.robust_core import fig1_geometry
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
