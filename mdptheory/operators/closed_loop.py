"""What every arm of a closed loop earns and shows at a state, and where it leads."""

from typing import assert_never

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import as_float_array, check_count, check_finite, check_shape, read_only
from mdptheory.errors import InvalidModelError
from mdptheory.kernels.bandit_records import (
    ETA_P,
    ETA_Q,
    GAUSS,
    LENDING,
    POPULATION,
    Desk,
    Gauss,
    Population,
    World,
)
from mdptheory.kernels.bandit_world import all_means, drift, settle
from mdptheory.kernels.lending import Lending
from mdptheory.models import ClosedLoop, LendingLoop
from mdptheory.models.bandit import BanditProblem, GaussianBandit
from mdptheory.models.fair_constraints import ResidualRows
from mdptheory.models.threshold_loop import ThresholdLoop

SETTLED = 1e-15
MAX_STEPS = 20_000
POPULATION_CHANNELS = 7

_NONE = {n: read_only(np.zeros((1,) * n)) for n in (1, 2, 3)}
_NO_GAUSS = Gauss(_NONE[2], _NONE[2], _NONE[1], _NONE[1], 0.0)
_NO_POPULATION = Population(
    _NONE[3], _NONE[3], _NONE[3], 0.0, 1, 1, True, _NONE[1], False, _NONE[1], _NONE[1]
)
_NO_LENDING = Lending(_NONE[1], _NONE[1], read_only(np.zeros((2, 1)), np.int64), 0.0, 0.0, 0.0)


def compiled_world(env: ClosedLoop) -> World:
    """Return an environment as compiled code reads it.

    Parameters
    ----------
    env : GaussianBandit, ThresholdLoop or LendingLoop
        Any environment.

    Returns
    -------
    World
        Arrays are read-only.
    """
    match env:
        case GaussianBandit():
            return World(GAUSS, _gauss(env), _NO_POPULATION, _NO_LENDING)
        case ThresholdLoop():
            return World(POPULATION, _NO_GAUSS, _population(env), _NO_LENDING)
        case LendingLoop():
            return World(LENDING, _NO_GAUSS, _NO_POPULATION, _lending(env))
        case _:
            assert_never(env)


def channel_places(env: ClosedLoop) -> IntArray:
    """Return where compiled code keeps each of the environment's channels."""
    if isinstance(env, ThresholdLoop):
        kept = [0, *([1] if env.stratified else []), 2, 3, 4, 5, 6]
        return read_only(kept, np.int64)
    return read_only(np.arange(len(env.channels)), np.int64)


def n_places(env: ClosedLoop) -> int:
    """Return how many channels compiled code keeps."""
    return POPULATION_CHANNELS if isinstance(env, ThresholdLoop) else len(env.channels)


def n_draws(env: ClosedLoop) -> int:
    """Return how many random numbers a round takes."""
    match env:
        case GaussianBandit():
            return len(env.channels)
        case ThresholdLoop():
            return 6 if env.stratified else 7
        case LendingLoop():
            return 3
        case _:
            assert_never(env)


def draw_rounds(env: ClosedLoop, rng: np.random.Generator, out: FloatArray) -> None:
    """Fill ``out`` with what compiled rounds turn into observations, one round a row."""
    if isinstance(env, GaussianBandit):
        rng.standard_normal(out=out)
    else:
        rng.random(out=out)


def scratch_desk(env: ClosedLoop) -> Desk:
    """Return scratch for one round."""
    n = n_places(env)
    return Desk(np.zeros(n), np.zeros(n), np.zeros(n))


def loop_means(env: ClosedLoop, state: npt.ArrayLike) -> FloatArray:
    """Return the means of all channels under every arm.

    Parameters
    ----------
    env : GaussianBandit, ThresholdLoop or LendingLoop
        The environment.
    state : array of shape (d,)
        In which the round is played.

    Returns
    -------
    array of shape (K, C)
        In the order of ``env.channels``.

    Examples
    --------
    >>> from mdptheory.models import GaussianBandit
    >>> trap = GaussianBandit([0.8, 0.5], reward_slope=[-0.6, 0.0], target=[0.0, 1.0], start=1.0)
    >>> loop_means(trap, [1.0]).ravel().tolist()
    [0.2, 0.5]
    """
    z = _state(env, state)
    out = np.empty((env.n_arms, n_places(env)))
    all_means(compiled_world(env), z, out)
    return out[:, channel_places(env)]


def loop_step(env: ClosedLoop, state: npt.ArrayLike, arm: int) -> FloatArray:
    """Return where a state moves under an arm when nothing is left to chance.

    Parameters
    ----------
    env : GaussianBandit, ThresholdLoop or LendingLoop
        The environment.
    state : array of shape (d,)
        Where it is.
    arm : int
        What is played.

    Returns
    -------
    array of shape (d,)
        The next state.
    """
    z = _state(env, state)
    out = np.empty_like(z)
    drift(compiled_world(env), z, _arm(env, arm), out)
    return out


def steady_state(env: ClosedLoop, arm: int, *, start: npt.ArrayLike | None = None) -> FloatArray:
    """Return where the noiseless loop settles under a fixed arm.

    Parameters
    ----------
    env : GaussianBandit, ThresholdLoop or LendingLoop
        The environment; where it is no contraction the result depends on ``start``.
    arm : int
        What is played for ever.
    start : array of shape (d,), optional
        Where to begin; the environment's start if absent.

    Returns
    -------
    array of shape (d,)
        The state once it moves by less than 1e-15 a round, or after 20,000 rounds.
    """
    z = _state(env, env.start_state if start is None else start)
    settle(_hurried(env), z, _arm(env, arm), SETTLED, MAX_STEPS, np.empty_like(z))
    return z


def steady_states(env: ClosedLoop) -> FloatArray:
    """Return `steady_state` of every arm.

    Parameters
    ----------
    env : GaussianBandit, ThresholdLoop or LendingLoop
        The environment.

    Returns
    -------
    array of shape (K, d)
        One row an arm.
    """
    world, start = _hurried(env), env.start_state
    out = np.tile(start, (env.n_arms, 1))
    scratch = np.empty_like(start)
    for arm in range(env.n_arms):
        settle(world, out[arm], arm, SETTLED, MAX_STEPS, scratch)
    return out


def violations(means: npt.ArrayLike, rows: ResidualRows) -> FloatArray:
    """Return the largest positive residual of channels' means.

    Parameters
    ----------
    means : array of shape (..., C)
        Means of all channels.
    rows : ResidualRows
        Constraints on them.

    Returns
    -------
    array of shape (...)
        0 where all constraints are met.
    """
    residuals = np.asarray(means) @ rows.matrix.T - rows.level
    return residuals.max(axis=-1, initial=0.0)


def _hurried(env: ClosedLoop) -> World:
    """Return the environment with rates that move at once: they settle where slow ones do.

    A rate moves monotonically towards its aim, so its speed does not change where it stops; at
    speed 1e-4 it would still be far off after 20,000 rounds.
    """
    world = compiled_world(env)
    if not isinstance(env, ThresholdLoop):
        return world
    drifts = world.population.drift.copy()
    drifts[[ETA_Q, ETA_P]] = drifts[[ETA_Q, ETA_P]] > 0
    return world._replace(population=world.population._replace(drift=read_only(drifts)))


def same_environment(one: ClosedLoop | BanditProblem, other: ClosedLoop | BanditProblem) -> bool:
    """Tell whether two environments, or problems, are equal in all their numbers.

    Parameters
    ----------
    one, other : GaussianBandit, ThresholdLoop, LendingLoop or BanditProblem
        Arrays in them have no ``==`` of their own.

    Returns
    -------
    bool
        False if their types differ.
    """
    if one is other:
        return True
    return type(one) is type(other) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in one.__slots__
    )


def _state(env: ClosedLoop, state: npt.ArrayLike) -> FloatArray:
    z = as_float_array("state", state).copy()
    check_shape("state", z, env.start_state.shape)
    check_finite("state", z)
    return z


def _arm(env: ClosedLoop, arm: int) -> int:
    if check_count("arm", arm, low=0) >= env.n_arms:
        raise InvalidModelError(f"arm is {arm}; expected an index in [0, {env.n_arms})")
    return int(arm)


def _gauss(env: GaussianBandit) -> Gauss:
    sigma = np.append(env.sigma_reward, np.asarray(env.sigma_residuals))
    return Gauss(
        read_only(np.column_stack([env.reward, env.residuals])),
        read_only(np.column_stack([env.reward_slope, env.residual_slope])),
        read_only(sigma),
        env.target,
        float(env.inertia),
    )


def _population(env: ThresholdLoop) -> Population:
    d, s = env.dynamics, env.survival
    with np.errstate(divide="ignore"):
        logs = [np.where(share > 0, np.log(share), 0.0) for share in (s, 1.0 - s)]
    drifts = [d.eta_q, d.eta_p, d.c1, d.c0, d.c_p, d.q_low, d.q_high, d.p_low, d.p_high]
    most = np.arange(1, max(env.sizes) + 1)
    return Population(
        s,
        read_only(logs[0]),
        read_only(logs[1]),
        float(env.cost),
        env.sizes[0],
        env.sizes[1],
        env.stratified,
        read_only(np.array([*drifts, env.p0, *env.q0], dtype=np.float64)),
        d.stochastic,
        read_only(np.append(0.0, np.log(most).cumsum())),
        read_only([0.0, *(1.0 / most), 1.0 / (len(most) + 1)]),
    )


def _lending(env: LendingLoop) -> Lending:
    return Lending(
        env.success,
        env.group_probs,
        env.lowest,
        float(env.shift),
        float(env.interest),
        float(env.loan),
    )


def is_open_loop(env: ClosedLoop) -> bool:
    """Tell whether no arm changes what another one shows later.

    Parameters
    ----------
    env : GaussianBandit, ThresholdLoop or LendingLoop
        The environment.

    Returns
    -------
    bool
        Whether the guarantees of plain bandits apply.
    """
    match env:
        case GaussianBandit():
            return not env.reward_slope.any() and not env.residual_slope.any()
        case ThresholdLoop():
            return env.dynamics.is_open
        case LendingLoop():
            return False
        case _:
            assert_never(env)
