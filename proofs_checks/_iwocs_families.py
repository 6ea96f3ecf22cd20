"""Families of kernels small enough to try every policy against every kernel, and runs of iwocs."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from mdptheory import Discounted, FiniteSet, TabularMDP
from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory.algorithms import IWOCSOptions, IWOCSResult, iwocs
from mdptheory.errors import StallWarning
from proofs_checks._cases import build, is_plain, random_table
from proofs_checks._robust_games import GAMMAS, Pair, policies_of

KERNELS = 729  # of the largest family that is enumerated
ROUNDS = 12  # iterations of a run, at most
RULES = (
    IWOCSOptions(),
    IWOCSOptions(completion="keep"),
    IWOCSOptions(completion="nominal"),
    IWOCSOptions(selection="nature_greedy"),
    IWOCSOptions(selection="random"),
    IWOCSOptions(selection="hull"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Board:
    """Every deterministic policy against every kernel that picks each row by itself.

    Attributes
    ----------
    pair : Pair
        The rows that nature chooses from, K options a row.
    choices : array of int of shape (m, n_rows)
        The option that each kernel takes of each row.
    policies : array of int of shape (n_policies, n_states)
        The row that each policy uses in each state.
    values : array of shape (n_policies, m, n_states)
        Value of each policy under each kernel.
    """

    pair: Pair
    choices: IntArray
    policies: IntArray
    values: FloatArray

    @property
    def optimal(self) -> FloatArray:
        """Optimal value of each kernel, shape (m, n_states)."""
        return self.values.max(axis=0)

    @property
    def everything(self) -> BoolArray:
        """Return a table that allows nature every option, shape (K, n_rows)."""
        return np.ones(self.pair.options.shape[:2], dtype=np.bool_)

    def index(self, choice: IntArray) -> int:
        """Return the place of a kernel."""
        return int(np.flatnonzero((self.choices == choice).all(axis=1))[0])

    def policy(self, rows: IntArray) -> int:
        """Return the place of a policy."""
        return int(np.flatnonzero((self.policies == rows).all(axis=1))[0])

    def found(self, kernels: Sequence[int]) -> BoolArray:
        """Return the options that occur in some of the kernels, shape (K, n_rows)."""
        allowed = ~self.everything
        for k in kernels:
            allowed[self.choices[k], np.arange(allowed.shape[1])] = True
        return allowed

    def members(self, allowed: BoolArray) -> BoolArray:
        """Tell which kernels take allowed options only: the rectangular hull."""
        return np.asarray(allowed[self.choices, np.arange(allowed.shape[1])].all(axis=1))

    def robust(self, allowed: BoolArray) -> FloatArray:
        """Robust optimal value, max over policies of the min over the hull's kernels."""
        return np.asarray(self.values[:, self.members(allowed)].min(axis=1).max(axis=0))

    def least(self, rows: IntArray, allowed: BoolArray) -> FloatArray:
        """Worst value of one policy over the hull's kernels."""
        return np.asarray(self.values[self.policy(rows)][self.members(allowed)].min(axis=0))

    def q_robust(self, allowed: BoolArray) -> FloatArray:
        """Robust optimal value of each row."""
        worth = self.pair.worth(self.robust(allowed))
        return np.asarray(np.where(allowed, worth, np.inf).min(axis=0))

    def q_ordinary(self, kernel: int, v: FloatArray) -> FloatArray:
        """Worth of each row in one kernel, one step ahead of ``v``."""
        rows = np.arange(self.choices.shape[1])
        return np.asarray(self.pair.worth(v)[self.choices[kernel], rows])

    def reply(self, v: FloatArray) -> IntArray:
        """Return nature's worst option of each row at ``v``, ties to the first."""
        worth = self.pair.worth(v)
        return np.argmax(worth <= worth.min(axis=0) + _tie(worth.min(axis=0)), axis=0)

    def greedy(self, q: FloatArray) -> IntArray:
        """Return the best row of each state, ties to the first."""
        return np.array([_first_best(q, rows) for rows in self._by_state()])

    def top(self, q: FloatArray) -> FloatArray:
        """Return the best of each state's rows."""
        return np.array([q[rows].max() for rows in self._by_state()])

    def rows_of(self, actions: IntArray) -> IntArray:
        """Return the row of each state's action."""
        rows = self._by_state()
        taken = self.pair.action
        return np.array([r[taken[r] == a][0] for r, a in zip(rows, actions, strict=True)])

    def _by_state(self) -> list[IntArray]:
        states = range(self.pair.paid.shape[1])
        return [np.flatnonzero(self.pair.state == s) for s in states]


def _tie(value: FloatArray) -> FloatArray:
    return np.asarray(1e-11 * (1.0 + np.abs(value)))


def _first_best(q: FloatArray, rows: IntArray) -> int:
    best = q[rows].max()
    return int(rows[np.argmax(q[rows] >= best - 1e-11 * (1.0 + abs(best)))])


def board_of(*models: TabularMDP, extra: FloatArray | None = None) -> Board:
    """Enumerate policies and kernels; ``extra`` appends an option to every row."""
    pair = Pair.of(*models)
    if extra is not None:
        pair = pair._replace(options=np.concatenate([pair.options, extra[None]]))
    n_rows = pair.options.shape[1]
    choices = np.array(list(product(range(len(pair.options)), repeat=n_rows)))
    kernels = pair.options[choices, np.arange(n_rows)]
    actions = policies_of(models[0])
    values = np.array([pair.values(kernels, policy) for policy in actions])
    rows = [[int(np.flatnonzero((pair.state == s) & (pair.action == a))[0])
             for s, a in enumerate(policy)] for policy in actions]  # fmt: skip
    return Board(pair, choices, np.array(rows), values)


# ---- runs of the library -------------------------------------------------------------------------


def run_iwocs(
    models: Sequence[TabularMDP],
    options: IWOCSOptions,
    start: int | FloatArray,
    *,
    coupled: bool = False,
    max_iter: int = ROUNDS,
    rows: FloatArray | None = None,
) -> IWOCSResult:
    """Run the library's iwocs to a tolerance of 1e-10; a stall is an answer here, no warning."""
    kernels = np.array([model.to_dense()[0] for model in models]) if rows is None else rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StallWarning)
        return iwocs(
            models[0],
            FiniteSet(kernels, coupled=coupled),
            start=start,
            options=options,
            tol=1e-10,
            max_iter=max_iter,
            rng=0,
        )


def kernels_in_turn(board: Board, result: IWOCSResult) -> list[int]:
    """Return the kernels that the run planned in, in order, and the one that it chose last."""
    table = [np.asarray(found) for found in result.kernels_found]
    places = [board.index(each[board.pair.state, board.pair.action]) for each in table]
    return [places[0], *(places[step.kernel_id] for step in result.history)]


# ---- instances -----------------------------------------------------------------------------------


def are_family(*models: TabularMDP, extra: int = 0) -> bool:
    """Tell whether models are alike but for their rows, moderate, and few enough to enumerate."""
    first = models[0]
    alike = all(
        model.n_rows == first.n_rows
        and model.gamma == first.gamma
        and np.array_equal(model.choice_ptr, first.choice_ptr)
        and np.array_equal(model.action, first.action)
        for model in models
    )
    few = (len(models) + extra) ** first.n_rows <= KERNELS
    policies = math.prod(np.diff(first.choice_ptr).tolist()) <= 16
    return alike and few and policies and all(map(_is_moderate, models))


def _is_moderate(mdp: TabularMDP) -> bool:
    positive = mdp.prob[mdp.prob > 0]
    return is_plain(mdp) and mdp.gamma <= 0.95 and bool(positive.min() >= 1e-6)


def random_family(rng: np.random.Generator, count: int | None = None) -> list[TabularMDP]:
    """Draw one to three models with the same rewards; one family in three has rows 0/1."""
    table = random_table(rng, int(rng.integers(2, 4)), 2)
    n_rows, sharp = sum(map(len, table)), rng.integers(3) == 0
    most = 3 if 3**n_rows <= 243 else 2
    members = int(rng.integers(2, most + 1)) if count is None else count
    goal = Discounted(float(rng.choice(np.asarray(GAMMAS))))
    if rng.integers(8) == 0 and count is None:
        members = 1
    return [build(_other_rows(rng, table, bool(sharp)), goal) for _ in range(members)]


def in_fields(models: Sequence[TabularMDP]) -> tuple[TabularMDP, TabularMDP, TabularMDP | None]:
    """Spread one to three models over the fields of a case."""
    padded = [*models, *models[:1]] if len(models) == 1 else models
    return padded[0], padded[1], padded[2] if len(padded) > 2 else None


def given(*models: TabularMDP | None) -> list[TabularMDP]:
    """Collect the models of a case."""
    return [model for model in models if model is not None]


Table = Sequence[Sequence[tuple[Sequence[float], float]]]


def _other_rows(rng: np.random.Generator, table: Table, sharp: bool) -> Table:
    n = len(table)
    eye = np.eye(n)

    def row() -> Sequence[float]:
        if sharp:
            return list(eye[rng.integers(n)])
        return random_table(rng, n, 1, n_blocks=1)[0][0][0]

    return [[(row(), reward) for _, reward in arms] for arms in table]


def promised(gamma: float = 0.9) -> list[TabularMDP]:
    """Return example A: worth 30 or 40 is promised, and nature may keep the walker in state 0."""
    stay, three, four = (1, 0, 0), (0, 1, 0), (0, 0, 1)
    rest = [[(three, 3.0)], [(four, 4.0)]]
    return [
        build([[(one, 4.0), (two, 1.0)], *rest], Discounted(gamma))
        for one, two in ((three, four), (stay, stay))
    ]


def spoiled(gamma: float = 0.9) -> list[TabularMDP]:
    """Return example B without its safe state: of two ways to 1 for ever nature may spoil both."""
    there, good, bad = (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)
    first, rest = [(there, 0.0), (bad, 0.5)], [[(good, 1.0)], [(bad, 0.0)]]
    return [
        build([first, [(end, 0.0), (end, 0.0)], *rest], Discounted(gamma)) for end in (good, bad)
    ]
