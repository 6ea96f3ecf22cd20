"""What the online learners take, keep and return."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory._validation import (
    as_array,
    as_float_array,
    check_count,
    check_finite,
    check_number,
    read_only,
)
from mdptheory.errors import InvalidModelError
from mdptheory.kernels.linear_records import Fit, Memory
from mdptheory.models.factor_ambiguity import FactorAmbiguity
from mdptheory.models.offline import OfflineData

Beta: TypeAlias = float | FloatArray | Literal["theory"]

_LEAST_RIDGE = 1e-100  # squares of its inverse are finite
_WORDS = {"bonus": ("l1", "l2"), "refit": ("every", "doubling")}


@dataclass(frozen=True, slots=True, eq=False)
class OnlineOptions:
    """How the online learners estimate and what they record.

    Parameters
    ----------
    beta : float, array of shape (H,) or (H, d), or "theory"
        Widths in standard errors. ``"theory"`` takes those of `explicit_beta` for the total number
        of episodes, computed anew for each fit.
    ridge : float
        Diagonal of the Gram matrices before the first episode; at least 1e-100.
    bonus : {"l1", "l2"}
        Width ``sum_i phi_i beta_i sqrt((Lambda^-1)_ii)``, or the root of the sum of squares of
        these terms, which published programs use and ``beta="theory"`` refuses, as it is never
        larger. Not read by `lsvi_ucb`.
    bonus_last : bool
        Whether the last step, where nothing is estimated, has a bonus too. `lsvi_ucb` always does.
    clip_zero : bool
        Whether action values are raised to 0.
    refit : {"every", "doubling"}
        Fit before every episode, or only once the determinant of some Gram matrix has doubled:
        at most ``H d log2(1 + K / (ridge d))`` fits after the first, whose widths are at most
        ``sqrt(2)`` times too wide.
    kl_shift : bool
        Whether KL penalties estimate one minus the moment of ``1 - exp(-v / weight)``.
    delta : float
        Probability with which the claims of ``beta="theory"`` may fail.
    track_every : int
        With ``track``: measure each episode whose number, from 0, is a multiple.
    checkpoints : sequence of int
        Episodes, from 0, whose policies to keep; the last one's is always kept.
    progress : callable, optional
        Called with the number of episodes done, at least every hundred.

    Raises
    ------
    InvalidModelError
        If a number or a word is not one of these.
    """

    beta: Beta = 1.0
    ridge: float = 0.1
    bonus: Literal["l1", "l2"] = "l1"
    bonus_last: bool = False
    clip_zero: bool = True
    refit: Literal["every", "doubling"] = "every"
    kl_shift: bool = False
    delta: float = 0.1
    track_every: int = 1
    checkpoints: Sequence[int] = ()
    progress: Callable[[int], object] | None = None

    def __post_init__(self) -> None:
        """Refuse unknown words and numbers out of range."""
        for name, words in _WORDS.items():
            if not isinstance(getattr(self, name), str) or getattr(self, name) not in words:
                listed = " or ".join(map(repr, words))
                raise InvalidModelError(f"{name} is {getattr(self, name)!r}; expected {listed}")
        for name in ("bonus_last", "clip_zero", "kl_shift"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} is {getattr(self, name)!r}; expected True or False")
        object.__setattr__(self, "beta", _checked_beta(self.beta))
        check_number("ridge", self.ridge, low=0.0, open_low=True, open_high=True)
        check_number("ridge", self.ridge, low=_LEAST_RIDGE)
        check_number("delta", self.delta, low=0.0, high=1.0, open_low=True, open_high=True)
        check_count("track_every", self.track_every)
        kept = tuple(check_count("checkpoints", k, low=0) for k in self.checkpoints)
        object.__setattr__(self, "checkpoints", kept)


def _checked_beta(beta: Beta) -> Beta:
    """Return widths as given, arrays frozen, or refuse what is none."""
    if isinstance(beta, str):
        if beta != "theory":
            raise InvalidModelError(f"beta is {beta!r}; expected numbers or 'theory'")
        return beta
    given = as_array("beta", beta)
    if given.ndim == 0:
        return check_number("beta", given.item(), low=0.0, open_high=True)
    if given.dtype.kind == "b":
        raise TypeError("beta has dtype bool; expected real numbers")
    array = read_only(as_float_array("beta", given))
    check_finite("beta", array)
    if (array < 0).any():
        raise InvalidModelError(f"beta has the entry {array.min()}; expected none below 0")
    return array


@dataclass(frozen=True, slots=True, eq=False)
class OnlineState:
    """All that a learner needs for its next episode; read-only.

    Attributes
    ----------
    episode : int
        Number of episodes played.
    refits : int
        Number of fits made.
    memory : Memory
        ``gram`` (ridge included), ``inverse``, ``log_det``, ``moments``, ``reward_moments`` and
        ``fitted``, the ``log_det`` at the last fit.
    fit : Fit
        ``v``, ``q``, ``pi``, ``cdf``, ``log_pi``, ``nu`` and ``width`` of the last fit.
    """

    episode: int
    refits: int
    memory: Memory
    fit: Fit

    @property
    def gram(self) -> FloatArray:
        """Gram matrices ``ridge I + sum phi phi'`` of shape (H, d, d)."""
        return self.memory.gram

    @property
    def gram_inverse(self) -> FloatArray:
        """Their inverses."""
        return self.memory.inverse

    @property
    def moments(self) -> FloatArray:
        """``sum phi 1{next state}`` of shape (H, d, S)."""
        return self.memory.moments


@dataclass(frozen=True, slots=True, eq=False)
class OnlineInfo:
    """One episode.

    Attributes
    ----------
    states : array of int of shape (H + 1,)
        States visited.
    actions : array of int of shape (H,)
        Actions taken.
    optimistic : float
        Value of the fit at the start, before the episode.
    refitted : bool
        Whether the policy was fitted anew before the episode.
    regret, certificate : float
        See `OnlineResult`; nan if the episode is not tracked.
    event : bool or None
        See `OnlineResult`; None if the episode is not tracked.
    """

    states: IntArray
    actions: IntArray
    optimistic: float
    refitted: bool
    regret: float
    certificate: float
    event: bool | None


@dataclass(frozen=True, slots=True, eq=False)
class OnlineResult:
    """A run of an online learner in a finite model.

    Attributes
    ----------
    pi : array of shape (H, S, A)
        Policy of the last episode, as probabilities.
    checkpoints : array of int of shape (n,)
        Episodes, from 0, whose policies were kept; the last is K - 1.
    policies : array of shape (n, H, S, A)
        Those policies.
    optimistic : array of shape (K,)
        Value of the fit at the start, before each episode: under the event an upper bound on the
        optimal value.
    tracked : array of int of shape (m,)
        Episodes, from 0, that were measured; empty without ``track``.
    regret : array of shape (m,)
        Exact robust value that the episode's policy loses at the start against the best one, both
        less the temperature's charge.
    certificate : array of shape (m,)
        ``2 sum_h E[width_h]`` under the policy and nature's exact reply to it; bounds the regret
        wherever ``event`` is true, for one-shot and greedy policies.
    event : array of bool of shape (m,)
        Whether each estimate of the episode's fit errs by at most its width, up to 1e-9.
    refits : int
        Number of fits.
    data : OfflineData
        States and actions of all episodes.
    state : OnlineState
        From which a run can go on.
    ambiguity : FactorAmbiguity or None
        What nature may do.
    tau : float
        Temperature; 0 is greedy.
    """

    pi: FloatArray
    checkpoints: IntArray
    policies: FloatArray
    optimistic: FloatArray
    tracked: IntArray
    regret: FloatArray
    certificate: FloatArray
    event: BoolArray
    refits: int
    data: OfflineData
    state: OnlineState
    ambiguity: FactorAmbiguity | None
    tau: float
