"""What the offline learners take and return."""

from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import (
    as_array,
    as_float_array,
    check_count,
    check_finite,
    check_number,
    place,
    read_only,
)
from mdptheory.algorithms._backward import Estimate, action_values, exact_actions
from mdptheory.errors import InvalidModelError
from mdptheory.models.factor_ambiguity import FactorAmbiguity
from mdptheory.models.linear import FeatureProcess
from mdptheory.models.offline import OfflineData, OfflineStatistics
from mdptheory.models.offline_certificate import OfflineCertificate

FiniteData: TypeAlias = OfflineData | OfflineStatistics
Beta: TypeAlias = float | FloatArray | Literal["theory"]

_CHOICES = {
    "penalty": ("l1", "l2"),
    "vmin": ("auto", "zero", "state", "data"),
    "optimizer": ("breakpoints", "nelder-mead"),
}
_FLAGS = ("penalty_last", "clip_zero", "clip_w", "kl_shift", "chi_square_minimum")


@dataclass(frozen=True, slots=True, eq=False)
class OfflineOptions:
    """How the offline learners estimate.

    Parameters
    ----------
    beta : float, array of shape (H,) or (H, d), or "theory"
        Widths in standard errors. ``"theory"`` takes `explicit_beta` and returns a certificate; it
        refuses options under which that proof does not hold.
    ridge : float
        Added to the diagonal of the Gram matrices; positive.
    penalty : {"l1", "l2"}
        Width ``sum_i phi_i beta_i sqrt((Lambda^-1)_ii)``, or the root of the sum of squares of
        these terms, which published programs use and which is never larger. Not read by `pevi`.
    penalty_last : bool
        Whether the last step, where nothing is estimated, is penalised too. `pevi` always does.
    vmin : {"auto", "zero", "state", "data"}
        What duals take for the least next value: 0, the least of all states, the least of the next
        states in the data. ``"auto"``: 0 with a fail state, else all states; for real states, those
        in the data.
    clip_zero : bool
        Whether action values are raised to 0.
    clip_w : bool
        Whether estimated worths of factors are clipped to ``[0, H - 1 - h]`` (h from 0). If not,
        duals search and floor at H, as published programs do.
    kl_shift : bool
        Whether KL penalties estimate one minus the moment of ``1 - exp(-v / weight)``: the ridge
        then shrinks worths to 0 rather than to their bound. Not read by other kinds.
    delta : float
        Probability with which the claims of ``beta="theory"`` may fail.
    optimizer : {"breakpoints", "nelder-mead"}
        How the duals of balls and of the chi-square penalty are maximised: exactly (by a fine grid
        for KL balls), or by the local search of published programs from half the cap, which may
        miss the maximum.
    chi_square_minimum : bool
        Whether the local search *minimises* the chi-square dual, an error of the program behind a
        published figure.

    Raises
    ------
    InvalidModelError
        If a number or a name is not one of these.

    Examples
    --------
    >>> OfflineOptions.reproduction(beta=0.1, ridge=1.0).penalty
    'l2'
    """

    beta: Beta = 1.0
    ridge: float = 1.0
    penalty: Literal["l1", "l2"] = "l1"
    penalty_last: bool = False
    vmin: Literal["auto", "zero", "state", "data"] = "auto"
    clip_zero: bool = True
    clip_w: bool = True
    kl_shift: bool = False
    delta: float = 0.1
    optimizer: Literal["breakpoints", "nelder-mead"] = "breakpoints"
    chi_square_minimum: bool = False

    def __post_init__(self) -> None:
        """Check every option; arrays become read-only."""
        for name, choices in _CHOICES.items():
            if not isinstance(getattr(self, name), str) or getattr(self, name) not in choices:
                expected = " or ".join(repr(choice) for choice in choices)
                raise InvalidModelError(f"{name} is {getattr(self, name)!r}; expected {expected}")
        for name in _FLAGS:
            if not isinstance(getattr(self, name), bool | np.bool_):
                raise TypeError(f"{name} is {getattr(self, name)!r}; expected True or False")
            object.__setattr__(self, name, bool(getattr(self, name)))
        for name, high in (("ridge", np.inf), ("delta", 1.0)):
            given = getattr(self, name)
            checked = check_number(name, given, low=0.0, high=high, open_low=True, open_high=True)
            object.__setattr__(self, name, checked)
        object.__setattr__(self, "beta", _checked_beta(self.beta))

    @classmethod
    def reproduction(cls, beta: Beta = 1.0, ridge: float = 0.1, **changes: Any) -> Self:
        """Return the options of the published programs.

        Parameters
        ----------
        beta, ridge : float
            As above; the published figure of the simulated linear MDP has 1 and 0.1.
        **changes : Any
            Other options, in place of those below.

        Returns
        -------
        OfflineOptions
            With l2 widths, in the last step too; the least value taken over next states in the
            data; and no clipping but from above.
        """
        published: dict[str, Any] = {
            "penalty": "l2",
            "penalty_last": True,
            "vmin": "data",
            "clip_zero": False,
            "clip_w": False,
        }
        return cls(beta=beta, ridge=ridge, **(published | changes))


@dataclass(frozen=True, slots=True, eq=False)
class OfflineFit:
    """What an offline learner made of episodes of a finite problem.

    Attributes
    ----------
    v : array of shape (H + 1, S)
        Estimated values, the last row 0.
    q : array of shape (H, S, A)
        Estimated values of actions, in units of reward.
    policy : array of int of shape (H, S)
        Greedy actions, ties to the lowest.
    w : array of shape (H, d)
        Estimated worth of the factors; 0 at the last step. `pevi` includes rewards.
    width : array of shape (H, S, A)
        What was subtracted before clipping; 0 in the fail state.
    beta : array of shape (H, d)
        Widths of the factors in standard errors.
    spread : array of shape (H, d)
        Standard errors ``sqrt((Lambda^-1)_ii)``.
    gram_inverse : array of shape (H, d, d)
        Inverse Gram matrices ``Lambda^-1``, ridge included.
    ambiguity : FactorAmbiguity or None
        What nature may do; None is nominal.
    options : OfflineOptions
        How it was estimated.
    certificate : OfflineCertificate or None
        Bounds that hold with probability ``1 - delta``; exactly with ``beta="theory"``.
    """

    v: FloatArray
    q: FloatArray
    policy: IntArray
    w: FloatArray
    width: FloatArray
    beta: FloatArray
    spread: FloatArray
    gram_inverse: FloatArray
    ambiguity: FactorAmbiguity | None
    options: OfflineOptions
    certificate: OfflineCertificate | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RealFit:
    """What an offline learner made of episodes of a process on real states.

    Attributes
    ----------
    process : FeatureProcess
        The process; learners read its features and rewards only.
    estimate : Estimate
        Worths ``w`` (H, d), ``spread`` (H, d) and ``gram_inverse`` (H, d, d), and the rule behind.
    ambiguity : FactorAmbiguity or None
        What nature may do; None is nominal.
    options : OfflineOptions
        How it was estimated.
    """

    process: FeatureProcess
    estimate: Estimate
    ambiguity: FactorAmbiguity | None
    options: OfflineOptions

    @property
    def w(self) -> FloatArray:
        """Estimated worth of the features, of shape (H, d); 0 at the last step."""
        return self.estimate.w

    @property
    def spread(self) -> FloatArray:
        """Standard errors ``sqrt((Lambda^-1)_ii)``, of shape (H, d)."""
        return self.estimate.spread

    def q(self, step: int, states: FloatArray) -> FloatArray:
        """Return estimated values of actions of shape (n, A).

        Parameters
        ----------
        step : int
            Step, from 0 to H - 1.
        states : array of shape (n,)
            States; ``inf`` after the end.

        Raises
        ------
        InvalidModelError
            If the step is outside the horizon, or the states are no row of numbers.
        TypeError
            If the step is no integer, or the states are no real numbers.
        """
        points = as_float_array("states", states)
        if np.ndim(states) != 1 or np.isnan(points).any():
            raise InvalidModelError(
                f"states has shape {np.shape(states)} and {int(np.isnan(points).sum())} nan;"
                " expected (n,) without"
            )
        step = check_count("step", step, low=0)
        if not 0 <= step < self.process.horizon:
            raise InvalidModelError(
                f"step is {step}; expected an integer in [0, {self.process.horizon})"
            )
        phi = self.process.features(step, points)
        reward = self.process.rewards(step, points)
        return action_values(self.estimate, step, phi, reward, exact_actions(phi))[0]

    def act(self, step: int, states: FloatArray) -> IntArray:
        """Return greedy actions of shape (n,), ties to the lowest; arguments as of `q`."""
        return self.q(step, states).argmax(axis=1)


def _checked_beta(beta: Beta) -> Beta:
    """Return widths as a float or a read-only array, or the word "theory"."""
    if isinstance(beta, str):
        if beta != "theory":
            raise InvalidModelError(f"beta is {beta!r}; expected a number, an array or 'theory'")
        return beta
    given = as_array("beta", beta)
    if given.ndim == 0:
        return check_number("beta", given.item(), low=0.0)
    if given.dtype.kind == "b":
        raise TypeError("beta has dtype bool; expected real numbers")
    array: FloatArray = read_only(as_float_array("beta", given))
    check_finite("beta", array)
    if array.ndim > 2 or (array < 0.0).any():
        where = tuple(int(i) for i in np.argwhere(array < 0.0)[0]) if array.ndim <= 2 else ()
        found = f"{place('beta', where)} is {array[where]}" if where else f"beta has {array.ndim}"
        rest = "expected a width of at least 0" if where else "axes; expected at most 2"
        raise InvalidModelError(f"{found}{'; ' if where else ' '}{rest}")
    return array
