"""Lending in plain Python: one applicant after another, nothing shared with the kernels."""

import numpy as np

from mdptheory.kernels.lending import Lending
from mdptheory.models import LendingLoop


def compiled(loop: LendingLoop) -> Lending:
    return Lending(
        loop.success, loop.group_probs, loop.lowest, loop.shift, loop.interest, loop.loan
    )


def random_loop(rng, **changes) -> LendingLoop:
    n = int(rng.integers(2, 7))
    clusters = rng.multinomial(8, np.full(n, 1 / n), size=2) / 8  # some are empty
    settings = {
        "cluster_probs": clusters,
        "success": rng.integers(0, 5, n) / 4,
        "group_probs": np.array([0.25, 0.75]),
        "shift": float(rng.choice([0.01, 0.2, 1.0])),
        "interest": float(rng.choice([0.3, 1.0])),
        "cash": float(rng.choice([0.5, 1.5, 100.0])),
    }
    loop = LendingLoop(**(settings | changes))
    return loop.with_group_thresholds() if rng.random() < 0.5 else loop


def outcomes(loop: LendingLoop, z, arm):
    """Yield (probability, group, cluster, repaid, values, trials, next state) of every round."""
    n = loop.n_clusters
    for g in range(2):
        for c in range(n):
            for repaid in (True, False):
                chance = loop.group_probs[g] * z[g * n + c]
                chance *= loop.success[c] if repaid else 1 - loop.success[c]
                x, w, after = [0.0] * 4, [1.0, 1.0, 0.0, 0.0], list(z)
                w[2 + g] = 1.0
                if z[-1] >= loop.loan and c >= loop.lowest[g, arm]:
                    x[0] = loop.interest if repaid else -1.0
                    x[1] = x[2 + g] = 1.0
                    after[-1] += loop.loan * x[0]
                    target = c + 1 if repaid else c - 1
                    if 0 <= target < n:
                        moved = min(loop.shift, z[g * n + c])
                        after[g * n + c] -= moved
                        after[g * n + target] += moved
                yield chance, g, c, repaid, np.array(x), np.array(w), np.array(after)


def uniforms(loop: LendingLoop, z, g, c, repaid):
    """Return numbers in the middle of what makes this applicant."""
    n = loop.n_clusters
    edges = np.append(0.0, np.cumsum(z[g * n : (g + 1) * n]))
    first, p = loop.group_probs[0], loop.success[c]
    return np.array(
        [
            first / 2 if g == 0 else (first + 1) / 2,
            (edges[c] + edges[c + 1]) / 2,
            p / 2 if repaid else (p + 1) / 2,
        ]
    )


def mean_field(loop: LendingLoop, g, arm):
    """Return the tridiagonal matrix by which a group's clusters move, row by row."""
    n = loop.n_clusters
    M = np.eye(n)
    for c in range(loop.lowest[g, arm], n):
        step = loop.shift * loop.group_probs[g]
        M[c, c] -= step
        M[c, min(c + 1, n - 1)] += step * loop.success[c]
        M[c, max(c - 1, 0)] += step * (1 - loop.success[c])
    return M


def birth_death_law(success):
    """Return the stationary law of a chain that rises with ``success`` and falls otherwise."""
    weights = [1.0]
    for i in range(len(success) - 1):
        weights.append(weights[-1] * success[i] / (1 - success[i + 1]))
    return np.array(weights) / sum(weights)
