"""Online learners of linear MDPs in plain NumPy: the loop that experiment A is timed against.

DR-RPO (reconstruction), DR-LSVI-UCB and LSVI-UCB as one would write them from the formulas: one
inverse a step and episode, worths by array operations over all candidates at once, episodes rolled
by hand. Not part of the package.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mdptheory.models import LinearMDP

Floats = npt.NDArray[np.float64]
Worth = Callable[[Floats, Floats, Floats, float, float], Floats]
"""``worth(coef (d, S), v (S,), level (d,), floor, cap)`` returns what v is worth to each factor."""


class History(NamedTuple):
    """What each episode was played with, and where it went."""

    q: Floats  # (K, H, S, A)
    pi: Floats  # (K, H, S, A)
    v: Floats  # (K, S) optimistic values of the first step
    states: npt.NDArray[np.int64]  # (K, H + 1)
    actions: npt.NDArray[np.int64]  # (K, H)


def nominal(coef: Floats, v: Floats, level: Floats, floor: float, cap: float) -> Floats:
    """Return the estimated means."""
    return coef @ v


def tv_ball(coef: Floats, v: Floats, level: Floats, floor: float, cap: float) -> Floats:
    """Maximise the dual of the total variation ball over its breakpoints."""
    alpha = np.concatenate(([0.0, cap], v))
    z = coef @ np.minimum(v[:, None], alpha)
    return (z - level[:, None] * (alpha - np.minimum(alpha, floor))).max(axis=1)


def tv_penalty(coef: Floats, v: Floats, level: Floats, floor: float, cap: float) -> Floats:
    """Return the means of values cut off at ``floor + level``."""
    return (coef * np.minimum(v, floor + level[:, None])).sum(axis=1)


def kl_penalty(coef: Floats, v: Floats, level: Floats, floor: float, cap: float) -> Floats:
    """Return ``-level log`` of the estimated moments of ``exp(-v / level)``."""
    moment = (coef * np.exp(-v / level[:, None])).sum(axis=1)
    return -level * np.log(np.maximum(moment, np.exp(-cap / level)))


def chi_square_penalty(coef: Floats, v: Floats, level: Floats, floor: float, cap: float) -> Floats:
    """Maximise the dual, a parabola between breakpoints, over their ends and vertices."""
    knots = np.unique(np.clip(np.concatenate(([0.0, cap], v)), 0.0, cap))
    left, right = knots[:-1], knots[1:]
    above = (v[:, None] > left).astype(float)
    slope = coef @ above
    fixed = coef @ (v[:, None] * (1.0 - above))
    lam = level[:, None]
    bend = np.where(slope == 1.0, np.inf, 1.0 - slope)
    vertex = np.clip((2.0 * lam + fixed) / bend, left, right)
    ends = np.broadcast_to(knots, (level.size, knots.size))
    alpha = np.concatenate((ends, vertex), axis=1)[:, None, :]
    cut = np.minimum(v[:, None], alpha)
    z = (coef[:, :, None] * cut).sum(axis=1)
    z2 = (coef[:, :, None] * cut**2).sum(axis=1)
    return (z + (z**2 - z2) / (4.0 * lam)).max(axis=1)


def dr_rpo(
    mdp: LinearMDP,
    draws: Floats,
    worth: Worth,
    level: Floats,
    *,
    tau: float,
    reference: Floats | None = None,
    beta: float = 1.0,
    ridge: float = 0.1,
    bonus: str = "l1",
    bonus_last: bool = False,
) -> History:
    """Run DR-RPO (reconstruction); ``tau = 0`` is DR-LSVI-UCB.

    ``draws`` (K, 1 + 2 H) are uniforms: first state, then action and next state of each step.
    ``level`` (H, d) is the radius or weight of each factor.
    """
    H, S, A = mdp.reward.shape
    if reference is None:
        reference = np.full(A, 1.0 / A)
    gram = np.array([ridge * np.eye(mdp.n_factors)] * H)
    moments = np.zeros((H, mdp.n_factors, S))
    history = empty_history(mdp, len(draws))
    for k in range(len(draws)):
        v = np.zeros(S)
        for h in reversed(range(H)):
            phi, cap = mdp.known.phi_at(h), H - 1 - h
            inverse = np.linalg.inv(gram[h])
            if h == H - 1:
                nu = np.zeros(mdp.n_factors)
            else:
                floor = 0.0 if mdp.fail_state is not None else v.min()
                nu = worth(inverse @ moments[h], v, level[h], floor, cap).clip(0.0, cap)
            width = beta * norms(phi, inverse, bonus) * (h < H - 1 or bonus_last)
            q = np.clip(phi @ (mdp.theta[h] + nu) + width, 0.0, H - h)
            if mdp.fail_state is not None:
                q[mdp.fail_state] = 0.0
            pi, v = improve(q, tau, reference)
            history.q[k, h], history.pi[k, h] = q, pi
        history.v[k] = v
        roll(mdp, history.pi[k], draws[k], history.states[k], history.actions[k])
        absorb(mdp, history, k, gram, moments)
    return history


def lsvi_ucb(mdp: LinearMDP, draws: Floats, *, beta: float = 1.0, ridge: float = 0.1) -> History:
    """Run LSVI-UCB: rewards are learnt along with values, widths are elliptic."""
    H, S, _ = mdp.reward.shape
    gram = np.array([ridge * np.eye(mdp.n_factors)] * H)
    moments = np.zeros((H, mdp.n_factors, S))
    reward_moments = np.zeros((H, mdp.n_factors))
    history = empty_history(mdp, len(draws))
    for k in range(len(draws)):
        v = np.zeros(S)
        for h in reversed(range(H)):
            phi = mdp.known.phi_at(h)
            inverse = np.linalg.inv(gram[h])
            w = inverse @ (reward_moments[h] + moments[h] @ v)
            width = beta * norms(phi, inverse, "elliptic")
            q = np.clip(phi @ w + width, 0.0, H)
            if mdp.fail_state is not None:
                q[mdp.fail_state] = 0.0
            pi, v = improve(q, 0.0, None)
            history.q[k, h], history.pi[k, h] = q, pi
        history.v[k] = v
        roll(mdp, history.pi[k], draws[k], history.states[k], history.actions[k])
        absorb(mdp, history, k, gram, moments)
        for h in range(H):
            s, a = history.states[k, h], history.actions[k, h]
            reward_moments[h] += mdp.known.phi_at(h)[s, a] * mdp.reward[h, s, a]
    return history


def norms(phi: Floats, inverse: Floats, bonus: str) -> Floats:
    """Return the width of each state and action, for beta 1."""
    if bonus == "l1":
        return phi @ np.sqrt(np.diagonal(inverse))
    if bonus == "l2":
        return np.sqrt(phi**2 @ np.diagonal(inverse))
    return np.sqrt(np.einsum("sai,ij,saj->sa", phi, inverse, phi))


def absorb(mdp: LinearMDP, history: History, k: int, gram: Floats, moments: Floats) -> None:
    """Add episode k to the statistics."""
    for h in range(mdp.horizon):
        phi = mdp.known.phi_at(h)[history.states[k, h], history.actions[k, h]]
        gram[h] += np.outer(phi, phi)
        moments[h, :, history.states[k, h + 1]] += phi


def improve(q: Floats, tau: float, reference: Floats | None) -> tuple[Floats, Floats]:
    """Return the greedy or the soft policy of ``q`` (S, A), and its values."""
    if tau == 0.0 or reference is None:
        return np.eye(q.shape[1])[q.argmax(axis=1)], q.max(axis=1)
    x = np.log(reference) + q / tau
    high = x.max(axis=1, keepdims=True)
    weight = np.exp(x - high)
    total = weight.sum(axis=1, keepdims=True)
    return weight / total, tau * (high + np.log(total))[:, 0]


def roll(
    mdp: LinearMDP,
    pi: Floats,
    u: Floats,
    states: npt.NDArray[np.int64],
    actions: npt.NDArray[np.int64],
) -> None:
    """Play one episode by inverse distribution functions."""
    states[0] = pick(mdp.start, u[0])
    for h in range(mdp.horizon):
        s = states[h]
        actions[h] = pick(pi[h, s], u[1 + 2 * h])
        row = mdp.known.phi_at(h)[s, actions[h]] @ mdp.mu[h]
        states[h + 1] = pick(row, u[2 + 2 * h])


def pick(p: Floats, u: float) -> int:
    """Return the index of the uniform ``u`` under the probabilities ``p``."""
    last = np.flatnonzero(p)[-1]
    return min(int(np.searchsorted(np.cumsum(p), u, side="right")), int(last))


def empty_history(mdp: LinearMDP, n_episodes: int) -> History:
    """Return arrays to be filled."""
    H, S, A = mdp.reward.shape
    return History(
        q=np.empty((n_episodes, H, S, A)),
        pi=np.empty((n_episodes, H, S, A)),
        v=np.empty((n_episodes, S)),
        states=np.empty((n_episodes, H + 1), dtype=np.int64),
        actions=np.empty((n_episodes, H), dtype=np.int64),
    )
