"""The question that duals answer: what the next values are worth to each estimated factor."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from mdptheory._typing import FloatArray
from mdptheory.models.factor_ambiguity import FactorKind

Search: TypeAlias = Literal["breakpoints", "nelder-mead", "chi-square-minimum"]


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One step's question: what the factors are worth, given the values behind them.

    Attributes
    ----------
    kind : FactorKind
        What nature may do.
    level : array of shape (d,)
        Radii or weights.
    v : array of shape (n,)
        Values of the points.
    floor : float
        The least value nature can reach.
    cap : float
        Bound on the values.
    kl_shift : bool
        Estimate KL moments as one minus the moment of ``1 - exp(-v / weight)``.
    search : Search
        How duals are maximised.
    """

    kind: FactorKind
    level: FloatArray
    v: FloatArray
    floor: float
    cap: float
    kl_shift: bool = False
    search: Search = "breakpoints"
