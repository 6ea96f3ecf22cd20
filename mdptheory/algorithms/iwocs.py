"""IWOCS: robust planning as a sequence of ordinary models, as published and repaired."""

import warnings

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, RngLike
from mdptheory._validation import (
    as_float_array,
    check_count,
    check_number,
    check_shape,
    check_simplex,
)
from mdptheory.algorithms._iwocs_records import (
    IWOCSOptions,
    IWOCSRecord,
    IWOCSResult,
    IWOCSStatus,
    MonteCarlo,
)
from mdptheory.algorithms._iwocs_run import Run
from mdptheory.errors import InvalidModelError, StallWarning, TruncationWarning
from mdptheory.models import AmbiguitySet, Discounted, TabularMDP

__all__ = ["IWOCSOptions", "IWOCSRecord", "IWOCSResult", "IWOCSStatus", "MonteCarlo", "iwocs"]


def iwocs(
    mdp: TabularMDP,
    ambiguity: AmbiguitySet,
    *,
    start: int | npt.ArrayLike | None = None,
    options: IWOCSOptions | None = None,
    tol: float = 1e-6,
    max_iter: int = 50,
    rng: RngLike = None,
) -> IWOCSResult:
    """Solve a robust MDP by ordinary MDPs, one for each kernel that nature comes up with.

    Parameters
    ----------
    mdp : TabularMDP
        A discounted model; with a `FiniteSet` only its rewards and its discount count.
    ambiguity : FiniteSet, or any other set with ``rectangularity="sa"``
        Where nature picks her kernel from.
    start : int or array of shape (n_states,), optional
        First state, or its distribution; ``mdp.initial`` if absent.
    options : IWOCSOptions, optional
        Next kernel, completion, first kernel, planner and evaluator; as published if absent.
    tol : float
        Gap between the bounds at the start at which to stop, discounted reward; with `MonteCarlo`
        at least three standard errors.
    max_iter : int
        Limit on iterations.
    rng : numpy.random.Generator, int or None
        For `MonteCarlo` and ``selection="random"``; None is seed 0 there.

    Returns
    -------
    IWOCSResult
        Last and best policy, bounds, status, kernels and history.

    Raises
    ------
    InvalidModelError
        If the objective is not discounted, the kernels do not fit the model, ``start`` is no state
        or distribution, an option is out of range, or ``"nature_greedy"`` or ``"hull"`` meet
        coupled kernels.
    NotImplementedError
        If the rows of several pairs depend on each other other than by ``coupled=True``.

    Warns
    -----
    StallWarning
        If the next kernel adds nothing while the gap exceeds ``tol``; the status says so too.
    TruncationWarning
        If simulated runs may lose more than ``tol`` behind their horizon.

    Notes
    -----
    With kernels T_0, ..., T_i, ``Q_i = min_j Q*_{T_j}`` bounds the robust value of every action
    from above and its greedy policy's robust value from below; nature's reply to that policy is
    T_{i+1}. The bounds hold in every iteration, up to rounding; they, the two repaired rules and
    their guarantees are derived here, not in the paper. ``Q_i`` is an upper bound only, also at the
    start: the paper's words that it *is* the robust value of the kernels found are not true in
    general. The paper leaves open T_0, ties, the kernel at actions not taken and what happens at a
    stall.

    Kernels that are coupled: a deterministic policy's value is at most ``upper``, a randomised
    one's may exceed it. If their first state is random as well, the pointwise minimum bounds no
    policy; ``upper`` then is the least optimal value over the kernels found, which bounds all.

    Simulated values: the least of several estimates is biased low, a horizon of H steps loses at
    most ``gamma^H max |r| / (1 - gamma)``, and the bounds hold only as far as the estimate does.

    References
    ----------
    A. Zouitine, D. Bertoin, P. Clavier, M. Geist, E. Rachelson, "Solving robust MDPs as a sequence
    of static RL problems", arXiv 2410.06212, 2024, algorithm 1 and appendix E.

    Examples
    --------
    >>> from mdptheory.environments import windy_walk, windy_walk_family
    >>> result = iwocs(windy_walk(), windy_walk_family().ambiguity(coupled=True))
    >>> [(round(step.upper, 4), round(step.lower, 4)) for step in result.history]
    [(-4.5244, -10.2944), (-7.9521, -7.9521)]
    >>> result.status.name, result.kernels_found
    ('CERTIFIED', (0, 24))
    """
    check_number("tol", tol, low=0.0, open_low=True)
    check_count("max_iter", max_iter)
    if not isinstance(mdp.objective, Discounted):
        raise InvalidModelError(
            f"mdp has objective {type(mdp.objective).__name__}; iwocs expects Discounted"
        )
    chosen = IWOCSOptions() if options is None else options
    if not isinstance(chosen, IWOCSOptions):
        raise TypeError(f"options is of type {type(chosen).__name__}; expected IWOCSOptions")
    first_state = _distribution(mdp, start)
    run = Run(mdp, ambiguity, first_state, chosen, 0 if rng is None else rng)
    if isinstance(chosen.evaluator, MonteCarlo):
        _warn_of_truncation(run, chosen.evaluator, tol)
    status = run.loop(tol, max_iter)
    result = run.result(status, 0 if rng is None else rng)
    if status is IWOCSStatus.STALLED:
        warnings.warn(
            f"iwocs stalled after {len(result.history)} iterations with a gap of {result.gap:.6g}"
            f" (tol is {tol:g}); selection='hull' or 'nature_greedy' cannot stall",
            StallWarning,
            stacklevel=2,
        )
    return result


def _distribution(mdp: TabularMDP, start: int | npt.ArrayLike | None) -> FloatArray:
    """Return the distribution of the first state."""
    if start is None:
        if mdp.initial is None:
            raise InvalidModelError("start is not given and the model has no initial distribution")
        return mdp.initial
    if isinstance(start, int | np.integer) and not isinstance(start, bool):
        if not 0 <= start < mdp.n_states:
            raise InvalidModelError(
                f"start is {start}; expected an index in [0, {mdp.n_states}) or a distribution"
            )
        return np.eye(1, mdp.n_states, int(start))[0]
    given = as_float_array("start", start)
    check_shape("start", given, (mdp.n_states,))
    check_simplex("start", given)
    return given


def _warn_of_truncation(run: Run, evaluator: MonteCarlo, tol: float) -> None:
    gamma = run.mdp.gamma
    lost = gamma**evaluator.horizon * run.largest_reward() / (1.0 - gamma)
    if lost > tol:
        warnings.warn(
            f"runs of {evaluator.horizon} steps may miss {lost:.3g} of their return (tol is"
            f" {tol:g}); expected a longer horizon",
            TruncationWarning,
            stacklevel=3,
        )
