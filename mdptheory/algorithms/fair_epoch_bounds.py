"""What optimistic feasible search by doubling epochs can lose in a closed loop (OFS-T8)."""

import math
from typing import NamedTuple

from mdptheory._validation import check_count, check_number
from mdptheory.errors import InvalidModelError
from mdptheory.models import LoopConstants


class Signal(NamedTuple):
    """What a bound must know of the reward, or of the residuals.

    Attributes
    ----------
    scale : float
        Sub-Gaussian scale of one observation; of residuals the largest.
    width : float
        Most that one round can lose: reward, or violation.
    lipschitz : float
        Lipschitz constant of the mean in the state; of residuals the largest.
    """

    scale: float
    width: float
    lipschitz: float = 0.0


def most_epochs(horizon: int, first: int = 64) -> int:
    """Return how many epochs one arm can have.

    Parameters
    ----------
    horizon : int
        Rounds T.
    first : int
        Recorded rounds of an arm's first epoch, m0; each later epoch doubles their number.

    Returns
    -------
    int
        ``E = 2 + max(0, floor(log2(T / m0)))``, of which the last may be cut at the horizon.

    Examples
    --------
    >>> most_epochs(200_000, 64), most_epochs(10, 64)
    (13, 2)
    """
    horizon, first = check_count("horizon", horizon), check_count("first", first)
    return 2 + max(0, (horizon // first).bit_length() - 1)


def epoch_log_term(
    n_arms: int, n_channels: int, horizon: int, delta: float, *, first: int = 64
) -> float:
    """Return L of the confidence radius ``scale sqrt(2 L / n)`` of bounds read once an epoch.

    Parameters
    ----------
    n_arms, n_channels : int
        Arms K, and distinct noisy channels J that are used.
    horizon, first : int
        Rounds, and recorded rounds of an arm's first epoch.
    delta : float
        Probability that some bound fails, in (0, 1).

    Returns
    -------
    float
        ``ln(2 K J E / delta)``: bounds are read at no more than E counts an arm.

    Examples
    --------
    >>> round(epoch_log_term(2, 1, 1_000_000, 0.05, first=1), 4)
    7.4265
    """
    check_count("n_arms", n_arms)
    check_count("n_channels", n_channels)
    check_number("delta", delta, low=0.0, high=1.0, open_low=True, open_high=True)
    return math.log(2 * n_arms * n_channels * most_epochs(horizon, first) / delta)


def epoch_bias(lipschitz: float, loop: LoopConstants, burn: int = 0) -> float:
    """Return the most by which one epoch's recorded rounds err together, noise apart.

    Parameters
    ----------
    lipschitz : float
        Lipschitz constant of the mean in the state.
    loop : LoopConstants
        From `mdptheory.operators.certify`.
    burn : int
        Rounds at the start of an epoch that are not recorded, b.

    Returns
    -------
    float
        ``B = lipschitz D kappa^b / (1 - kappa)``.
    """
    check_number("lipschitz", lipschitz, low=0.0)
    burn = check_count("burn", burn, low=0)
    return lipschitz * loop.diameter * loop.kappa**burn / (1.0 - loop.kappa)


def closed_loop_bound(
    signal: Signal,
    loop: LoopConstants,
    *,
    n_arms: int,
    horizon: int,
    log_term: float,
    first: int = 64,
    burn: int = 0,
) -> float:
    """Bound regret, or cumulative violation, of optimistic search by epochs in a closed loop.

    Parameters
    ----------
    signal : Signal
        Of the reward for regret, of the residuals for violation.
    loop : LoopConstants
        From `mdptheory.operators.certify`.
    n_arms, horizon : int
        Arms K and rounds T.
    log_term : float
        L, from `epoch_log_term`.
    first, burn : int
        Recorded rounds m0 of an arm's first epoch, and unrecorded rounds b of every epoch.

    Returns
    -------
    float
        What the sum over all rounds exceeds with probability at most delta: of the best feasible
        arm's steady mean reward less the mean reward of the round, or of the violation of the
        round's means. Without a feasible arm the latter is beyond the least steady violation.

    Notes
    -----
    OFS-T8, derived here, for the noiseless dynamics of the state:

        K (b + m0) w + 2 sqrt2 ((1 + sqrt2) + (2 + sqrt2) b / m0) sigma sqrt(L K T)
        + (1 + b / m0) K B E (E - 1) + K E lipschitz D / (1 - kappa),

    which are the first epochs, the noise, the bias of averages, and what leaving steady states
    costs at once.

    Examples
    --------
    >>> import numpy as np
    >>> loop = LoopConstants(0.95, 1.0, np.array([0.6]), np.array([[0.0, 1.0]]), False)
    >>> rounds = {"n_arms": 2, "horizon": 1_000_000, "first": 1}
    >>> log_term = epoch_log_term(2, 1, 1_000_000, 0.05, first=1)
    >>> round(closed_loop_bound(Signal(0.1, 1.0, 0.6), loop, log_term=log_term, **rounds))
    13218
    """
    first, burn = check_count("first", first), check_count("burn", burn, low=0)
    if burn > first:
        raise InvalidModelError(f"burn is {burn}; expected at most first = {first}")
    n_arms = check_count("n_arms", n_arms)
    epochs, share, root = most_epochs(horizon, first), burn / first, math.sqrt(2.0)
    noise = 2 * root * ((1 + root) + (2 + root) * share) * signal.scale
    bias = epoch_bias(signal.lipschitz, loop, burn)
    drift = epoch_bias(signal.lipschitz, loop)
    return (
        n_arms * (burn + first) * signal.width
        + noise * math.sqrt(log_term * n_arms * horizon)
        + (1 + share) * n_arms * bias * epochs * (epochs - 1)
        + n_arms * epochs * drift
    )
