"""Numbers known between two ends: floats that are rounded outward, or Fractions that are exact.

The formulas of the robust checker are written once, in `Enclosure`. With floats each end is moved
outward by at least the rounding of the operation that made it, so that the true number lies
between the ends; with Fractions nothing is rounded and both ends are the same array.

Rounding. One operation on floats is off by at most u |result|, with u = eps / 2, or by half the
smallest float if it underflows; each end is moved by eps |result| plus the smallest float. A sum of
n numbers, in any order, is off by at most ``(n - 1) u / (1 - (n - 1) u)`` times the sum of their
sizes; the ends are moved by ``(n + 1) eps`` times the computed one, which covers the rounding of
the sizes' own sum while n < 1e14. Square roots are rounded correctly. NumPy's ``exp``, ``expm1``,
``log`` and ``log1p`` are taken to be within `ULPS` units in the last place of the true number (the
libraries it calls promise 1 to 4); their ends are moved by twice that, and by the smallest normal
number where results may underflow.

A number that overflows has no finite ends, or none at all (NaN); comparisons with it fail.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory.certificates._arithmetic import EPS, TINY, Numbers

ULPS = 4
LEAST = 5e-324
Ends: TypeAlias = npt.NDArray[Any]


class Enclosure:
    """An array of numbers between two ends, or, if the ends are Fractions, known exactly."""

    __array_ufunc__ = None  # NumPy leaves mixed operations to this class
    __slots__ = ("hi", "lo")

    def __init__(self, lo: Ends, hi: Ends) -> None:
        self.lo, self.hi = lo, hi

    @property
    def exact(self) -> bool:
        """Whether the ends are Fractions."""
        return self.lo.dtype == object

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.lo.size

    def __getitem__(self, index: Any) -> "Enclosure":
        """Pick entries."""
        lo = self.lo[index]
        return Enclosure(lo, lo if self.hi is self.lo else self.hi[index])

    def _map(self, f: Callable[[Ends], Ends]) -> "Enclosure":
        """Apply a function that keeps the order of numbers."""
        lo = f(self.lo)
        return Enclosure(lo, lo if self.hi is self.lo else f(self.hi))

    def __neg__(self) -> "Enclosure":
        """Turn the sign."""
        lo = -self.hi
        return Enclosure(lo, lo if self.hi is self.lo else -self.lo)

    def __add__(self, other: "Enclosure | int") -> "Enclosure":
        """Add."""
        low, high = _ends(other, self.exact)
        if self.lo is self.hi and low is high:
            return _around(self.lo + low)
        return _outward(self.lo + low, self.hi + high)

    def __sub__(self, other: "Enclosure | int") -> "Enclosure":
        """Subtract."""
        return self + -other

    def __radd__(self, other: int) -> "Enclosure":
        """Add to a whole number."""
        return self + other

    def __rsub__(self, other: int) -> "Enclosure":
        """Subtract from a whole number."""
        return -self + other

    def __mul__(self, other: "Enclosure | int") -> "Enclosure":
        """Multiply."""
        low, high = _ends(other, self.exact)
        if isinstance(other, int) and other in (1, 2, 4):  # no rounding
            return self._map(lambda end: end * low)
        if self.lo is self.hi and low is high:
            return _around(self.lo * low)
        return _hull(self.lo * low, self.lo * high, self.hi * low, self.hi * high)

    __rmul__ = __mul__

    def __truediv__(self, other: "Enclosure") -> "Enclosure":
        """Divide by numbers that are positive; a divisor that may be 0 tells nothing."""
        if self.exact:
            return _around(self.lo / other.lo)
        unknown = ~(other.lo > 0)
        low = np.where(unknown, 1.0, other.lo)
        high = np.where(unknown, 1.0, other.hi)
        out = _hull(self.lo / low, self.lo / high, self.hi / low, self.hi / high)
        out.lo[np.broadcast_to(unknown, out.lo.shape)] = -np.inf
        out.hi[np.broadcast_to(unknown, out.hi.shape)] = np.inf
        return out

    def __abs__(self) -> "Enclosure":
        """Drop the sign."""
        return self.maximum(-self).maximum(0)

    def minimum(self, other: "Enclosure | int") -> "Enclosure":
        """Return the lesser number, entry by entry."""
        low, high = _ends(other, self.exact)
        lo = np.minimum(self.lo, low)
        same = self.hi is self.lo and low is high
        return Enclosure(lo, lo if same else np.minimum(self.hi, high))

    def maximum(self, other: "Enclosure | int") -> "Enclosure":
        """Return the greater number, entry by entry."""
        low, high = _ends(other, self.exact)
        lo = np.maximum(self.lo, low)
        same = self.hi is self.lo and low is high
        return Enclosure(lo, lo if same else np.maximum(self.hi, high))

    def sums(self, ptr: IntArray) -> "Enclosure":
        """Return the sum of each segment; none is empty."""
        starts = ptr[:-1]
        lo = np.add.reduceat(self.lo, starts)
        if self.exact:
            return Enclosure(lo, lo)
        hi = lo if self.hi is self.lo else np.add.reduceat(self.hi, starts)
        size = np.add.reduceat(np.maximum(np.abs(self.lo), np.abs(self.hi)), starts)
        off = (np.diff(ptr) + 1) * EPS * size
        return _outward(lo - off, hi + off)

    def minima(self, ptr: IntArray) -> "Enclosure":
        """Return the least number of each segment; none is empty."""
        return self._map(lambda end: np.minimum.reduceat(end, ptr[:-1]))

    def maxima(self, ptr: IntArray) -> "Enclosure":
        """Return the greatest number of each segment; none is empty."""
        return self._map(lambda end: np.maximum.reduceat(end, ptr[:-1]))

    def reshape(self, *shape: int) -> "Enclosure":
        """Arrange the entries anew."""
        return self._map(lambda end: end.reshape(*shape))

    def least(self) -> "Enclosure":
        """Return the least number along the last axis."""
        return self._map(lambda end: end.min(axis=-1))

    def meet(self, other: "Enclosure") -> "Enclosure":
        """Return what two enclosures of the same numbers have in common; NaN tells nothing."""
        return Enclosure(np.fmax(self.lo, other.lo), np.fmin(self.hi, other.hi))

    def middle(self) -> FloatArray:
        """Return floats close to the numbers."""
        if self.exact:
            return np.array([_nearest(x) for x in self.lo.tolist()], dtype=np.float64)
        return np.where(np.isinf(self.hi), self.hi, self.lo + (self.hi - self.lo) / 2)

    def exp(self) -> "Enclosure":
        """Return the exponential of floats."""
        return _library(np.exp, self).maximum(0)

    def expm1(self) -> "Enclosure":
        """Return ``exp(x) - 1`` of floats."""
        return _library(np.expm1, self).maximum(-1)

    def log(self) -> "Enclosure":
        """Return the logarithm of floats; that of 0 is minus infinity."""
        return _library(np.log, self.maximum(0))

    def log1p(self) -> "Enclosure":
        """Return ``log(1 + x)`` of floats; that of -1 is minus infinity."""
        return _library(np.log1p, self.maximum(-1))

    def root(self) -> "Enclosure":
        """Return the square root of floats that are not negative."""
        return _outward(np.sqrt(np.maximum(self.lo, 0)), np.sqrt(np.maximum(self.hi, 0)))


Load: TypeAlias = Callable[[Numbers], Enclosure]
"""How floats are taken in: `point` or `rational`."""


def point(array: Numbers) -> Enclosure:
    """Return floats as they are."""
    floats = np.asarray(array, dtype=np.float64)
    return Enclosure(floats, floats)


def rational(array: Numbers) -> Enclosure:
    """Return floats as Fractions."""
    flat = np.asarray(array, dtype=np.float64)
    entries = np.empty(flat.size, dtype=object)
    entries[:] = [Fraction(x) for x in flat.ravel().tolist()]
    exact: Ends = entries.reshape(flat.shape)
    return Enclosure(exact, exact)


def where(mask: BoolArray, yes: "Enclosure | int", no: "Enclosure | int") -> Enclosure:
    """Choose entry by entry."""
    exact = any(isinstance(x, Enclosure) and x.exact for x in (yes, no))
    (low, high), (lower, higher) = _ends(yes, exact), _ends(no, exact)
    lo = np.where(mask, low, lower)
    return Enclosure(lo, lo if low is high and lower is higher else np.where(mask, high, higher))


def join(parts: list[Enclosure]) -> Enclosure:
    """Put arrays one after the other."""
    lo = np.concatenate([part.lo for part in parts])
    same = all(part.lo is part.hi for part in parts)
    return Enclosure(lo, lo if same else np.concatenate([part.hi for part in parts]))


def share(part: Enclosure, whole: Enclosure) -> Enclosure:
    """Return ``part / whole`` in [0, 1], for ``0 <= part <= whole``; 0 if the whole is 0."""
    there = np.asarray(whole.lo > 0, dtype=bool)
    ratio = (part / where(there, whole, 1)).maximum(0).minimum(1)
    if part.exact:
        return where(there, ratio, 0)
    some = np.asarray((part.hi > 0) & (whole.hi > 0), dtype=np.float64)
    return Enclosure(np.where(there, ratio.lo, 0.0), np.where(there, ratio.hi, some))


def _ends(x: "Enclosure | int", exact: bool) -> tuple[Any, Any]:
    if isinstance(x, Enclosure):
        return x.lo, x.hi
    number = Fraction(x) if exact else float(x)  # two ints would divide to a float
    return number, number


def _around(x: Ends) -> Enclosure:
    return Enclosure(x, x) if x.dtype == object else _outward(x, x)


def _hull(a: Ends, b: Ends, c: Ends, d: Ends) -> Enclosure:
    """Return the enclosure of products or quotients of the ends."""
    lo = np.minimum(np.minimum(a, b), np.minimum(c, d))
    return _outward(lo, np.maximum(np.maximum(a, b), np.maximum(c, d)))


def _outward(lo: Ends, hi: Ends) -> Enclosure:
    """Move the ends outward by more than the rounding of one operation."""
    if lo.dtype == object:
        return Enclosure(lo, lo)
    return Enclosure(lo - (np.abs(lo) * EPS + LEAST), hi + (np.abs(hi) * EPS + LEAST))


def _library(f: Callable[[FloatArray], FloatArray], x: Enclosure) -> Enclosure:
    """Apply an increasing function whose computed values are off by some units."""
    lo, hi = f(x.lo), f(x.hi)
    off = 2 * ULPS * EPS
    low = np.where(np.isneginf(lo), lo, lo - (np.abs(lo) * off + np.where(lo == 0, 0.0, TINY)))
    high = np.where(np.isinf(hi), hi, hi + (np.abs(hi) * off + np.where(x.hi == 0, 0.0, TINY)))
    return Enclosure(low, high)


def _nearest(number: Fraction) -> float:
    try:
        return float(number)
    except OverflowError:
        return np.inf if number > 0 else -np.inf
