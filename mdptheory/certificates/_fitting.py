"""Whether nature's model and the ambiguity set fit the model that a robust claim is about."""

from dataclasses import replace
from typing import Any

import numpy as np

from mdptheory.certificates._rows import Stage, reaches_beyond, stage_of
from mdptheory.errors import InvalidCertificateError, InvalidModelError
from mdptheory.models import (
    FactorSet,
    FiniteSet,
    IntervalSet,
    TabularMDP,
    WassersteinBall,
    WeightedL1Ball,
)
from mdptheory.models.ambiguity import is_ambiguity_set


def again(name: str, thing: Any) -> Any:
    """Run the checks of a model's or a set's constructor again: they may have been skipped."""
    if name == "ambiguity" and not (is_ambiguity_set(thing) or isinstance(thing, FactorSet)):
        raise InvalidCertificateError(
            f"ambiguity is of type {type(thing).__name__}; expected an ambiguity set"
        )
    if name != "ambiguity" and not isinstance(thing, TabularMDP):
        raise InvalidCertificateError(
            f"{name} is of type {type(thing).__name__}; expected a TabularMDP"
        )
    try:
        return replace(thing)
    except (InvalidModelError, TypeError, NotImplementedError) as error:
        raise InvalidCertificateError(f"{name}: {error}") from error


def same_rows(worst: TabularMDP, mdp: TabularMDP, horizon: int) -> None:
    """Require the model's choices, actions and rewards in nature's model."""
    if worst.n_states != mdp.n_states or worst.objective != mdp.objective:
        raise InvalidCertificateError(
            f"worst_case has {worst.n_states} states and {worst.objective}; the model has"
            f" {mdp.n_states} and {mdp.objective}"
        )
    if worst.n_stages != horizon:
        raise InvalidCertificateError(f"worst_case has {worst.n_stages} stages; expected {horizon}")
    if (worst.transition_reward is None) != (mdp.transition_reward is None):
        kind = "row" if worst.transition_reward is None else "transition"
        raise InvalidCertificateError(f"worst_case has rewards per {kind}, the model has not")
    for h in range(horizon):
        have, want = stage_of(worst, h), stage_of(mdp, h)
        here = f" at stage {h}" if horizon > 1 else ""
        if not np.array_equal(have.choice_ptr, want.choice_ptr) or not np.array_equal(
            have.action, want.action
        ):
            raise InvalidCertificateError(f"worst_case has other actions than the model{here}")
        if want.paid is None:
            if not np.array_equal(have.reward, want.reward):
                row = int(np.argmax(have.reward != want.reward))
                raise InvalidCertificateError(
                    f"worst_case pays {float(have.reward[row])!r} in row {row}{here}; the model"
                    f" pays {float(want.reward[row])!r}"
                )
        else:
            _same_payments(have, want, mdp.n_states, here)


def _same_payments(have: Stage, want: Stage, n: int, here: str) -> None:
    """Compare rewards per transition by successor; unlisted successors must have no mass."""
    assert have.paid is not None
    assert want.paid is not None
    cells, known = (
        np.repeat(np.arange(len(side.reward)) * n, np.diff(side.row_ptr)) + side.next_state
        for side in (have, want)
    )
    at = np.minimum(np.searchsorted(known, cells), len(known) - 1)
    listed = known[at] == cells
    bad = listed & (have.paid != want.paid[at])
    if bad.any():
        k = int(np.argmax(bad))
        row, state = divmod(int(cells[k]), n)
        raise InvalidCertificateError(
            f"worst_case pays {float(have.paid[k])!r} for going to state {state} in row {row}"
            f"{here}; the model pays {float(want.paid[at[k]])!r}"
        )


SHAPES = "a number, (n_states,) or (n_states, n_actions)"


def fitting(ambiguity: Any, mdp: TabularMDP) -> None:
    """Refuse a set whose arrays do not fit the model."""
    n, cells = mdp.n_states, (mdp.n_states, mdp.n_actions)
    if isinstance(ambiguity, FactorSet):
        _fitting_factors(ambiguity, mdp)
        return
    if (
        reaches_beyond(ambiguity)
        and mdp.transition_reward is not None
        and mdp.n_transitions < mdp.n_rows * n
    ):
        raise InvalidCertificateError(
            f"transition_reward is not defined for every state, but {type(ambiguity).__name__}"
            " reaches every state: see TabularMDP.completed"
        )
    for name in ("radius", "alpha", "fraction"):
        shape = np.shape(getattr(ambiguity, name, 0.0))
        if shape not in ((), (n,), cells):
            raise InvalidCertificateError(f"{name} has shape {shape}; expected {SHAPES}")
    have: tuple[int, ...] = ()
    want: tuple[int, ...] = ()
    match ambiguity:
        case WeightedL1Ball(weights=array):
            name, have, want = "weights", array.shape, (n,)
        case WassersteinBall(cost=array):
            name, have, want = "cost", array.shape, (n, n)
        case FiniteSet(rows=array):
            name, have, want = "rows", array.shape, (len(array), *cells, n)
        case IntervalSet(lower=array, row_ptr=ptr):
            want = (*cells, n) if ptr is None else (mdp.n_transitions,)
            name, have = "lower", array.shape
            if ptr is not None and not np.array_equal(ptr, mdp.row_ptr):
                raise InvalidCertificateError("row_ptr of the IntervalSet is not the model's")
    if have != want:
        raise InvalidCertificateError(f"{name} has shape {have}; expected {want}")
    if isinstance(ambiguity, FiniteSet):
        _fitting_list(ambiguity, mdp)


def _fitting_list(ambiguity: FiniteSet, mdp: TabularMDP) -> None:
    if ambiguity.coupled:
        raise InvalidCertificateError(
            "ambiguity couples its kernels (coupled=True): a saddle certificate proves claims on"
            " sets that are rectangular"
        )
    states = mdp.row_state()
    missing = (ambiguity.rows[:, states, mdp.action].sum(axis=2) == 0).any(axis=0)
    if missing.any():
        row = int(np.argmax(missing))
        raise InvalidCertificateError(
            f"rows[:, {states[row]}, {mdp.action[row]}] is all zero, but the action is available"
        )


def _fitting_factors(ambiguity: FactorSet, mdp: TabularMDP) -> None:
    n, r = mdp.n_states, len(ambiguity.factors)
    if mdp.transition_reward is not None:
        raise InvalidCertificateError(
            "the model has rewards per transition; a FactorSet needs rewards that do not depend on"
            " the successor"
        )
    if ambiguity.weights.shape != (n, mdp.n_actions, r) or ambiguity.factors.shape != (r, n):
        raise InvalidCertificateError(
            f"weights has shape {ambiguity.weights.shape} and factors {ambiguity.factors.shape};"
            f" expected ({n}, {mdp.n_actions}, {r}) and ({r}, {n})"
        )
    sets: Any = ambiguity.sets
    for i, one in enumerate(sets):
        want: dict[str, tuple[int, ...]] = {
            "radius": (), "alpha": (), "fraction": (), "weights": (n,), "lower": (n,),
            "cost": (n, n), "rows": (len(getattr(one, "rows", ())), n), "row_ptr": (),
        }  # fmt: skip
        for name, shape in want.items():
            value = getattr(one, name, None)
            if value is not None and np.shape(value) != shape:
                raise InvalidCertificateError(
                    f"{name} of sets[{i}] has shape {np.shape(value)}; expected {shape}"
                )
        if isinstance(one, IntervalSet) and one.row_ptr is not None:
            raise InvalidCertificateError(f"sets[{i}] has bounds a transition; expected ({n},)")
