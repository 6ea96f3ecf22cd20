"""Exponentials of many numbers at once, in a form that compilers turn into vector code."""

import numpy as np
from numba import njit

from mdptheory._typing import FloatArray

LOG2E = 1.4426950408889634
LN2_HIGH = 6.93147180369123816490e-01  # ln 2 in two parts, the first with trailing zeros
LN2_LOW = 1.90821492927058770002e-10
ROUND = 6755399441055744.0  # 1.5 * 2^52: adding and subtracting it rounds to an integer
BIAS = 4503599627370496.0 + 1023.0  # 2^52 and the bias of exponents
LOWEST = -708.0  # smaller ones are lifted to it: exp(-708) = 3e-308


@njit(cache=True, nogil=True)
def _reduced(x: FloatArray, power: FloatArray, out: FloatArray) -> None:
    """Write ``exp(r)`` and ``k + BIAS`` where ``x = k ln 2 + r`` with ``|r| <= ln(2) / 2``.

    The Taylor polynomial of degree 13 errs by less than 5e-18.
    """
    for i in range(x.size):
        y = x[i] if x[i] > LOWEST else LOWEST
        k = (y * LOG2E + ROUND) - ROUND
        r = (y - k * LN2_HIGH) - k * LN2_LOW
        p = 1.0 / 6227020800.0
        p = p * r + 1.0 / 479001600.0
        p = p * r + 1.0 / 39916800.0
        p = p * r + 1.0 / 3628800.0
        p = p * r + 1.0 / 362880.0
        p = p * r + 1.0 / 40320.0
        p = p * r + 1.0 / 5040.0
        p = p * r + 1.0 / 720.0
        p = p * r + 1.0 / 120.0
        p = p * r + 1.0 / 24.0
        p = p * r + 1.0 / 6.0
        p = p * r + 0.5
        p = p * r + 1.0
        out[i] = p * r + 1.0
        power[i] = k + BIAS


@njit(cache=True, nogil=True)
def exp_below(x: FloatArray, power: FloatArray, out: FloatArray) -> None:
    """Write ``exp(max(x, -708))`` for ``x <= 0``, within two units in the last place.

    ``power``, of the size of ``x``, is work space: its numbers ``2^52 + 1023 + k`` hold ``1023 +
    k`` in their last bits, which moved up by 52 are the number ``2^k``.
    """
    _reduced(x, power, out)
    bits = power.view(np.int64)
    for i in range(x.size):
        bits[i] = bits[i] << 52
    for i in range(x.size):
        out[i] *= power[i]
