"""Optimistic feasible search for thresholds, one decision a round."""

from collections.abc import Sequence

from mdptheory._typing import RngLike
from mdptheory.algorithms._bandit_learner import BanditLearner, bandit_learner
from mdptheory.algorithms._bandit_records import BanditOptions
from mdptheory.algorithms._bandit_task import Rule
from mdptheory.kernels.bandit_records import OFS
from mdptheory.models import ClosedLoop
from mdptheory.models.bandit import BanditProblem
from mdptheory.models.bandit_run import BanditRun
from mdptheory.models.fair_constraints import FairConstraint

__all__ = ["ofs", "ofs_learner"]


def ofs(
    env: ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint] = (),
    *,
    options: BanditOptions | None = None,
    rng: RngLike = None,
) -> BanditRun:
    """Play the most promising arm among those that may be feasible [1]_.

    Parameters
    ----------
    env : GaussianBandit, ThresholdLoop or LendingLoop
        Where rounds take place; the learner sees what a round shows of the arm that it played.
    horizon : int
        Number of rounds T, at least one an arm.
    constraints : sequence of FairConstraint
        What arms must satisfy; all of them do without any.
    options : BanditOptions, optional
        Confidence, width of the bounds, and what to record.
    rng : numpy.random.Generator, int or None
        Source of randomness.

    Returns
    -------
    BanditRun
        Arms, exact means, regret and violation, and what is certified of them.

    Raises
    ------
    InvalidModelError
        If the horizon is shorter than one round an arm, or a constraint reads what is not shown.
    TypeError
        If ``env`` is no environment.

    Warns
    -----
    InfeasibleWarning
        If no arm is feasible.
    GuaranteeWarning
        If ``radius_scale`` is below 1, or a rate was never seen.

    Notes
    -----
    After n recorded rounds of an arm, its mean of channel j lies within ``sigma_j sqrt(2 L / n)``
    of the average, for all arms, channels and rounds together with probability 1 - delta. Among
    arms none of whose residuals is surely positive, the one with the largest upper bound of the
    reward is played; if there is none, the one with the smallest lower bound of the violation (a
    fallback). Every arm is played once first; ties go to the lowest index.

    What is proved (derived here: OFS-T1 to OFS-T4) is about arms whose means do not move. In a
    closed loop that remembers for long, playing round by round can be fooled for ever: use
    `ofs_epochs` there; the run then has no certificates.

    References
    ----------
    .. [1] W. Du, "Optimistic Feasible Search for Closed-Loop Fair Threshold Decision-Making", arXiv
       2512.22313, 2025. The rule is that of the abstract; radii, environments and bounds are ours.

    Examples
    --------
    >>> from mdptheory.models import GaussianBandit
    >>> bandit = GaussianBandit([0.9, 0.5], [[0.2], [0.0]])
    >>> run = ofs(bandit, 10_000, bandit.constraints, rng=0)
    >>> bool(run.counts[1] > 9_000), run.fallback_rounds
    (True, 0)
    """
    made = ofs_learner(env, horizon, constraints, options=options)
    return made.run(rng, env)


def ofs_learner(
    env: BanditProblem | ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint] = (),
    *,
    options: BanditOptions | None = None,
) -> BanditLearner:
    """Return `ofs` as an object with ``init``, ``select`` and ``update``, ``step`` and ``run``.

    Parameters
    ----------
    env : BanditProblem, GaussianBandit, ThresholdLoop or LendingLoop
        A `BanditProblem` for rounds that take place elsewhere.
    horizon, constraints, options
        As in `ofs`.

    Returns
    -------
    BanditLearner
        Nothing has been played yet.

    Raises
    ------
    InvalidModelError, TypeError
        As `ofs`.

    Examples
    --------
    Two thresholds for applicants of one's own; 30 of 40 were accepted in this round:

    >>> from mdptheory.models import BanditProblem, Channel, ServiceRate
    >>> channels = [Channel("reward", 0.5, 0.0, 1.0), Channel("service", 0.1, 0.0, 1.0)]
    >>> learner = ofs_learner(BanditProblem(2, channels), 1_000, [ServiceRate(0.3)])
    >>> state = learner.init()
    >>> learner.select(state)
    0
    >>> state = learner.update(state, [0.2, 30 / 40])
    >>> learner.select(state)
    1
    """
    return bandit_learner(env, horizon, constraints, Rule(OFS), options)
