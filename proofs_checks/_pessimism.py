"""A pessimistic fit to episodes of a known model, and all that is exact about it."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.algorithms import OfflineFit, OfflineOptions, drpvi, r2pvi
from mdptheory.environments import collect_statistics
from mdptheory.errors import CoverageWarning
from mdptheory.models import (
    FactorAmbiguity,
    FactorKind,
    LinearMDP,
    OfflineStatistics,
    TVBall,
    factor_levels,
)
from mdptheory.theory import Check, case
from mdptheory.theory.chain import Checks
from proofs_checks._linear_oracles import (
    Plan,
    as_mixture,
    divergence,
    plan,
    step_worth,
    total,
    worth,
)
from proofs_checks._ridge_oracles import Claim, Fit, Sums, Told, add_up, fit, widths

DELTA = 0.1
REFIT = 1e-6  # two ways to invert a Gram matrix whose condition number may be 1e9


@case
class Case:
    """A model, what nature may do, and the episodes to be drawn.

    Attributes
    ----------
    mdp : LinearMDP
        The nominal model.
    ambiguity : FactorAmbiguity
        A TV ball or a penalty.
    episodes : int
        Their number; actions are uniform.
    ridge : float
        Of the regressions.
    shift : bool
        Whether KL moments are estimated by their complements.
    seed : int
        Of the episodes.
    """

    mdp: LinearMDP
    ambiguity: FactorAmbiguity
    episodes: int
    ridge: float
    shift: bool
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """What was learnt.

    Attributes
    ----------
    v : array of shape (H + 1, S)
        Pessimistic values.
    policy : array of int of shape (H, S)
        Greedy for them.
    w : array of shape (H, d)
        Estimated worth of the factors.
    width : array of shape (H, S, A)
        What was subtracted.
    high, high_w : array or None
        Values and worths of the fit to which widths were added.
    """

    v: FloatArray
    policy: IntArray
    w: FloatArray
    width: FloatArray
    high: FloatArray | None = None
    high_w: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A fit beside the truth, which is planned and evaluated by the second route.

    Attributes
    ----------
    case : Case
        The instance.
    sums : Sums
        Of the episodes, added up one transition at a time.
    learnt : Learnt
        By the library.
    best : Plan
        The optimum against nature.
    own : array of shape (H + 1, S)
        Value of the learnt policy against nature.
    reply : Plan
        Nature's reply to the learnt values: ``q`` is their exact worth behind each action,
        ``worst`` her factors.
    """

    case: Case
    sums: Sums
    learnt: Learnt
    best: Plan
    own: FloatArray
    reply: Plan

    @property
    def scale(self) -> float:
        """The horizon: no value is larger."""
        return float(self.case.mdp.horizon)

    def error(self, worth: FloatArray, w: FloatArray) -> FloatArray:
        """Return how much estimates miss exact worths (H, S, A) by; 0 in the fail state."""
        known = self.case.mdp.known
        estimate = np.array([known.phi_at(h) @ w[h] for h in range(known.horizon)])
        out = np.abs(worth - estimate)
        if known.fail_state is not None:
            out[:, known.fail_state] = 0.0
        return np.asarray(out)

    def bound(self, factors: FloatArray, times: float = 2.0) -> FloatArray:
        """Return the expected sum of widths under the best policy, times 2, shape (H + 1, S)."""
        return total(self.case.mdp, self.best.pi, factors, times * self.learnt.width)


Learner = Callable[[Case, OfflineStatistics], Learnt]


def fitted(
    case: Case, data: OfflineStatistics, ambiguity: FactorAmbiguity, options: OfflineOptions
) -> OfflineFit:
    """Run the library's learner; a factor without data is no news here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CoverageWarning)
        if isinstance(ambiguity, TVBall):
            return drpvi(data, case.mdp.known, ambiguity, options=options)
        return r2pvi(data, case.mdp.known, ambiguity, options=options)  # type: ignore[arg-type]


def library(case: Case, data: OfflineStatistics) -> Learnt:
    """Learn with the explicit widths."""
    options = OfflineOptions(beta="theory", ridge=case.ridge, delta=DELTA, kl_shift=case.shift)
    found = fitted(case, data, case.ambiguity, options)
    claim = found.certificate
    assert claim is not None  # for mypy: there is one with explicit widths
    return Learnt(found.v, found.policy, found.w, found.width, claim.upper, claim.upper_w)


def explicit(case: Case, gram: FloatArray) -> FloatArray:
    """Return the explicit widths in standard errors, by the second route."""
    claim = Claim(case.episodes, case.ridge, DELTA, case.shift)
    return widths(case.mdp.known, case.ambiguity, gram, claim)


def by_definition(case: Case, sums: Sums, told: Told) -> Learnt:
    """Learn by the second route."""
    found: Fit = fit(case.mdp.known, sums, told)
    return Learnt(found.v, found.policy, found.w, found.width)


def run(case: Case, learner: Learner = library) -> Trace:
    """Draw the episodes' counts, learn, and compare with the truth."""
    mdp = case.mdp
    data = collect_statistics(mdp, None, case.episodes, rng=case.seed)
    learnt = learner(case, data)
    pi = as_mixture(learnt.policy, mdp.n_actions)
    return Trace(
        case,
        sums=add_up(mdp.known, data.counts),
        learnt=learnt,
        best=plan(mdp, case.ambiguity),
        own=plan(mdp, case.ambiguity, pi).v,
        reply=step_worth(mdp, case.ambiguity, learnt.v),
    )


# ---- the failure event --------------------------------------------------------------------------


def missed(trace: Trace) -> Iterator[Check]:
    """Hold errors of the estimates to their widths, also where widths were added."""
    learnt, case = trace.learnt, trace.case
    yield Check.worst(trace.error(trace.reply.q, learnt.w), learnt.width)
    if learnt.high is not None and learnt.high_w is not None:
        truth = step_worth(case.mdp, case.ambiguity, learnt.high).q
        yield Check.worst(trace.error(truth, learnt.high_w), learnt.width)


def never(trace: Trace) -> bool:
    """Take the event for granted."""
    return False


# ---- links --------------------------------------------------------------------------------------


def pessimism(trace: Trace) -> Iterator[Check]:
    """V_hat <= value of the policy <= V*, at every step and state."""
    yield Check.nonpositive(trace.learnt.v - trace.own, scale=trace.scale)
    yield Check.nonpositive(trace.own - trace.best.v, scale=trace.scale)


def decomposition(trace: Trace, *, times: float = 2.0) -> Checks:
    """V* - V_hat <= 2 E sum of widths under the best policy and nature's reply to V_hat."""
    lost = (trace.best.v - trace.learnt.v)[:-1]
    bound = trace.bound(trace.reply.worst, times)[:-1]
    return Check.worst(lost, bound, trivial=trace.best.v[:-1])


def budgets(trace: Trace) -> FloatArray:
    """Return how far nature's reply may be from the factors, shape (H, d)."""
    mdp = trace.case.mdp
    kind, levels = factor_levels(trace.case.ambiguity, mdp.horizon, mdp.n_factors)
    if kind == FactorKind.TV_BALL:
        return levels
    return np.asarray(np.ptp(trace.learnt.v[1:], axis=1)[:, None] / levels)


def near(trace: Trace, *, share: float = 1.0) -> Checks:
    """D(nature's reply, factors) <= radius, or range of V_hat / weight."""
    mdp = trace.case.mdp
    kind, _ = factor_levels(trace.case.ambiguity, mdp.horizon, mdp.n_factors)
    return Check.worst(divergence(kind, trace.reply.worst, mdp.mu), share * budgets(trace))


def supremum(trace: Trace, *, share: float = 1.0) -> Iterator[Check]:
    """Bound the same by the largest expected sum of widths over all factors that near."""
    mdp, radius = trace.case.mdp, share * budgets(trace)
    kind, _ = factor_levels(trace.case.ambiguity, mdp.horizon, mdp.n_factors)
    out = np.zeros((mdp.horizon + 1, mdp.n_states))
    for h in reversed(range(mdp.horizon)):
        most = -_least(kind, radius[h], mdp.mu[h], -out[h + 1])
        ahead = 2 * trace.learnt.width[h] + mdp.known.phi_at(h) @ most
        out[h] = (trace.best.pi[h] * ahead).sum(axis=1)
    held = trace.bound(trace.reply.worst)
    yield Check.nonpositive(held - out, scale=float(out.max()))
    lost = (trace.best.v - trace.learnt.v)[:-1]
    yield Check.worst(lost, out[:-1], trivial=trace.best.v[:-1])


def _least(kind: FactorKind, radius: FloatArray, m: FloatArray, v: FloatArray) -> FloatArray:
    """Return a lower bound on the least mean of ``v`` within each radius; exact but for squares."""
    if kind in (FactorKind.TV_BALL, FactorKind.TV_PENALTY):
        return worth(FactorKind.TV_BALL, np.minimum(radius, 1.0), m, v)[0]
    if kind == FactorKind.KL_PENALTY:
        return worth(FactorKind.KL_BALL, radius, m, v)[0]
    prices = np.geomspace(1e-3, 1e3, 25) * max(float(np.ptp(v)), 1e-9)
    every, spent = np.tile(m, (len(prices), 1)), prices[:, None] * radius
    found = worth(kind, np.repeat(prices, len(m)), every, v)[0].reshape(-1, len(m)) - spent
    floor = np.where(m > 0, v, np.inf).min(axis=1)
    return np.maximum(found.max(axis=0), np.where(radius > 0, floor, m @ v))


def optimism(trace: Trace) -> Iterator[Check]:
    """V* <= values of the fit with widths added, and the two fits bracket the loss at the start."""
    learnt, start = trace.learnt, trace.case.mdp.start
    if learnt.high is None:
        return
    yield Check.nonpositive(trace.best.v - learnt.high, scale=trace.scale)
    lost = start @ (trace.best.v - trace.own)[0]
    gap = start @ (learnt.high - learnt.v)[0]
    yield Check(lost, gap, trivial=start @ trace.best.v[0])


def conclusion(trace: Trace) -> Checks:
    """Bound the policy's loss at the start by 2 E sum of widths."""
    start = trace.case.mdp.start
    lost = start @ (trace.best.v - trace.own)[0]
    bound = start @ trace.bound(trace.reply.worst)[0]
    return Check(lost, bound, trivial=start @ trace.best.v[0])
