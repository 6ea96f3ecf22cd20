"""Offline data of an episodic problem, and all that a finite state space leaves of them."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import (
    as_float_array,
    as_index_array,
    check_count,
    check_shape,
    place,
    read_only,
)
from mdptheory.errors import InvalidModelError
from mdptheory.models.linear import KnownModel


@dataclass(frozen=True, slots=True, eq=False)
class OfflineData:
    """Episodes of a finite problem.

    Parameters
    ----------
    states : array of int of shape (K, H + 1)
        States of each episode, the one after the last action included.
    actions : array of int of shape (K, H)
        Actions of each episode.

    Raises
    ------
    InvalidModelError
        If there is no episode, an index is negative, or the shapes do not go together.
    """

    states: IntArray
    actions: IntArray

    def __post_init__(self) -> None:
        """Check shapes and signs, then freeze the arrays."""
        states = as_index_array("states", self.states)
        actions = as_index_array("actions", self.actions)
        if states.ndim != 2 or 0 in states.shape:
            raise InvalidModelError(
                f"states has shape {states.shape}; expected (episodes, horizon + 1), at least one"
                " episode"
            )
        check_shape("actions", actions, (states.shape[0], states.shape[1] - 1))
        if not actions.size:
            raise InvalidModelError("actions is empty; expected at least one step")
        for name, array in (("states", states), ("actions", actions)):
            if (array < 0).any():
                k, h = (int(i) for i in np.argwhere(array < 0)[0])
                raise InvalidModelError(
                    f"{place(name, (k, h))} is {array[k, h]}; expected an index of at least 0"
                )
            object.__setattr__(self, name, read_only(array, np.int64))

    @property
    def n_episodes(self) -> int:
        """Number of episodes K."""
        return int(self.actions.shape[0])

    @property
    def horizon(self) -> int:
        """Number of steps H of each episode."""
        return int(self.actions.shape[1])

    def statistics(self, known: KnownModel) -> "OfflineStatistics":
        """Return all that matters of the episodes for a learner that knows ``known``.

        Parameters
        ----------
        known : KnownModel
            Features of the problem.

        Returns
        -------
        OfflineStatistics
            Counts; what is fitted to them costs the same for any number of episodes.

        Raises
        ------
        InvalidModelError
            If the horizon differs, or an index is outside the model.
        TypeError
            If this is no `KnownModel`.
        """
        if not isinstance(known, KnownModel):
            raise TypeError(f"known is of type {type(known).__name__}; expected KnownModel")
        if self.horizon != known.horizon:
            raise InvalidModelError(
                f"actions has {self.horizon} steps an episode; the model has {known.horizon}"
            )
        n_states, n_actions = known.n_states, known.n_actions
        for name, array, limit in (
            ("states", self.states, n_states),
            ("actions", self.actions, n_actions),
        ):
            if (array >= limit).any():
                k, h = (int(i) for i in np.argwhere(array >= limit)[0])
                raise InvalidModelError(
                    f"{place(name, (k, h))} is {array[k, h]}; expected an index in [0, {limit})"
                )
        counts = np.empty((self.horizon, n_states, n_actions, n_states), dtype=np.int64)
        for h in range(self.horizon):
            flat = self.states[:, h] * n_actions + self.actions[:, h]
            flat = flat * n_states + self.states[:, h + 1]
            counts[h] = np.bincount(flat, minlength=counts[h].size).reshape(counts[h].shape)
        return OfflineStatistics(known, counts)


@dataclass(frozen=True, slots=True, eq=False)
class OfflineStatistics:
    """Sufficient statistics of episodes for the features of a model.

    Parameters
    ----------
    known : KnownModel
        Features of the problem.
    counts : array of int of shape (H, S, A, S)
        How often each transition was seen at each step.

    Attributes
    ----------
    gram : array of shape (H, d, d)
        ``sum phi phi'`` over the visited pairs, without ridge.
    moments : array of shape (H, d, S)
        ``sum phi 1{next state}``.
    reward_moments : array of shape (H, d)
        ``sum phi r``.

    Raises
    ------
    InvalidModelError
        If a count is negative or the steps have different numbers of episodes.
    """

    known: KnownModel
    counts: IntArray
    gram: FloatArray = field(init=False)
    moments: FloatArray = field(init=False)
    reward_moments: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        """Check the counts and sum what regressions need."""
        known = self.known
        if not isinstance(known, KnownModel):
            raise TypeError(f"known is of type {type(known).__name__}; expected KnownModel")
        counts = read_only(as_index_array("counts", self.counts), np.int64)
        shape = (known.horizon, known.n_states, known.n_actions, known.n_states)
        check_shape("counts", counts, shape)
        if (counts < 0).any():
            index = tuple(int(i) for i in np.argwhere(counts < 0)[0])
            raise InvalidModelError(f"{place('counts', index)} is {counts[index]}; expected >= 0")
        totals = counts.sum(axis=(1, 2, 3))
        if (totals != totals[0]).any() or totals[0] < 1:
            raise InvalidModelError(
                f"counts has {totals.tolist()} transitions a step; expected the same number, at"
                " least 1, in each"
            )
        visits = counts.sum(axis=3)
        arrays: dict[str, list[FloatArray]] = {"gram": [], "moments": [], "reward_moments": []}
        for h in range(known.horizon):
            phi = known.phi_at(h)
            arrays["gram"].append(np.einsum("sa,sai,saj->ij", visits[h], phi, phi, optimize=True))
            arrays["moments"].append(np.einsum("sai,sat->it", phi, counts[h]))
            arrays["reward_moments"].append(
                np.einsum("sa,sai->i", visits[h] * known.reward[h], phi)
            )
        object.__setattr__(self, "counts", counts)
        for name, parts in arrays.items():
            object.__setattr__(self, name, read_only(parts))

    @property
    def n_episodes(self) -> int:
        """Number of episodes K."""
        return int(self.counts[0].sum())

    @property
    def seen_next(self) -> npt.NDArray[np.bool_]:
        """Which states were seen after each step, of shape (H, S)."""
        seen: npt.NDArray[np.bool_] = self.counts.sum(axis=(1, 2)) > 0
        return seen

    def plus(self, other: "OfflineStatistics") -> Self:
        """Return the statistics of both data sets together, for this model's features."""
        if not isinstance(other, OfflineStatistics):
            raise TypeError(f"other is of type {type(other).__name__}; expected OfflineStatistics")
        check_shape("counts of other", other.counts, self.counts.shape)
        return type(self)(self.known, self.counts + other.counts)


@dataclass(frozen=True, slots=True, eq=False)
class RealData:
    """Episodes of a process on real states.

    Parameters
    ----------
    states : array of shape (K, H + 1)
        States of each episode, the one after the last action included; ``inf`` after the end.
    actions : array of int of shape (K, H)
        Actions of each episode.
    """

    states: FloatArray
    actions: IntArray

    def __post_init__(self) -> None:
        """Check the shapes, then freeze the arrays."""
        states = read_only(as_float_array("states", self.states))
        actions = read_only(as_index_array("actions", self.actions), np.int64)
        if states.ndim != 2 or 0 in states.shape:
            raise InvalidModelError(
                f"states has shape {states.shape}; expected (episodes, horizon + 1), at least one"
                " episode"
            )
        check_count("horizon", states.shape[1] - 1)
        check_shape("actions", actions, (states.shape[0], states.shape[1] - 1))
        if np.isnan(states).any():
            k, h = (int(i) for i in np.argwhere(np.isnan(states))[0])
            raise InvalidModelError(f"{place('states', (k, h))} is nan; expected a number")
        if (actions < 0).any():
            k, h = (int(i) for i in np.argwhere(actions < 0)[0])
            raise InvalidModelError(
                f"{place('actions', (k, h))} is {actions[k, h]}; expected an index of at least 0"
            )
        object.__setattr__(self, "states", states)
        object.__setattr__(self, "actions", actions)

    @property
    def n_episodes(self) -> int:
        """Number of episodes K."""
        return int(self.actions.shape[0])

    @property
    def horizon(self) -> int:
        """Number of steps H of each episode."""
        return int(self.actions.shape[1])
