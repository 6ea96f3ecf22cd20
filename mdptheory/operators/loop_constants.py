"""How fast a closed loop forgets, how far it moves, and what that does to what is seen."""

from itertools import product

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory._validation import read_only
from mdptheory.errors import NotContractiveError
from mdptheory.models import GaussianBandit, LendingLoop, LoopConstants, ThresholdLoop
from mdptheory.models.lending_loop import ClosedLoop


def certify(env: ClosedLoop) -> LoopConstants:
    """Return constants of a closed loop that hold at every state that it can reach.

    Parameters
    ----------
    env : GaussianBandit, ThresholdLoop or LendingLoop
        The environment.

    Returns
    -------
    LoopConstants
        In the largest coordinate: contraction factor, diameter, Lipschitz constants of the channels
        and a box that no arm leaves. ``is_open`` if nothing moves, or if nothing that is seen does.

    Raises
    ------
    NotContractiveError
        If the loop need not forget its past: ``kappa >= 1``, or ``c1 + c0 >= 1``, or any
        `LendingLoop`.
    TypeError
        If ``env`` is no environment of this kind.

    Notes
    -----
    OFS-T9, derived here. With S[g, y] the shares that an arm accepts, the q-row of the Jacobian is
    at most ``1 - eta_q (1 - max(c1 S[g, 1] + c0 S[g, 0]))`` and the p-row at most ``1 - eta_p +
    eta_p c_p max(|S[A, 1] - S[A, 0]| + |S[B, 1] - S[B, 0]|)``; clipping only helps. Each arm moves
    q_g monotonically towards its fixed point, so the hull of the start and of all fixed points is
    never left, and p stays in the hull of its start and of what it is drawn towards at the corners.
    The Lipschitz constants are the largest row sums of derivatives over the corners of the box, at
    which functions that are convex in each coordinate are largest. A coordinate that does not move
    (speed 0) is left out everywhere.

    With ``stochastic`` dynamics kappa is the factor of the mean, and the box allows for every
    batch. The constants do not depend on ``batch`` or ``stratified``.

    Examples
    --------
    >>> trap = GaussianBandit(
    ...     reward=[0.8, 0.5], reward_slope=[-0.6, 0.0], target=[0.0, 1.0], inertia=0.95, start=1.0
    ... )
    >>> found = certify(trap)
    >>> found.kappa, found.diameter, found.lipschitz.tolist()
    (0.95, 1.0, [0.6])
    """
    match env:
        case GaussianBandit():
            return _of_bandit(env)
        case ThresholdLoop():
            return _of_loop(env)
        case LendingLoop():
            raise NotContractiveError(
                "env is a LendingLoop, where kappa is 1: applicants of a cluster that an arm"
                " rejects stay in it for ever, so an arm has many steady states"
            )
    raise TypeError(
        f"env is of type {type(env).__name__}; expected a GaussianBandit, a ThresholdLoop or a"
        " LendingLoop"
    )


def _of_bandit(env: GaussianBandit) -> LoopConstants:
    low, high = env.ends
    slopes = np.abs(np.column_stack([env.reward_slope, env.residual_slope])).max(axis=0)
    moves = high > low
    return LoopConstants(
        kappa=env.inertia if moves else 0.0,
        diameter=high - low,
        lipschitz=read_only(slopes if moves else 0.0 * slopes),
        box=read_only([[low, high]]),
        is_open=not (moves and slopes.any()),
    )


def _of_loop(env: ThresholdLoop) -> LoopConstants:
    kappa, box = _contraction(env), _box(env)
    diameter = float(np.ptp(box, axis=1).max())
    return LoopConstants(
        kappa=kappa if diameter else 0.0,
        diameter=diameter,
        lipschitz=read_only(_lipschitz(env, box) if diameter else np.zeros(len(env.channels))),
        box=read_only(box),
        is_open=diameter == 0.0,
    )


def _contraction(env: ThresholdLoop) -> float:
    """Return the larger row sum of the Jacobian, over the coordinates that move."""
    dynamics, S = env.dynamics, env.survival
    rows = [0.0]
    if dynamics.eta_q > 0:
        if dynamics.c1 + dynamics.c0 >= 1.0:
            raise NotContractiveError(
                f"c1 + c0 is {dynamics.c1 + dynamics.c0:g}; expected less than 1, or a group's rate"
                " of favourable labels need not forget its past"
            )
        pull = float((dynamics.c1 * S[:, 1] + dynamics.c0 * S[:, 0]).max())
        rows.append(1.0 - dynamics.eta_q * (1.0 - pull))
    if dynamics.eta_p > 0:
        leverage = float(np.abs(S[:, 1] - S[:, 0]).sum(axis=0).max()) if dynamics.eta_q > 0 else 0.0
        rows.append(1.0 - dynamics.eta_p + dynamics.eta_p * dynamics.c_p * leverage)
        if rows[-1] >= 1.0:
            raise NotContractiveError(
                f"kappa is {rows[-1]:g}; expected less than 1, but c_p is {dynamics.c_p:g} and"
                f" acceptance rates move by up to {leverage:g} a unit of the groups' rates, so the"
                " share of applicants need not forget its past"
            )
    return max(rows)


def _box(env: ThresholdLoop) -> FloatArray:
    """Return ends of p, q_A and q_B that no arm leaves, shape (3, 2)."""
    dynamics, S = env.dynamics, env.survival
    box = np.column_stack([env.start_state, env.start_state])
    if dynamics.eta_q > 0:
        pull = dynamics.c1 * S[:, 1] + dynamics.c0 * S[:, 0]
        fixed = (env.q0[:, None] - dynamics.c0 * S[:, 0]) / (1.0 - pull)
        fixed = np.clip(fixed, dynamics.q_low, dynamics.q_high)
        box[1:, 0] = np.minimum(box[1:, 0], fixed.min(axis=1))
        box[1:, 1] = np.maximum(box[1:, 1], fixed.max(axis=1))
    if dynamics.eta_p > 0:
        gaps = np.array([-1.0, 1.0])
        if not dynamics.stochastic:
            corners = [_rates(env, np.array(q)) for q in product(box[1], box[2])]
            gaps = np.concatenate([rates[0] - rates[1] for rates in corners])
        drawn = np.clip(env.p0 + dynamics.c_p * gaps, dynamics.p_low, dynamics.p_high)
        box[0] = min(env.p0, drawn.min()), max(env.p0, drawn.max())
    return box


def _rates(env: ThresholdLoop, q: FloatArray) -> FloatArray:
    """Return the acceptance rates of both groups under every arm, shape (2, K)."""
    S = env.survival
    return q[:, None] * S[:, 1] + (1.0 - q[:, None]) * S[:, 0]


def _lipschitz(env: ThresholdLoop, box: FloatArray) -> FloatArray:
    """Return for each channel its largest sum of absolute derivatives over corners and arms."""
    S, by_p = env.survival, float(env.dynamics.eta_p > 0)
    by_q = float(env.dynamics.eta_q > 0)
    utility, rate = S[:, 1] + env.cost * S[:, 0], np.abs(S[:, 1] - S[:, 0])  # derivatives in q_g
    found = {"reward": 0.0, "service": 0.0, "gap": by_q * float(rate.sum(axis=0).max())}
    for p, *q in product(*box):
        weights, rates = np.array([[p], [1.0 - p]]), _rates(env, np.array(q))
        good = np.array(q)[:, None] * S[:, 1]
        earned = good - env.cost * (rates - good)
        for name, values, slopes in (("reward", earned, utility), ("service", rates, rate)):
            rows = by_p * np.abs(values[0] - values[1]) + by_q * (weights * slopes).sum(axis=0)
            found[name] = max(found[name], float(rows.max()))
    for g, name in enumerate(env.groups):
        found[f"rate_{name}"], found[f"tpr_{name}"] = by_q * float(rate[g].max()), 0.0
    return np.array([found[channel.name] for channel in env.channels])
