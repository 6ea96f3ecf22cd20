"""The rules of linear MDPs, each with the message that names what breaks it."""

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory._validation import as_float_array, check_shape, check_simplex, place
from mdptheory.errors import InvalidModelError

TOLERANCE = 1e-9


def check_features(phi: FloatArray) -> None:
    """Require simplex weights on the last axis."""
    if (phi < -TOLERANCE).any():
        index = tuple(int(i) for i in np.argwhere(phi < -TOLERANCE)[0])
        raise InvalidModelError(
            f"{place('phi', index)} is {phi[index]}; expected a nonnegative feature"
            " (check=False allows any features)"
        )
    sums = phi.sum(axis=-1)
    off = np.abs(sums - 1.0) > TOLERANCE
    if off.any():
        index = tuple(int(i) for i in np.argwhere(off)[0])
        raise InvalidModelError(
            f"{place('phi', index)} sums to {sums[index]:.12g}; expected 1 within {TOLERANCE:g}"
            f" ({int(off.sum())} of {sums.size} pairs fail; check=False allows any features)"
        )


def check_rewards(reward: FloatArray) -> None:
    """Require rewards in [0, 1]."""
    off = (reward < -TOLERANCE) | (reward > 1.0 + TOLERANCE)
    if off.any():
        h, s, a = (int(i) for i in np.argwhere(off)[0])
        raise InvalidModelError(
            f"theta[{h}] gives state {s} and action {a} the reward {reward[h, s, a]:.12g};"
            f" expected one in [0, 1] ({int(off.sum())} of {reward.size} fail;"
            " check=False allows any rewards)"
        )


def first_state(initial: npt.ArrayLike, n_states: int) -> FloatArray:
    """Return the distribution of the first state."""
    if isinstance(initial, int | np.integer) and not isinstance(initial, bool):
        if not 0 <= initial < n_states:
            raise InvalidModelError(
                f"initial is {initial}; expected an index in [0, {n_states}) or a distribution"
            )
        return np.eye(1, n_states, int(initial))[0]
    given = as_float_array("initial", initial)
    check_shape("initial", given, (n_states,))
    check_simplex("initial", given)
    return given


def check_fail_state(fail_state: int | None, reward: FloatArray) -> None:
    """Require an index whose rewards are all zero."""
    if fail_state is None:
        return
    if isinstance(fail_state, bool) or not isinstance(fail_state, int | np.integer):
        raise TypeError(f"fail_state is {fail_state!r}; expected an index or None")
    if not 0 <= fail_state < reward.shape[1]:
        raise InvalidModelError(
            f"fail_state is {fail_state}; expected an index in [0, {reward.shape[1]})"
        )
    paid = np.abs(reward[:, fail_state]) > TOLERANCE
    if paid.any():
        h, a = (int(i) for i in np.argwhere(paid)[0])
        raise InvalidModelError(
            f"fail_state {fail_state} earns {reward[h, fail_state, a]:.12g} at step {h} with action"
            f" {a}; expected no reward"
        )


def check_absorbing(fail_state: int, features: FloatArray, mu: FloatArray) -> None:
    """Require that no action leaves the fail state; the last step leads nowhere that counts."""
    for h in range(mu.shape[0] - 1):
        phi = features[h if features.shape[0] > 1 else 0]
        stays = phi[fail_state] @ mu[h][:, fail_state]
        if (np.abs(stays - 1.0) > TOLERANCE).any():
            a = int(np.argmax(np.abs(stays - 1.0)))
            raise InvalidModelError(
                f"fail_state {fail_state} is left with probability {1.0 - stays[a]:.12g} at step"
                f" {h} with action {a}; expected an absorbing state"
            )
