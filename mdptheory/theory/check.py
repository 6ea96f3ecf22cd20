"""One instance of an inequality: what was measured against what the theorem allows."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from mdptheory.errors import InvalidModelError

NOISE_FACTOR = 100.0  # a bound this many slacks large, or smaller, is not told from rounding


@dataclass(frozen=True, slots=True)
class Check:
    """One instance of the inequality ``measured <= bound``.

    Parameters
    ----------
    measured : float
        The left side, by running the algorithm.
    bound : float
        The right side: the paper's formula, constants included.
    slack : float
        Numerical error that is accepted, absolute.
    trivial : float
        What holds for any algorithm, e.g. ``1 / (1 - gamma)``; a bound that is not below it is
        *vacuous*: it says nothing.
    scale : float, optional
        Natural size of the two sides, for a bound that may be zero or negative (an inequality
        between two run results, a monotonicity, an equality). By default the bound itself.

    Raises
    ------
    InvalidModelError
        If ``slack`` is negative or not finite, or ``scale`` is negative. NaN in ``measured``,
        ``bound`` or ``scale`` is allowed and makes the check fail.

    Notes
    -----
    With ``size = bound`` when no scale is given, else ``scale``: the check is *conclusive* if
    ``100 slack < size < inf`` and ``bound < trivial``, and its tightness is
    ``1 - (bound - measured) / size``, which is ``measured / bound`` when no scale is given and 1
    when both sides are equal.

    Examples
    --------
    >>> Check(0.3, 0.4).holds, Check(0.3, 0.4).tightness
    (True, 0.75)
    >>> Check(3.0, 20.0, trivial=10.0).vacuous
    True
    >>> Check.nonpositive(-0.5, scale=10.0).tightness
    0.95
    """

    measured: float
    bound: float
    slack: float = 1e-9
    trivial: float = math.inf
    scale: float | None = None

    def __post_init__(self) -> None:
        """Store plain floats; refuse a slack or a scale that could hide a violation."""
        for name in ("measured", "bound", "slack", "trivial"):
            object.__setattr__(self, name, float(getattr(self, name)))
        if self.scale is not None:
            object.__setattr__(self, "scale", float(self.scale))
        if not 0.0 <= self.slack < math.inf:
            raise InvalidModelError(f"slack is {self.slack}; expected a finite number >= 0")
        if self.scale is not None and self.scale < 0.0:
            raise InvalidModelError(f"scale is {self.scale}; expected a number >= 0")

    # ---- constructors -------------------------------------------------------------------------

    @classmethod
    def nonpositive(
        cls, measured: npt.ArrayLike, *, scale: npt.ArrayLike, slack: float = 1e-9
    ) -> Self:
        """Check ``measured <= 0``, entry by entry; ``scale`` is the size of what was subtracted.

        Parameters
        ----------
        measured : float or array
            A difference that must not be positive.
        scale : float or array that broadcasts
            Natural size of its two terms, e.g. ``1 / (1 - gamma)``.
        slack : float
            Numerical error that is accepted.

        Returns
        -------
        Check
            The check of the worst entry.
        """
        return cls.worst(measured, 0.0, slack=slack, scale=scale)

    @classmethod
    def at_least(
        cls,
        measured: npt.ArrayLike,
        bound: npt.ArrayLike,
        *,
        slack: float = 1e-9,
        trivial: npt.ArrayLike = -math.inf,
        scale: npt.ArrayLike | None = None,
    ) -> Self:
        """Check ``measured >= bound``, entry by entry, with both sides negated.

        Parameters
        ----------
        measured, bound : float or array
            The larger and the smaller side.
        slack : float
            Numerical error that is accepted.
        trivial : float or array
            The least value that any algorithm has; a bound that is not above it is vacuous.
        scale : float or array, optional
            Natural size of the two sides; ``abs(bound)`` by default.

        Returns
        -------
        Check
            The check of the worst entry.
        """
        lower = np.asarray(bound, dtype=np.float64)
        return cls.worst(
            -np.asarray(measured, dtype=np.float64),
            -lower,
            slack=slack,
            trivial=-np.asarray(trivial, dtype=np.float64),
            scale=np.abs(lower) if scale is None else scale,
        )

    @classmethod
    def equal(
        cls,
        left: npt.ArrayLike,
        right: npt.ArrayLike,
        *,
        slack: float = 1e-9,
        scale: npt.ArrayLike | None = None,
    ) -> tuple[Self, Self]:
        """Check ``left == right``, entry by entry, as two inequalities.

        Parameters
        ----------
        left, right : float or array
            The two sides.
        slack : float
            Numerical error that is accepted.
        scale : float or array, optional
            Natural size of the two sides; by default the largest finite magnitude of all entries.

        Returns
        -------
        tuple of two Check
            ``left - right <= 0`` and ``right - left <= 0``.
        """
        a, b = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
        if a.shape != b.shape:
            raise InvalidModelError(f"left has shape {a.shape}; expected {b.shape} as right has")
        if scale is None:
            both = np.abs(np.concatenate([a.ravel(), b.ravel()]))
            scale = both[np.isfinite(both)].max(initial=0.0)
        with np.errstate(invalid="ignore"):  # equal infinities (unavailable actions) are equal
            difference = np.where(a == b, 0.0, a - b)
        return (
            cls.worst(difference, 0.0, slack=slack, scale=scale),
            cls.worst(-difference, 0.0, slack=slack, scale=scale),
        )

    @classmethod
    def worst(
        cls,
        measured: npt.ArrayLike,
        bound: npt.ArrayLike,
        *,
        slack: float = 1e-9,
        trivial: npt.ArrayLike = math.inf,
        scale: npt.ArrayLike | None = None,
    ) -> Self:
        """Check ``measured <= bound`` entry by entry and keep the worst entry.

        Parameters
        ----------
        measured, bound, trivial, scale : float or array
            As in the class; they broadcast.
        slack : float
            Numerical error that is accepted.

        Returns
        -------
        Check
            The most violated entry (NaN first); if none is violated, the tightest conclusive
            one; if none is conclusive, the one with the least room.
        """
        sizes = bound if scale is None else scale
        arrays = [np.asarray(x, dtype=np.float64) for x in (measured, bound, trivial, sizes)]
        flat = [np.ravel(x) for x in np.broadcast_arrays(*arrays)]
        left, right, floor, size = flat
        if not left.size:
            raise InvalidModelError("measured is empty; expected at least one entry to check")
        k = _worst_entry(left, right, floor, size, slack)
        picked = None if scale is None else float(size[k])
        return cls(float(left[k]), float(right[k]), slack, float(floor[k]), picked)

    # ---- verdicts -----------------------------------------------------------------------------

    @property
    def holds(self) -> bool:
        """Whether ``measured <= bound + slack``; never with a NaN on either side."""
        return self.measured <= self.bound + self.slack and not self._scale_is_nan

    @property
    def size(self) -> float:
        """What the room is compared with: the scale if given, else the bound."""
        return self.bound if self.scale is None else self.scale

    @property
    def vacuous(self) -> bool:
        """Whether the bound says no more than what holds for any algorithm."""
        return self.bound >= self.trivial or self.bound == math.inf

    @property
    def conclusive(self) -> bool:
        """Whether the bound says something and is told from rounding."""
        told = NOISE_FACTOR * self.slack < self.size < math.inf
        return told and self.bound < self.trivial

    @property
    def room(self) -> float:
        """What the bound leaves unused: ``bound - measured`` (negative when it is exceeded)."""
        if self.measured == self.bound:
            return 0.0  # also for two equal infinities
        return self.bound - self.measured

    @property
    def tightness(self) -> float:
        """Share of the bound that is used, 1 at equality; NaN unless conclusive."""
        if not self.conclusive:
            return math.nan
        return self.measured / self.bound if self.scale is None else 1.0 - self.room / self.size

    @property
    def _scale_is_nan(self) -> bool:
        return self.scale is not None and math.isnan(self.scale)


def _worst_entry(
    left: npt.NDArray[np.float64],
    right: npt.NDArray[np.float64],
    floor: npt.NDArray[np.float64],
    size: npt.NDArray[np.float64],
    slack: float,
) -> int:
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        room = np.where(left == right, 0.0, right - left)
        violated = ~(left <= right + slack) | np.isnan(size)
        if violated.any():
            lost = np.where(np.isnan(room) | np.isnan(size), -np.inf, room)
            return int(np.argmin(np.where(violated, lost, np.inf)))
        conclusive = (size > NOISE_FACTOR * slack) & (size < np.inf) & (right < floor)
        if conclusive.any():
            use = np.where(conclusive, 1.0 - room / size, -np.inf)
            return int(np.argmax(use))
    return int(np.argmin(room))
