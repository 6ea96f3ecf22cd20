"""You only have data: learn a robust policy from recorded episodes, with its certificate.

python examples/offline_robust.py [EPISODES.npz]

Without a file, episodes of random actions are recorded first, on a problem where one way in twenty
to the goal fails. Nature may make more of them fail, at a price of 1 for each unit of total
variation. The robust policy is compared with that of ordinary pessimistic value iteration (PEVI)
where the first way to the goal fails with probability q.
"""

import sys
from pathlib import Path

import numpy as np

from mdptheory import io
from mdptheory.algorithms import OfflineOptions, pevi, r2pvi
from mdptheory.certificates import check_offline
from mdptheory.environments import collect, simulated_linear_mdp, simulated_target
from mdptheory.models import TVPenalty
from mdptheory.solvers import linear_evaluate, linear_plan

NATURE = TVPenalty(1.0)


def record(path):
    """Write a data set: episodes, and the features and rewards they are to be read with."""
    mdp = simulated_linear_mdp(0.2, leaky=0.05)
    io.write_offline(path, collect(mdp, None, 20_000, rng=0), mdp.known)
    return mdp


def main(path, mdp=None):
    """Learn, certify, compare."""
    data, known = io.read_offline(path)
    fit = r2pvi(data, known, NATURE, options=OfflineOptions(beta="theory", delta=0.05))
    proved = check_offline(fit.certificate, data, known)
    sure = f"with probability {1 - proved.delta:.0%}"
    print(f"{data.n_episodes} episodes of {data.horizon} steps, {known.n_states} states")
    print(f"{sure} it earns {proved.lower:.3f} or more against nature")
    print(f"and loses {proved.policy_loss:.3f} or less to the best policy")
    if mdp is None:
        return
    optimum = float(known.start @ linear_plan(mdp, NATURE).v[0])
    value = float(known.start @ linear_evaluate(mdp, fit.policy, NATURE).v[0])
    print(f"in truth it earns {value:.3f}, the best robust policy {optimum:.3f}")
    plain = pevi(data, known, options=OfflineOptions(beta=1.0))
    for q in np.linspace(0, 1, 5):
        target, worth = simulated_target(mdp, q), {}
        for name, one in (("robust", fit), ("PEVI", plain)):
            worth[name] = float(known.start @ linear_evaluate(target, one.policy).v[0])
        print(f"it fails with {q:.2f}: robust {worth['robust']:.3f}, PEVI {worth['PEVI']:.3f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        main(Path("episodes.npz"), record(Path("episodes.npz")))
