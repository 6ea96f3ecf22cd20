"""Episodes of a finite-horizon model from given uniforms, by inverse distribution functions."""

from numba import njit

from mdptheory._typing import FloatArray, IntArray


@njit(cache=True, nogil=True)
def cumulative_rows(p: FloatArray, out: FloatArray) -> None:
    """Fill ``out`` (n, m) with distribution functions of the rows of ``p`` (n, m).

    They are exactly 1 from the last positive probability on, so that no uniform below 1 leads
    past it: not off the end, where the sum is rounded down, nor to an impossible outcome.
    """
    n, m = p.shape
    for i in range(n):
        last = m - 1
        while last > 0 and p[i, last] <= 0.0:
            last -= 1
        total = 0.0
        for j in range(last):
            total += p[i, j]
            out[i, j] = min(total, 1.0)
        for j in range(last, m):
            out[i, j] = 1.0


@njit(cache=True, nogil=True)
def draw(cdf: FloatArray, u: float) -> int:
    """Return the first index whose ``cdf`` exceeds ``u``, at most the last, by bisection."""
    low, high = 0, cdf.size - 1
    while low < high:
        middle = (low + high) // 2
        if cdf[middle] > u:
            high = middle
        else:
            low = middle + 1
    return low


@njit(cache=True, nogil=True)
def roll_episode(
    u: FloatArray,
    start_cdf: FloatArray,
    policy_cdf: FloatArray,
    next_cdf: FloatArray,
    states: IntArray,
    actions: IntArray,
) -> None:
    """Fill ``states`` (H + 1,) and ``actions`` (H,) with one episode.

    ``u`` (1 + 2 H,) holds the uniform of the first state, then of action and next state of each
    step. ``policy_cdf`` (H or 1, S, A) and ``next_cdf`` (H or 1, S, A, S) are distribution
    functions; with one step they serve for all.
    """
    s = draw(start_cdf, u[0])
    states[0] = s
    for h in range(actions.size):
        a = draw(policy_cdf[h if policy_cdf.shape[0] > 1 else 0, s], u[1 + 2 * h])
        s = draw(next_cdf[h if next_cdf.shape[0] > 1 else 0, s, a], u[2 + 2 * h])
        actions[h] = a
        states[h + 1] = s


@njit(cache=True, nogil=True)
def roll_episodes(
    u: FloatArray,
    start_cdf: FloatArray,
    policy_cdf: FloatArray,
    next_cdf: FloatArray,
    states: IntArray,
    actions: IntArray,
) -> None:
    """Fill ``states`` (K, H + 1) and ``actions`` (K, H): `roll_episode` for each row of ``u``."""
    for k in range(u.shape[0]):
        roll_episode(u[k], start_cdf, policy_cdf, next_cdf, states[k], actions[k])
