"""A claim about a policy learnt from data, which holds with a stated probability."""

from dataclasses import dataclass

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.models.factor_ambiguity import FactorAmbiguity


@dataclass(frozen=True, slots=True, eq=False)
class OfflineCertificate:
    """Bounds on robust values, from data alone, that `mdptheory.certificates` verifies.

    With probability at least ``1 - delta`` over the episodes, at every step and state::

        lower <= robust value of policy <= robust optimal value <= upper

    because two fits with widths ``beta`` err by less than their widths: one subtracts them
    (``lower``, whose greedy policy this is), one adds them (``upper``). Proof and constants are
    derived here, for finite state spaces and independent episodes (no data splitting).

    Attributes
    ----------
    ambiguity : FactorAmbiguity
        What nature may do.
    lower, upper : array of shape (H + 1, S)
        Values of the pessimistic and of the optimistic fit.
    policy : array of int of shape (H, S)
        Greedy for the pessimistic fit, ties to the lowest action.
    lower_w, upper_w : array of shape (H, d)
        Estimated worth of the factors in the two fits; 0 at the last step.
    beta : array of shape (H, d)
        Width of each factor in units of its standard error; 0 at the last step.
    ridge : float
        Ridge of the regressions.
    delta : float
        Probability with which the claim may fail.
    kl_shift : bool
        Whether KL moments are estimated as one minus the moment of ``1 - exp(-v / weight)``.
    n_episodes : int
        Number of episodes K.
    start : array of shape (S,)
        Distribution of the first state.
    """

    ambiguity: FactorAmbiguity
    lower: FloatArray
    upper: FloatArray
    policy: IntArray
    lower_w: FloatArray
    upper_w: FloatArray
    beta: FloatArray
    ridge: float
    delta: float
    kl_shift: bool
    n_episodes: int
    start: FloatArray

    @property
    def gap(self) -> float:
        """Bound on what the policy loses at the start: ``upper - lower`` there."""
        return float(self.start @ (np.asarray(self.upper[0]) - np.asarray(self.lower[0])))
