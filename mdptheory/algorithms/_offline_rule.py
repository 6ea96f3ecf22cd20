"""The rule of a backward pass that offline options stand for."""

from typing import Protocol

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms._backward import LeastValue, Rule
from mdptheory.algorithms._factor_problem import Search
from mdptheory.algorithms._offline_records import OfflineOptions
from mdptheory.errors import InvalidModelError
from mdptheory.models.factor_ambiguity import FactorAmbiguity, FactorKind, factor_levels

_SEARCHED = (FactorKind.TV_BALL, FactorKind.KL_BALL, FactorKind.CHI_SQUARE_PENALTY)


class Sizes(Protocol):
    """What a rule must know of the data."""

    @property
    def horizon(self) -> int:
        """Number of steps H."""

    @property
    def n_factors(self) -> int:
        """Number of factors d."""

    @property
    def fail_state(self) -> int | None:
        """A state known to be worth nothing."""

    @property
    def finite(self) -> bool:
        """Whether the points are all states rather than those in the data."""


def rule_of(
    sizes: Sizes,
    ambiguity: FactorAmbiguity | None,
    options: OfflineOptions,
    *,
    plain: bool = False,
) -> Rule:
    """Return the rule; with ``beta="theory"`` its widths are yet to be filled in.

    Parameters
    ----------
    sizes : Sizes
        Shapes of the data.
    ambiguity : FactorAmbiguity or None
        What nature may do.
    options : OfflineOptions
        How to estimate.
    plain : bool
        Whether rewards are regressed and widths are ellipsoidal.

    Returns
    -------
    Rule
        For the pessimistic fit.
    """
    horizon, d = sizes.horizon, sizes.n_factors
    kind, levels = factor_levels(ambiguity, horizon, d)
    beta = _widths(options, horizon, d, last=plain or options.penalty_last)
    if plain and (beta != beta[:, :1]).any():
        raise InvalidModelError(
            f"beta has shape {np.shape(options.beta)} and differs among factors; expected one width"
            " a step, as the ellipsoid has no factors"
        )
    return Rule(
        kind,
        levels,
        beta,
        options.ridge,
        penalty="ellipsoid" if plain else options.penalty,
        vmin=_least(options, sizes),
        clip_zero=options.clip_zero,
        clip_w=options.clip_w,
        kl_shift=options.kl_shift,
        regress_reward=plain,
        search=_search(options, kind),
    )


def _widths(options: OfflineOptions, horizon: int, d: int, *, last: bool) -> FloatArray:
    """Return widths of shape (H, d), 0 at the last step unless it has one."""
    if isinstance(options.beta, str):
        return np.zeros((horizon, d))
    given = np.asarray(options.beta)
    if given.shape not in {(), (horizon,), (horizon, d)}:
        raise InvalidModelError(
            f"beta has shape {given.shape}; expected a number, ({horizon},) or ({horizon}, {d})"
        )
    widths = np.array(np.broadcast_to(given[:, None] if given.ndim == 1 else given, (horizon, d)))
    if not last:
        widths[-1] = 0.0
    return widths


def _least(options: OfflineOptions, sizes: Sizes) -> LeastValue:
    """Return what "auto" stands for, or refuse what real states do not allow."""
    if not sizes.finite:
        if options.vmin == "state":
            raise InvalidModelError(
                "vmin is 'state' with real states; expected 'zero', 'data' or 'auto'"
            )
        return "data" if options.vmin == "auto" else options.vmin
    if options.vmin == "auto":
        return "state" if sizes.fail_state is None else "zero"
    return options.vmin


def _search(options: OfflineOptions, kind: FactorKind) -> Search:
    """Return how duals are searched, or refuse options that the kind does not have."""
    if options.chi_square_minimum:
        if kind != FactorKind.CHI_SQUARE_PENALTY:
            raise InvalidModelError("chi_square_minimum is True; expected a ChiSquarePenalty then")
        return "chi-square-minimum"
    if options.optimizer == "nelder-mead" and kind not in _SEARCHED:
        raise InvalidModelError(
            "optimizer is 'nelder-mead'; expected TVBall, KLBall or ChiSquarePenalty, whose duals"
            " are searched"
        )
    return options.optimizer
