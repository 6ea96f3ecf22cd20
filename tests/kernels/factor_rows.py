"""Factors with zeros and ties, and divergences written out."""

import numpy as np

NOMINAL, TV_BALL, KL_BALL, TV, KL, CHI2 = range(6)
KINDS = range(6)
PENALTIES = (TV, KL, CHI2)
LEVELS = {
    NOMINAL: (np.inf,),
    TV_BALL: (0.0, 1e-9, 0.1, 0.5, 1.0),
    KL_BALL: (0.0, 1e-6, 0.1, 1.0, 50.0),
    TV: (1e-9, 0.1, 0.5, 2.0, 1e6, np.inf),
    KL: (1e-6, 0.1, 0.5, 2.0, 1e4, np.inf),
    CHI2: (1e-6, 0.1, 0.5, 2.0, 1e4, np.inf),
}


def draw(rng, n=None):
    """Return a factor that may have zeros and values that may tie."""
    n = n or int(rng.integers(1, 9))
    m = rng.integers(0, 4, n) * 1.0 if rng.random() < 0.6 else rng.dirichlet(np.ones(n))
    m[rng.integers(n)] += m.sum() == 0
    v = rng.integers(0, 4, n) * 0.7 if rng.random() < 0.5 else 3 * rng.random(n)
    return m / m.sum(), v


def divergence(kind, mu, m):
    """Return TV, KL or chi-square of ``mu`` from ``m``."""
    if kind in (TV, TV_BALL):
        return 0.5 * np.abs(mu - m).sum()
    on = mu > 0 if kind in (KL, KL_BALL) else m > 0
    if (mu[m == 0] > 0).any():
        return np.inf
    if kind in (KL, KL_BALL):
        return float((mu[on] * np.log(mu[on] / m[on])).sum())
    return float(((mu - m)[on] ** 2 / m[on]).sum())
