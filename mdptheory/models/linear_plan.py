"""What planning in a known linear MDP returns."""

from dataclasses import dataclass

from mdptheory._typing import FloatArray, IntArray
from mdptheory.models.factor_ambiguity import FactorAmbiguity


@dataclass(frozen=True, slots=True, eq=False)
class LinearPlan:
    """Values of a linear MDP by backward induction, exact up to rounding.

    Attributes
    ----------
    v : array of shape (H + 1, S)
        Values of the states at each step; the last row is 0.
    q : array of shape (H, S, A)
        Values of the actions, nature's reply included.
    pi : array of shape (H, S, A)
        Policy, as probabilities: greedy with ties to the lowest action, softmax, or as given.
    nu : array of shape (H, d)
        Worth of each factor: what the ambiguity makes of ``v[h + 1]``.
    worst : array of shape (H, d, S)
        Nature's factors, which attain ``nu``.
    ambiguity : FactorAmbiguity or None
        What nature may do; None is nominal.
    tau : float
        Temperature of the policy's regularisation, in units of reward; 0 is none.
    """

    v: FloatArray
    q: FloatArray
    pi: FloatArray
    nu: FloatArray
    worst: FloatArray
    ambiguity: FactorAmbiguity | None
    tau: float = 0.0

    @property
    def policy(self) -> IntArray:
        """Most likely action of each step and state, of shape (H, S); ties to the lowest."""
        return self.pi.argmax(axis=-1)
