"""Faults of the library that a chain found, each with a small instance."""

import numpy as np
import pytest

from mdptheory import TotalReward, solve
from mdptheory.certificates import check
from proofs_checks._cases import build

pytestmark = pytest.mark.theorem


def test_absorption_weights_count_the_steps_of_tied_rows_too():
    """Both actions of state 0 are worth -2: one ends at once, the other walks on for longer."""
    table = [
        [((0, 0, 1), -2.0), ((1, 1, 0), -1.0)],
        [((0, 3, 1), 0.0)],
        [((0, 0, 1), 0.0)],
    ]
    mdp = build(table, TotalReward())
    solution = solve(mdp)
    np.testing.assert_allclose(solution.v, [-2.0, 0.0, 0.0], atol=1e-12)
    claim = solution.certificate
    assert claim.absorption is not None
    np.testing.assert_allclose(claim.absorption, [6.0, 4.0, 0.0], rtol=1e-6)
    assert check(claim, mdp, exact=True).exact
