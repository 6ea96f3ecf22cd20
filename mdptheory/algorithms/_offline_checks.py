"""What offline learners refuse, and what they warn of."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mdptheory._typing import BoolArray, FloatArray
from mdptheory.algorithms._backward import Rule, Step
from mdptheory.algorithms._offline_records import OfflineOptions
from mdptheory.errors import CoverageWarning, FeatureWarning, InvalidModelError, UnderflowWarning
from mdptheory.models.factor_ambiguity import FactorAmbiguity, FactorKind
from mdptheory.models.linear import KnownModel

_USER = 4  # frames up from a warning: here, fit_offline, the learner, its caller
_TOLERANCE = 1e-9


def check_theory(
    options: OfflineOptions, ambiguity: FactorAmbiguity | None, known: Any, *, weighted: bool
) -> None:
    """Refuse what the proof behind ``beta="theory"`` does not cover, and say why."""

    def refuse(reason: str) -> None:
        raise InvalidModelError(f"beta is 'theory', {reason}")

    if weighted or ambiguity is None:
        refuse("which covers r2pvi and drpvi; expected numbers for beta in other learners")
    if not isinstance(known, KnownModel):
        refuse("whose proof needs finitely many states; expected a number for real states")
    if not known.simplex:
        refuse("whose proof needs simplex features and rewards in [0, 1]; known is unchecked")
    if options.penalty != "l1":
        refuse(f"whose proof needs l1 widths; expected penalty='l1', not {options.penalty!r}")
    if options.penalty_last:
        refuse("which has no width for the last step; expected penalty_last=False")
    if options.vmin == "data":
        refuse("whose proof needs the least value of all states; vmin is 'data'")
    if options.vmin == "zero" and known.fail_state is None:
        refuse("but no fail state makes 0 the least value; expected vmin='auto' or 'state'")
    if not (options.clip_zero and options.clip_w):
        refuse("whose proof needs clipped estimates; expected clip_zero=True and clip_w=True")
    if options.optimizer != "breakpoints" or options.chi_square_minimum:
        refuse(
            "whose proof needs the maximum of the dual; expected optimizer='breakpoints' and"
            " chi_square_minimum=False"
        )


def weighted_options(options: OfflineOptions | None, known: Any, pilot: Any) -> OfflineOptions:
    """Return the options of a fit with weighted regressions, or refuse one without a pilot."""
    if pilot is None:
        raise TypeError("pilot is None; expected independent episodes of the same kind as data")
    if not hasattr(known, "horizon"):
        raise TypeError(
            f"known is of type {type(known).__name__}; expected KnownModel, or FeatureProcess with"
            " RealData"
        )
    return OfflineOptions(ridge=1.0 / known.horizon**2) if options is None else options


@dataclass(slots=True, eq=False)
class Audit:
    """Steps that pass by, the last one first, watched for what deserves a warning.

    A factor without data matters where a state that was seen has an action that uses it: nothing
    but the ridge says then what the action is worth. Other factors without data are common, such as
    those of states that a step cannot reach, and no reason to worry.

    Attributes
    ----------
    first : array of shape (n, A, d)
        Features of the first states.
    simplex : bool
        Whether features are known to be simplex weights.
    last : bool
        Whether the last step estimates anything.
    """

    first: FloatArray
    simplex: bool
    last: bool
    _unseen: list[tuple[int, int]] = field(default_factory=list)
    _off: int = 0
    _worst: float = 1.0

    def watch(self, steps: Iterator[Step], horizon: int) -> Iterator[Step]:
        """Pass the steps on."""
        missing = np.zeros(self.first.shape[-1], dtype=np.bool_)
        for h, step in zip(reversed(range(horizon)), steps, strict=True):
            self._compare(h + 1, step.phi_next[step.seen & ~step.exact.all(axis=1)], missing)
            if not self.simplex and h < horizon - 1:
                self._sums(step)
            missing = np.diagonal(step.gram) == 0.0
            if h == horizon - 1 and not self.last:
                missing = np.zeros_like(missing)
            yield step
        self._compare(0, self.first, missing)

    def _compare(self, h: int, phi: FloatArray, missing: BoolArray) -> None:
        """Note the factors without data that points of a step use."""
        factors = np.flatnonzero(missing)
        if factors.size:
            used = phi[..., factors].any(axis=(0, 1))
            self._unseen += [(h, int(i)) for i in factors[used]]

    def _sums(self, step: Step) -> None:
        """Compare sums of features with 1; actions without features need none."""
        sums = step.phi_next.sum(axis=-1)
        away = np.where(step.exact, 0.0, np.abs(sums - 1.0))
        if away.max() <= _TOLERANCE:
            return
        self._off += int((away > _TOLERANCE).sum())
        if away.max() > abs(self._worst - 1.0):
            self._worst = float(sums.flat[int(away.argmax())])

    def warn(self) -> None:
        """Warn at most once of each kind."""
        if self._unseen:
            h, i = min(self._unseen)
            warnings.warn(
                f"{len(self._unseen)} pairs of step and factor have no data though a state that was"
                f" seen has an action that uses them, the first is factor {i} at step {h}; only the"
                " ridge says what they are worth",
                CoverageWarning,
                stacklevel=_USER,
            )
        if self._off:
            warnings.warn(
                f"features of {self._off} actions at next states do not sum to 1, the worst to"
                f" {self._worst:.6g}: the model is no linear MDP there, and bounds do not hold",
                FeatureWarning,
                stacklevel=_USER,
            )


def warn_underflow(rule: Rule) -> None:
    """Warn of KL weights so small that the moment of the largest value is nothing in floats."""
    if rule.kind != FactorKind.KL_PENALTY:
        return
    caps = np.array([rule.cap(h) for h in range(rule.horizon - 1)])
    small = np.argwhere(caps[:, None] / (300.0 * np.log(10.0)) > rule.levels[:-1])
    if len(small):
        h, i = (int(index) for index in small[0])
        warnings.warn(
            f"weight {rule.levels[h, i]:g} of factor {i} at step {h} makes exp(-{caps[h]:g} /"
            f" weight) less than 1e-300 ({len(small)} pairs of step and factor): KL estimates then"
            " say nothing but the cap, or the least value",
            UnderflowWarning,
            stacklevel=_USER,
        )
