"""The offline learners once more, from raw episodes, by loops and inverses: slow and plain."""

import itertools
from dataclasses import dataclass

import numpy as np


@dataclass
class Setting:
    """What an oracle fit needs beside episodes; arrays as in the library."""

    kind: str  # nominal, tv_ball, kl_ball, tv, kl, chi2
    levels: np.ndarray  # (H, d)
    beta: np.ndarray  # (H, d)
    ridge: float = 1.0
    sign: int = -1
    penalty: str = "l1"
    vmin: str = "zero"
    clip_zero: bool = True
    clip_w: bool = True
    kl_shift: bool = False
    plain: bool = False  # rewards regressed, ellipsoid
    weights: np.ndarray | None = None  # (H, K), one over variances


def inverse_gram(phi, ridge, weights=None):
    """phi (K, d) -> Lambda^-1 (d, d)."""
    gram = ridge * np.eye(phi.shape[1])
    for k, row in enumerate(phi):
        gram += (1.0 if weights is None else weights[k]) * np.outer(row, row)
    return np.linalg.inv(gram)


def fit(known, states, actions, setting):
    """Return v (H+1, S), q (H, S, A), policy, w (H, d), width (H, S, A)."""
    H, S, A, d = known.horizon, known.n_states, known.n_actions, known.n_factors
    v, q = np.zeros((H + 1, S)), np.zeros((H, S, A))
    w, width = np.zeros((H, d)), np.zeros((H, S, A))
    for h in reversed(range(H)):
        everything = known.phi_at(h)
        phi = np.array([everything[s, a] for s, a in zip(states[:, h], actions[:, h], strict=True)])
        weights = None if setting.weights is None else setting.weights[h]
        inverse = inverse_gram(phi, setting.ridge, weights)
        scale = np.ones(len(phi)) if weights is None else weights
        coefficients = np.array([inverse @ row * scale[k] for k, row in enumerate(phi)]).T  # (d, K)
        after = v[h + 1][states[:, h + 1]]
        if setting.plain:
            paid = [known.reward[h, s, a] for s, a in zip(states[:, h], actions[:, h], strict=True)]
            w[h] = coefficients @ (np.array(paid) + after)
        elif h < H - 1:
            low = {"zero": 0.0, "state": v[h + 1].min(), "data": after.min()}[setting.vmin]
            cap = H - 1 - h if setting.clip_w else H
            for i in range(d):
                w[h, i] = worth(setting, coefficients[i], after, setting.levels[h, i], low, cap)
            if setting.clip_w:
                w[h] = np.clip(w[h], 0.0, H - 1 - h)
        for s in range(S):
            for a in range(A):
                if s == known.fail_state:
                    continue
                x = everything[s, a]
                width[h, s, a] = wide(setting, h, x, inverse)
                value = x @ w[h] + (0.0 if setting.plain else known.reward[h, s, a])
                value = min(value + setting.sign * width[h, s, a], H - h)
                q[h, s, a] = max(value, 0.0) if setting.clip_zero else value
        v[h] = q[h].max(axis=1)
    return v, q, q.argmax(axis=2), w, width


def wide(setting, h, x, inverse):
    """Return the width of one feature vector."""
    if setting.penalty == "ellipsoid":
        return setting.beta[h, 0] * np.sqrt(x @ inverse @ x)
    terms = x * setting.beta[h] * np.sqrt(np.diag(inverse))
    return terms.sum() if setting.penalty == "l1" else np.sqrt((terms**2).sum())


def worth(setting, c, v, level, low, cap):
    """Return what nature makes of one factor; c are signed weights of the values v."""
    kind = setting.kind
    if kind == "nominal" or (level == np.inf and kind in ("tv", "kl", "chi2")):
        return c @ v
    if kind == "tv":
        return c @ np.minimum(v, low + level)
    if kind == "kl":
        if setting.kl_shift:
            moment = 1.0 - c @ (1.0 - np.exp(-v / level))
        else:
            moment = c @ np.exp(-v / level)
        return -level * np.log(max(moment, np.exp(-cap / level)))
    if kind == "kl_ball":
        return kl_ball(c, v, level, cap)
    alphas = np.concatenate([[0.0, float(cap)], v[(v > 0) & (v < cap)]])
    if kind == "tv_ball":
        return max(c @ np.minimum(v, x) - level * (x - min(x, low)) for x in alphas)
    return chi_square(c, v, level, np.sort(alphas))


def chi_square(c, v, level, knots):
    """Maximise by a parabola through three points of each piece."""

    def dual(x):
        cut = np.minimum(v, x)
        return c @ cut + ((c @ cut) ** 2 - c @ cut**2) / (4 * level)

    best = max(dual(x) for x in knots)
    for left, right in itertools.pairwise(knots):
        if right - left < 1e-12:
            continue
        middle = (left + right) / 2
        y0, y1, y2 = dual(left), dual(middle), dual(right)
        half = (right - left) / 2
        bend, slope = (y0 - 2 * y1 + y2) / (2 * half**2), (y2 - y0) / (2 * half)
        if bend < 0:
            best = max(best, dual(np.clip(middle - slope / (2 * bend), left, right)))
    return best


def kl_ball(c, v, radius, cap):
    """Maximise over a very fine grid of the temperature."""
    x = np.geomspace(1e-6, cap * max(1.0, 1.0 / radius), 100_001)[:, None]
    moment = np.maximum(1.0 + np.expm1(-v / x) @ c, 1e-6)
    return (-x[:, 0] * np.log(moment) - x[:, 0] * radius).max()


def sigma(kind, mean, v, level):
    """Exact worth of a true factor, and nature's factor with ties to the last least state."""
    setting = Setting(kind, None, None)
    low = v.min()
    value = worth(setting, mean, v, level, low, max(float(v.max()), 1e-9))
    if kind == "nominal" or (level == np.inf and kind in ("tv", "kl", "chi2")):
        return value, mean
    sink = np.flatnonzero(v == low)[-1]
    if kind == "tv":
        kept = np.where(v > low + level, 0.0, mean)
    elif kind == "tv_ball":
        kept, left = mean.copy(), level
        for s in np.argsort(-v):
            taken = min(kept[s], left) if s != sink else 0.0
            kept[s] -= taken
            left -= taken
    elif kind == "kl":
        tilted = mean * np.exp(-(v - low) / level)
        return value, tilted / tilted.sum()
    else:
        raise NotImplementedError(kind)
    kept[sink] += 1.0 - kept.sum()
    return value, kept


def plan(mdp, kind, levels, policy=None):
    """Exact robust values (H+1, S) of the best policy, or of one."""
    v = np.zeros((mdp.horizon + 1, mdp.n_states))
    for h in reversed(range(mdp.horizon)):
        nu = [sigma_value(kind, mdp.mu[h, i], v[h + 1], levels[h, i]) for i in range(mdp.n_factors)]
        q = mdp.reward[h] + mdp.known.phi_at(h) @ np.array(nu)
        v[h] = q.max(axis=1) if policy is None else q[np.arange(len(q)), policy[h]]
    return v


def sigma_value(kind, mean, v, level):
    """Exact worth of a true factor."""
    return worth(Setting(kind, None, None), mean, v, level, v.min(), max(float(v.max()), 1e-9))


def plan_policy(mdp, kind, levels):
    """Exact robust policy (H, S), ties to the lowest action."""
    v = plan(mdp, kind, levels)
    policy = np.zeros((mdp.horizon, mdp.n_states), dtype=int)
    for h in range(mdp.horizon):
        nu = [sigma_value(kind, mdp.mu[h, i], v[h + 1], levels[h, i]) for i in range(mdp.n_factors)]
        policy[h] = (mdp.reward[h] + mdp.known.phi_at(h) @ np.array(nu)).argmax(axis=1)
    return policy
