"""What the checker proved."""

import math
from dataclasses import dataclass

from mdptheory._typing import FloatArray


@dataclass(frozen=True, slots=True)
class Verified:
    """What `check` proved: ``lower - tolerance <= v_policy <= v* <= upper + tolerance``.

    Attributes
    ----------
    gap : float
        Largest ``upper - lower`` of the certificate, rounded up.
    exact : bool
        Whether every inequality was verified in rational arithmetic.
    checked_rows : int
        State-action rows whose Bellman inequality was verified, over all stages.
    tolerance : float
        0 if exact. In floats, the most by which rounding may hide a violation, carried through the
        contraction; often 0 as well. ``inf`` for a total reward whose upper bound is met with
        equality up to rounding: then only ``exact=True`` proves it.
    """

    gap: float
    exact: bool
    checked_rows: int
    tolerance: float

    @property
    def policy_loss(self) -> float:
        """Proved bound on ``max(v* - v_policy)``."""
        if self.tolerance == 0.0:
            return self.gap
        return math.nextafter(self.gap + 2.0 * self.tolerance, math.inf)


@dataclass(frozen=True, slots=True, eq=False)
class SaddleVerified:
    """What `check` proved about a robust model, with p nature's nominal rows divided by their sums.

    ``lower - tolerance <= robust value of policy <= robust optimal value <= upper + tolerance``; a
    claim about its policy alone (``fixed``) leaves out the optimal value.

    Attributes
    ----------
    gap : float
        Largest ``upper - lower`` of the certificate, rounded up.
    exact : bool
        Whether every inequality was verified in rational arithmetic.
    checked_rows : int
        State-action rows of nature's model that were found in the ambiguity set, over all stages.
    tolerance : float
        0 if exact. In floats, the most by which rounding may hide a violation, carried through the
        contraction; often 0 as well.
    distance : array of shape (n_rows of worst_case,), or (r,) for a `FactorSet`
        How far each of nature's rows (or factors, stages one after the other) is from its nominal
        row, in the set's own units, recomputed. For sets that are no balls: `IntervalSet` the most
        by which a bound is broken, `CVaRSet` the largest ratio q / p, `ContaminationSet` the least
        contaminated share, `FiniteSet` the L1 distance to the nearest row of the list.
    """

    gap: float
    exact: bool
    checked_rows: int
    tolerance: float
    distance: FloatArray

    @property
    def policy_loss(self) -> float:
        """Proved bound on what the policy earns less than any other (less than ``upper``)."""
        if self.tolerance == 0.0:
            return self.gap
        return math.nextafter(self.gap + 2.0 * self.tolerance, math.inf)
