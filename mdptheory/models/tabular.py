"""The tabular MDP: sparse state-action rows, validated once and then immutable."""

from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import (
    ROW_SUM_TOLERANCE,
    as_float_array,
    as_index_array,
    check_count,
    check_names,
    check_shape,
    check_simplex,
)
from mdptheory.errors import InvalidModelError
from mdptheory.models import rows as assemble
from mdptheory.models.objective import Discounted, FiniteHorizon, Objective, TotalReward
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
            _check_structure(self)
            _check_numbers(self)
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
            built = _normalized(built)
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

    def row_of(self, state: int, action: int, stage: int = 0) -> int:
        """Return the row of a state-action pair, or raise if the action is not available."""
        if not 0 <= state < self.n_states:
            raise InvalidModelError(f"state is {state}; expected an index in [0, {self.n_states})")
        block = stage * self.n_states + state if self.n_stages > 1 else state
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
        block = stage * self.n_states if self.n_stages > 1 else 0
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
        if len(rows) == self.n_stages * self.n_states * self.n_actions:
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
        return P.reshape(*lead, self.n_states, self.n_actions, self.n_states), self.table(self.reward)

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
        return f"{state} ({self.state_names[state]})" if self.state_names else str(state)

    def action_label(self, action: int) -> str:
        """Return an action's name with its id, or the id alone."""
        known = self.action_names is not None and 0 <= action < len(self.action_names)
        return f"{action} ({self.action_names[action]})" if known and self.action_names else str(action)


def _store(mdp: TabularMDP, name: str, array: npt.NDArray[Any]) -> None:
    """Keep a read-only array: as it is when already so, else a copy."""
    if array.flags.writeable or array.base is not None and array.base.flags.writeable:
        array = array.copy()
        array.setflags(write=False)
    object.__setattr__(mdp, name, array)


def _normalized(built: Rows) -> Rows:
    sums = row_sums(built.prob, built.row_ptr)
    if not (np.isfinite(sums).all() and (sums > 0).all()):
        row = int(np.argmin(np.where(np.isfinite(sums), sums, -np.inf)))
        raise InvalidModelError(f"row {row} sums to {sums[row]}; it cannot be normalized")
    prob = built.prob / np.repeat(sums, np.diff(built.row_ptr))
    reward = built.reward
    if built.transition_reward is not None:
        reward = assemble.expected_reward(prob, built.transition_reward, built.row_ptr)
    return built._replace(prob=prob, reward=reward)


def _check_pointer(name: str, pointer: IntArray, total: int, what: str) -> None:
    if pointer.ndim != 1 or len(pointer) < 2:
        raise InvalidModelError(f"{name} has shape {pointer.shape}; expected at least two entries")
    if pointer[0] != 0 or pointer[-1] != total:
        raise InvalidModelError(
            f"{name} runs from {pointer[0]} to {pointer[-1]}; expected 0 to {total} ({what})"
        )
    steps = np.diff(pointer)
    if (steps < 0).any():
        i = int(np.argmax(steps < 0))
        raise InvalidModelError(
            f"{name}[{i + 1}] is {pointer[i + 1]}, less than {name}[{i}] = {pointer[i]}"
        )


def _check_structure(mdp: TabularMDP) -> None:
    check_count("n_states", mdp.n_states)
    check_shape("row_ptr", mdp.row_ptr, (None,))
    check_shape("action", mdp.action, (len(mdp.row_ptr) - 1,))
    check_shape("reward", mdp.reward, (len(mdp.row_ptr) - 1,))
    check_shape("prob", mdp.prob, (len(mdp.next_state),))
    _check_pointer("row_ptr", mdp.row_ptr, len(mdp.next_state), "transitions")
    _check_pointer("choice_ptr", mdp.choice_ptr, mdp.n_rows, "rows")
    _check_stages(mdp)
    empty = np.flatnonzero(np.diff(mdp.choice_ptr) == 0)
    if empty.size:
        s = int(empty[0]) % mdp.n_states
        raise InvalidModelError(
            f"state {_name(mdp, s)} has no action; expected at least one"
            f" ({empty.size} of {len(mdp.choice_ptr) - 1} states are empty)"
        )
    bare = np.flatnonzero(np.diff(mdp.row_ptr) == 0)
    if bare.size:
        raise InvalidModelError(f"{_row_place(mdp, int(bare[0]))} sums to 0; expected 1 within 1e-09")
    bad = (mdp.next_state < 0) | (mdp.next_state >= mdp.n_states)
    if bad.any():
        k = int(np.argmax(bad))
        raise InvalidModelError(
            f"next_state[{k}] is {mdp.next_state[k]} in {_row_place(mdp, _row_at(mdp, k))};"
            f" expected an index in [0, {mdp.n_states})"
        )
    if (mdp.action < 0).any():
        k = int(np.argmax(mdp.action < 0))
        raise InvalidModelError(f"action[{k}] is {mdp.action[k]}; expected an id of at least 0")
    _check_increasing("action", mdp.action, mdp.choice_ptr)
    _check_increasing("next_state", mdp.next_state, mdp.row_ptr)


def _check_stages(mdp: TabularMDP) -> None:
    blocks = len(mdp.choice_ptr) - 1
    if blocks % mdp.n_states:
        raise InvalidModelError(
            f"choice_ptr has {blocks} states; expected a multiple of n_states = {mdp.n_states}"
        )
    stages = mdp.n_stages
    if isinstance(mdp.objective, FiniteHorizon):
        if stages not in (1, mdp.objective.horizon):
            raise InvalidModelError(
                f"P holds {stages} stages; expected 1 or the horizon, {mdp.objective.horizon}"
            )
        if mdp.objective.terminal is not None:
            check_shape("terminal", mdp.objective.terminal, (mdp.n_states,))
    elif stages != 1:
        raise InvalidModelError(f"P holds {stages} stages; only a finite horizon has stages")


def _check_increasing(name: str, values: IntArray, pointer: IntArray) -> None:
    repeats = np.flatnonzero(values[1:] <= values[:-1]) + 1
    inside = repeats[~np.isin(repeats, pointer)]
    if inside.size:
        k = int(inside[0])
        raise InvalidModelError(
            f"{name}[{k}] is {values[k]} after {values[k - 1]}; expected increasing order without"
            " repeats (the constructors sort and merge)"
        )


def _check_numbers(mdp: TabularMDP) -> None:
    for name, array in (("prob", mdp.prob), ("transition_reward", mdp.transition_reward)):
        if array is not None and not np.isfinite(array).all():
            k = int(np.argmin(np.isfinite(array)))
            label = "P" if name == "prob" else "r"
            raise InvalidModelError(
                f"{_transition_place(mdp, k, label)} is {array[k]}; expected a finite number"
            )
    if not np.isfinite(mdp.reward).all():
        row = int(np.argmin(np.isfinite(mdp.reward)))
        raise InvalidModelError(
            f"{_row_place(mdp, row, 'r')} is {mdp.reward[row]}; expected a finite number"
        )
    if (mdp.prob < 0).any():
        k = int(np.argmax(mdp.prob < 0))
        raise InvalidModelError(
            f"{_transition_place(mdp, k, 'P')} is {mdp.prob[k]}; expected a probability"
            f" ({int((mdp.prob < 0).sum())} negative entries)"
        )
    sums = row_sums(mdp.prob, mdp.row_ptr)
    off = np.abs(sums - 1.0)
    if (off > ROW_SUM_TOLERANCE).any():
        first, worst = int(np.argmax(off > ROW_SUM_TOLERANCE)), int(np.argmax(off))
        raise InvalidModelError(
            f"{_row_place(mdp, first)} sums to {sums[first]:.12g}; expected 1 within"
            f" {ROW_SUM_TOLERANCE:g} ({int((off > ROW_SUM_TOLERANCE).sum())} of {len(sums)} rows"
            f" fail, worst {_row_place(mdp, worst)})"
        )
    if mdp.transition_reward is not None:
        check_shape("transition_reward", mdp.transition_reward, (mdp.n_transitions,))
        _check_reward_average(mdp, mdp.transition_reward)
    if mdp.initial is not None:
        check_shape("initial", mdp.initial, (mdp.n_states,))
        check_simplex("initial", mdp.initial)
    if isinstance(mdp.objective, TotalReward):
        _check_absorbing(mdp)


def _check_reward_average(mdp: TabularMDP, transition_reward: FloatArray) -> None:
    average = assemble.expected_reward(mdp.prob, transition_reward, mdp.row_ptr)
    scale = 1.0 + row_sums(mdp.prob * np.abs(transition_reward), mdp.row_ptr)
    off = np.abs(average - mdp.reward) > 1e-9 * scale
    if off.any():
        row = int(np.argmax(off))
        raise InvalidModelError(
            f"{_row_place(mdp, row, 'reward')} is {mdp.reward[row]:.12g}; expected the average of"
            f" transition_reward, {average[row]:.12g}"
        )


def _check_absorbing(mdp: TabularMDP) -> None:
    if not absorbing_states(mdp).any():
        raise InvalidModelError(
            "no state is absorbing with reward 0; the total reward needs one to end in"
        )


def absorbing_states(mdp: TabularMDP) -> npt.NDArray[np.bool_]:
    """Return which states stay put with reward 0 under every action, shape (n_states,)."""
    states = mdp.row_state()
    stays = np.diff(mdp.row_ptr) == 1
    stays &= mdp.next_state[mdp.row_ptr[:-1]] == states
    stays &= mdp.reward == 0
    return np.logical_and.reduceat(stays, mdp.choice_ptr[: mdp.n_states])


def _name(mdp: TabularMDP, state: int) -> str:
    named = mdp.state_names is not None and state < len(mdp.state_names)
    return f"{state} ({mdp.state_names[state]})" if named and mdp.state_names else str(state)


def _row_at(mdp: TabularMDP, transition: int) -> int:
    return int(np.searchsorted(mdp.row_ptr, transition, side="right")) - 1


def _row_indices(mdp: TabularMDP, row: int) -> list[int]:
    block = int(np.searchsorted(mdp.choice_ptr, row, side="right")) - 1
    stage, state = divmod(block, mdp.n_states)
    lead = [stage] if mdp.n_stages > 1 else []
    return [*lead, state, int(mdp.action[row])]


def _row_place(mdp: TabularMDP, row: int, label: str = "P") -> str:
    return f"{label}[{', '.join(map(str, _row_indices(mdp, row)))}]"


def _transition_place(mdp: TabularMDP, k: int, label: str) -> str:
    indices = [*_row_indices(mdp, _row_at(mdp, k)), int(mdp.next_state[k])]
    return f"{label}[{', '.join(map(str, indices))}]"
