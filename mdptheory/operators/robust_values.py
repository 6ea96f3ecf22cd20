"""What rows are worth against nature, sweep after sweep, whichever her set is."""

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.operators.robust_reply import DIVERGENCE, reply, smooth
from mdptheory.operators.robust_rows import RobustRows


class RowValues:
    """Values of rows against nature, and what she remembers between sweeps."""

    def __init__(self, rows: RobustRows, gamma: float) -> None:
        self.rows, self.gamma = rows, gamma

    def prepare(self, v: FloatArray) -> FloatArray:
        """Do once a sweep what its parts share."""
        return v

    def sweep(self, first: int, last: int, v: FloatArray, out: FloatArray) -> float:
        """Write the values of the rows from first to last; return how much they may be too high."""
        part = self.rows.take(np.arange(first, last))
        if type(part.ambiguity) in DIVERGENCE:
            _, out[first:last], _, _, slack = smooth(part, self.gamma, v)
            return slack
        out[first:last] = reply(part, self.gamma, v).value
        return 0.0
