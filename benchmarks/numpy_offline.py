"""Offline learners on features in plain NumPy: the programs that the fits are timed against.

Least-squares value iteration with a penalty, as one would write it from the formulas: an inverse a
step, and duals of balls by a generic optimiser, one factor after the other. Not part of the
package.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Episodes(NamedTuple):
    """Features of a data set of the American put, where only holding on is learnt."""

    phi: Floats  # (H, K, d) features of the prices, as held
    phi_next: Floats  # (H, K, d) features of the next prices
    payoff_next: Floats  # (H, K) what exercising pays there


def fit(
    method: str, episodes: Episodes, level: float = 0.0, *, beta: float = 0.1, ridge: float = 1.0
) -> Floats:
    """Return the weights (H, d) of holding on, which is worth 0 at the last step."""
    H, _, d = episodes.phi.shape
    w = np.zeros((H, d))
    inverse_next = np.eye(d)
    for h in reversed(range(H)):
        phi = episodes.phi[h]
        inverse = np.linalg.inv(phi.T @ phi + ridge * np.eye(d))
        if h < H - 1:
            v = next_values(method, episodes, h, w[h + 1], inverse_next, beta)
            w[h] = worths(method, inverse, phi, v, level, float(H))
        inverse_next = inverse
    return w


def next_values(
    method: str, episodes: Episodes, h: int, w: Floats, inverse: Floats, beta: float
) -> Floats:
    """Return the better of holding on, less a penalty, and exercising."""
    H, phi = episodes.phi.shape[0], episodes.phi_next[h]
    if method == "pevi":
        width = np.sqrt(np.einsum("ki,ij,kj->k", phi, inverse, phi))
    else:
        width = phi @ np.sqrt(np.diagonal(inverse))
    hold = np.where(phi.any(axis=1), np.clip(phi @ w - beta * width, 0.0, H - h - 1), 0.0)
    return np.maximum(hold, episodes.payoff_next[h])


def worths(
    method: str, inverse: Floats, phi: Floats, v: Floats, level: float, horizon: float
) -> Floats:
    """Return what the next values are worth to each factor."""
    if method == "pevi":
        return inverse @ (phi.T @ v)
    if method == "tv_penalty":
        return inverse @ (phi.T @ np.minimum(v, v.min() + level))
    if method == "kl_penalty":
        moment = inverse @ (phi.T @ np.exp(-v / level))
        return -level * np.log(np.maximum(moment, np.exp(-horizon / level)))
    return np.array([searched(method, row, v, level, horizon) for row in inverse @ phi.T])


def searched(method: str, row: Floats, v: Floats, level: float, horizon: float) -> float:
    """Maximise one factor's dual by a search without derivatives from half the horizon on."""
    from scipy.optimize import minimize

    def loss(x: Floats) -> float:
        alpha = x[0]
        if method == "tv_ball":
            return float(level * (alpha - min(alpha, v.min())) - row @ np.minimum(v, alpha))
        if method == "kl_ball":
            moment = 1.0 + row @ (np.exp(-v / alpha) - 1.0)
            return float(alpha * np.log(max(moment, 1e-6)) + alpha * level)
        cut = np.minimum(v, alpha)
        mean = row @ cut
        return float((row @ cut**2 - mean**2) / (4.0 * level) - mean)

    low = 1e-6 if method == "kl_ball" else 0.0
    start = np.array([horizon / 2.0])
    return -float(minimize(loss, start, method="Nelder-Mead", bounds=[(low, horizon)]).fun)
