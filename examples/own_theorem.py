"""Write a theorem of one's own, check it on random models, and see its broken twin caught.

Claim: one Bellman step from v, followed greedily, loses at most 2 gamma/(1 - gamma) max|v - v*|.
"""

import numpy as np

from mdptheory import TabularMDP, solve
from mdptheory.environments import garnet
from mdptheory.operators import greedy, policy_value
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case, verify_chain


@case
class Case:
    """A model and any value vector."""

    mdp: TabularMDP
    v: np.ndarray


def sample(rng: np.random.Generator) -> Case:
    """Draw a small model, and a guess that is off by up to 0.1."""
    mdp = garnet(6, 3, 2, gamma=0.8, rng=rng)
    return Case(mdp, solve(mdp, tol=1e-12).v + rng.uniform(-0.1, 0.1, mdp.n_states))


def loss(c: Case, constant: float = 2.0) -> Check:
    """Compare the greedy policy's loss with the bound; anything below the value range is news."""
    v_star, gamma = solve(c.mdp, tol=1e-12).v, c.mdp.gamma
    error = np.abs(c.v - v_star).max()
    measured = (v_star - policy_value(c.mdp, greedy(c.mdp, c.v))).max()
    return Check(measured, constant * gamma / (1 - gamma) * error, trivial=np.ptp(c.mdp.reward) * 5)


THEOREM = Chain(
    id="example.greedy_loss",
    title="Loss of the greedy policy",
    source="Singh and Yee, 1994",
    statement="max(v* - v_greedy) <= 2 gamma/(1 - gamma) max|v - v*|",
    provenance=Provenance.FOLKLORE,
    sample=sample,
    links=(Link("loss", "the claim", loss),),
    twins=(Twin("short", "1/(1 - gamma) dropped", links={"loss": lambda c: loss(c, 0.4)}),),
)

if __name__ == "__main__":
    report = verify_chain(THEOREM, trials=200)
    link, twin = report.links[0], report.twins[0]
    print(f"{link.violations} violations in {link.conclusive} conclusive cases")
    print(f"tightest case: {link.max_tightness:.2f} of the bound")
    print(f"the twin ({twin.what_is_broken}) was caught at case {twin.index}")
