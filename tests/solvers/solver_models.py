"""Small models with one difficulty each, and the shape of an answer."""

import numba
import numpy as np

from mdptheory import Discounted, TabularMDP, environments, solvers

INTERPRETED = bool(numba.config.DISABLE_JIT)
DISCOUNTED = ("value_iteration", "modified_policy_iteration", "policy_iteration",
              "linear_program", "solve")  # fmt: skip


def planner(name):
    return getattr(solvers, name)


def ragged(seed: int, n: int, gamma: float, *, scale: float = 1.0) -> TabularMDP:
    """One to four actions a state, some ids left out; rows of small integer weights."""
    rng = np.random.default_rng(seed)
    choice, action, ptr, follow, prob = [0], [], [0], [], []
    for _ in range(n):
        ids = np.sort(rng.choice(4, rng.integers(1, 5), replace=False))
        for a in ids:
            where = np.sort(rng.choice(n, rng.integers(1, min(n, 4) + 1), replace=False))
            weights = rng.integers(1, 4, size=len(where))
            action.append(a)
            follow.extend(where)
            prob.extend(weights / weights.sum())
            ptr.append(len(follow))
        choice.append(len(action))
    return TabularMDP(
        choice_ptr=choice, action=action, row_ptr=ptr, next_state=follow, prob=prob,
        reward=scale * rng.integers(-3, 4, size=len(action)), objective=Discounted(gamma),
        n_states=n,
    )  # fmt: skip


def cycle(n: int, gamma: float) -> TabularMDP:
    """Go round either way; one place pays. Periodic: the span of a step hardly falls."""
    P = np.zeros((n, 2, n))
    r = np.zeros((n, 2))
    for s in range(n):
        P[s, 0, (s + 1) % n] = P[s, 1, (s - 1) % n] = 1.0
    r[0, 0] = 1.0
    return TabularMDP.from_dense(P, r, gamma)


def islands(gamma: float) -> TabularMDP:
    """Two parts without a way between them."""
    P = np.zeros((6, 2, 6))
    rng = np.random.default_rng(0)
    P[:3, :, :3] = rng.dirichlet(np.ones(3), size=(3, 2))
    P[3:, :, 3:] = rng.dirichlet(np.ones(3), size=(3, 2))
    return TabularMDP.from_dense(P, rng.normal(size=(6, 2)), gamma)


def dense(n: int, gamma: float, seed: int = 0) -> TabularMDP:
    """Every row stores every state: from 16 states on, kernels of their own."""
    rng = np.random.default_rng(seed)
    return TabularMDP.from_dense(rng.dirichlet(np.ones(n), size=(n, 3)), rng.random((n, 3)), gamma)


def absorbing(gamma: float) -> TabularMDP:
    """Pay now or walk to a state that pays for ever."""
    P = np.zeros((3, 2, 3))
    P[0, 0, 0] = P[0, 1, 1] = P[1, :, 2] = P[2, :, 2] = 1.0
    return TabularMDP.from_dense(P, [[1.0, 0.0], [0.0, 0.0], [1.5, 1.4]], gamma)


def equal_rewards(gamma: float) -> TabularMDP:
    base = ragged(9, 6, gamma)
    return with_rewards(base, np.full(base.n_rows, 0.3))


def with_rewards(mdp: TabularMDP, reward) -> TabularMDP:
    return TabularMDP(
        choice_ptr=mdp.choice_ptr, action=mdp.action, row_ptr=mdp.row_ptr,
        next_state=mdp.next_state, prob=mdp.prob, reward=reward, objective=mdp.objective,
        n_states=mdp.n_states,
    )  # fmt: skip


MODELS = {
    "garnet .5": environments.garnet(12, 3, 3, gamma=0.5, rng=1),
    "garnet .95": environments.garnet(20, 4, 5, gamma=0.95, rng=2),
    "garnet .999": environments.garnet(12, 3, 2, gamma=0.999, rng=3),
    "dense": dense(17, 0.95),
    "dense 16": dense(16, 0.5, seed=1),
    "grid": environments.gridworld(4, gamma=0.95),
    "chain": environments.chain(10, gamma=0.95),
    "lock": environments.combination_lock(8, gamma=0.95, rng=0),
    "two-cycle": cycle(2, 0.9),
    "cycle": cycle(7, 0.95),
    "islands": islands(0.9),
    "absorbing": absorbing(0.9),
    "ragged": ragged(1, 9, 0.9),
    "ragged .999": ragged(2, 9, 0.999),
    "gamma 0": ragged(3, 9, 0.0),
    "one state": TabularMDP.from_dense([[[1.0]] * 3], [[0.2, 0.7, 0.7]], 0.9),
    "one state, one row": TabularMDP.from_dense([[[1.0]]], [[-2.0]], 0.999),
    "equal rewards": equal_rewards(0.9),
    "no rewards": TabularMDP.from_dense(np.full((2, 2, 2), 0.5), np.zeros((2, 2)), 0.9),
    "1e9": ragged(4, 9, 0.9, scale=1e9),
    "1e-9": ragged(5, 9, 0.9, scale=1e-9),
}
SCALE = {"1e9": 1e9, "1e-9": 1e-9}
