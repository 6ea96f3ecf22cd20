"""Optimistic feasible search in epochs that double: what survives feedback."""

from collections.abc import Sequence

from mdptheory._typing import RngLike
from mdptheory._validation import check_count
from mdptheory.algorithms._bandit_learner import BanditLearner, bandit_learner
from mdptheory.algorithms._bandit_records import BanditOptions
from mdptheory.algorithms._bandit_task import Bias, Rule
from mdptheory.errors import InvalidModelError
from mdptheory.kernels.bandit_records import OFS
from mdptheory.models import ClosedLoop
from mdptheory.models.bandit import BanditProblem
from mdptheory.models.bandit_run import BanditRun
from mdptheory.models.fair_constraints import FairConstraint

__all__ = ["ofs_epochs", "ofs_epochs_learner"]


def ofs_epochs(
    env: ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint] = (),
    *,
    first: int = 64,
    burn: int = 0,
    bias: Bias = "theory",
    options: BanditOptions | None = None,
    rng: RngLike = None,
) -> BanditRun:
    """Choose as `ofs` does, but keep an arm for as long as all its earlier epochs together.

    Parameters
    ----------
    env : GaussianBandit, ThresholdLoop or LendingLoop
        Where rounds take place.
    horizon : int
        Number of rounds T, at least one an arm.
    constraints : sequence of FairConstraint
        What arms must satisfy at their steady state.
    first : int
        Rounds of an arm's first epoch.
    burn : int
        Rounds at the start of every epoch that are not recorded, at most ``first``.
    bias : {"theory", "none"}
        Whether bounds allow for the rounds in which the state had not settled; ``"theory"`` takes
        the constants of `operators.certify`, ``"none"`` proves nothing where there is feedback.
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
    InvalidModelError, TypeError
        As `ofs`; or if the bias is to be that of the theory and the loop is no contraction, or
        follows noise.

    Warns
    -----
    InfeasibleWarning, GuaranteeWarning
        As `ofs`; also if some arm's first epoch does not fit into the horizon.

    Notes
    -----
    OFS-T8, derived here. If the loop contracts by kappa a round, no state is further than D from an
    arm's steady state, and channel j is l_j-Lipschitz, then after e epochs with N recorded rounds
    the average of channel j is off by at most ``B_j e / N`` beside its noise, ``B_j = l_j D
    kappa^burn / (1 - kappa)``. Radii grow by that, L counts epochs instead of rounds, and regret
    and violation are of order ``sqrt(K T)`` plus a logarithm squared.

    References
    ----------
    .. [1] W. Du, arXiv 2512.22313, 2025, for the rule; the epochs and their bound are ours.

    Examples
    --------
    Arm 0 looks bad at the start, as z is 1 there, and is best once z has come down:

    >>> from mdptheory.algorithms import ofs
    >>> from mdptheory.models import GaussianBandit
    >>> trap = GaussianBandit([0.8, 0.5], sigma_reward=0.1, reward_slope=[-0.6, 0.0],
    ...                       target=[0.0, 1.0], inertia=0.95, start=1.0)
    >>> bool(ofs(trap, 10_000, rng=0).counts[1] > 9_900)
    True
    >>> bool(ofs_epochs(trap, 10_000, rng=0).counts[0] > 9_000)
    True
    """
    made = ofs_epochs_learner(
        env, horizon, constraints, first=first, burn=burn, bias=bias, options=options
    )
    return made.run(rng, env)


def ofs_epochs_learner(
    env: BanditProblem | ClosedLoop,
    horizon: int,
    constraints: Sequence[FairConstraint] = (),
    *,
    first: int = 64,
    burn: int = 0,
    bias: Bias = "theory",
    options: BanditOptions | None = None,
) -> BanditLearner:
    """Return `ofs_epochs` as an object with ``init``, ``select`` and ``update``, ``step``, ``run``.

    Parameters
    ----------
    env : BanditProblem, GaussianBandit, ThresholdLoop or LendingLoop
        A `BanditProblem` for rounds that take place elsewhere, with ``bias="none"``.
    horizon, constraints, first, burn, bias, options
        As in `ofs_epochs`.

    Returns
    -------
    BanditLearner
        Nothing has been played yet.

    Raises
    ------
    InvalidModelError, TypeError
        As `ofs_epochs`.
    """
    check_count("first", first)
    if check_count("burn", burn, low=0) > first:
        raise InvalidModelError(f"burn is {burn}; expected at most first, which is {first}")
    rule = Rule(OFS, doubling=True, first=first, burn=burn, bias=bias)
    return bandit_learner(env, horizon, constraints, rule, options)
