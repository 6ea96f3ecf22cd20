"""Backward induction on the recombining lattice of a binary price."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mdptheory._typing import BoolArray, FloatArray
from mdptheory._validation import as_array, check_shape
from mdptheory.errors import InvalidModelError

StoppingRule: TypeAlias = Callable[[int, FloatArray], npt.ArrayLike]
"""``policy(step, prices)`` says for each price whether to exercise (1) or not (0)."""


def lattice_value(
    payoffs: list[FloatArray], stops: list[BoolArray] | None, low: float, high: float
) -> float:
    """Return the value at the root; nature picks each chance of going up in ``[low, high]``.

    ``payoffs[h]`` and ``stops[h]`` have an entry for each number of ups 0, ..., h among h moves;
    without stops the agent stops where that is best. The worst chance is an end of the interval,
    as what nature minimises is linear in it.
    """
    v = np.zeros(len(payoffs) + 1)
    for h in range(len(payoffs) - 1, -1, -1):
        rise = v[1:] - v[:-1]
        on = v[:-1] + np.minimum(low * rise, high * rise)
        payoff = payoffs[h]
        v = np.maximum(payoff, on) if stops is None else np.where(stops[h], payoff, on)
    return float(v[0])


def stops_of(policy: StoppingRule, prices: list[FloatArray]) -> list[BoolArray]:
    """Ask a stopping rule at every node, or refuse what is no yes or no."""
    stops = []
    for h, nodes in enumerate(prices):
        name = f"policy({h}, prices)"
        answer = as_array(name, policy(h, nodes.copy()))
        if answer.dtype.kind not in "bui":
            raise TypeError(f"{name} has dtype {answer.dtype}; expected booleans, or 0 and 1")
        check_shape(name, answer, nodes.shape)
        if ((answer != 0) & (answer != 1)).any():
            bad = answer[(answer != 0) & (answer != 1)][0]
            raise InvalidModelError(f"{name} holds {bad}; expected 0 (continue) or 1 (exercise)")
        stops.append(np.asarray(answer, dtype=np.bool_))
    return stops
