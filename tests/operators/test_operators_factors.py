"""Worst factors through the public door: known rows, the tabular balls, refusals."""

import numpy as np
import pytest

from mdptheory.errors import InvalidModelError
from mdptheory.models import ChiSquarePenalty, KLBall, KLPenalty, L1Ball, TVBall, TVPenalty
from mdptheory.operators import factor_worth, worst_case

ALL = [None, TVBall(0.3), KLBall(0.3), TVPenalty(0.5), KLPenalty(0.5), ChiSquarePenalty(0.5)]


@pytest.mark.parametrize("radius", [0.0, 0.2, 0.9])
def test_balls_are_those_of_tabular_rows(radius):
    rng = np.random.default_rng(0)
    m, v = rng.dirichlet(np.full(5, 0.5), size=20), rng.random(5)
    for ball, tabular in [
        (TVBall(radius), L1Ball(2 * radius, "all")),
        (KLBall(radius), KLBall(radius)),
    ]:
        found = factor_worth(v, m, ball)
        for i, row in enumerate(m):
            other = worst_case(row, v, tabular)
            assert found.worth[i] == pytest.approx(other.value, abs=1e-12)
            assert found.worst[i] == pytest.approx(other.row, abs=1e-12)


@pytest.mark.parametrize("ambiguity", ALL)
def test_one_factor_or_many(ambiguity):
    m, v = np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]]), [4.0, 1.0, 3.0]
    found = factor_worth(v, m, ambiguity)
    assert found.worth.shape == (2,)
    assert found.worst.sum(axis=1) == pytest.approx([1, 1])
    assert factor_worth(v, m[0], ambiguity).worth.tolist() == [found.worth[0]]


def test_one_weight_a_factor_and_the_sink():
    m, v = [[0.0, 0.5, 0.5, 0.0]] * 2, [0.0, 1.0, 3.0, 0.0]
    found = factor_worth(v, m, TVPenalty([2.0, np.inf]), sink=3)
    assert found.worth == pytest.approx([1.5, 2.0])
    assert found.worst.tolist() == [[0.0, 0.5, 0.0, 0.5], [0.0, 0.5, 0.5, 0.0]]


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        ({"v": [0.0, np.nan]}, InvalidModelError, r"v\[1\]"),
        ({"v": []}, InvalidModelError, "v has no entry"),
        ({"m": [0.5, 0.4]}, InvalidModelError, "m sums to 0.9"),
        ({"m": [1.0]}, InvalidModelError, r"m has shape \(1,\)"),
        ({"ambiguity": TVBall([0.1, 0.2])}, InvalidModelError, r"radius has shape \(2,\)"),
        ({"ambiguity": L1Ball(0.1, "all")}, TypeError, "L1Ball"),
        ({"sink": 2}, InvalidModelError, "sink is 2"),
        ({"sink": True}, TypeError, "sink is True"),
    ],
)
def test_refusals(change, error, text):
    given = {"v": [0.0, 1.0], "m": [0.5, 0.5], "ambiguity": None, "sink": None} | change
    with pytest.raises(error, match=text):
        factor_worth(given["v"], given["m"], given["ambiguity"], sink=given["sink"])
