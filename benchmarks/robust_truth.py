"""The true error of a robust value, by a second route: NumPy only, no solver is trusted."""

import numpy as np

from benchmarks.problems import Floats
from benchmarks.truth import UNIT_ROUNDOFF, Truth
from mdptheory import TabularMDP

CAP = 100_000  # sweeps


class Reference:
    """The operator of an L1 ball on the nominal support, each row with a budget of its own.

    Rows are padded to one length with outcomes of probability 0.

    Parameters
    ----------
    mdp : TabularMDP
        The nominal model, discounted.
    radius : float
        Of the ball around each row.
    """

    def __init__(self, mdp: TabularMDP, radius: float) -> None:
        self.mdp, self.radius = mdp, radius
        lengths = np.diff(mdp.row_ptr)
        self.longest = int(lengths.max())
        within = np.arange(self.longest) < lengths[:, None]
        self.prob = np.zeros(within.shape)
        self.prob[within] = mdp.prob
        self.next_state = np.zeros(within.shape, dtype=np.int64)
        self.next_state[within] = mdp.next_state
        self.pays = np.repeat(mdp.reward[:, None], self.longest, axis=1)
        if mdp.transition_reward is not None:
            self.pays[within] = mdp.transition_reward

    def backup(self, v: Floats) -> Floats:
        """Apply the operator, shape (n_states,)."""
        z = self.pays + self.mdp.gamma * v[self.next_state]
        least = np.where(self.prob > 0.0, z, np.inf).min(axis=1)
        order = np.argsort(-z, axis=1, kind="stable")
        p, z = np.take_along_axis(self.prob, order, 1), np.take_along_axis(z, order, 1)
        above = np.cumsum(p, axis=1) - p  # mass of the better outcomes, which goes first
        moved = np.clip(self.radius / 2 - above, 0.0, p)
        q = ((p - moved) * z).sum(axis=1) + moved.sum(axis=1) * least
        return np.maximum.reduceat(q, self.mdp.choice_ptr[:-1])

    def enclose(self, v: Floats) -> Truth:
        """Bound the robust value from one application of the operator.

        It is monotone and shifts with constants, so `benchmarks.truth.enclose` applies; rounding
        is allowed for with a pad of six roundings an outcome of the largest value.
        """
        step, gamma = self.backup(v), self.mdp.gamma
        low, high = float((step - v).min()), float((step - v).max())
        factor = gamma / (1.0 - gamma)
        size = float(np.abs(v).max() + np.abs(self.pays).max())
        pad = 6 * (self.longest + 4) * UNIT_ROUNDOFF * size / (1.0 - gamma)
        return Truth(step + factor * (low + high) / 2.0, factor * (high - low) / 2.0 + pad)

    def refine(self, v: Floats, radius: float) -> Truth:
        """Sweep on from ``v`` until the enclosure is as narrow as wanted.

        Raises
        ------
        RuntimeError
            If rounding or the limit on sweeps ends it before.
        """
        best = self.enclose(v)
        for _ in range(CAP):
            if best.radius <= radius:
                return best
            best = self.enclose(best.middle)
        raise RuntimeError(f"the reference stayed {best.radius:.2g} wide; expected {radius:.2g}")
