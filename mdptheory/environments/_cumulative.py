"""Distribution functions that inverse sampling can trust."""

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.kernels.linear_rollout import cumulative_rows


def cumulative(p: FloatArray) -> FloatArray:
    """Return distribution functions along the last axis, for the rollout kernels.

    Parameters
    ----------
    p : array of shape (..., n)
        Probabilities; not checked.

    Returns
    -------
    array of shape (..., n)
        Running sums that are exactly 1 from the last positive probability on; read-only.

    Examples
    --------
    >>> cumulative(np.array([[0.25, 0.75, 0.0], [0.0, 0.5, 0.5]]))
    array([[0.25, 1.  , 1.  ],
           [0.  , 0.5 , 1.  ]])
    """
    rows = np.ascontiguousarray(p, dtype=np.float64)
    out = np.empty(rows.shape)
    cumulative_rows(rows.reshape(-1, rows.shape[-1]), out.reshape(-1, rows.shape[-1]))
    out.setflags(write=False)
    return out
