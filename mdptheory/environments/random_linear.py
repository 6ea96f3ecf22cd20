"""Random linear MDPs whose features and factors are simplex weights."""

import numpy as np

from mdptheory._typing import FloatArray, RngLike
from mdptheory._validation import check_count, check_flag, check_number
from mdptheory.errors import InvalidModelError
from mdptheory.models.linear import LinearMDP


def random_simplex_mdp(
    n_states: int,
    n_actions: int,
    n_factors: int,
    horizon: int,
    *,
    fail: bool = False,
    concentration: float = 1.0,
    rng: RngLike = None,
) -> LinearMDP:
    """Return a random linear MDP with simplex features.

    Parameters
    ----------
    n_states, n_actions, n_factors, horizon : int
        Sizes S, A, d, H, each at least 1.
    fail : bool
        Make the last state a fail state: absorbing, without reward. It has the last factor for
        itself, which other states mix in too; this takes two states and two factors.
    concentration : float
        Mean of the integer weights, at most 1e6: 0 makes every feature and factor a unit vector,
        large numbers make them nearly uniform.
    rng : numpy.random.Generator, int or None
        Source of randomness; the same seed gives the same bits.

    Returns
    -------
    LinearMDP
        Starts in state 0. Features are shared by the steps; factors and rewards are not.

    Raises
    ------
    InvalidModelError
        If a size or the concentration is out of range.
    TypeError
        If one of them is no number, or ``fail`` no bool.

    Notes
    -----
    Each row of features and factors is a row of Poisson counts, normalised; a row of zeros becomes
    a random unit vector. Zeros and deterministic rows are what breaks bounds, and continuous laws
    never draw them. Entries of ``theta`` are uniform on [0, 1).

    Examples
    --------
    >>> mdp = random_simplex_mdp(4, 2, 3, 5, fail=True, rng=0)
    >>> mdp.fail_state, mdp.kernel(2)[3, 0].tolist()
    (3, [0.0, 0.0, 0.0, 1.0])
    """
    rng = np.random.default_rng(rng)
    sizes = {"n_states": n_states, "n_actions": n_actions, "n_factors": n_factors}
    low = 2 if check_flag("fail", fail) else 1
    for name, size in sizes.items():
        check_count(name, size)
        if size < low and name != "n_actions":
            raise InvalidModelError(f"{name} is {size}; expected at least 2 with a fail state")
    check_count("horizon", horizon)
    check_number("concentration", concentration, low=0.0, high=1e6)
    phi = _simplex_rows(rng, (n_states, n_actions, n_factors), concentration)
    mu = _simplex_rows(rng, (horizon, n_factors, n_states), concentration)
    theta = rng.random((horizon, n_factors))
    if fail:
        phi[-1] = np.eye(n_factors)[-1]
        mu[:, -1] = np.eye(n_states)[-1]
        theta[:, -1] = 0.0
    return LinearMDP(phi, theta, mu, 0, n_states - 1 if fail else None)


def _simplex_rows(
    rng: np.random.Generator, shape: tuple[int, ...], concentration: float
) -> FloatArray:
    """Return rows of normalised Poisson counts along the last axis."""
    counts = rng.poisson(concentration, shape)
    lonely = np.eye(shape[-1], dtype=np.int64)[rng.integers(shape[-1], size=shape[:-1])]
    counts = np.where(counts.sum(axis=-1, keepdims=True) > 0, counts, lonely)
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True))
