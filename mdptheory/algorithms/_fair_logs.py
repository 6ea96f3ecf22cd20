"""Log terms and scales of the radii behind `fair_bounds`, derived here."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory._validation import check_count, check_number, check_shape
from mdptheory.models import Channel, ResidualRows


class Epochs(NamedTuple):
    """Epochs that double: what `closed_loop_bound` needs to know of them.

    Attributes
    ----------
    horizon : int
        Number of rounds T.
    first : int
        Recorded rounds of an arm's first epoch, m0.
    burn : int
        Rounds at the start of each epoch that are not recorded, b in [0, m0].
    kappa : float
        Contraction factor of the loop, in [0, 1).
    """

    horizon: int
    first: int = 64
    burn: int = 0
    kappa: float = 0.0

    @property
    def most(self) -> int:
        """Most epochs of one arm, E = 2 + max(0, floor(log2(T / m0)))."""
        return 2 + max(0, (self.horizon // self.first).bit_length() - 1)


def log_term(
    n_arms: int,
    n_channels: int,
    horizon: int,
    delta: float,
    *,
    trials: int = 0,
    anytime: bool = False,
) -> float:
    """Return L, with which a radius is ``scale * sqrt(2 L / N)`` after N observations.

    Parameters
    ----------
    n_arms : int
        Number of arms K.
    n_channels : int
        Number of channels J that are estimated, the reward's included.
    horizon : int
        Number of rounds T; for the anytime form the count N at which the radius is read.
    delta : float
        Probability, in (0, 1), with which some estimate may err by more than its radius.
    trials : int
        Most trials that one round can show, for a channel that counts hits among trials; 0 for a
        channel of values. The count then runs up to ``horizon * trials``.
    anytime : bool
        Whether the radius must hold for every count at once, without a horizon.

    Returns
    -------
    float
        ``ln(2 K J T / delta)``, or ``ln(K J pi^2 N^2 / (3 delta))`` for the anytime form.

    Raises
    ------
    InvalidModelError
        If a count is not positive or ``delta`` is not inside (0, 1).

    Notes
    -----
    Derived here. At one count an estimate errs by more than its radius with probability at most
    ``2 exp(-L)``; the union runs over arms, channels and counts. In a channel of hits among trials
    the count of trials depends on the past, so that the union runs over every number of trials.

    Examples
    --------
    >>> round(log_term(8, 3, 200_000, 0.05), 4)
    19.0731
    >>> round(log_term(8, 3, 200_000, 0.05, anytime=True), 4)
    31.7768
    >>> log_term(8, 3, 100, 0.05, trials=50) == log_term(8, 3, 5000, 0.05)
    True
    """
    pairs = check_count("n_arms", n_arms) * check_count("n_channels", n_channels)
    count = check_count("horizon", horizon) * max(1, check_count("trials", trials, low=0))
    check_number("delta", delta, low=0.0, high=1.0, open_low=True, open_high=True)
    if anytime:
        return math.log(pairs * math.pi**2 * float(count) ** 2 / (3 * delta))
    return math.log(2 * pairs * count / delta)


def epoch_log_term(n_arms: int, n_channels: int, epochs: Epochs, delta: float) -> float:
    """Return L for an algorithm that reads its estimates at the start of epochs only.

    Parameters
    ----------
    n_arms, n_channels : int
        As in `log_term`.
    epochs : Epochs
        Horizon and first length count.
    delta : float
        As in `log_term`.

    Returns
    -------
    float
        ``ln(2 K J E / delta)``: E counts of an arm are read, not T.

    Examples
    --------
    >>> round(epoch_log_term(2, 1, Epochs(1_000_000, first=1), 0.05), 4)
    7.4265
    """
    return log_term(n_arms, n_channels, epochs.most, delta)


def row_scales(rows: ResidualRows, channels: Sequence[Channel]) -> FloatArray:
    """Return the scale of every residual: the scales of its channels, by size of coefficient.

    Parameters
    ----------
    rows : ResidualRows
        Of `residual_rows`.
    channels : sequence of Channel
        Those that the rows were made for.

    Returns
    -------
    array of shape (M,)
        ``sum_c |A_mc| scale_c``, in units of the residual; times ``sqrt(2 L / N)`` it is how far
        an interval reaches that is computed channel by channel.

    Examples
    --------
    >>> from mdptheory.models import DemographicParity, LinearResidual, residual_rows
    >>> channels = [Channel("reward", 0.5), Channel("gap", 0.1), Channel("service", 0.2)]
    >>> both = LinearResidual({"gap": 2.0, "service": -1.0})
    >>> row_scales(residual_rows([DemographicParity(0.1), both], channels), channels).tolist()
    [0.1, 0.1, 0.4]
    """
    scales = np.array([channel.scale for channel in channels])
    check_shape("rows.matrix", rows.matrix, (None, len(scales)))
    widths: FloatArray = np.abs(rows.matrix) @ scales
    return widths
