"""The figure about delayed impact: curves and policies against counts by hand."""

import numpy as np
import pytest

from paper_figures.delayed_impact import fig1_outcome_curves as figure

PI = np.array([[0, 0.1, 0.1, 0.2, 0.3, 0.3, 0], [0.1, 0.1, 0.2, 0.3, 0.3, 0, 0]])
RHO = np.array([0.1, 0.2, 0.45, 0.6, 0.65, 0.7, 0.7])


@pytest.fixture(scope="module")
def data():
    return figure.compute(figure.Config(), np.random.default_rng(0), lambda label, i, n: None)


@pytest.mark.parametrize("i", [0, 1])
def test_curves_are_sums_from_the_highest_cluster_down(data, i):
    change = RHO + data["default"][i] * (1 - RHO)
    for g in range(2):
        outcome = np.append(0.0, np.cumsum((PI[g] * change)[::-1]))
        rate = np.append(0.0, np.cumsum(PI[g][::-1]))
        np.testing.assert_allclose(data[f"curve_x_{i}_{g}"], rate, atol=1e-12)
        np.testing.assert_allclose(data[f"curve_y_{i}_{g}"], outcome, atol=1e-12)


@pytest.mark.parametrize("i", [0, 1])
def test_policies_lie_on_the_curves_and_meet_their_constraints(data, i):
    rates, tpr, utility = data[f"rates_{i}"], data[f"tpr_{i}"], data[f"utility_{i}"]
    for g in range(2):
        curve = np.interp(rates[:, g], data[f"curve_x_{i}_{g}"], data[f"curve_y_{i}_{g}"])
        np.testing.assert_allclose(data[f"outcomes_{i}"][:, g], curve, atol=1e-12)
    assert rates[0].tolist() == pytest.approx([0.8, 0.6])  # clusters 3 and above
    assert rates[1, 0] == pytest.approx(rates[1, 1])
    assert tpr[2, 0] == pytest.approx(tpr[2, 1])
    assert utility[0] > utility[2] > utility[1]


def test_what_the_caption_says_of_both_panels(data):
    mild, harsh = data["outcomes_0"], data["outcomes_1"]
    assert (mild > 0).all()
    assert mild[1, 1] < mild[2, 1] < mild[0, 1]
    assert (harsh < 0).all()
    assert harsh[1, 1] < harsh[2, 1] < harsh[0, 1]
