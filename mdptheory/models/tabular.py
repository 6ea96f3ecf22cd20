"""The tabular MDP: sparse state-action rows, validated once and then immutable."""

from collections.abc import Callable
from dataclasses import InitVar, dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import (
    as_float_array,
    as_index_array,
    check_count,
    check_names,
    check_number,
    check_shape,
)
from mdptheory.errors import InvalidModelError
from mdptheory.models import rows as assemble
from mdptheory.models._checks import check_model
from mdptheory.models.objective import Discounted, Objective
from mdptheory.models.rows import Rows, row_sums


@dataclass(frozen=True, slots=True, eq=False)
class TabularMDP:
    """A finite Markov decision process whose agent maximises reward.

    Rows are state-action pairs, sorted by state; each holds a sparse distribution over successors
    in increasing order. Stage-dependent data of a finite horizon stack the stages: block ``h`` of
    ``choice_ptr`` serves stage ``h``, and successors are states of stage ``h + 1``. Use the
    constructors `from_dense`, `from_sparse`, `from_function` or `mdptheory.io.read`; the
    initialiser takes the rows themselves.

    Parameters
    ----------
    choice_ptr : array of int of shape (n_stages * n_states + 1,)
        Rows of state ``s`` at stage ``h`` are ``choice_ptr[h * n_states + s]`` up to the next.
    action : array of int of shape (n_rows,)
        Action id of each row, increasing within a state.
    row_ptr : array of int of shape (n_rows + 1,)
        Transitions of row ``k`` are ``row_ptr[k]:row_ptr[k + 1]``.
    next_state : array of int of shape (n_transitions,)
        Successor of each transition, increasing within a row.
    prob : array of shape (n_transitions,)
        Probability of each transition; each row sums to 1 within 1e-9.
    reward : array of shape (n_rows,)
        Expected immediate reward of each row.
    objective : Discounted, FiniteHorizon or TotalReward
        What a policy is judged by.
    n_states : int
        Number of states.
    transition_reward : array of shape (n_transitions,), optional
        Reward per transition; ``reward`` is then its average over the row.
    initial : array of shape (n_states,), optional
        Distribution of the first state.
    state_names, action_names : sequence of str, optional
        Distinct names, which solutions, errors and files keep.
    validate : bool
        False skips the checks, for rows that were checked before.

    Attributes
    ----------
    row_error : float
        Largest distance of a row's sum from 1, which error bounds account for.

    Raises
    ------
    InvalidModelError
        If any entry breaks a rule; the message names the argument, the place and the value.
    """

    choice_ptr: IntArray
    action: IntArray
    row_ptr: IntArray
    next_state: IntArray
    prob: FloatArray
    reward: FloatArray
    objective: Objective
    n_states: int
    transition_reward: FloatArray | None = None
    initial: FloatArray | None = None
    state_names: tuple[str, ...] | None = None
    action_names: tuple[str, ...] | None = None
    validate: InitVar[bool] = True
    row_error: float = field(init=False, default=0.0)  # largest |row sum - 1|, for error bounds

    def __post_init__(self, validate: bool) -> None:
        """Check everything once, then freeze the arrays."""
        for name in ("choice_ptr", "action", "row_ptr", "next_state"):
            _store(self, name, as_index_array(name, getattr(self, name)))
        for name in ("prob", "reward", "transition_reward", "initial"):
            if getattr(self, name) is not None:
                _store(self, name, as_float_array(name, getattr(self, name)))
        if validate:
            check_model(self)
        for name, count in (("state_names", self.n_states), ("action_names", self.n_actions)):
            object.__setattr__(self, name, check_names(name, getattr(self, name), count))
        error = float(np.abs(row_sums(self.prob, self.row_ptr) - 1.0).max())
        object.__setattr__(self, "row_error", error)

    # ---- constructors -------------------------------------------------------------------------

    @classmethod
    def from_dense(
        cls,
        P: npt.ArrayLike,
        r: npt.ArrayLike,
        gamma: float | None = None,
        *,
        objective: Objective | None = None,
        normalize: bool = False,
        **names: Any,
    ) -> Self:
        """Build from ``P[s, a, s']`` and ``r[s, a]`` or ``r[s, a, s']``.

        Parameters
        ----------
        P : array of shape (S, A, S), or (H, S, A, S) with a finite horizon
            Transition probabilities; zeros are not stored.
        r : array of shape (S, A) or (S, A, S), or the same with a leading H
            Reward per state-action pair, or per transition.
        gamma : float, optional
            Discount factor, short for ``objective=Discounted(gamma)``.
        objective : Discounted, FiniteHorizon or TotalReward, optional
            The objective; exactly one of ``gamma`` and ``objective`` is needed.
        normalize : bool
            Divide each row by its sum instead of refusing rows that do not sum to 1.
        **names
            ``initial``, ``state_names``, ``action_names`` and ``validate`` as in the class.

        Returns
        -------
        TabularMDP
            The validated model.

        Examples
        --------
        >>> mdp = TabularMDP.from_dense([[[0.5, 0.5]], [[0.0, 1.0]]], [[1.0], [0.0]], 0.9)
        >>> mdp.n_states, mdp.n_rows, mdp.n_transitions
        (2, 2, 3)
        """
        return cls._from_rows(assemble.from_dense(P, r), gamma, objective, normalize, names)

    @classmethod
    def from_sparse(
        cls,
        P: Any,
        r: Any,
        gamma: float | None = None,
        *,
        states: npt.ArrayLike | None = None,
        actions: npt.ArrayLike | None = None,
        objective: Objective | None = None,
        normalize: bool = False,
        **names: Any,
    ) -> Self:
        """Build from scipy sparse matrices.

        Parameters
        ----------
        P : sparse matrix of shape (n_pairs, S), or sequence of A sparse matrices of shape (S, S)
            One row per listed state-action pair, or one matrix per action.
        r : array of shape (n_pairs,) or (S, A), or sparse rewards of the same shapes as ``P``
            Reward per pair, or per transition.
        gamma : float, optional
            Discount factor, short for ``objective=Discounted(gamma)``.
        states, actions : array of int of shape (n_pairs,), optional
            The state and the action of each row of a single ``P``.
        objective : Discounted, FiniteHorizon or TotalReward, optional
            The objective; exactly one of ``gamma`` and ``objective`` is needed.
        normalize : bool
            Divide each row by its sum instead of refusing rows that do not sum to 1.
        **names
            ``initial``, ``state_names``, ``action_names`` and ``validate`` as in the class.

        Returns
        -------
        TabularMDP
            The validated model.

        Raises
        ------
        InvalidModelError
            If the model breaks a rule, or ``states`` and ``actions`` do not go with ``P``.
        """
        if isinstance(P, list | tuple):
            if states is not None or actions is not None:
                raise InvalidModelError("states and actions go with a single matrix P, not a list")
            built = assemble.from_matrices(P, r)
        elif states is None or actions is None:
            raise InvalidModelError("states and actions are needed with a single matrix P")
        else:
            built = assemble.from_pairs(P, r, states, actions)
        return cls._from_rows(built, gamma, objective, normalize, names)

    @classmethod
    def from_function(
        cls,
        transitions: Callable[..., Any],
        n_states: int,
        n_actions: int,
        gamma: float | None = None,
        *,
        objective: Objective | None = None,
        normalize: bool = False,
        **names: Any,
    ) -> Self:
        """Build from a function that Numba can compile.

        Parameters
        ----------
        transitions : callable
            ``transitions(s, a)`` returns ``(next_states, probabilities, reward)``: two arrays and
            a number or an array of the same length. Empty arrays mean that ``a`` is not available
            in ``s``. Successors may repeat: their probabilities add.
        n_states, n_actions : int
            Ranges of ``s`` and ``a``.
        gamma : float, optional
            Discount factor, short for ``objective=Discounted(gamma)``.
        objective : Discounted, FiniteHorizon or TotalReward, optional
            The objective; exactly one of ``gamma`` and ``objective`` is needed.
        normalize : bool
            Divide each row by its sum instead of refusing rows that do not sum to 1.
        **names
            ``initial``, ``state_names``, ``action_names`` and ``validate`` as in the class.

        Returns
        -------
        TabularMDP
            The validated model.

        Raises
        ------
        TypeError
            If Numba cannot compile the function.
        """
        n_states = check_count("n_states", n_states)
        n_actions = check_count("n_actions", n_actions)
        built = assemble.from_function(transitions, n_states, n_actions)
        return cls._from_rows(built, gamma, objective, normalize, names)

    @classmethod
    def _from_rows(
        cls,
        built: Rows,
        gamma: float | None,
        objective: Objective | None,
        normalize: bool,
        names: dict[str, Any],
    ) -> Self:
        if (gamma is None) == (objective is None):
            raise InvalidModelError("give exactly one of gamma and objective")
        goal = Discounted(gamma) if gamma is not None else objective
        assert goal is not None
        if normalize:
            built = assemble.normalized(built)
        for array in built:
            if isinstance(array, np.ndarray) and array.base is None:
                array.setflags(write=False)  # fresh arrays: the model keeps them without a copy
        return cls(
            choice_ptr=built.choice_ptr,
            action=built.action,
            row_ptr=built.row_ptr,
            next_state=built.next_state,
            prob=built.prob,
            reward=built.reward,
            transition_reward=built.transition_reward,
            n_states=built.n_states,
            objective=goal,
            **names,
        )

    def with_objective(self, objective: Objective) -> Self:
        """Return the same rows judged by another objective."""
        return replace(self, objective=objective)

    def completed(self, reward: float) -> Self:
        """Return the same model with every state stored as a successor of every row.

        Parameters
        ----------
        reward : float
            Reward of the transitions that are added, of probability 0, if rewards are per
            transition; otherwise an added transition pays its row's reward.

        Returns
        -------
        TabularMDP
            An equal model, in which nature may move to any state (``support="all"``).
        """
        paid = check_number("reward", reward, low=-np.finfo(float).max, high=np.finfo(float).max)
        rows = assemble.completed(
            Rows(
                self.n_states, self.choice_ptr, self.action, self.row_ptr, self.next_state,
                self.prob, self.reward, self.transition_reward,
            ),
            paid,
        )  # fmt: skip
        return replace(
            self,
            row_ptr=rows.row_ptr,
            next_state=rows.next_state,
            prob=rows.prob,
            transition_reward=rows.transition_reward,
            validate=False,
        )

    # ---- sizes --------------------------------------------------------------------------------

    @property
    def gamma(self) -> float:
        """Discount factor per step (1 for total reward)."""
        return self.objective.gamma

    @property
    def n_stages(self) -> int:
        """Number of stages with data of their own; 1 for stationary data."""
        return (len(self.choice_ptr) - 1) // self.n_states

    @property
    def n_actions(self) -> int:
        """One more than the largest action id."""
        return int(self.action.max()) + 1 if self.action.size else 0

    @property
    def n_rows(self) -> int:
        """Number of state-action rows, all stages together."""
        return len(self.row_ptr) - 1

    @property
    def n_transitions(self) -> int:
        """Number of stored transitions."""
        return len(self.next_state)

    # ---- views --------------------------------------------------------------------------------

    def row_state(self) -> IntArray:
        """Return the state of each row, shape (n_rows,)."""
        count = np.diff(self.choice_ptr)
        return np.repeat(np.tile(np.arange(self.n_states), self.n_stages), count)

    def _first_block(self, stage: int) -> int:
        if self.n_stages == 1:  # stationary: every stage has the same rows
            return 0
        if not 0 <= stage < self.n_stages:
            raise InvalidModelError(f"stage is {stage}; expected an index in [0, {self.n_stages})")
        return stage * self.n_states

    def row_of(self, state: int, action: int, stage: int = 0) -> int:
        """Return the row of a state-action pair, or raise if the action is not available."""
        if not 0 <= state < self.n_states:
            raise InvalidModelError(f"state is {state}; expected an index in [0, {self.n_states})")
        block = self._first_block(stage) + state
        first, last = int(self.choice_ptr[block]), int(self.choice_ptr[block + 1])
        row = first + int(np.searchsorted(self.action[first:last], action))
        if row == last or self.action[row] != action:
            raise InvalidModelError(
                f"action {self.action_label(action)} is not available in state"
                f" {self.state_label(state)}"
            )
        return row

    def policy_rows(self, policy: npt.ArrayLike, stage: int = 0) -> IntArray:
        """Return the row that a deterministic policy picks in each state, shape (n_states,)."""
        chosen = as_index_array("policy", policy)
        check_shape("policy", chosen, (self.n_states,))
        block = self._first_block(stage)
        first = self.choice_ptr[block : block + self.n_states]
        count = np.diff(self.choice_ptr[block : block + self.n_states + 1])
        local = np.clip(chosen, 0, count - 1)
        rows = first + local
        off = self.action[rows] != chosen
        for s in np.flatnonzero(off):  # only states whose ids are not 0..count-1
            try:
                rows[s] = self.row_of(int(s), int(chosen[s]), stage)
            except InvalidModelError as error:
                raise InvalidModelError(f"policy[{s}] is {chosen[s]}: {error}") from None
        return rows

    def table(self, rows: FloatArray, *, missing: float = -np.inf) -> FloatArray:
        """Spread row values to shape (n_states, n_actions), or (n_stages, n_states, n_actions)."""
        check_shape("rows", np.asarray(rows), (self.n_rows,))
        if self.n_rows == self.n_stages * self.n_states * self.n_actions:
            flat = np.asarray(rows)
        else:
            flat = np.full(self.n_stages * self.n_states * self.n_actions, missing)
            blocks = np.repeat(np.arange(len(self.choice_ptr) - 1), np.diff(self.choice_ptr))
            flat[blocks * self.n_actions + self.action] = rows
        shape = (self.n_states, self.n_actions)
        return flat.reshape(shape if self.n_stages == 1 else (self.n_stages, *shape))

    def to_dense(self) -> tuple[FloatArray, FloatArray]:
        """Return ``P[s, a, s']`` and ``r[s, a]`` (leading stage axis if stage-dependent).

        Unavailable actions have zero probabilities and a reward of ``-inf``.
        """
        blocks = np.repeat(np.arange(len(self.choice_ptr) - 1), np.diff(self.choice_ptr))
        cells = blocks * self.n_actions + self.action
        P = np.zeros((self.n_stages * self.n_states * self.n_actions, self.n_states))
        P[np.repeat(cells, np.diff(self.row_ptr)), self.next_state] = self.prob
        lead = () if self.n_stages == 1 else (self.n_stages,)
        kernel = P.reshape(*lead, self.n_states, self.n_actions, self.n_states)
        return kernel, self.table(self.reward)

    def policy_matrix(self, policy: npt.ArrayLike, stage: int = 0) -> tuple[Any, FloatArray]:
        """Return the scipy CSR kernel of shape (S, S) and the reward of a deterministic policy."""
        from scipy import sparse

        rows = self.policy_rows(policy, stage)
        matrix = sparse.csr_matrix(
            (self.prob, self.next_state, self.row_ptr), shape=(self.n_rows, self.n_states)
        )
        return matrix[rows], self.reward[rows]

    def state_label(self, state: int) -> str:
        """Return a state's name with its index, or the index alone."""
        return _label(self.state_names, state)

    def action_label(self, action: int) -> str:
        """Return an action's name with its id, or the id alone."""
        return _label(self.action_names, action)


def _label(names: tuple[str, ...] | None, index: int) -> str:
    if names is None or not 0 <= index < len(names):
        return str(index)
    return f"{index} ({names[index]})"


def _store(mdp: TabularMDP, name: str, array: npt.NDArray[Any]) -> None:
    """Keep a read-only array: as it is when nobody can write to its memory, else a copy."""
    base = array.base
    frozen_base = base is None or (isinstance(base, np.ndarray) and not base.flags.writeable)
    if array.flags.writeable or not frozen_base:
        array = array.copy()
        array.setflags(write=False)
    object.__setattr__(mdp, name, array)
