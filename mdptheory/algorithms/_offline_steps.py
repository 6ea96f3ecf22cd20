"""The steps of a backward pass from offline data: finite by counts, real states by samples."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory._validation import place
from mdptheory.algorithms._backward import Step
from mdptheory.errors import InvalidModelError
from mdptheory.models.linear import FeatureProcess, KnownModel
from mdptheory.models.offline import OfflineData, OfflineStatistics, RealData

Precision: TypeAlias = Callable[[int, FloatArray], FloatArray]
"""``precision(h, phi)`` gives weights of shape (n,) to pairs with features ``phi`` (n, d)."""


def as_statistics(data: OfflineData | OfflineStatistics, known: KnownModel) -> OfflineStatistics:
    """Return the statistics of finite data for a model, or refuse what does not fit it."""
    if not isinstance(known, KnownModel):
        raise TypeError(
            f"known is of type {type(known).__name__}; expected KnownModel, such as mdp.known: a"
            " learner from finite data sees no factors"
        )
    if isinstance(data, OfflineData):
        return data.statistics(known)
    if not isinstance(data, OfflineStatistics):
        raise TypeError(
            f"data is of type {type(data).__name__}; expected OfflineData, OfflineStatistics or"
            " RealData"
        )
    if data.known is known:
        return data
    for name in ("features", "reward"):
        theirs, ours = getattr(data.known, name), getattr(known, name)
        if theirs.shape != ours.shape or not np.array_equal(theirs, ours):
            raise InvalidModelError(
                f"data has statistics for other {name} than known, of shape {theirs.shape} and"
                f" {ours.shape}; expected the same model"
            )
    return data


def finite_steps(
    data: OfflineStatistics, known: KnownModel, precision: Precision | None = None
) -> Iterator[Step]:
    """Yield the steps of finite data, the last one first; points are the states."""
    seen, d = data.seen_next, known.n_factors
    for h in reversed(range(known.horizon)):
        gram, moments = data.gram[h], data.moments[h]
        if precision is not None:
            phi = known.phi_at(h).reshape(-1, d)
            weighted = data.counts[h].reshape(len(phi), -1) * precision(h, phi)[:, None]
            gram = (phi * weighted.sum(axis=1, keepdims=True)).T @ phi
            moments = phi.T @ weighted
        after = min(h + 1, known.horizon - 1)
        yield Step(
            gram,
            moments,
            known.phi_at(after),
            known.reward[after],
            seen[h],
            data.reward_moments[h],
            known.fail_state,
        )


def check_real(data: RealData, process: FeatureProcess) -> None:
    """Require episodes that go with a process."""
    if not all(hasattr(process, name) for name in ("features", "rewards", "horizon", "n_actions")):
        raise TypeError(
            f"known is of type {type(process).__name__}; expected a FeatureProcess with RealData"
        )
    if data.horizon != process.horizon:
        raise InvalidModelError(
            f"actions has {data.horizon} steps an episode; the process has {process.horizon}"
        )
    bad = (data.actions < 0) | (data.actions >= process.n_actions)
    if bad.any():
        k, h = (int(i) for i in np.argwhere(bad)[0])
        raise InvalidModelError(
            f"{place('actions', (k, h))} is {data.actions[k, h]}; expected an index in"
            f" [0, {process.n_actions})"
        )


def sample_steps(
    data: RealData, process: FeatureProcess, precision: Precision | None = None
) -> Iterator[Step]:
    """Yield the steps of real data, the last one first; points are the next states."""
    rows = np.arange(data.n_episodes)
    horizon = data.horizon
    phi_next = np.zeros((data.n_episodes, process.n_actions, process.n_factors))
    reward_next = np.zeros((data.n_episodes, process.n_actions))
    everything = np.ones(data.n_episodes, dtype=np.bool_)
    for h in reversed(range(horizon)):
        states = np.ascontiguousarray(data.states[:, h])
        all_phi, all_reward = process.features(h, states), process.rewards(h, states)
        phi = all_phi[rows, data.actions[:, h]]
        weighted = phi if precision is None else phi * precision(h, phi)[:, None]
        paid = phi.T @ all_reward[rows, data.actions[:, h]]
        yield Step(weighted.T @ phi, weighted.T, phi_next, reward_next, everything, paid)
        phi_next, reward_next = all_phi, all_reward
