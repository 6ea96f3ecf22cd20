"""Claims about a policy learnt from data: every regression, width and value is recomputed.

What is proved
--------------
Let H be the horizon, S the number of states, d that of factors, K that of episodes, B = H - 1 - h
the most that can follow step h. A linear MDP generated the episodes, independently; its features
are simplex weights and known, its factors mu are not. For a step h before the last let G be the
Gram matrix of the visited features plus ``ridge`` times the identity, D the diagonal of its
inverse, and ``worth_i(v)`` the least of ``E v + price`` (or of ``E v`` over a ball) that nature can
reach from factor mu_i. Let

    R = sqrt(log det(G / ridge) / 4 + log(m N (H - 1) / delta) / 2),    log N = S' log ceil(sqrt K)

with S' = S, or S - 1 if a fail state is known; m = 2 for chi-square, else 1, times the number of
distinct weights of a penalty at the step. Then with probability at least 1 - delta, at once for all
steps, factors and all v with values in [0, B] (0 in the fail state), the estimates ``w_i(v)``, cut
off at 0 and B, satisfy ``|w_i(v) - worth_i(v)| <= beta_i sqrt(D_i)``, where beta_i is ::

    total variation ball, infinite weight   B (R + 1 + sqrt(ridge d))
    total variation penalty                 b (R + 1 + sqrt(ridge d)),  b = min(weight, B) if a
                                            fail state is known, else B
    Kullback-Leibler penalty                weight e^x ((1 - e^-x) (R + 1) + sqrt(ridge d)),
                                            x = B / weight
    the same, shifted moments               weight (e^x - 1) (R + 1 + sqrt(ridge d))
    chi-square penalty                      B (1 + B / weight) (R + 1 + sqrt(ridge d))

Why: for a fixed function g with values in an interval of length b, the ridge estimate of E g errs
in coordinate i by ``sqrt(D_i)`` times a self-normalised sum of b/2-sub-Gaussian errors plus
``sqrt(ridge) |E g|``; the first is at most ``b R`` with probability 1 - delta / (m N (H - 1)) [1]_.
N functions, spaced ``b / sqrt K`` in each free state, come within ``b / (2 sqrt K)`` of every g,
which costs the "+ 1". The widths are what that error becomes in the formula of each worth.

On that event, clipped recursions bound values: the pessimistic one subtracts ``sum_i phi_i beta_i
sqrt(D_i)``, so that ``lower[h] <= reward + worth(lower[h + 1]) <= `` the value of its greedy policy
by induction, as worths are monotone; the optimistic one adds it, so that ``upper[h]`` is at least
the optimal value. Larger widths are as good.

Each step is recomputed from the claim's own values of the next one. Numbers may differ by a bound
on rounding, which is carried to the values and returned as tolerance; where it exceeds 1e-6 of the
horizon the claim is refused.

References
----------
.. [1] Y. Abbasi-Yadkori, D. Pal, C. Szepesvari, "Improved algorithms for linear stochastic
   bandits", NeurIPS 2011: the self-normalised inequality. The rest is derived here.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory._validation import place
from mdptheory.certificates._offline_worth import Estimate, Regression, least_widths, worths
from mdptheory.errors import InvalidCertificateError
from mdptheory.models import KnownModel, OfflineCertificate, OfflineData, OfflineStatistics
from mdptheory.models.factor_ambiguity import FactorKind, factor_levels

COARSE = 1e-6  # of the horizon: rounding that could hide more proves nothing
_FINE = 1e-12
_PROVED = {
    FactorKind.TV_BALL, FactorKind.TV_PENALTY, FactorKind.KL_PENALTY,
    FactorKind.CHI_SQUARE_PENALTY,
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class OfflineVerified:
    """What `check_offline` proved, with probability ``1 - delta`` over the episodes.

    ``lower - tolerance <= robust value of policy <= robust optimal value <= upper + tolerance`` at
    the first step, from the first state on.

    Attributes
    ----------
    gap : float
        ``upper - lower``.
    delta : float
        Probability with which data such as these may break the claim.
    lower, upper : float
        Bounds at the start, in units of reward.
    tolerance : float
        The most by which rounding may have moved each bound.
    n_episodes : int
        Number of episodes K.
    """

    gap: float
    delta: float
    lower: float
    upper: float
    tolerance: float
    n_episodes: int

    @property
    def policy_loss(self) -> float:
        """Proved bound on what the policy loses against nature, compared with the best policy."""
        return math.nextafter(self.gap + 2.0 * self.tolerance, math.inf)


def check_offline(
    certificate: OfflineCertificate, data: OfflineData | OfflineStatistics, known: KnownModel
) -> OfflineVerified:
    """Recompute everything that a policy learnt from data claims about its robust value.

    Parameters
    ----------
    certificate : OfflineCertificate
        The claim.
    data : OfflineData or OfflineStatistics
        The episodes that it was learnt from, or their counts.
    known : KnownModel
        Features and rewards of the problem.

    Returns
    -------
    OfflineVerified
        What was proved: bounds at the start that hold with probability ``1 - delta``.

    Raises
    ------
    InvalidCertificateError
        If a number of the claim differs from the one found here, or a width is too small; the
        message names step, factor or state and both numbers.
    InvalidModelError
        If data and model do not go together.
    TypeError
        If an argument is of another type.

    Notes
    -----
    The proof is at the top of `mdptheory.certificates.offline`. It assumes that the episodes are
    independent runs of one linear MDP with these features and rewards; no file can show that.

    Examples
    --------
    One step, where nothing has to be estimated:

    >>> from mdptheory.models import TVPenalty
    >>> known = KnownModel([[[1.0, 0.0], [0.0, 1.0]]], [[0.25, 0.75]])
    >>> values, zero = np.array([[0.75], [0.0]]), np.zeros((1, 2))
    >>> claim = OfflineCertificate(
    ...     TVPenalty(1.0), values, values, np.array([[1]]), zero, zero, zero,
    ...     ridge=1.0, delta=0.1, kl_shift=False, n_episodes=1, start=np.ones(1),
    ... )
    >>> check_offline(claim, OfflineData([[0, 0]], [[0]]), known).lower
    0.75
    """
    _require_types(certificate, data, known)
    counts = _counts(data, known)
    levels = _check_form(certificate, counts, known)
    tolerance = 0.0
    with np.errstate(all="ignore"):
        for h in reversed(range(known.horizon)):
            tolerance += _Step(certificate, known, counts[h], h, *levels).verify()
    if not tolerance <= COARSE * known.horizon:
        raise InvalidCertificateError(
            f"rounding could hide an error of {tolerance:.3g} in the values; expected at most"
            f" {COARSE * known.horizon:.3g} (a larger ridge lessens it)"
        )
    lower, upper = (float(known.start @ x[0]) for x in (certificate.lower, certificate.upper))
    return OfflineVerified(
        upper - lower, certificate.delta, lower, upper, tolerance, certificate.n_episodes
    )


def _require_types(certificate: Any, data: Any, known: Any) -> None:
    wanted: dict[str, tuple[Any, tuple[type, ...]]] = {
        "certificate": (certificate, (OfflineCertificate,)),
        "data": (data, (OfflineData, OfflineStatistics)),
        "known": (known, (KnownModel,)),
    }
    for name, (value, types) in wanted.items():
        if not isinstance(value, types):
            raise TypeError(
                f"{name} is of type {type(value).__name__}; expected"
                f" {' or '.join(kind.__name__ for kind in types)}"
            )


def _counts(data: OfflineData | OfflineStatistics, known: KnownModel) -> IntArray:
    """Return how often each transition was seen; `OfflineStatistics` checks both."""
    if isinstance(data, OfflineData):
        return data.statistics(known).counts
    return OfflineStatistics(known, data.counts).counts


def _is_number(value: Any) -> bool:
    wanted = isinstance(value, int | float | np.integer | np.floating)
    return wanted and not isinstance(value, bool)


def _refuse(name: str, index: tuple[int, ...], claimed: Any, found: Any, what: str = "") -> None:
    raise InvalidCertificateError(
        f"{place(name, index)} is {claimed!s}; {what or 'the data give'} {found!s}"
    )


def _check_form(
    claim: OfflineCertificate, counts: IntArray, known: KnownModel
) -> tuple[FactorKind, FloatArray]:
    """Check what needs no regression; return the kind of nature and its levels (H, d)."""
    if not known.simplex:
        raise InvalidCertificateError("known has unchecked features; the proof needs simplex ones")
    _check_arrays(claim, known)
    for name, value, high in (("ridge", claim.ridge, math.inf), ("delta", claim.delta, 1.0)):
        if not _is_number(value) or not 0.0 < value < high:
            raise InvalidCertificateError(f"{name} is {value}; expected a number in (0, {high:g})")
    if type(claim.kl_shift) is not bool:
        raise InvalidCertificateError(f"kl_shift is {claim.kl_shift!r}; expected True or False")
    if not _is_number(claim.n_episodes) or claim.n_episodes != int(counts[0].sum()):
        _refuse("n_episodes", (), claim.n_episodes, int(counts[0].sum()))
    for s in np.flatnonzero(np.asarray(claim.start) != known.start):
        _refuse("start", (int(s),), claim.start[s], known.start[s], "the model has")
    kind, levels = factor_levels(claim.ambiguity, known.horizon, known.n_factors)
    if kind not in _PROVED:
        raise InvalidCertificateError(
            f"{type(claim.ambiguity).__name__} has no proof; expected TVBall, TVPenalty, KLPenalty"
            " or ChiSquarePenalty"
        )
    return kind, levels


def _check_arrays(claim: OfflineCertificate, known: KnownModel) -> None:
    """Require shapes, types, finite numbers, and zeros where nothing follows."""
    H, S, d = known.horizon, known.n_states, known.n_factors
    shapes = {
        "lower": (H + 1, S), "upper": (H + 1, S), "policy": (H, S), "lower_w": (H, d),
        "upper_w": (H, d), "beta": (H, d), "start": (S,),
    }  # fmt: skip
    for name, shape in shapes.items():
        try:
            array = np.asarray(getattr(claim, name))
        except ValueError:
            raise InvalidCertificateError(f"{name} is not a rectangular array") from None
        if array.shape != shape:
            raise InvalidCertificateError(f"{name} has shape {array.shape}; expected {shape}")
        if array.dtype.kind not in ("iu" if name == "policy" else "f"):
            wanted = "action ids" if name == "policy" else "floats"
            raise InvalidCertificateError(f"{name} has dtype {array.dtype}; expected {wanted}")
        for index in np.argwhere(~np.isfinite(array)):
            _refuse(name, tuple(index), array[tuple(index)], "finite number", "expected a")
    zeros = {"lower": H, "upper": H, "lower_w": H - 1, "upper_w": H - 1, "beta": H - 1}
    for name, step in zeros.items():
        row = np.asarray(getattr(claim, name))[step]
        for i in np.flatnonzero(row):
            _refuse(name, (step, int(i)), row[i], 0.0, "nothing follows, so it is")


class _Step:
    """One step of both recursions."""

    def __init__(
        self,
        claim: OfflineCertificate,
        known: KnownModel,
        counts: IntArray,
        step: int,
        kind: FactorKind,
        levels: FloatArray,
    ) -> None:
        self.claim, self.known, self.counts, self.step = claim, known, counts, step
        self.kind, self.levels = kind, levels[step]
        self.last = step == known.horizon - 1

    def verify(self) -> float:
        """Check widths, worths, values and policy; return how far rounding may move the values."""
        width = np.zeros(self.known.n_factors)
        off = np.zeros(self.known.n_factors)
        if not self.last:
            fit = Regression.of(self.known, self.counts, self.step, self.claim.ridge)
            if not np.isfinite(fit.inverse).all() or not (np.diag(fit.inverse) > 0).all():
                raise InvalidCertificateError(
                    f"the Gram matrix of step {self.step} is singular in floats"
                )
            self._check_widths(fit)
            width = self.claim.beta[self.step] * fit.spread
            off = self.claim.beta[self.step] * fit.spread_slack
            slack = {name: self._check_worths(name, fit) for name in ("lower", "upper")}
        else:
            slack = {"lower": off, "upper": off}
        return max(
            self._check_values("lower", -width, off + slack["lower"]),
            self._check_values("upper", width, off + slack["upper"]),
        )

    def _check_widths(self, fit: Regression) -> None:
        claim, h = self.claim, self.step
        least = least_widths(
            self.kind, self.levels, fit, h,
            claim=(claim.ridge, claim.delta, claim.n_episodes, claim.kl_shift), known=self.known,
        )  # fmt: skip
        for i, (have, need) in enumerate(zip(claim.beta[h], least, strict=True)):
            if not have >= need * (1.0 - 1e-9):
                _refuse("beta", (h, i), have, need, "the proof needs at least")

    def _check_worths(self, name: str, fit: Regression) -> FloatArray:
        """Compare the claimed worth of every factor with the estimate from the claimed values."""
        claim, h = self.claim, self.step
        v, claimed = getattr(claim, name)[h + 1], getattr(claim, f"{name}_w")[h]
        cap = float(self.known.horizon - 1 - h)
        found: Estimate = worths(self.kind, self.levels, fit, v, cap, claim.kl_shift)
        for i, (have, w) in enumerate(zip(claimed, found.value, strict=True)):
            if not abs(have - w) <= found.slack[i] + _FINE * (1.0 + cap):
                _refuse(f"{name}_w", (h, i), have, w)
        return found.slack

    def _check_values(self, name: str, width: FloatArray, slack: FloatArray) -> float:
        """Compare the claimed values of a step with those that its claimed worths give."""
        claim, known, h = self.claim, self.known, self.step
        phi, top = known.phi_at(h), float(known.horizon - h)
        x = phi @ (known.theta[h] + getattr(claim, f"{name}_w")[h] + width)
        off = np.abs(phi) @ slack + _FINE * (top + phi @ np.abs(width))
        least, most = np.clip(x - off, 0.0, top), np.clip(x + off, 0.0, top)
        if known.fail_state is not None:
            least[known.fail_state] = most[known.fail_state] = 0.0
        v = getattr(claim, name)[h]
        for s in range(known.n_states):
            if not least[s].max() <= v[s] <= most[s].max():
                _refuse(name, (h, s), v[s], np.clip(x[s], 0.0, top).max())
            if name == "lower":
                self._check_choice(s, least[s], most[s])
        return 2.0 * float((most - least).max())  # twice: the greedy action is as uncertain

    def _check_choice(self, s: int, least: FloatArray, most: FloatArray) -> None:
        """Require a greedy action; among actions that rounding cannot tell apart, any."""
        h = self.step
        a = int(self.claim.policy[h, s])
        if not 0 <= a < self.known.n_actions:
            raise InvalidCertificateError(
                f"policy[{h}, {s}] is {a}; expected an action in [0, {self.known.n_actions})"
            )
        if most[a] < least.max():
            best = int(least.argmax())
            _refuse("policy", (h, s), a, best, "the greedy action is")
