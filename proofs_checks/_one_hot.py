"""One-hot linear MDPs with a fail state, and all episodes of a run looked at in one go."""

import math
from typing import NamedTuple, Self

import numpy as np

from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory.models import LinearMDP
from mdptheory.theory import register
from proofs_checks._soft_oracles import divergence

TIE = 1e-12

register(LinearMDP)


def one_hot_model(
    rng: np.random.Generator, *, n_states: int = 4, n_actions: int = 2, horizon: int = 3
) -> LinearMDP:
    """Draw a model with one factor a state and action; the last state fails."""
    d = n_states * n_actions
    phi = np.eye(d).reshape(n_states, n_actions, d)
    weights = rng.integers(0, 5, (horizon, d, n_states)).astype(np.float64)
    weights[..., 0] += weights.sum(axis=2) == 0
    mu = weights / weights.sum(axis=2, keepdims=True)
    theta = rng.random((horizon, d))
    mu[:, -n_actions:] = np.eye(n_states)[-1]
    theta[:, -n_actions:] = 0.0
    return LinearMDP(phi, theta, mu, 0, n_states - 1)


def is_one_hot(mdp: LinearMDP) -> bool:
    """Tell whether each state and action has its own factor, and the last state fails."""
    n, actions, d = mdp.phi.shape[-3:]
    shaped = mdp.phi.ndim == 3 and d == n * actions and mdp.fail_state == n - 1
    return shaped and bool((mdp.phi.reshape(d, d) == np.eye(d)).all())


class Episodes(NamedTuple):
    """Every episode's policy, by definition and for all at once.

    Attributes
    ----------
    v : array of shape (K, H + 1, S)
        Robust values of the policies, KL to the uniform reference charged.
    law, worst_law : array of shape (K, H, S)
        Laws of the state under the nominal factors and under nature's reply.
    spread : array of shape (K, H, S, A)
        Standard errors ``1 / sqrt(1 + visits)`` before each episode; 0 in the fail state.
    met : array of shape (K, H)
        Those of the states and actions that were visited.
    log_det : array of shape (K + 1, H)
        Of the Gram matrices over the ridge, before each episode and after the last one.
    """

    v: FloatArray
    law: FloatArray
    worst_law: FloatArray
    spread: FloatArray
    met: FloatArray
    log_det: FloatArray

    @property
    def tied(self) -> BoolArray:
        """Whether rounding decides which of several least states nature takes, shape (K,)."""
        inner = self.v[:, 1:-1]
        near = inner <= inner.min(axis=2, keepdims=True) + TIE
        return np.asarray((near.sum(axis=2) > 1).any(axis=1))

    @classmethod
    def of(
        cls,
        mdp: LinearMDP,
        radius: float,
        tau: float,
        policies: FloatArray,
        states: IntArray,
        actions: IntArray,
    ) -> Self:
        """Look at a run of K episodes with ridge 1."""
        v, worst = ball_values(mdp, radius, tau, policies)
        visits = np.zeros((len(policies) + 1, *mdp.reward.shape))
        k, h = np.arange(len(policies))[:, None] + 1, np.arange(mdp.horizon)
        visits[k, h, states[:, :-1], actions] = 1.0
        visits = np.cumsum(visits, axis=0)
        spread = 1.0 / np.sqrt(1.0 + visits)
        spread[..., -1, :] = 0.0
        return cls(
            v,
            laws(policies, np.broadcast_to(mdp.mu, worst.shape)),
            laws(policies, worst),
            spread[:-1],
            spread[k - 1, h, states[:, :-1], actions],
            np.log1p(visits).sum(axis=(2, 3)),
        )

    def expected(self, policies: FloatArray, *, worst: bool = False) -> FloatArray:
        """Return the expected standard error of each episode and step, shape (K, H)."""
        law = self.worst_law if worst else self.law
        return np.asarray(np.einsum("khs,khsa,khsa->kh", law, policies, self.spread))


def ball_values(
    mdp: LinearMDP, radius: float, tau: float, policies: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return robust values (K, H + 1, S) in TV balls and nature's factors (K, H, d, S)."""
    count, horizon, n, actions = policies.shape
    d = n * actions
    v, worst = np.zeros((count, horizon + 1, n)), np.zeros((count, horizon, d, n))
    cost = tau * (divergence(policies, np.full(actions, 1.0 / actions)))
    for h in reversed(range(horizon)):
        after = v[:, h + 1]
        least = np.where(after[:, -1] <= after.min(axis=1), n - 1, after.argmin(axis=1))
        for i in range(d):
            worst[:, h, i] = _worst_rows(radius, mdp.mu[h, i], after, least)
        nu = np.einsum("kis,ks->ki", worst[:, h], after).reshape(count, n, actions)
        v[:, h] = (policies[:, h] * (mdp.reward[h] + nu)).sum(axis=2) - cost[:, h]
    return v, worst


def _worst_rows(radius: float, m: FloatArray, v: FloatArray, least: IntArray) -> FloatArray:
    """Move mass from the best states first to ``least``, for each row of values."""
    order = np.argsort(-v, axis=1, kind="stable")
    taken = np.diff(np.minimum(np.cumsum(m[order], axis=1), radius), axis=1, prepend=0.0)
    taken[np.take_along_axis(v, order, axis=1) <= v.min(axis=1, keepdims=True)] = 0.0
    q = np.tile(m, (len(v), 1))
    rows = np.arange(len(v))
    q[rows[:, None], order] -= taken
    q[rows, least] += taken.sum(axis=1)
    return q


def laws(policies: FloatArray, factors: FloatArray) -> FloatArray:
    """Return the laws of the state (K, H, S) from state 0; factors are (K, H, d, S)."""
    count, horizon, n, actions = policies.shape
    law = np.zeros((count, horizon, n))
    law[:, 0, 0] = 1.0
    for h in range(horizon - 1):
        pairs = (law[:, h, :, None] * policies[:, h]).reshape(count, n * actions)
        law[:, h + 1] = np.einsum("ki,kis->ks", pairs, factors[:, h])
    return law


def ball_widths(
    mdp: LinearMDP, log_det: FloatArray, episodes: int, delta: float, ridge: float = 1.0
) -> FloatArray:
    """Return the derived multipliers of a TV ball's widths, shaped as ``log_det``."""
    horizon, d, n = mdp.mu.shape
    if horizon == 1:
        return np.zeros_like(log_det)
    net = (n - 1) * math.log(math.ceil(math.sqrt(episodes)))
    noise = np.sqrt(log_det / 4 + (net + math.log((horizon - 1) / delta)) / 2)
    cap = np.arange(horizon - 1, -1, -1.0)
    return np.asarray(cap * (noise + 1 + math.sqrt(ridge * d)))


def regret_bound(mdp: LinearMDP, log_det: FloatArray, delta: float, *, ridge: float = 1.0) -> float:
    """Return 2 sum_h beta^K_h (sqrt(2 K log det) + sqrt(K log((H-1)/delta)/(2 ridge)))."""
    episodes = len(log_det) - 1
    beta = ball_widths(mdp, log_det[-2], episodes, delta, ridge)
    chance = chance_room(mdp, episodes, delta, ridge=ridge)
    return float(2 * beta @ (np.sqrt(2 * episodes * log_det[-1]) + chance))


def chance_room(mdp: LinearMDP, episodes: int, delta: float, *, ridge: float = 1.0) -> float:
    """Return what expected standard errors may exceed those met by, in any step: Azuma."""
    steps = max(mdp.horizon - 1, 1)
    return math.sqrt(episodes / (2 * ridge) * math.log(steps / delta))
