"""Robust games small enough to enumerate: two rows a pair for nature, or one ambiguity set."""

from itertools import product
from typing import NamedTuple, Self

import numpy as np

from mdptheory import Discounted, FiniteSet, TabularMDP, worst_case
from mdptheory._typing import FloatArray, IntArray
from mdptheory.models.ambiguity import (
    ChiSquareBall,
    ContaminationSet,
    KLBall,
    L1Ball,
    LinfBall,
    RowAmbiguity,
)
from mdptheory.theory import register
from proofs_checks._cases import build, is_plain, random_table
from proofs_checks._oracles import all_policies
from proofs_checks._robust_oracles import Game, Sets, dual_bound, robust_value

GAMMAS = (0.3, 0.5, 0.75, 0.9, 0.95)

for _set in (L1Ball, LinfBall, KLBall, ChiSquareBall, ContaminationSet, FiniteSet):
    register(_set)

# ---- nature picks one of two rows, and everything is enumerated ----------------------------------


class Pair(NamedTuple):
    """Two models' rows (or more), of which nature picks one for each state and action.

    Attributes
    ----------
    options : array of shape (2, n_rows, n_states)
        The rows; the first axis is as long as there are models.
    paid : array of shape (n_rows, n_states)
        Reward of each transition.
    state, action : array of int of shape (n_rows,)
        Where each row belongs.
    gamma : float
        Discount factor.
    """

    options: FloatArray
    paid: FloatArray
    state: IntArray
    action: IntArray
    gamma: float

    @classmethod
    def of(cls, mdp: TabularMDP, *others: TabularMDP) -> Self:
        """Read the rows of all models, and the first one's rewards."""
        paid = np.repeat(mdp.reward[:, None], mdp.n_states, axis=1)
        if mdp.transition_reward is not None:
            paid[_places(mdp)] = mdp.transition_reward
        options = np.array([_rows(model) for model in (mdp, *others)])
        return cls(options, paid, mdp.row_state(), np.asarray(mdp.action), mdp.gamma)

    def kernels(self, *, coupled: bool = False) -> FloatArray:
        """Return every choice of nature's, shape (m, n_rows, n_states); coupled: the models."""
        if coupled:
            return self.options
        n_rows = self.options.shape[1]
        picks = np.array(list(product(range(len(self.options)), repeat=n_rows)))
        return self.options[picks, np.arange(n_rows)]

    def weights(self, policy: IntArray | FloatArray) -> FloatArray:
        """Return the probability of each row in each state, shape (n_states, n_rows)."""
        given = np.asarray(policy)
        mine = self.state == np.arange(len(given))[:, None]
        if given.ndim == 1:
            return np.asarray(mine * (self.action == given[:, None]), dtype=np.float64)
        return np.asarray(mine * given[:, self.action])

    def induced(
        self, kernels: FloatArray, policy: IntArray | FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the Markov chains, shape (m, n_states, n_states), and their rewards."""
        weights = self.weights(policy)
        reward = (kernels * self.paid).sum(axis=2)
        return np.asarray(weights @ kernels), reward @ weights.T

    def values(self, kernels: FloatArray, policy: IntArray | FloatArray) -> FloatArray:
        """Value of the policy under each kernel, shape (m, n_states)."""
        P, r = self.induced(kernels, policy)
        system = np.eye(P.shape[1]) - self.gamma * P
        return np.asarray(np.linalg.solve(system, r[..., None])[..., 0])

    def worth(self, v: FloatArray) -> FloatArray:
        """Worth of each option of each row, shape (2, n_rows)."""
        return np.asarray((self.options * (self.paid + self.gamma * v)).sum(axis=2))

    def reply(self, v: FloatArray, *, friendly: bool = False) -> FloatArray:
        """Return nature's worst rows at ``v``, shape (n_rows, n_states); ties to the first."""
        worth = self.worth(v)
        picks = worth.argmax(axis=0) if friendly else worth.argmin(axis=0)
        return self.options[picks, np.arange(len(picks))]

    def step(self, v: FloatArray, policy: IntArray | FloatArray) -> FloatArray:
        """Apply the policy's robust operator."""
        return np.asarray(self.weights(policy) @ self.worth(v).min(axis=0))

    def best(self, rows: FloatArray, v: FloatArray) -> tuple[FloatArray, IntArray]:
        """Return one optimal step under nature's rows, and the first action that attains it."""
        q = (rows * (self.paid + self.gamma * v)).sum(axis=1)
        table = np.where(self.weights(self.table(1.0)) > 0, q, -np.inf)
        return table.max(axis=1), self.action[table.argmax(axis=1)]

    def table(self, entry: float) -> FloatArray:
        """Return an array of shape (n_states, n_actions) with this entry everywhere."""
        return np.full((self.paid.shape[1], int(self.action.max()) + 1), entry)


def _places(mdp: TabularMDP) -> tuple[IntArray, IntArray]:
    return np.repeat(np.arange(mdp.n_rows), np.diff(mdp.row_ptr)), np.asarray(mdp.next_state)


def _rows(mdp: TabularMDP) -> FloatArray:
    rows = np.zeros((mdp.n_rows, mdp.n_states))
    rows[_places(mdp)] = mdp.prob
    return rows


def policies_of(mdp: TabularMDP) -> list[IntArray]:
    """Return every deterministic stationary policy."""
    return [np.array(policy) for policy in all_policies(mdp)]


def both(mdp: TabularMDP, other: TabularMDP, *, coupled: bool = False) -> FiniteSet:
    """Return the two models' rows as an ambiguity set."""
    return FiniteSet(np.array([model.to_dense()[0] for model in (mdp, other)]), coupled=coupled)


def are_paired(mdp: TabularMDP, other: TabularMDP) -> bool:
    """Tell whether two models are small, moderate and alike but for their rows."""
    if mdp.n_states != other.n_states or mdp.n_rows != other.n_rows or mdp.n_rows > 6:
        return False
    same = mdp.gamma == other.gamma and bool((mdp.choice_ptr == other.choice_ptr).all())
    return same and bool((mdp.action == other.action).all()) and _is_moderate(mdp)


def random_pair(rng: np.random.Generator) -> tuple[TabularMDP, TabularMDP]:
    """Draw two models with the same rewards and rows of small integer weights."""
    n = int(rng.integers(2, 4))
    table = random_table(rng, n, 2)
    other = [[(random_table(rng, n, 1, n_blocks=1)[0][0][0], r) for _, r in arms] for arms in table]
    goal = Discounted(float(rng.choice(np.asarray(GAMMAS))))
    return build(table, goal), build(other, goal)


# ---- nature picks from an ambiguity set ----------------------------------------------------------


class Opponent(NamedTuple):
    """One model against nature, row by row in plain loops over `worst_case`."""

    game: Game
    sets: Sets

    @classmethod
    def of(cls, mdp: TabularMDP, ambiguity: RowAmbiguity) -> Self:
        """Read the rows of a model with one reward a pair; a finite set becomes one set a row."""
        if not isinstance(ambiguity, FiniteSet):
            return cls(Game.of(mdp), ambiguity)
        chosen = ambiguity.rows[:, mdp.row_state(), mdp.action]
        return cls(Game.of(mdp), [FiniteSet(chosen[:, k]) for k in range(mdp.n_rows)])

    def rows(self, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the values of nature's replies to all rows, and the replies."""
        return self.game.worst(self.sets, self.game.worth(v), worst_case)

    def top(self, v: FloatArray) -> FloatArray:
        """Apply the robust Bellman operator."""
        return self.game.best(self.rows(v)[0])

    def optimum(self) -> FloatArray:
        """Robust optimal value, by a loop over `worst_case` down to rounding."""
        return robust_value(self.game, self.sets, worst_case)

    def greedy(self, v: FloatArray) -> IntArray:
        """Return the first best row of each state."""
        return self.game.greedy(self.rows(v)[0])

    def only(self, chosen: IntArray) -> "Opponent":
        """Return the game in which the policy must use the chosen rows."""
        game = self.game._replace(
            rows=self.game.rows[chosen],
            reward=self.game.reward[chosen],
            state=np.arange(len(chosen)),
        )
        sets = [self.sets[k] for k in chosen] if isinstance(self.sets, list) else self.sets
        return Opponent(game, sets)

    def by_duals(self, v: FloatArray) -> FloatArray:
        """Apply the robust Bellman operator by maximising dual problems in plain NumPy."""
        each = self.sets if isinstance(self.sets, list) else [self.sets] * len(self.game.rows)
        z = self.game.worth(v)
        q = [dual_bound(p, x, one) for p, x, one in zip(self.game.rows, z, each, strict=True)]
        return self.game.best(np.array(q))


def random_game(rng: np.random.Generator) -> tuple[TabularMDP, RowAmbiguity]:
    """Draw a small model and one of six kinds of sets around its rows."""
    mdp, other = random_pair(rng)
    return mdp, random_set(rng, mdp, other)


def random_set(rng: np.random.Generator, mdp: TabularMDP, other: TabularMDP) -> RowAmbiguity:
    """Draw a set around the rows; every third one lets nature choose between two rows."""
    radius = float(rng.choice([0.05, 0.125, 0.25, 0.5]))
    sets: list[RowAmbiguity] = [
        L1Ball(radius, "all"),
        LinfBall(radius / 2, "all"),
        KLBall(radius / 2),
        ChiSquareBall(radius),
        ContaminationSet(radius / 2, "all"),
        L1Ball(radius, "nominal"),
        *[both(mdp, other)] * 3,
    ]
    return sets[int(rng.integers(len(sets)))]


def is_game(mdp: TabularMDP, ambiguity: RowAmbiguity, *values: FloatArray) -> bool:
    """Tell whether a game is small and its numbers moderate."""
    radius = getattr(ambiguity, "radius", getattr(ambiguity, "fraction", 0.0))
    known = isinstance(
        ambiguity, L1Ball | LinfBall | KLBall | ChiSquareBall | ContaminationSet | FiniteSet
    )
    fits = not isinstance(ambiguity, FiniteSet) or ambiguity.rows.shape[1:3] == (
        mdp.n_states,
        mdp.n_actions,
    )
    fine = known and fits and np.ndim(radius) == 0 and radius <= 2.0
    return fine and mdp.transition_reward is None and _is_moderate(mdp, *values)


def _is_moderate(mdp: TabularMDP, *values: FloatArray) -> bool:
    positive = mdp.prob[mdp.prob > 0]
    return is_plain(mdp, *values) and mdp.gamma <= 0.95 and bool(positive.min() >= 1e-6)
