"""Models for the operators and their dense reading."""

import numpy as np

from mdptheory import Discounted, FiniteHorizon, TabularMDP


def ragged(seed: int = 0, n: int = 7, gamma: float = 0.9) -> TabularMDP:
    """One to three of four action ids a state; two to four successors a row."""
    rng = np.random.default_rng(seed)
    choice, action, ptr, follow, prob = [0], [], [0], [], []
    for _ in range(n):
        for a in np.sort(rng.choice(4, rng.integers(1, 4), replace=False)):
            where = np.sort(rng.choice(n, min(n, rng.integers(2, 5)), replace=False))
            follow.extend(where)
            prob.extend(rng.dirichlet(np.ones(len(where))))
            action.append(a)
            ptr.append(len(follow))
        choice.append(len(action))
    return TabularMDP(
        choice_ptr=choice, action=action, row_ptr=ptr, next_state=follow, prob=prob,
        reward=rng.normal(size=len(action)), objective=Discounted(gamma), n_states=n,
    )  # fmt: skip


def full(n: int, gamma: float = 0.9) -> TabularMDP:
    rng = np.random.default_rng(n)
    return TabularMDP.from_dense(rng.dirichlet(np.ones(n), (n, 3)), rng.normal(size=(n, 3)), gamma)


def staged(horizon: int = 3, n: int = 4, gamma: float = 0.8) -> TabularMDP:
    rng = np.random.default_rng(1)
    P = rng.dirichlet(np.full(n, 0.5), size=(horizon, n, 2))
    return TabularMDP.from_dense(
        P, rng.normal(size=(horizon, n, 2)), objective=FiniteHorizon(horizon, gamma)
    )


MODELS = {
    "ragged": ragged(),
    "ragged, gamma 0": ragged(1, gamma=0.0),
    "ragged .999": ragged(2, gamma=0.999),
    "15 dense states": full(15),
    "16 dense states": full(16),  # kernels of their own
    "21 dense states": full(21),
    "one state": TabularMDP.from_dense([[[1.0], [1.0]]], [[0.5, 1.0]], 0.9),
}


def first_actions(mdp: TabularMDP) -> np.ndarray:
    return mdp.action[mdp.choice_ptr[: mdp.n_states]].astype(np.int64)


def mixed(mdp: TabularMDP, seed: int = 0) -> np.ndarray:
    """A stochastic policy over the available actions, a few of them never taken."""
    rng = np.random.default_rng(seed)
    pi = rng.integers(0, 3, size=(mdp.n_states, mdp.n_actions)).astype(float)
    pi[~np.isfinite(mdp.table(mdp.reward))] = 0.0
    pi[np.arange(mdp.n_states), first_actions(mdp)] += 1.0
    return pi / pi.sum(axis=1, keepdims=True)


def dense_policy(mdp: TabularMDP, pi: np.ndarray):
    P, r = mdp.to_dense()
    return np.einsum("sa,sat->st", pi, P), (pi * np.where(np.isfinite(r), r, 0.0)).sum(axis=1)


def one_hot(mdp: TabularMDP, policy: np.ndarray) -> np.ndarray:
    return np.eye(mdp.n_actions)[policy]
