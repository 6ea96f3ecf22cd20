"""The problems that every contender is given, as plain NumPy arrays."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mdptheory import TabularMDP, environments

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.signedinteger]

GAMMAS = (0.95, 0.99, 0.999)


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A discounted MDP whose states all have the same actions; row ``s * n_actions + a`` is (s, a).

    Attributes
    ----------
    n_states, n_actions : int
        Sizes.
    row_ptr : array of int64 of shape (n_rows + 1,)
        Transitions of row ``k`` are ``row_ptr[k]:row_ptr[k + 1]``.
    next_state : array of int32 of shape (n_transitions,)
        Successors, increasing within a row.
    prob : array of shape (n_transitions,)
        Probabilities.
    reward : array of shape (n_rows,)
        Expected reward per step.
    gamma : float
        Discount factor per step.
    """

    n_states: int
    n_actions: int
    row_ptr: Ints
    next_state: Ints
    prob: Floats
    reward: Floats
    gamma: float

    @property
    def n_transitions(self) -> int:
        """Number of stored transitions."""
        return len(self.next_state)

    @property
    def branching(self) -> int:
        """Successors a row if every row has as many, else 0."""
        lengths = np.diff(self.row_ptr)
        return int(lengths[0]) if (lengths == lengths[0]).all() else 0

    def save(self, path: Path) -> None:
        """Write the arrays uncompressed, so that reading them is fast."""
        np.savez(path, **{name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def open(cls, path: Path) -> "Problem":
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            scalars = {"n_states": int, "n_actions": int, "gamma": float}
            return cls(**{k: scalars[k](data[k]) if k in scalars else data[k] for k in data.files})


def of_model(mdp: TabularMDP) -> Problem:
    """Take the arrays out of a discounted model whose states all have the same actions."""
    if (np.diff(mdp.choice_ptr) != mdp.n_actions).any():
        raise ValueError("the peers need the same actions in every state")
    return Problem(
        n_states=mdp.n_states,
        n_actions=mdp.n_actions,
        row_ptr=mdp.row_ptr.astype(np.int64),
        next_state=mdp.next_state.astype(np.int32),
        prob=np.array(mdp.prob),
        reward=np.array(mdp.reward),
        gamma=mdp.gamma,
    )


def garnet(n_states: int, n_actions: int, branching: int, gamma: float) -> Problem:
    """Random distinct successors, probabilities uniform on the simplex, rewards in [0, 1]."""
    model = environments.garnet(n_states, n_actions, branching, gamma=gamma, rng=0)
    return of_model(model)


def dense(n_states: int, n_actions: int, gamma: float) -> Problem:
    """Return a problem in which every state can follow every other: Dirichlet(1) rows."""
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.ones(n_states), (n_states, n_actions))
    return of_model(TabularMDP.from_dense(P, rng.random((n_states, n_actions)), gamma))


def grid(side: int, gamma: float) -> Problem:
    """Slippery grid: each step costs 1 until the far corner."""
    return of_model(environments.gridworld(side, gamma=gamma))


def river(n_states: int, gamma: float) -> Problem:
    """Riverswim of any length: small pay at the bank, 1 at the far end."""
    return of_model(environments.riverswim_chain(n_states, gamma=gamma))


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a problem at its full and its quick size."""

    name: str
    about: str
    make: Callable[[float], Problem]
    quick: Callable[[float], Problem]
    gammas: tuple[float, ...] = GAMMAS


ROWS = (
    Row(
        "garnet-1e3", "Garnet, S=1e3 A=10 b=10",
        lambda g: garnet(1_000, 10, 10, g), lambda g: garnet(200, 10, 10, g),
    ),
    Row(
        "garnet-1e4", "Garnet, S=1e4 A=10 b=10",
        lambda g: garnet(10_000, 10, 10, g), lambda g: garnet(500, 10, 10, g),
    ),
    Row(
        "garnet-1e5", "Garnet, S=1e5 A=5 b=10",
        lambda g: garnet(100_000, 5, 10, g), lambda g: garnet(2_000, 5, 10, g),
    ),
    Row(
        "garnet-1e6", "Garnet, S=1e6 A=4 b=4",
        lambda g: garnet(1_000_000, 4, 4, g), lambda g: garnet(4_000, 4, 4, g),
        gammas=(0.95,),
    ),
    Row("dense-500", "dense, S=500 A=20", lambda g: dense(500, 20, g), lambda g: dense(60, 5, g)),
    Row(
        "grid-100", "slippery grid 100x100, A=4",
        lambda g: grid(100, g), lambda g: grid(12, g),
    ),
    Row(
        "river-1e4", "riverswim chain, S=1e4 A=2",
        lambda g: river(10_000, g), lambda g: river(200, g),
    ),
)  # fmt: skip


def tiny(gamma: float = 0.9) -> tuple[Problem, Problem, Problem]:
    """Return problems that only warm up compilers: mixing fast and slowly, sparse and dense."""
    return garnet(40, 3, 4, gamma), grid(8, gamma), dense(24, 3, gamma)
