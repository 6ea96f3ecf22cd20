"""What was established about learning from data on the published test beds."""

import numpy as np
import pytest

from mdptheory.algorithms import OfflineOptions, OnlineOptions, dr_lsvi_ucb, dr_rpo, r2pvi
from mdptheory.environments import collect, simulated_linear_mdp, simulated_target
from mdptheory.models import KLPenalty, TVBall
from mdptheory.solvers import linear_evaluate

pytestmark = pytest.mark.theorem


@pytest.mark.filterwarnings("ignore::mdptheory.errors.CoverageWarning")
@pytest.mark.parametrize("shift", [False, True])
def test_kl_fits_with_practical_widths_are_not_pessimistic_at_small_weights(shift):
    """Estimated moments fall to their floor, and worths rise to their cap."""
    mdp = simulated_linear_mdp(0.3, leaky=0.05)
    options = OfflineOptions(beta=1.0, ridge=1.0, kl_shift=shift)
    above = {0.1: 0, 1.0: 0}
    for seed in range(40):
        data = collect(mdp, None, 100, rng=seed)
        for weight in above:
            fit = r2pvi(data, mdp.known, KLPenalty(weight), options=options)
            true = linear_evaluate(mdp, fit.policy, KLPenalty(weight)).v[0]
            above[weight] += bool(mdp.start @ fit.v[0] > mdp.start @ true)
    assert above[0.1] >= 15
    assert above[1.0] == 0


def test_greedy_runs_get_stuck_more_often_than_soft_ones():
    """|xi| = 0.3, radius 0.5 on the goal's factor; the robust policy earns 1.44 at q = 1."""
    mdp = simulated_linear_mdp(0.3)
    radius = np.zeros((3, 4))
    radius[0, 3] = 0.5
    target = simulated_target(mdp, 1.0)
    options = OnlineOptions(beta=1.0, ridge=0.1, bonus_last=True)
    stuck = np.zeros(2)
    for seed in range(20):
        greedy = dr_lsvi_ucb(mdp, 100, TVBall(radius), options=options, rng=seed)
        soft = dr_rpo(mdp, 100, TVBall(radius), tau=0.01, options=options, rng=seed)
        worth = [mdp.start @ linear_evaluate(target, run.pi).v[0] for run in (greedy, soft)]
        stuck += np.array(worth) < 1.25
    assert 3 <= stuck[0] <= 14
    assert stuck[1] < stuck[0]
