"""Policy iteration among proper policies for the total reward until absorption."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mdptheory._typing import BoolArray, FloatArray
from mdptheory.errors import InvalidModelError
from mdptheory.iterate import Step, iterate
from mdptheory.models import (
    BoundsCertificate,
    Solution,
    Status,
    TabularMDP,
    absorbing_states,
)
from mdptheory.operators.backup import Backup
from mdptheory.solvers._planning import (
    TINY,
    check_options,
    check_range,
    reward_scale,
    row_rounding,
)

STABLE = 1e-12  # relative improvements below this are rounding
MARGINS = (np.inf, 1e-6, 1e-9, 1e-12)  # rows this far below the best, relatively, are looked at


class _ImproperError(Exception):
    """A greedy policy never reaches absorption from some state."""

    def __init__(self, state: int) -> None:
        self.state = state


def distances(mdp: TabularMDP, rows: npt.NDArray[Any], absorbed: BoolArray) -> FloatArray:
    """Return the least number of steps to absorption over the given rows, inf without a way."""
    from scipy import sparse

    owner = mdp.row_state()
    kernel = sparse.csr_matrix(
        (mdp.prob > 0, mdp.next_state, mdp.row_ptr), shape=(mdp.n_rows, mdp.n_states)
    )[rows]
    steps = np.where(absorbed, 0.0, np.inf)
    frontier = absorbed
    for distance in range(1, mdp.n_states + 1):
        reached = np.zeros(mdp.n_states, dtype=bool)
        reached[owner[rows[kernel @ frontier.astype(np.int32) > 0]]] = True
        frontier = reached & np.isinf(steps)
        if not frontier.any():
            break
        steps[frontier] = distance
    return steps


def proper_rows(mdp: TabularMDP, absorbed: BoolArray) -> npt.NDArray[np.int64]:
    """Pick in each state a row that may lead one step nearer to absorption."""
    every = np.arange(mdp.n_rows)
    steps = distances(mdp, every, absorbed)
    if np.isinf(steps).any():
        s = int(np.argmax(np.isinf(steps)))
        raise InvalidModelError(
            f"state {mdp.state_label(s)} cannot reach an absorbing state under any policy; the"
            f" total reward needs it ({int(np.isinf(steps).sum())} of {mdp.n_states} states fail)"
        )
    possible = np.where(mdp.prob > 0, steps[mdp.next_state], np.inf)
    nearest = np.minimum.reduceat(possible, mdp.row_ptr[:-1])
    order = np.lexsort((every, nearest, mdp.row_state()))
    return order[mdp.choice_ptr[:-1]]


def evaluate_rows(
    mdp: TabularMDP, rows: npt.NDArray[np.int64], reward: FloatArray, absorbed: BoolArray
) -> FloatArray:
    """Solve ``v = reward[rows] + P v`` with ``v = 0`` at absorption, for proper rows."""
    from scipy import sparse
    from scipy.sparse.linalg import splu

    steps = distances(mdp, rows, absorbed)
    if np.isinf(steps).any():
        raise _ImproperError(int(np.argmax(np.isinf(steps))))
    inside = np.flatnonzero(~absorbed)
    v = np.zeros(mdp.n_states)
    if inside.size:
        kernel = sparse.csr_matrix(
            (mdp.prob, mdp.next_state, mdp.row_ptr), shape=(mdp.n_rows, mdp.n_states)
        )[rows[inside]][:, inside]
        system = (sparse.eye(inside.size, format="csr") - kernel).tocsc()
        try:
            v[inside] = splu(system).solve(reward[rows[inside]])
        except RuntimeError:  # absorption is rarer than floats can tell from never
            v[inside] = np.nan
    return v


def absorption_weight(
    mdp: TabularMDP, allowed: BoolArray, rows: npt.NDArray[np.int64], absorbed: BoolArray
) -> FloatArray | None:
    """Return ``w >= 1 + P w`` over all allowed rows, or None if a policy among them never ends.

    The computed w meets it up to ``short = tau (1 + max w)``: rounding, and rows that sum to 1 only
    up to ``row_error``. Then ``(1 + k) w`` meets it if ``(1 + k) short <= k``.
    """
    tau = STABLE + row_rounding(mdp)[1]
    ones = np.ones(mdp.n_rows)
    steps = np.where(allowed, 1.0, -np.inf)
    backup = Backup(replace(mdp, reward=steps, transition_reward=None, validate=False))
    top = np.empty(mdp.n_states)
    rows = rows.copy()
    for _ in range(1000):
        try:
            w = evaluate_rows(mdp, rows, ones, absorbed)
        except _ImproperError:
            return None
        if not (np.isfinite(w).all() and (w >= 0).all()):
            return None
        backup.greedy(w, top)
        better = ~absorbed & (top > w * (1.0 + STABLE) + STABLE)
        if not better.any():
            short = tau * (1.0 + float(w.max()))
            return w * (1.0 + max(1e-9, 2.0 * short)) if short < 0.25 else None
        rows[better] = backup.best[better]
    return None


def plan_total_reward(mdp: TabularMDP, *, tol: float, max_iter: int) -> Solution:
    """Improve a proper policy until no row is better, then bound the error by absorption times."""
    check_options(tol, max_iter)
    absorbed = absorbing_states(mdp)
    backup = Backup(mdp)
    scale = reward_scale(mdp)
    per_reward, per_value = row_rounding(mdp)
    rows = proper_rows(mdp, absorbed)
    v, top = np.zeros(mdp.n_states), np.empty(mdp.n_states)
    weight: FloatArray | None = None
    error = np.inf

    def advance(i: int) -> Step:
        nonlocal v, rows, weight, error
        try:
            v = evaluate_rows(mdp, rows, mdp.reward, absorbed)
        except _ImproperError as improper:
            raise InvalidModelError(
                f"the total reward is unbounded: a cycle through state"
                f" {mdp.state_label(improper.state)} gains reward for ever"
            ) from None
        reach = float(np.abs(v).max())
        check_range(4.0 * (reach + scale), scale)
        low, high = backup.greedy(v, top)
        rounding = per_reward * scale + per_value * reach
        rounding += TINY if max(scale, reach) > 0.0 else 0.0
        better = top > v + 4.0 * rounding + STABLE * (scale + reach)
        if better.any():
            rows[better] = backup.best[better]
            return Step(low, high, np.inf, 0.0, backup.work)
        short = float((v - backup.q[rows]).max())  # the policy's own rows, not the best ones
        error = max(short, high, 0.0) + 2.0 * rounding
        for part in MARGINS:  # all rows if every policy is proper, else the near-ties
            margin = part * max(scale + reach, TINY)
            allowed = backup.q >= np.repeat(v, np.diff(mdp.choice_ptr)) - margin
            allowed[rows] = True
            weight = absorption_weight(mdp, allowed, rows, absorbed)
            if weight is not None:
                longest = float(weight.max())
                spread = error * (1.0 + per_value * longest)
                if spread * longest < 0.5 * margin:
                    error = spread
                    return Step(low, high, 0.0, error * longest, backup.work)
        weight = None
        return Step(low, high, 0.0, np.inf, backup.work)

    convergence = iterate(advance, tol=tol, max_iter=max_iter)
    if weight is None and convergence.status is Status.ROUNDING:
        convergence = _uncertified(convergence)
    return _conclude(mdp, backup, v, rows, weight, error, convergence)


def _uncertified(convergence: Any) -> Any:
    return replace(convergence, status=Status.UNCERTIFIED)


def _conclude(
    mdp: TabularMDP,
    backup: Backup,
    v: FloatArray,
    rows: npt.NDArray[np.int64],
    weight: FloatArray | None,
    error: float,
    convergence: Any,
) -> Solution:
    policy = mdp.action[rows].astype(np.int64)
    spread = np.full(mdp.n_states, np.inf) if weight is None else error * weight
    certificate = BoundsCertificate(
        objective=mdp.objective,
        lower=v - spread,
        upper=v + spread,
        policy=policy,
        absorption=weight,
    )
    return Solution(
        v, mdp.table(backup.q), policy, convergence, certificate, mdp.state_names, mdp.action_names
    )
