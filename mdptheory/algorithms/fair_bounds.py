"""Right sides of what is proved about optimistic feasible search, all of it derived here.

Pure functions of plain numbers. No learner uses them: they are a second statement that runs are
held to. OFS-T1 and so on are our numbers, not those of a paper.
"""

import math

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory._validation import as_float_array, check_count, check_number, check_shape
from mdptheory.algorithms._fair_logs import Epochs, epoch_log_term, log_term, row_scales
from mdptheory.errors import InvalidModelError

__all__ = [
    "Epochs",
    "closed_loop_bound",
    "epoch_log_term",
    "grid_bound",
    "infeasible_bound",
    "log_term",
    "logarithmic_violation_bound",
    "pull_bound",
    "row_scales",
    "stationary_bound",
]


def stationary_bound(
    n_arms: int,
    horizon: int,
    log: float,
    *,
    scale: float,
    worst: float,
    radius_scale: float = 1.0,
) -> float:
    """Bound regret or cumulative violation where nothing moves and some arm is feasible (OFS-T1).

    Parameters
    ----------
    n_arms : int
        Number of arms K.
    horizon : int
        Number of rounds T' after which the sum is taken, at most the algorithm's T.
    log : float
        `log_term` at the algorithm's own horizon; for the anytime form at ``horizon`` or later.
    scale : float
        Sub-Gaussian scale: the reward's for the regret, the largest of `row_scales` for the
        violation.
    worst : float
        Most that one round can cost: ``max_a (mu* - mu(a))`` over arms that earn less, or the
        largest violation of an arm.
    radius_scale : float
        Factor s at least 1 by which every radius is multiplied; below 1 nothing is proved.

    Returns
    -------
    float
        ``K worst + 4 s scale sqrt(2 L K T')``, in units of reward or residual.

    Raises
    ------
    InvalidModelError
        If a number is outside its range.

    Notes
    -----
    Derived here. Unless some estimate errs by more than its radius, the best feasible arm looks
    feasible, so the arm that is played looks feasible and at least as good; after n pulls of it
    either loss is at most twice its radius. First pulls cost ``worst``; ``sum_{n < N} n^(-1/2) <=
    2 sqrt(N)``, and ``sum_a sqrt(N_a) <= sqrt(K T')``.

    Examples
    --------
    Eight arms, 200,000 rounds, three channels of scale 1/4: the best feasible arm earns 0.6, the
    worst arm nothing, and no arm violates by more than 0.6.

    >>> log = log_term(8, 3, 200_000, 0.05)
    >>> round(stationary_bound(8, 200_000, log, scale=0.25, worst=0.6))
    7817
    >>> log = log_term(2, 2, 1_000_000, 0.05)
    >>> round(stationary_bound(2, 1_000_000, log, scale=0.25, worst=0.1))
    8693
    """
    k, t = check_count("n_arms", n_arms), check_count("horizon", horizon)
    _check_log(log)
    _check_radius(radius_scale)
    check_number("worst", worst, low=0.0)
    check_number("scale", scale, low=0.0)
    return k * worst + 4 * radius_scale * scale * math.sqrt(2 * log * k * t)


def infeasible_bound(
    n_arms: int,
    horizon: int,
    log: float,
    *,
    scale: float,
    worst: float,
    radius_scale: float = 1.0,
) -> float:
    """Bound the cumulative violation beyond that of the least violating arm (OFS-T3).

    Parameters
    ----------
    n_arms, horizon, log, radius_scale
        As in `stationary_bound`.
    scale : float
        Largest of `row_scales`.
    worst : float
        Largest violation of an arm.

    Returns
    -------
    float
        ``K worst + 4 s scale sqrt(2 L K T)``, whether or not an arm is feasible.

    Notes
    -----
    Derived here. After the first pulls the arm that is played has the least optimistic violation,
    at most that of the least violating arm, at most the least violation; its own violation is at
    most twice its radius more. The rule for rounds in which nothing looks feasible buys this.

    Examples
    --------
    >>> log = log_term(8, 3, 200_000, 0.05)
    >>> round(infeasible_bound(8, 200_000, log, scale=0.25, worst=0.7))
    7818
    """
    return stationary_bound(
        n_arms, horizon, log, scale=scale, worst=worst, radius_scale=radius_scale
    )


def pull_bound(
    gaps: npt.ArrayLike,
    residuals: npt.ArrayLike,
    log: float,
    *,
    scale: float,
    scales: npt.ArrayLike,
    radius_scale: float = 1.0,
) -> FloatArray:
    """Bound how often each arm is played where nothing moves and some arm is feasible (OFS-T2).

    Parameters
    ----------
    gaps : array of shape (K,)
        Reward of the best feasible arm less that of each arm; only positive ones count.
    residuals : array of shape (K, M)
        Mean residuals of the arms; only positive ones count.
    log : float
        `log_term` at the horizon.
    scale : float
        Sub-Gaussian scale of the reward.
    scales : array of shape (M,)
        Those of the residuals: `row_scales`.
    radius_scale : float
        As in `stationary_bound`.

    Returns
    -------
    array of shape (K,)
        Rounds: ``1 + 8 s^2 L min((scale / gap)^2, min_m (scale_m / residual_m)^2)``, and infinite
        for an arm that neither earns less nor violates anything.

    Raises
    ------
    InvalidModelError
        If shapes differ or a number is outside its range.

    Notes
    -----
    Derived here. Playing an arm once more after n pulls needs its gap and each of its residuals to
    be at most twice their radius, ``2 s scale sqrt(2 L / n)``; solve for n.

    Examples
    --------
    >>> log = log_term(2, 2, 50_000, 0.05)
    >>> most = pull_bound([-0.4, 0.0], [[0.2], [0.0]], log, scale=0.25, scales=[0.25])
    >>> math.floor(most[0]), float(most[1])
    (199, inf)
    """
    gap, residual = as_float_array("gaps", gaps), as_float_array("residuals", residuals)
    widths = as_float_array("scales", scales)
    check_shape("gaps", gap, (None,))
    check_shape("residuals", residual, (len(gap), len(widths)))
    _check_log(log)
    _check_radius(radius_scale)
    check_number("scale", scale, low=0.0)
    with np.errstate(divide="ignore"):
        ratios = np.column_stack([scale / np.maximum(gap, 0.0), widths / np.maximum(residual, 0.0)])
    counts: FloatArray = 1 + 8 * radius_scale**2 * log * ratios.min(axis=1) ** 2
    return counts


def logarithmic_violation_bound(
    violations: npt.ArrayLike, log: float, *, scale: float, radius_scale: float = 1.0
) -> float:
    """Bound the cumulative violation by what each arm violates, logarithmic in T (OFS-T2).

    Parameters
    ----------
    violations : array of shape (K,)
        Violation of each arm, its largest positive residual.
    log, radius_scale : float
        As in `pull_bound`.
    scale : float
        Largest of `row_scales`.

    Returns
    -------
    float
        ``sum over v(a) > 0 of v(a) + 8 s^2 scale^2 L / v(a)``, in units of the residual.

    Notes
    -----
    Derived here: `pull_bound` times the violation, summed.

    Examples
    --------
    >>> log = log_term(2, 2, 50_000, 0.05)
    >>> round(logarithmic_violation_bound([0.2, 0.0], log, scale=0.25), 2)
    39.94
    """
    found = as_float_array("violations", violations)
    _check_log(log)
    _check_radius(radius_scale)
    check_number("scale", scale, low=0.0)
    v = found[found > 0]
    return float((v + 8 * (radius_scale * scale) ** 2 * log / v).sum())


def grid_bound(horizon: int, spacing: float, lipschitz: float, bound: float) -> float:
    """Bound the loss against the best feasible threshold between grid points (OFS-T5).

    Parameters
    ----------
    horizon : int
        Number of rounds T.
    spacing : float
        Distance h of neighbouring thresholds; the grid covers the range, both ends included.
    lipschitz : float
        Lipschitz constant, in the threshold, of the mean reward or of every mean residual.
    bound : float
        `stationary_bound` of the grid's problem with every residual relaxed by ``l_g h / 2``.

    Returns
    -------
    float
        ``T lipschitz h / 2 + bound``: for the regret against the best threshold of the range, or
        for the cumulative violation of the constraints that were not relaxed.

    Notes
    -----
    Derived here. The grid point nearest the best threshold is within h/2 of it, hence feasible for
    relaxed constraints and at most ``l_mu h / 2`` worse. Shares of finitely many scores are step
    functions of the threshold, which this says nothing about.

    Examples
    --------
    >>> grid_bound(1000, 0.05, 2.0, 100.0)
    150.0
    """
    check_count("horizon", horizon)
    check_number("spacing", spacing, low=0.0)
    check_number("lipschitz", lipschitz, low=0.0)
    return horizon * lipschitz * spacing / 2 + bound


def closed_loop_bound(
    n_arms: int,
    log: float,
    *,
    scale: float,
    worst: float,
    drift: float,
    epochs: Epochs,
    radius_scale: float = 1.0,
) -> float:
    """Bound regret or violation of doubling epochs in a closed loop (OFS-T8).

    Parameters
    ----------
    n_arms : int
        Number of arms K.
    log : float
        `epoch_log_term`.
    scale : float
        As in `stationary_bound`.
    worst : float
        Most that one round can cost in any state that can be reached.
    drift : float
        ``l D / (1 - kappa)``: Lipschitz constant of the means in the state, times the largest
        distance from a steady state, times the time that the loop remembers.
    epochs : Epochs
        Horizon, first epoch, burn-in and contraction.
    radius_scale : float
        As in `stationary_bound`.

    Returns
    -------
    float
        With ``B = drift kappa^b``: ``K (b + m0) worst + 2 sqrt2 [(1 + sqrt2) + (2 + sqrt2) b / m0]
        s scale sqrt(L K T) + (1 + b / m0) K B E (E - 1) + K E drift``.

    Raises
    ------
    InvalidModelError
        If a number is outside its range.

    Notes
    -----
    Derived here, with probability ``1 - delta``, for an algorithm that adds ``B e / N`` to its
    radii after e epochs of an arm, against the steady reward of the best arm whose steady state is
    feasible; if no arm's is, for the violation beyond the least steady one. For value channels: a
    round of a count channel weighs by its trials, which only a run's certificate allows for.

    Examples
    --------
    Two arms whose state forgets 5 or 1 percent a round, with ``l D = 0.6``:

    >>> epochs = Epochs(1_000_000, first=1, kappa=0.95)
    >>> log = epoch_log_term(2, 1, epochs, 0.05)
    >>> round(closed_loop_bound(2, log, scale=0.1, worst=1.0, drift=0.6 / 0.05, epochs=epochs))
    13218
    >>> epochs = Epochs(1_000_000, first=1, kappa=0.99)
    >>> round(closed_loop_bound(2, log, scale=0.1, worst=1.0, drift=0.6 / 0.01, epochs=epochs))
    55554
    """
    k = check_count("n_arms", n_arms)
    t, first = check_count("horizon", epochs.horizon), check_count("first", epochs.first)
    burn, most = check_count("burn", epochs.burn, low=0), epochs.most
    if burn > first:
        raise InvalidModelError(f"burn is {burn}; expected at most first = {first}")
    kappa = check_number("kappa", epochs.kappa, low=0.0, high=1.0, open_high=True)
    _check_log(log)
    _check_radius(radius_scale)
    root = math.sqrt(2)
    noise = 2 * root * ((1 + root) + (2 + root) * burn / first) * radius_scale * scale
    bias = (1 + burn / first) * drift * kappa**burn * most * (most - 1)
    return k * ((burn + first) * worst + bias + most * drift) + noise * math.sqrt(log * k * t)


def _check_log(log: float) -> None:
    check_number("log", log, low=0.0, open_low=True, open_high=True)


def _check_radius(radius_scale: float) -> None:
    check_number("radius_scale", radius_scale, low=1.0, open_high=True)
