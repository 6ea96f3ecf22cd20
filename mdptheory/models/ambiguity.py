"""Ambiguity sets: which rows nature may put in the place of a nominal row ``p``.

A radius (or tail probability, or contaminated share) is one number, an array of shape
``(n_states,)``, or one of shape ``(n_states, n_actions)``. With ``rectangularity="sa"`` nature
picks every row by itself and the radius is each row's own; with ``"s"`` the rows of one state share
one budget, so that the distances of its rows to their nominal rows *sum* to at most the radius.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, get_args

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import as_index_array, check_shape, check_simplex, place
from mdptheory.errors import InvalidModelError
from mdptheory.models._radius import Radius, Rectangularity, Support, freeze
from mdptheory.models.balls import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    EVaRSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    SignedLpBall,
    WassersteinBall,
    WeightedL1Ball,
)

__all__ = [
    "AmbiguitySet",
    "BurgBall",
    "CVaRSet",
    "ChiSquareBall",
    "ContaminationSet",
    "EVaRSet",
    "FactorSet",
    "FiniteSet",
    "IntervalSet",
    "KLBall",
    "L1Ball",
    "L2Ball",
    "LinfBall",
    "Radius",
    "Rectangularity",
    "RowAmbiguity",
    "SignedLpBall",
    "Support",
    "WassersteinBall",
    "WeightedL1Ball",
    "is_ambiguity_set",
    "is_s_rectangular",
]


@dataclass(frozen=True, slots=True, eq=False)
class IntervalSet:
    """Rows with ``lower <= q <= upper`` (bounded-parameter model), whatever the nominal row.

    Parameters
    ----------
    lower, upper : array of shape (n,), (n_states, n_actions, n_states) or (n_transitions,)
        Bounds on each probability, of one row, of a whole model, or of a model's stored
        transitions; ``sum lower <= 1 <= sum upper`` in every row. Rows of actions that are not
        available are all zero.
    row_ptr : array of int of shape (n_rows + 1,), optional
        Only with bounds a transition: the model's own ``row_ptr``.
    """

    lower: FloatArray
    upper: FloatArray
    row_ptr: IntArray | None = None

    def __post_init__(self) -> None:
        """Refuse bounds that cross, leave [0, 1] or admit no row."""
        lower, upper = (freeze(self, k, getattr(self, k), 1, 3) for k in ("lower", "upper"))
        check_shape("upper", upper, lower.shape)
        if 0 in lower.shape:
            raise InvalidModelError(f"lower has shape {lower.shape}; expected at least one entry")
        bad = (lower < 0) | (upper > 1) | (lower > upper)
        if bad.any():
            i = tuple(int(k) for k in np.argwhere(bad)[0])
            raise InvalidModelError(
                f"{place('lower', i)} is {lower[i]} and {place('upper', i)} is {upper[i]}; expected"
                " 0 <= lower <= upper <= 1"
            )
        least, most = self._sums(lower, upper)
        off = (least > 1 + 1e-12) | (most < 1 - 1e-12)
        if lower.ndim == 3:
            off &= most > 0  # an action that is not available
        if off.any():
            i = tuple(int(k) for k in np.argwhere(off)[0])
            raise InvalidModelError(
                f"{place('lower', i)} sums to {least[i]:.12g} and {place('upper', i)} to"
                f" {most[i]:.12g}; expected sum lower <= 1 <= sum upper"
            )

    def _sums(self, lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the sums of the bounds in each row."""
        if self.row_ptr is None:
            return lower.sum(axis=-1), upper.sum(axis=-1)
        ptr = np.array(as_index_array("row_ptr", self.row_ptr))
        if lower.ndim != 1 or ptr.ndim != 1 or ptr.size < 2:
            raise InvalidModelError(
                f"row_ptr has shape {ptr.shape} and lower {lower.shape}; expected one axis each"
            )
        if ptr[0] != 0 or ptr[-1] != lower.size or (ptr[1:] <= ptr[:-1]).any():
            raise InvalidModelError(
                f"row_ptr runs from {ptr[0]} to {ptr[-1]}; expected to rise from 0 to {lower.size}"
            )
        ptr.setflags(write=False)
        object.__setattr__(self, "row_ptr", ptr)
        return np.add.reduceat(lower, ptr[:-1]), np.add.reduceat(upper, ptr[:-1])


@dataclass(frozen=True, slots=True, eq=False)
class FiniteSet:
    """A finite list of rows, or of whole kernels, whatever the nominal model.

    Parameters
    ----------
    rows : array of shape (k, n), or (k, n_states, n_actions, n_states)
        Distributions: k choices of one row, or k kernels of a model. In a kernel, the rows of
        actions that are not available are all zero.
    coupled : bool, optional
        Required with kernels: True if nature picks one kernel for all pairs, False if she picks an
        index for each pair (the rectangular hull of the kernels).
    """

    rows: FloatArray
    coupled: bool | None = None

    def __post_init__(self) -> None:
        """Refuse an empty list, rows that are no distributions or an open question of coupling."""
        rows = freeze(self, "rows", self.rows, 2, 4)
        if 0 in rows.shape:
            raise InvalidModelError(f"rows has shape {rows.shape}; expected at least one row")
        if rows.ndim == 2:
            check_simplex("rows", rows)
            return
        if rows.shape[1] != rows.shape[3]:
            raise InvalidModelError(
                f"rows has shape {rows.shape}; expected (k, n_states, n_actions, n_states)"
            )
        if self.coupled is None:
            raise InvalidModelError(
                "coupled is not given; with kernels say whether nature picks one for all pairs"
                " (coupled=True) or one for each pair (coupled=False)"
            )
        missing = (rows == 0.0).all(axis=(0, 3))  # actions that are not available
        filled = np.array(rows)
        filled[:, missing, 0] = 1.0
        check_simplex("rows", filled)


@dataclass(frozen=True, slots=True, eq=False)
class FactorSet:
    """Rows ``sum_i weights[s, a, i] w_i`` whose factors ``w_i`` nature picks for all pairs at once.

    Such a set is called r-rectangular. Each factor ranges over an ambiguity set of its own.

    Parameters
    ----------
    weights : array of shape (n_states, n_actions, r)
        Mixing weights, a distribution over factors for each pair; zero where an action is not
        available.
    factors : array of shape (r, n_states)
        Nominal factors, each a distribution over successors.
    sets : one ambiguity set or a sequence of r of them
        Where nature picks each factor from, around the nominal one; with one radius each.

    References
    ----------
    V. Goyal and J. Grand-Clement, "Robust Markov decision processes: beyond rectangularity",
    Mathematics of Operations Research 48, 2023.
    """

    weights: FloatArray
    factors: FloatArray
    sets: "AmbiguitySet | Sequence[AmbiguitySet]"

    def __post_init__(self) -> None:
        """Refuse weights or factors that are no distributions, or sets that do not fit."""
        weights = freeze(self, "weights", self.weights, 3)
        factors = freeze(self, "factors", self.factors, 2)
        if 0 in weights.shape or 0 in factors.shape:
            raise InvalidModelError(
                f"weights has shape {weights.shape} and factors {factors.shape}; expected at least"
                " one entry"
            )
        r, n = factors.shape
        check_shape("weights", weights, (n, None, r))
        check_simplex("factors", factors)
        filled = np.array(weights)
        filled[(weights == 0.0).all(axis=2), 0] = 1.0
        check_simplex("weights", filled)
        sets = tuple(self.sets) if isinstance(self.sets, Sequence) else (self.sets,) * r
        if len(sets) != r:
            raise InvalidModelError(f"sets has {len(sets)} entries; expected {r}, one a factor")
        for i, one in enumerate(sets):
            if not is_ambiguity_set(one):
                raise TypeError(
                    f"sets[{i}] is of type {type(one).__name__}; expected the set of a row"
                )
            radius = getattr(one, "radius", 0.0)
            if np.ndim(radius) or getattr(one, "rectangularity", "sa") != "sa":
                raise InvalidModelError(f"sets[{i}] is not the set of one row; expected one radius")
        object.__setattr__(self, "sets", sets)

    def each(self) -> "tuple[RowAmbiguity, ...]":
        """Return the set of each factor."""
        sets = self.sets if isinstance(self.sets, tuple) else ()
        return tuple(one for one in sets if not isinstance(one, FactorSet))


RowAmbiguity: TypeAlias = (
    L1Ball
    | WeightedL1Ball
    | LinfBall
    | IntervalSet
    | L2Ball
    | KLBall
    | BurgBall
    | ChiSquareBall
    | WassersteinBall
    | CVaRSet
    | EVaRSet
    | ContaminationSet
    | FiniteSet
)
"""The sets of `worst_case`: nature picks a true distribution for each row."""

AmbiguitySet: TypeAlias = RowAmbiguity | FactorSet
"""The sets of the robust planners."""


def is_ambiguity_set(value: object) -> bool:
    """Return whether ``value`` is one of the sets of `worst_case`."""
    return isinstance(value, get_args(RowAmbiguity))


def is_s_rectangular(ambiguity: object) -> bool:
    """Return whether the rows of a state share one budget."""
    return getattr(ambiguity, "rectangularity", "sa") == "s"
