"""Offline data of linear MDPs and of processes on real states."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray, RngLike
from mdptheory._validation import (
    as_array,
    as_float_array,
    as_index_array,
    check_count,
    check_shape,
    check_simplex,
    place,
)
from mdptheory.environments._cumulative import cumulative
from mdptheory.errors import InvalidModelError
from mdptheory.kernels.linear_rollout import draw, roll_episodes
from mdptheory.models.linear import FeatureProcess, KnownModel, LinearMDP, SampledLinearMDP
from mdptheory.models.offline import OfflineData, OfflineStatistics, RealData

CHUNK = 1 << 22  # uniforms drawn at once; bounds the memory and is no part of the stream

RealPolicy: TypeAlias = Callable[[int, FloatArray], npt.ArrayLike]
"""``policy(step, states)`` returns actions (n,) or probabilities of them (n, A)."""


def collect(
    mdp: LinearMDP | SampledLinearMDP,
    pi: npt.ArrayLike | None,
    n_episodes: int,
    *,
    rng: RngLike = None,
) -> OfflineData:
    """Roll independent episodes of a behaviour policy.

    Parameters
    ----------
    mdp : LinearMDP or SampledLinearMDP
        What is rolled; a sampler is called once a step.
    pi : array of shape (H, S, A) or (S, A), or None
        Probabilities of the actions; None is uniform.
    n_episodes : int
        Number of episodes K, at least 1.
    rng : numpy.random.Generator, int or None
        Source of randomness; the same seed gives the same bits.

    Returns
    -------
    OfflineData
        States (K, H + 1) and actions (K, H).

    Raises
    ------
    InvalidModelError
        If ``pi`` or the kernel holds no distributions, or a sampler leaves the state space.
    TypeError
        If ``mdp`` is of another type.

    Notes
    -----
    Episode k is made of row k of ``rng.random((K, 1 + 2 * H))``: the first state's uniform, then
    one for the action and one for the next state of each step, each by the inverse of its
    distribution function. A sampler that inverts the same way gives the same episodes.

    Examples
    --------
    >>> mdp = LinearMDP([[[1.0, 0.0]], [[0.0, 1.0]]], np.ones((2, 2)), [[[0, 1], [1, 0]]] * 2)
    >>> collect(mdp, None, 1, rng=0).states
    array([[0, 1, 0]])
    """
    rng = np.random.default_rng(rng)
    known = _known(mdp)
    n_episodes = check_count("n_episodes", n_episodes)
    policy_cdf, start_cdf = cumulative(_policy(pi, known)), cumulative(known.start)
    states = np.empty((n_episodes, known.horizon + 1), dtype=np.int64)
    actions = np.empty((n_episodes, known.horizon), dtype=np.int64)
    next_cdf = cumulative(_kernels(mdp)) if isinstance(mdp, LinearMDP) else None
    rows = max(1, CHUNK // (1 + 2 * known.horizon))
    for first in range(0, n_episodes, rows):
        part = slice(first, first + rows)
        u = rng.random((len(states[part]), 1 + 2 * known.horizon))
        if next_cdf is not None:
            roll_episodes(u, start_cdf, policy_cdf, next_cdf, states[part], actions[part])
        elif isinstance(mdp, SampledLinearMDP):
            _roll_sampled(mdp, u, start_cdf, policy_cdf, states[part], actions[part])
    return OfflineData(states, actions)


def collect_statistics(
    mdp: LinearMDP, pi: npt.ArrayLike | None, n_episodes: int, *, rng: RngLike = None
) -> OfflineStatistics:
    """Draw the statistics of `collect`'s episodes without the episodes.

    Parameters
    ----------
    mdp : LinearMDP
        What would be rolled.
    pi : array of shape (H, S, A) or (S, A), or None
        Probabilities of the actions; None is uniform.
    n_episodes : int
        Number of episodes K, at least 1; the cost does not depend on it.
    rng : numpy.random.Generator, int or None
        Source of randomness; the same seed gives the same bits.

    Returns
    -------
    OfflineStatistics
        Of the same law as ``collect(mdp, pi, n_episodes).statistics(mdp.known)``.

    Raises
    ------
    InvalidModelError
        If ``pi`` or the kernel holds no distributions.
    TypeError
        If ``mdp`` is no `LinearMDP`: counts need its kernel.

    Notes
    -----
    The number of episodes in each state splits over actions by a multinomial law, each of these
    over next states by another. As episodes forget how they came to a state, this is the joint law
    of the counts of all steps.

    Examples
    --------
    >>> mdp = LinearMDP([[[1.0, 0.0]], [[0.0, 1.0]]], np.ones((2, 2)), [[[0, 1], [1, 0]]] * 2)
    >>> collect_statistics(mdp, None, 10**9, rng=0).counts[1, 1, 0]
    array([1000000000,          0])
    """
    rng = np.random.default_rng(rng)
    if not isinstance(mdp, LinearMDP):
        raise TypeError(
            f"mdp is of type {type(mdp).__name__}; counts are drawn from the kernel of a LinearMDP"
        )
    n_episodes = check_count("n_episodes", n_episodes)
    policy, kernels = _policy(pi, mdp.known), _kernels(mdp)
    counts = np.empty(kernels.shape, dtype=np.int64)
    here = _split(rng, np.asarray(n_episodes), mdp.start)
    for h in range(mdp.horizon):
        taken = _split(rng, here, policy[h if len(policy) > 1 else 0])
        counts[h] = _split(rng, taken, kernels[h])
        here = counts[h].sum(axis=(0, 1))
    return OfflineStatistics(mdp.known, counts)


def collect_real(
    process: FeatureProcess,
    policy: RealPolicy | npt.ArrayLike | None,
    n_episodes: int,
    *,
    rng: RngLike = None,
) -> RealData:
    """Roll independent episodes of a process on real states.

    Parameters
    ----------
    process : FeatureProcess
        What is rolled, such as an `AmericanPut`.
    policy : callable, int, array of int of shape (H,), or None
        ``policy(step, states)`` returns actions of shape (n,), or their probabilities of shape
        (n, A). A number is always that action, an array one a step; None is uniform.
    n_episodes : int
        Number of episodes K, at least 1.
    rng : numpy.random.Generator, int or None
        Source of randomness; the same seed gives the same bits.

    Returns
    -------
    RealData
        States (K, H + 1) and actions (K, H).

    Raises
    ------
    InvalidModelError
        If the policy returns no actions of the process.
    TypeError
        If ``process`` is no `FeatureProcess`, or the policy's answers are no numbers.

    Notes
    -----
    Uniforms are laid out as in `collect`; those of the actions are left unused where actions are
    given without probabilities. The policy is asked after the end of an episode too, when the
    state is ``inf``.
    """
    rng = np.random.default_rng(rng)
    for name in ("horizon", "n_actions", "first", "sample"):
        if not hasattr(process, name):
            raise TypeError(
                f"process is of type {type(process).__name__}, without {name!r}; expected a"
                " FeatureProcess"
            )
    n_episodes = check_count("n_episodes", n_episodes)
    horizon, n_actions = process.horizon, process.n_actions
    rule = _real_rule(policy, horizon, n_actions)
    u = rng.random((n_episodes, 1 + 2 * horizon))
    states = np.empty((n_episodes, horizon + 1))
    actions = np.empty((n_episodes, horizon), dtype=np.int64)
    states[:, 0] = process.first(u[:, 0])
    for h in range(horizon):
        chosen = _chosen(h, rule(h, states[:, h].copy()), u[:, 1 + 2 * h], n_actions)
        actions[:, h] = chosen
        states[:, h + 1] = process.sample(h, states[:, h], chosen, u[:, 2 + 2 * h])
    return RealData(states, actions)


def _known(mdp: LinearMDP | SampledLinearMDP) -> KnownModel:
    """Return what is known of the model, or refuse what is none."""
    if not isinstance(mdp, LinearMDP | SampledLinearMDP):
        raise TypeError(
            f"mdp is of type {type(mdp).__name__}; expected LinearMDP or SampledLinearMDP"
        )
    return mdp.known


def _policy(pi: npt.ArrayLike | None, known: KnownModel) -> FloatArray:
    """Return probabilities of shape (H or 1, S, A)."""
    shape = (known.n_states, known.n_actions)
    if pi is None:
        return np.full((1, *shape), 1.0 / known.n_actions)
    array = as_float_array("pi", pi)
    if array.ndim == 2:
        check_shape("pi", array, shape)
    else:
        check_shape("pi", array, (known.horizon, *shape))
    check_simplex("pi", array)
    return array.reshape(-1, *shape)


def _kernels(mdp: LinearMDP) -> FloatArray:
    """Return the kernels of all steps, (H, S, A, S), or refuse what is no distribution."""
    kernels = np.stack([mdp.kernel(h) for h in range(mdp.horizon)])
    if not mdp.known.simplex:  # features were not checked
        check_simplex("phi @ mu", kernels, tolerance=1e-8)
    return kernels


def _split(rng: np.random.Generator, n: IntArray, p: FloatArray) -> IntArray:
    """Split each of ``n`` (...) over the outcomes of ``p`` (..., m) by a multinomial law.

    Likely outcomes go last, for NumPy leaves the last one all that rounding withheld from the
    others; an impossible outcome would get some of it.
    """
    order = np.argsort(p, axis=-1, kind="stable")
    ascending = np.take_along_axis(p, order, axis=-1)
    drawn = rng.multinomial(n, ascending / ascending.sum(axis=-1, keepdims=True))
    counts = np.empty_like(drawn)
    np.put_along_axis(counts, order, drawn, axis=-1)
    return counts


def _roll_sampled(
    mdp: SampledLinearMDP,
    u: FloatArray,
    start_cdf: FloatArray,
    policy_cdf: FloatArray,
    states: IntArray,
    actions: IntArray,
) -> None:
    """Fill ``states`` and ``actions`` as `roll_episodes` does, asking a sampler for next states."""
    n_states = mdp.known.n_states
    for k in range(len(u)):
        s = states[k, 0] = draw(start_cdf, u[k, 0])
        for h in range(mdp.known.horizon):
            a = actions[k, h] = draw(
                policy_cdf[h if len(policy_cdf) > 1 else 0, s], u[k, 1 + 2 * h]
            )
            came = mdp.sampler(h, int(s), int(a), float(u[k, 2 + 2 * h]))
            if not isinstance(came, int | np.integer) or not 0 <= came < n_states:
                raise InvalidModelError(
                    f"sampler({h}, {s}, {a}, {u[k, 2 + 2 * h]:.6g}) returned {came!r}; expected a"
                    f" state in [0, {n_states})"
                )
            s = states[k, h + 1] = came


def _real_rule(
    policy: RealPolicy | npt.ArrayLike | None, horizon: int, n_actions: int
) -> RealPolicy:
    """Return the policy as a function of step and states."""
    if policy is None:
        return lambda step, states: np.full((states.size, n_actions), 1.0 / n_actions)
    if callable(policy):
        return policy
    steps = as_index_array("policy", np.full(horizon, policy) if np.ndim(policy) == 0 else policy)
    check_shape("policy", steps, (horizon,))
    return lambda step, states: np.full(states.size, steps[step])


def _chosen(step: int, answer: npt.ArrayLike, u: FloatArray, n_actions: int) -> IntArray:
    """Return the actions that a policy's answer means, or refuse it."""
    name = f"policy({step}, states)"
    array = as_array(name, answer)
    if array.ndim == 2:
        rows = as_float_array(name, array)
        check_shape(name, rows, (u.size, n_actions))
        check_simplex(name, rows)
        return np.asarray((cumulative(rows) > u[:, None]).argmax(axis=1), dtype=np.int64)
    actions = as_index_array(name, array.astype(np.int64) if array.dtype.kind == "b" else array)
    check_shape(name, actions, (u.size,))
    outside = (actions < 0) | (actions >= n_actions)
    if outside.any():
        i = int(np.argmax(outside))
        raise InvalidModelError(
            f"{place(name, i)} is {actions[i]}; expected an action in [0, {n_actions})"
        )
    return actions
