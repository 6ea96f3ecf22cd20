"""Prediction that moves what it predicts, in the one case where everything is known exactly."""

from dataclasses import dataclass

import numpy as np

from mdptheory._typing import FloatArray, RngLike
from mdptheory._validation import check_count, check_number
from mdptheory.errors import InvalidModelError


@dataclass(frozen=True, slots=True)
class PerformativeGaussian:
    """Predicting x by theta makes x normal with mean ``m + eps theta`` [1]_.

    The loss of theta at x is ``(theta - x)^2 / 2 - bias x``.

    Parameters
    ----------
    m : float
        Mean of x under the prediction 0.
    eps : float
        How strongly the prediction moves the mean; any number but 1.
    s : float
        Standard deviation of x, at least 0.
    bias : float
        What a larger x is worth, whatever was predicted.

    Raises
    ------
    InvalidModelError
        If a number is not finite, ``s`` is negative or ``eps`` is 1.

    Notes
    -----
    Retraining on what the last prediction brought about minimises the loss at ``m + eps theta``, so
    the distance to the stable point is multiplied by ``|eps|`` each time: retraining converges if
    ``|eps| < 1``, and otherwise from the stable point only. That point is optimal only if ``bias``
    or ``eps`` is 0, as retraining takes what it sees for given.

    References
    ----------
    .. [1] J. C. Perdomo, T. Zrnic, C. Mendler-Dünner, M. Hardt (2020). Performative prediction. The
       instance and its constants are derived here.

    Examples
    --------
    >>> model = PerformativeGaussian(m=1.0, eps=0.5, s=1.0, bias=1.0)
    >>> model.stable_point, model.optimal_point
    (2.0, 4.0)
    >>> model.retrain(0.0, 3).tolist()
    [0.0, 1.0, 1.5, 1.75]
    """

    m: float
    eps: float
    s: float = 1.0
    bias: float = 0.0

    def __post_init__(self) -> None:
        """Refuse numbers that are none, and a loop without a stable point."""
        for name in ("m", "eps", "bias"):
            check_number(name, getattr(self, name), low=-1e300, high=1e300)
        check_number("s", self.s, low=0.0, open_high=True)
        if self.eps == 1.0:
            raise InvalidModelError(
                "eps is 1.0; expected another number, as predictions then move as far as x and"
                " no point is stable, or every one"
            )

    @property
    def contraction(self) -> float:
        """By which factor a round of retraining multiplies distances: ``|eps|``."""
        return abs(self.eps)

    @property
    def stable_point(self) -> float:
        """The prediction that is best for what it brings about, ``m / (1 - eps)``."""
        return self.m / (1.0 - self.eps)

    @property
    def optimal_point(self) -> float:
        """The prediction of least risk, ``(m + bias eps / (1 - eps)) / (1 - eps)``."""
        return (self.m + self.bias * self.eps / (1.0 - self.eps)) / (1.0 - self.eps)

    def risk(self, theta: float, deployed: float | None = None) -> float:
        """Return the expected loss of a prediction.

        Parameters
        ----------
        theta : float
            What is predicted.
        deployed : float, optional
            The prediction that x follows; ``theta`` itself if absent.

        Returns
        -------
        float
            Mean loss.
        """
        mean = self.m + self.eps * (theta if deployed is None else deployed)
        return ((theta - mean) ** 2 + self.s**2) / 2.0 - self.bias * mean

    def retrain(
        self, start: float, rounds: int, *, samples: int | None = None, rng: RngLike = None
    ) -> FloatArray:
        """Minimise the loss on what the last prediction brought about, again and again.

        Parameters
        ----------
        start : float
            The first prediction.
        rounds : int
            How often to retrain.
        samples : int, optional
            How many x each round draws; all of them, i.e. the mean itself, if absent.
        rng : Generator, int or None
            Source of the draws.

        Returns
        -------
        array of shape (rounds + 1,)
            Predictions, the first one included. Without sampling the distance to the stable point
            after t rounds is ``|eps|^t`` times that of ``start``; infinite beyond what floats hold.
        """
        rng = np.random.default_rng(rng)
        found = np.empty(check_count("rounds", rounds, low=0) + 1)
        found[0] = check_number("start", start, low=-1e300, high=1e300)
        noise = np.zeros(rounds)
        if samples is not None:  # a mean of normal numbers is a normal number
            noise = self.s / np.sqrt(check_count("samples", samples)) * rng.standard_normal(rounds)
        with np.errstate(over="ignore"):
            for t in range(rounds):
                found[t + 1] = self.m + self.eps * found[t] + noise[t]
        return found
