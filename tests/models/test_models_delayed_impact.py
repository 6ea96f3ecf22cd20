"""The model of delayed impact: what it derives from its numbers, and what it refuses."""

import numpy as np
import pytest

from mdptheory.errors import InvalidModelError
from mdptheory.models.delayed_impact import DelayedImpact

PI = [[0.6, 0.4], [0.5, 0.5]]
RHO = [0.2, 0.8]


def test_utility_and_score_change():
    model = DelayedImpact(PI, RHO, u_minus=-2.0, c_plus=1.0, c_minus=-2.0)
    np.testing.assert_allclose(model.utility, [[-1.4, 0.4]] * 2)
    np.testing.assert_allclose(model.score_change, model.utility)
    np.testing.assert_array_equal(model.group_probs, [0.5, 0.5])
    assert (model.n_groups, model.n_scores) == (2, 2)
    own = DelayedImpact(PI, [RHO, [0.0, 1.0]])
    np.testing.assert_allclose(own.utility[1], [-4.0, 1.0])


def test_arrays_are_frozen_copies():
    pi = np.array(PI)
    model = DelayedImpact(pi, RHO)
    pi[:] = 0.0
    assert model.pi.sum() == pytest.approx(2.0)
    for array in (model.pi, model.rho, model.group_probs):
        assert not array.flags.writeable


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pi": [[0.6, 0.5], [0.5, 0.5]]}, r"pi\[0\] sums to 1.1; expected 1"),
        ({"pi": [0.6, 0.4]}, r"pi has shape \(2,\)"),
        ({"pi": np.zeros((0, 2))}, r"pi has shape \(0, 2\); expected \(G, C\)"),
        ({"rho": [0.2, 0.3, 0.8]}, r"rho has shape \(3,\); expected \(2,\) or \(2, 2\)"),
        ({"rho": [0.2, 1.2]}, r"rho\[1\] is 1.2; expected a probability \(1 of 2"),
        ({"rho": [np.nan, 0.5]}, r"rho\[0\] is nan; expected a probability"),
        ({"rho": [0.8, 0.2]}, r"rho\[1\] is 0.2, below rho\[0\] = 0.8"),
        ({"rho": [RHO, [0.8, 0.2]]}, r"rho\[1, 1\] is 0.2, below rho\[1, 0\] = 0.8"),
        ({"u_plus": 0.0}, r"u_plus is 0.0"),
        ({"u_minus": 0.0}, r"u_minus is 0.0"),
        ({"c_plus": np.inf}, r"c_plus is inf"),
        ({"c_minus": 1.0}, r"c_minus is 1.0"),
        ({"group_probs": [0.5, 0.6]}, r"group_probs sums to 1.1"),
        ({"group_probs": [1.0]}, r"group_probs has shape \(1,\)"),
        ({"groups": ["A"]}, r"groups has 1 entries; expected 2"),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(InvalidModelError, match=message):
        DelayedImpact(**({"pi": PI, "rho": RHO} | changes))
