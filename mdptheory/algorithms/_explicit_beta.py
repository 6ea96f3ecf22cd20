"""Widths that hold with a stated probability, with all constants, for finite state spaces."""

import math

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory._validation import (
    as_float_array,
    check_count,
    check_finite,
    check_flag,
    check_number,
    place,
)
from mdptheory.errors import InvalidModelError
from mdptheory.models.factor_ambiguity import FactorAmbiguity, FactorKind, factor_levels

_PENALTIES = (FactorKind.TV_PENALTY, FactorKind.KL_PENALTY, FactorKind.CHI_SQUARE_PENALTY)


def explicit_beta(
    ambiguity: FactorAmbiguity | None,
    gram: FloatArray,
    *,
    ridge: float,
    n_episodes: int,
    delta: float,
    n_states: int,
    fail_state: int | None = None,
    kl_shift: bool = False,
    vmin_known: bool | None = None,
) -> FloatArray:
    """Return widths under which the event of the suboptimality bound has probability 1 - delta.

    Parameters
    ----------
    ambiguity : TVBall, TVPenalty, KLPenalty, ChiSquarePenalty or None
        What nature may do; None is nominal.
    gram : array of shape (H, d, d)
        ``sum phi phi'`` over the episodes, without ridge.
    ridge : float
        Ridge of the regressions, positive.
    n_episodes : int
        Number of episodes K; the total if the widths must hold in all of K online episodes.
    delta : float
        Probability with which the event may fail.
    n_states : int
        Number of states S.
    fail_state : int, optional
        A state known to be worth nothing.
    kl_shift : bool
        Whether KL moments are estimated as one minus the moment of ``1 - exp(-v / weight)``.
    vmin_known : bool, optional
        Whether the least value is known to be 0, which narrows the TV penalty. By default, whether
        there is a fail state.

    Returns
    -------
    array of shape (H, d)
        ``beta``: a factor's estimated worth errs by less than ``beta`` times
        ``sqrt((Lambda^-1)_ii)``. Zero at the last step, where nothing is estimated; infinite where
        a KL weight is so small that the formula overflows.

    Raises
    ------
    InvalidModelError
        If an argument breaks its rule.
    NotImplementedError
        For a KL ball, for which no width was derived.

    Notes
    -----
    Derived here; not a theorem of the papers. At step ``h`` (from 0) write ``B = H - 1 - h`` and::

        R = sqrt(log det(I + gram / ridge) / 4 + log(m N (H - 1) / delta) / 2)

    with ``N = ceil(sqrt K)^(S - 1)`` if there is a fail state, else to the power S, and ``m`` the
    number of function classes: 1 for a ball; for penalties 1, or 2 for chi-square, times the number
    of distinct weights of the step. With ``e = sqrt(ridge d)``:

    - TV ball, nominal, and infinite weights: ``B (R + 1 + e)``
    - TV penalty: ``b (R + 1 + e)``, ``b = min(weight, B)`` if the least value is known, else ``B``
    - KL penalty: ``weight exp(B / weight) ((1 - exp(-B / weight)) (R + 1) + e)``
    - KL penalty with ``kl_shift``: ``weight (exp(B / weight) - 1) (R + 1 + e)``
    - chi-square penalty: ``B (1 + B / weight) (R + 1 + e)``

    Proof: the self-normalised inequality for each function on a net of the cube that holds all
    possible next values; a union bound over net, classes and steps; a neighbour on the net changes
    a regression by at most the "+ 1"; the ridge biases by at most ``e``. Values must be clipped to
    ``[0, B]`` and estimated worths too.

    Examples
    --------
    >>> from mdptheory.models import TVPenalty
    >>> gram = np.stack([np.diag([60.0, 40.0]), np.diag([50.0, 50.0])])
    >>> explicit_beta(TVPenalty(0.5), gram, ridge=1, n_episodes=100, delta=0.1, n_states=3)
    array([[4.98, 4.98],
           [0.  , 0.  ]])
    """
    ridge, delta = _check(ridge, delta)
    kl_shift = check_flag("kl_shift", kl_shift)
    root = math.ceil(math.sqrt(check_count("n_episodes", n_episodes)))
    gram = as_float_array("gram", gram)
    if gram.ndim != 3 or gram.shape[1] != gram.shape[2] or 0 in gram.shape:
        raise InvalidModelError(f"gram has shape {gram.shape}; expected (horizon, d, d)")
    check_finite("gram", gram)
    _check_gram(gram)
    horizon, d = gram.shape[:2]
    kind, levels = factor_levels(ambiguity, horizon, d)
    if kind == FactorKind.KL_BALL:
        raise NotImplementedError(
            "ambiguity is a KLBall, for which no explicit width was derived; TVBall, TVPenalty,"
            " KLPenalty and ChiSquarePenalty have one"
        )
    free = check_count("n_states", n_states) - _excepted(fail_state, n_states)
    vmin_known = (
        fail_state is not None if vmin_known is None else check_flag("vmin_known", vmin_known)
    )
    log_net = free * math.log(root)
    bias = math.sqrt(ridge * d)
    beta = np.zeros((horizon, d))
    for h in range(horizon - 1):
        log_m = math.log(function_classes(kind, levels[h]))
        log_union = log_m + log_net + math.log((horizon - 1) / delta)
        radius = math.sqrt(_log_det(gram[h], ridge) / 4 + log_union / 2)
        noise, bound = radius + 1, float(horizon - 1 - h)
        if kind == FactorKind.KL_PENALTY:
            level = levels[h].tolist()
            beta[h] = [_kl_width(weight, bound, noise, bias, shift=kl_shift) for weight in level]
            continue
        scale = np.full(d, bound)
        if kind == FactorKind.TV_PENALTY and vmin_known:
            scale = np.minimum(levels[h], bound)
        elif kind == FactorKind.CHI_SQUARE_PENALTY:
            with np.errstate(over="ignore"):
                scale = bound * (1 + bound / levels[h])
        beta[h] = scale * (noise + bias)
    return beta


def _check(ridge: float, delta: float) -> tuple[float, float]:
    """Return ridge and delta, or refuse them."""
    ridge = check_number("ridge", ridge, low=0.0, open_low=True, high=np.inf, open_high=True)
    return ridge, check_number("delta", delta, low=0.0, high=1.0, open_low=True, open_high=True)


def _check_gram(gram: FloatArray) -> None:
    """Refuse what no sum of squares can be."""
    for h, matrix in enumerate(gram):
        if (np.abs(matrix - matrix.T) > 1e-9 * np.abs(matrix).max()).any():
            raise InvalidModelError(f"gram[{h}] is not symmetric; expected a sum of phi phi'")
        for i in np.flatnonzero(np.diagonal(matrix) < 0.0):
            raise InvalidModelError(
                f"{place('gram', (h, int(i), int(i)))} is {matrix[i, i]}; expected a sum of squares"
            )


def _excepted(fail_state: int | None, n_states: int) -> int:
    """Return the number of states whose value is known."""
    if fail_state is None:
        return 0
    if check_count("fail_state", fail_state, low=0) >= n_states:
        raise InvalidModelError(f"fail_state is {fail_state}; expected a state in [0, {n_states})")
    return 1


def function_classes(kind: FactorKind, level: FloatArray) -> int:
    """Return the number m of function classes whose regressions a step uses."""
    if kind not in _PENALTIES:
        return 1
    return len(np.unique(level)) * (2 if kind == FactorKind.CHI_SQUARE_PENALTY else 1)


def _log_det(gram: FloatArray, ridge: float) -> float:
    """Return ``log det(I + gram / ridge)``, which is never negative."""
    return max(float(np.linalg.slogdet(np.eye(len(gram)) + gram / ridge)[1]), 0.0)


def _kl_width(weight: float, bound: float, noise: float, bias: float, *, shift: bool) -> float:
    """Return the width of a KL penalty; infinite where it overflows."""
    if weight == math.inf:
        return bound * (noise + bias)
    ratio = bound / weight
    if ratio > 700.0:  # exp overflows
        return math.inf
    grown = math.expm1(ratio)
    if shift:
        return weight * grown * (noise + bias)
    return weight * (grown * noise + math.exp(ratio) * bias)
