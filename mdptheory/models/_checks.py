"""The rules that the rows of a `TabularMDP` obey; a refusal names argument, place and value."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import ROW_SUM_TOLERANCE, check_count, check_shape, check_simplex
from mdptheory.errors import InvalidModelError
from mdptheory.models.objective import Discounted, FiniteHorizon, TotalReward
from mdptheory.models.rows import expected_reward, row_sums

if TYPE_CHECKING:
    from mdptheory.models.tabular import TabularMDP


def check_model(mdp: "TabularMDP") -> None:
    """Refuse a model whose rows, objective or distribution break a rule."""
    _check_structure(mdp)
    _check_numbers(mdp)


def _check_pointer(name: str, pointer: IntArray, total: int, what: str) -> None:
    if pointer.ndim != 1 or len(pointer) < 2:
        raise InvalidModelError(f"{name} has shape {pointer.shape}; expected at least two entries")
    if pointer[0] != 0 or pointer[-1] != total:
        raise InvalidModelError(
            f"{name} runs from {pointer[0]} to {pointer[-1]}; expected 0 to {total} ({what})"
        )
    falls = pointer[1:] < pointer[:-1]  # not a difference, which could wrap round and pass
    if falls.any():
        i = int(np.argmax(falls))
        raise InvalidModelError(
            f"{name}[{i + 1}] is {pointer[i + 1]}, less than {name}[{i}] = {pointer[i]}"
        )


def _check_structure(mdp: "TabularMDP") -> None:
    if not isinstance(mdp.objective, Discounted | FiniteHorizon | TotalReward):
        raise TypeError(
            f"objective is {mdp.objective!r}; expected Discounted, FiniteHorizon or TotalReward"
        )
    check_count("n_states", mdp.n_states)
    check_shape("row_ptr", mdp.row_ptr, (None,))
    check_shape("next_state", mdp.next_state, (None,))
    check_shape("action", mdp.action, (len(mdp.row_ptr) - 1,))
    check_shape("reward", mdp.reward, (len(mdp.row_ptr) - 1,))
    check_shape("prob", mdp.prob, (len(mdp.next_state),))
    if mdp.transition_reward is not None:
        check_shape("transition_reward", mdp.transition_reward, (mdp.n_transitions,))
    _check_pointer("row_ptr", mdp.row_ptr, len(mdp.next_state), "transitions")
    _check_pointer("choice_ptr", mdp.choice_ptr, mdp.n_rows, "rows")
    _check_stages(mdp)
    empty = np.flatnonzero(np.diff(mdp.choice_ptr) == 0)
    if empty.size:
        s = int(empty[0]) % mdp.n_states
        raise InvalidModelError(
            f"state {mdp.state_label(s)} has no action; expected at least one"
            f" ({empty.size} of {len(mdp.choice_ptr) - 1} states are empty)"
        )
    bare = np.flatnonzero(np.diff(mdp.row_ptr) == 0)
    if bare.size:
        where = row_place(mdp, int(bare[0]))
        raise InvalidModelError(
            f"{where} sums to 0; expected 1 ({bare.size} of {mdp.n_rows} rows are empty)"
        )
    bad = (mdp.next_state < 0) | (mdp.next_state >= mdp.n_states)
    if bad.any():
        k = int(np.argmax(bad))
        raise InvalidModelError(
            f"next_state[{k}] is {mdp.next_state[k]} in {row_place(mdp, _row_at(mdp, k))};"
            f" expected an index in [0, {mdp.n_states})"
        )
    if (mdp.action < 0).any():
        k = int(np.argmax(mdp.action < 0))
        raise InvalidModelError(f"action[{k}] is {mdp.action[k]}; expected an id of at least 0")
    _check_increasing("action", mdp.action, mdp.choice_ptr)
    _check_increasing("next_state", mdp.next_state, mdp.row_ptr)


def _check_stages(mdp: "TabularMDP") -> None:
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


def _check_numbers(mdp: "TabularMDP") -> None:
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
            f"{row_place(mdp, row, 'r')} is {mdp.reward[row]}; expected a finite number"
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
            f"{row_place(mdp, first)} sums to {sums[first]:.12g}; expected 1 within"
            f" {ROW_SUM_TOLERANCE:g} ({int((off > ROW_SUM_TOLERANCE).sum())} of {len(sums)} rows"
            f" fail, worst {row_place(mdp, worst)})"
        )
    if mdp.transition_reward is not None:
        _check_reward_average(mdp, mdp.transition_reward)
    if mdp.initial is not None:
        check_shape("initial", mdp.initial, (mdp.n_states,))
        check_simplex("initial", mdp.initial)
    if isinstance(mdp.objective, TotalReward):
        _check_absorbing(mdp)


def _check_reward_average(mdp: "TabularMDP", transition_reward: FloatArray) -> None:
    average = expected_reward(mdp.prob, transition_reward, mdp.row_ptr)
    scale = 1.0 + row_sums(mdp.prob * np.abs(transition_reward), mdp.row_ptr)
    off = np.abs(average - mdp.reward) > 1e-9 * scale
    if off.any():
        row = int(np.argmax(off))
        raise InvalidModelError(
            f"{row_place(mdp, row, 'reward')} is {mdp.reward[row]:.12g}; expected the average of"
            f" transition_reward, {average[row]:.12g}"
        )


def _check_absorbing(mdp: "TabularMDP") -> None:
    if not absorbing_states(mdp).any():
        raise InvalidModelError(
            "no state is absorbing with reward 0; the total reward needs one to end in"
        )


def absorbing_states(mdp: "TabularMDP") -> npt.NDArray[np.bool_]:
    """Return which states stay put with reward 0 under every action.

    Transitions of probability 0 do not count.

    Parameters
    ----------
    mdp : TabularMDP
        The model; with stage-dependent data a state must stay put at every stage.

    Returns
    -------
    array of bool of shape (n_states,)
        True for absorbing states.
    """
    breaks = mdp.next_state != np.repeat(mdp.row_state(), np.diff(mdp.row_ptr))
    if mdp.transition_reward is not None:  # its average equals reward only up to rounding
        breaks |= mdp.transition_reward != 0
    breaks &= mdp.prob > 0
    stays = ~np.logical_or.reduceat(breaks, mdp.row_ptr[:-1])
    stays &= mdp.reward == 0
    every_action = np.logical_and.reduceat(stays, mdp.choice_ptr[:-1])
    every_stage = np.logical_and.reduce(every_action.reshape(-1, mdp.n_states), axis=0)
    return np.asarray(every_stage)


def _row_at(mdp: "TabularMDP", transition: int) -> int:
    return int(np.searchsorted(mdp.row_ptr, transition, side="right")) - 1


def _row_indices(mdp: "TabularMDP", row: int) -> list[int]:
    block = int(np.searchsorted(mdp.choice_ptr, row, side="right")) - 1
    stage, state = divmod(block, mdp.n_states)
    lead = [stage] if mdp.n_stages > 1 else []
    return [*lead, state, int(mdp.action[row])]


def row_place(mdp: "TabularMDP", row: int, label: str = "P") -> str:
    return f"{label}[{', '.join(map(str, _row_indices(mdp, row)))}]"


def _transition_place(mdp: "TabularMDP", k: int, label: str) -> str:
    indices = [*_row_indices(mdp, _row_at(mdp, k)), int(mdp.next_state[k])]
    return f"{label}[{', '.join(map(str, indices))}]"
