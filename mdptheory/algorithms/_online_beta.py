"""Widths of optimistic fits as straight lines in what changes from episode to episode."""

import math

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory._validation import check_shape
from mdptheory.algorithms._explicit_beta import function_classes
from mdptheory.algorithms._online_records import OnlineOptions
from mdptheory.errors import InvalidModelError
from mdptheory.models.factor_ambiguity import FactorKind

_LARGEST = 1e100  # beyond any value, and small enough for squares of sums to stay finite


def given_beta(options: OnlineOptions, shape: tuple[int, int]) -> FloatArray:
    """Return the widths that the options name, one a step and factor."""
    beta = np.asarray(options.beta, dtype=np.float64)
    if beta.ndim == 1:
        check_shape("beta", beta, (shape[0],))
        beta = beta[:, None]
    elif beta.ndim:
        check_shape("beta", beta, shape)
    return np.array(np.broadcast_to(np.minimum(beta, _LARGEST), shape))


def beta_lines(
    kind: FactorKind,
    levels: FloatArray,
    options: OnlineOptions,
    n_episodes: int,
    n_states: int,
    *,
    fail: bool,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return slopes (H, d), offsets (H, d) and log terms (H,) of `explicit_beta`.

    With ``R = sqrt(log det(Lambda / ridge) / 4 + log_term)``, ``beta = slope R + offset``; both are
    0 at the last step.
    """
    if kind == FactorKind.KL_BALL:
        raise NotImplementedError(
            "beta is 'theory' and ambiguity is a KLBall, for which no explicit width was derived"
        )
    horizon, d = levels.shape
    slope, offset, log_term = np.zeros_like(levels), np.zeros_like(levels), np.zeros(horizon)
    log_net = (n_states - fail) * math.log(math.ceil(math.sqrt(n_episodes)))
    bias = math.sqrt(options.ridge * d)
    for h in range(horizon - 1):
        classes = function_classes(kind, levels[h])
        log_term[h] = 0.5 * (math.log(classes * (horizon - 1) / options.delta) + log_net)
        for i in range(d):
            bound, level = float(horizon - 1 - h), float(levels[h, i])
            ratio = bound / level if level > 0.0 else math.inf
            width, share = bound, 1.0  # of the bias, beside that of the noise
            if kind == FactorKind.TV_PENALTY and fail:
                width = min(level, bound)
            elif kind == FactorKind.CHI_SQUARE_PENALTY:
                width = bound * (1.0 + ratio)
            elif kind == FactorKind.KL_PENALTY and level < math.inf:
                width = level * math.expm1(ratio) if ratio < 700.0 else math.inf
                share = 1.0 if options.kl_shift else -1.0 / math.expm1(-min(ratio, 700.0))
            slope[h, i] = min(width, _LARGEST)
            offset[h, i] = min(width * (1.0 + share * bias), _LARGEST)
    return slope, offset, log_term


def refuse_unproved(options: OnlineOptions, *, mirror: bool, simplex: bool) -> None:
    """Refuse ``beta="theory"`` where its proof does not hold."""
    if not isinstance(options.beta, str):
        return
    if mirror:
        raise InvalidModelError(
            "beta is 'theory' and mirror is finite; values of mirror steps may leave the range of"
            " its proof: expected a number, or mirror=inf"
        )
    if options.bonus != "l1":
        raise InvalidModelError(
            f"beta is 'theory' and bonus is {options.bonus!r}; its proof needs l1 widths, which are"
            " never smaller: expected bonus='l1'"
        )
    if not simplex:
        raise InvalidModelError(
            "beta is 'theory' and the model was built with check=False; its proof needs simplex"
            " features and rewards in [0, 1]"
        )
