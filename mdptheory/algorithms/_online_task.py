"""What an online learner is told, checked once and bundled for compiled code."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory._validation import (
    as_float_array,
    check_count,
    check_number,
    check_simplex,
    place,
    read_only,
)
from mdptheory.algorithms._online_beta import beta_lines, given_beta, refuse_unproved
from mdptheory.algorithms._online_records import OnlineOptions
from mdptheory.algorithms._online_run import OnlineLearner
from mdptheory.errors import FitWarning, InvalidModelError, UnderflowWarning
from mdptheory.kernels.linear_records import ELLIPTIC, L1, L2, Task, Truth
from mdptheory.models.factor_ambiguity import FactorAmbiguity, FactorKind, factor_levels
from mdptheory.models.linear import KnownModel, LinearMDP, SampledLinearMDP
from mdptheory.solvers.linear_planning import linear_plan


@dataclass(frozen=True, slots=True, eq=False)
class Improvement:
    """How a fit becomes a policy.

    Attributes
    ----------
    tau : float
        Temperature; 0 is greedy.
    reference : array-like, optional
        Policy that a soft one is held to; None is uniform.
    mirror : float
        Step size eta of a mirror step; ``inf`` is the one-shot policy.
    """

    tau: float = 0.0
    reference: npt.ArrayLike | None = None
    mirror: float = math.inf


GREEDY = Improvement()


def make_learner(
    env: LinearMDP | SampledLinearMDP,
    n_episodes: int,
    ambiguity: FactorAmbiguity | None,
    improvement: Improvement,
    options: OnlineOptions | None,
    track: LinearMDP | None,
    *,
    reward_known: bool = True,
) -> OnlineLearner:
    """Return the learner of these choices, or refuse them."""
    known, chosen, tau = env.known, checked_options(options), improvement.tau
    check_count("n_episodes", n_episodes)
    kind, levels = factor_levels(ambiguity, known.horizon, known.n_factors)
    refuse_unproved(chosen, mirror=improvement.mirror < math.inf, simplex=known.simplex)
    beta = _beta(known, kind, levels, chosen, n_episodes)
    warn_of_options(kind, tau, known.horizon, fail_state=known.fail_state)
    task = _task(known, kind, levels, beta, improvement, chosen, reward_known=reward_known)
    truth = Truth(read_only(np.empty((0, 0, 0))), task.start, 0.0, 0)
    if track is not None:
        _check_track(known, track)
        soft = np.exp(task.log_reference) if tau > 0.0 else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnderflowWarning)  # said already
            best = linear_plan(track, ambiguity, tau=tau, reference=soft).v[0]
        truth = Truth(track.mu, truth.start, float(truth.start @ best), chosen.track_every)
    return OnlineLearner(known, ambiguity, chosen, task, truth)


def _task(
    known: KnownModel,
    kind: FactorKind,
    levels: FloatArray,
    beta: tuple[FloatArray, FloatArray, FloatArray],
    improvement: Improvement,
    options: OnlineOptions,
    *,
    reward_known: bool,
) -> Task:
    """Return what compiled code is told; all arrays are writable and C-contiguous."""
    shape = (known.horizon, known.n_states, known.n_actions)
    bonus = L1 if options.bonus == "l1" else L2
    slope, offset, log_term = (np.array(part, order="C") for part in beta)
    return Task(
        start=np.array(known.start),
        phi=np.array(np.moveaxis(known.features, 3, 1), order="C"),
        reward=np.array(known.reward),
        seen=np.array(known.reward) if reward_known else np.zeros(shape),
        log_reference=np.log(reference_policy(improvement.reference, shape)),
        level=np.array(levels, order="C"),
        slope=slope,
        offset=offset,
        log_term=log_term,
        ceiling=np.arange(shape[0], 0, -1.0)
        if reward_known
        else np.full(shape[0], float(shape[0])),
        kind=int(kind),
        sink=-1 if known.fail_state is None else int(known.fail_state),
        tau=float(improvement.tau),
        keep=1.0 / improvement.mirror,
        bonus=bonus if reward_known else ELLIPTIC,
        sign=1.0,
        bonus_last=options.bonus_last or not reward_known,
        clip_zero=options.clip_zero,
        reward_known=reward_known,
        shift=options.kl_shift,
    )


def _beta(
    known: KnownModel, kind: FactorKind, levels: FloatArray, options: OnlineOptions, n_episodes: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return slopes, offsets and log terms of the widths."""
    if isinstance(options.beta, str):
        fail = known.fail_state is not None
        return beta_lines(kind, levels, options, n_episodes, known.n_states, fail=fail)
    given = given_beta(options, (known.horizon, known.n_factors))
    return np.zeros_like(given), given, np.zeros(known.horizon)


def _check_track(known: KnownModel, track: LinearMDP) -> None:
    """Require that what the learner sees is what is tracked."""
    if not isinstance(track, LinearMDP):
        raise TypeError(f"track is of type {type(track).__name__}; expected LinearMDP")
    same = track.known is known or (
        np.array_equal(track.known.features, known.features)
        and np.array_equal(track.known.theta, known.theta)
        and np.array_equal(track.start, known.start)
        and track.fail_state == known.fail_state
    )
    if not same:
        raise InvalidModelError(
            "track has other features, rewards, first state or fail state than the environment"
        )


def checked_options(options: OnlineOptions | None) -> OnlineOptions:
    """Return the options, or refuse what is none."""
    if options is None:
        return OnlineOptions()
    if not isinstance(options, OnlineOptions):
        raise TypeError(f"options is of type {type(options).__name__}; expected OnlineOptions")
    return options


def checked_temperature(tau: float, mirror: float = math.inf) -> float:
    """Return a positive temperature, or point to the greedy learner."""
    if isinstance(tau, int | float | np.integer | np.floating) and not tau > 0:
        raise InvalidModelError(
            f"tau is {tau}; expected a positive temperature (dr_lsvi_ucb is the greedy limit,"
            " tau = 0)"
        )
    check_number("mirror", mirror, low=0.0, open_low=True)
    return check_number("tau", tau, open_high=True)


def reference_policy(reference: npt.ArrayLike | None, shape: tuple[int, int, int]) -> FloatArray:
    """Return a reference of shape (H, S, A) with positive rows that sum to 1."""
    if reference is None:
        return np.full(shape, 1.0 / shape[2])
    given = as_float_array("reference", reference)
    if given.ndim not in (1, 2, 3) or given.shape != shape[3 - given.ndim :]:
        H, S, A = shape
        raise InvalidModelError(
            f"reference has shape {given.shape}; expected ({A},), ({S}, {A}) or ({H}, {S}, {A})"
        )
    check_simplex("reference", given)
    if (given == 0.0).any():
        index = tuple(int(i) for i in np.argwhere(given == 0.0)[0])
        raise InvalidModelError(
            f"{place('reference', index)} is 0; expected a positive probability of every action"
        )
    given = given / given.sum(axis=-1, keepdims=True)
    return np.array(np.broadcast_to(given, shape), order="C")


def warn_of_options(kind: FactorKind, tau: float, horizon: int, *, fail_state: int | None) -> None:
    """Warn where a run is less sure, or less soft, than it looks."""
    if kind == FactorKind.TV_BALL and fail_state is None:
        warnings.warn(
            "ambiguity is a TVBall and the model has no fail state: the least next value is then"
            " that of states never visited, which are thought to be good; robust values are"
            " over-estimated, though still validly",
            FitWarning,
            stacklevel=4,
        )
    if tau > 0.0 and horizon / tau > 700.0:
        warnings.warn(
            f"tau is {tau:g} and the horizon {horizon}: exp(-H / tau) underflows, policies are"
            " greedy in all but name",
            UnderflowWarning,
            stacklevel=4,
        )
