"""The lending loop checks what it is given and says what its arms and channels are."""

import numpy as np
import pytest

from mdptheory.errors import InvalidModelError
from mdptheory.models import DemographicParity, LendingLoop, ServiceRate, residual_rows


def test_defaults_are_the_demonstration():
    loop = LendingLoop()
    assert (loop.n_arms, loop.n_clusters, loop.shift, loop.cash) == (8, 7, 0.01, 1e4)
    np.testing.assert_allclose(loop.cluster_probs.sum(axis=1), 1.0)
    np.testing.assert_array_equal(loop.thresholds, np.arange(8))
    np.testing.assert_array_equal(loop.lowest, [range(8), range(8)])
    np.testing.assert_array_equal(loop.start_state[:7], loop.cluster_probs[0])
    assert loop.start_state[-1] == 1e4
    assert not loop.lowest.flags.writeable


def test_channels():
    reward, service, *rates = LendingLoop(interest=0.5).channels
    assert (reward.name, reward.scale, reward.low, reward.high) == ("reward", 0.75, -1.0, 0.5)
    assert (service.name, service.scale, service.trials) == ("service", 0.5, 0)
    assert [(c.name, c.trials) for c in rates] == [("rate_A", 1), ("rate_B", 1)]
    rows = residual_rows([DemographicParity(0.2), ServiceRate(0.3)], LendingLoop().channels)
    np.testing.assert_array_equal(rows.matrix, [[0, 0, 1, -1], [0, 0, -1, 1], [0, -1, 0, 0]])


def test_pairs_of_thresholds():
    loop = LendingLoop().with_group_thresholds(every=3)
    assert loop.n_arms == 9
    np.testing.assert_array_equal(loop.lowest[:, 1 * 3 + 2], [3, 6])
    assert loop.problem.n_arms == 9
    with pytest.raises(InvalidModelError, match=r"there is one a group already"):
        loop.with_group_thresholds()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cluster_probs": [[1.0], [1.0]]}, r"cluster_probs has 1 clusters; expected at least 2"),
        ({"cluster_probs": [[0.5] * 7] * 2}, r"cluster_probs\[0\] sums to 3.5; expected 1"),
        ({"cluster_probs": np.ones((3, 7)) / 7}, r"cluster_probs has shape \(3, 7\)"),
        ({"success": [0.5] * 6}, r"success has shape \(6,\); expected \(7\)"),
        ({"success": [0.5] * 6 + [1.5]}, r"success\[6\] is 1.5; expected a number in \[0, 1\]"),
        ({"success": [np.nan] + [0.5] * 6}, r"success\[0\] is nan"),
        ({"group_probs": [0.5, 0.6]}, r"group_probs sums to 1.1"),
        ({"shift": 0.0}, r"shift is 0.0; expected a number in \(0, 1\]"),
        ({"interest": -0.1}, r"interest is -0.1"),
        ({"cash": np.inf}, r"cash is inf"),
        ({"loan": 0.0}, r"loan is 0.0"),
        ({"thresholds": [0, 8]}, r"thresholds\[1\] is 8; expected a cluster in 0 to 6, or 7"),
        ({"thresholds": [[0, 1], [-1, 2]]}, r"thresholds\[1, 0\] is -1"),
        ({"thresholds": [2, 2]}, r"thresholds\[1\] is 2, not above thresholds\[0\] = 2"),
        ({"thresholds": [[0, 1, 2]]}, r"thresholds has shape \(1, 3\)"),
        ({"groups": ("A", "A")}, r"groups\[1\] is 'A', which is already groups\[0\]"),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(InvalidModelError, match=message):
        LendingLoop(**changes)


@pytest.mark.parametrize("changes", [{"thresholds": [0.5]}, {"shift": "1"}, {"success": ["a"] * 7}])
def test_wrong_types(changes):
    with pytest.raises(TypeError, match=next(iter(changes))):
        LendingLoop(**changes)
