"""Small robust models with known answers, and slow second routes to the robust value."""

import itertools

import numpy as np

from mdptheory import FiniteSet, TabularMDP


def model(kernels, reward, gamma, *, coupled=False, start=0):
    """The model and its finite set; the model's own kernel is the first of the family."""
    kernels = np.asarray(kernels, dtype=float)
    initial = np.eye(kernels.shape[1])[start] if np.ndim(start) == 0 else np.asarray(start)
    mdp = TabularMDP.from_dense(kernels[0], reward, gamma, initial=initial)
    return mdp, FiniteSet(kernels, coupled=coupled)


def deterministic(n, successors):
    """Kernels ``P[k, s, a, s']`` from ``successors[k][s][a]``."""
    table = np.asarray(successors)
    return np.eye(n)[table]


def example_a():
    """State 0 chooses between states worth 30 and 40, either of which nature may deny."""
    first = [[1, 2], [1, 1], [2, 2]]
    second = [[0, 0], [1, 1], [2, 2]]
    reward = [[4.0, 1.0], [3.0, 3.0], [4.0, 4.0]]
    return model(deterministic(3, [first, second]), reward, 0.9)


def example_b():
    """States s0, s1, Safe, G, B: the way over s1 is worth nothing, whichever action it takes."""
    first = [[1, 2], [3, 3], [2, 2], [3, 3], [4, 4]]
    second = [[1, 2], [4, 4], [2, 2], [3, 3], [4, 4]]
    reward = [[0.0, 0.5], [0.0, 0.0], [0.5, 0.5], [1.0, 1.0], [0.0, 0.0]]
    return model(deterministic(5, [first, second]), reward, 0.9)


def matching_pennies(*, coupled=True, start=0):
    """Action 0 is good in kernel 0, action 1 in kernel 1: states 0, G, B."""
    kernels = deterministic(3, [[[1, 2], [1, 1], [2, 2]], [[2, 1], [1, 1], [2, 2]]])
    return model(kernels, [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]], 0.9, coupled=coupled, start=start)


def random_family(rng, n, m, count, *, sharp=False):
    """Kernels of Dirichlet rows, or of rows 0/1, and normal rewards."""
    if sharp:
        kernels = np.eye(n)[rng.integers(n, size=(count, n, m))]
    else:
        kernels = rng.dirichlet(np.full(n, 0.5), size=(count, n, m))
    return kernels, rng.standard_normal((n, m))


def robust_value(kernels, reward, gamma):
    """Robust value by pair: plain iteration until nothing moves."""
    v = np.zeros(kernels.shape[1])
    while True:
        new = (reward + gamma * (kernels @ v)).min(axis=0).max(axis=1)
        if np.abs(new - v).max() <= 1e-13 * (1.0 + np.abs(v).max()):
            return new
        v = new


def value(kernel, reward, gamma, policy):
    """Value of a deterministic policy in one kernel."""
    every = np.arange(len(policy))
    return np.linalg.solve(
        np.eye(len(policy)) - gamma * kernel[every, policy], reward[every, policy]
    )


def all_policies(n, m):
    return [np.array(policy) for policy in itertools.product(range(m), repeat=n)]


def all_mixtures(kernels):
    """Every kernel that takes each row from some member of the family."""
    count, n, m, _ = kernels.shape
    pairs = list(np.ndindex(n, m))
    for choice in itertools.product(range(count), repeat=n * m):
        mixed = np.empty((n, m, n))
        for (s, a), k in zip(pairs, choice, strict=True):
            mixed[s, a] = kernels[k, s, a]
        yield mixed


def best_deterministic(kernels, reward, gamma, start):
    """Best worst-case value over deterministic policies when nature's kernels are coupled."""
    n, m = reward.shape
    return max(
        min(float(start @ value(kernel, reward, gamma, policy)) for kernel in kernels)
        for policy in all_policies(n, m)
    )
