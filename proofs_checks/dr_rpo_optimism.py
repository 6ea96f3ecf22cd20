"""Optimism of an online learner, and the regret that its widths certify."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.kernels.signed import signed_worth
from mdptheory.models import FactorAmbiguity, LinearMDP, TVBall, factor_levels
from mdptheory.theory import Chain, Check, Event, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered
from proofs_checks._soft_cases import is_soft, random_ambiguity, random_model, random_reference
from proofs_checks._soft_oracles import Fit, Setting, Soft, nature, soft_plan, soft_value, total
from proofs_checks._soft_oracles import signed_worth as slow_worth
from proofs_checks._soft_runs import Record, record

DELTA = 0.1
TAUS = (0.0, 0.1, 0.3, 1.0)  # 0 is DR-LSVI-UCB
EPISODES = (5, 20, 60)
SLACK = 1e-9
TIE = 1e-12


@case
class Case:
    """A linear MDP and what the learner is told.

    Attributes
    ----------
    mdp : LinearMDP
        With simplex features.
    ambiguity : FactorAmbiguity
        TV ball, or penalty on TV, KL or chi-square divergence.
    tau : float
        Temperature; 0 is greedy.
    reference : array of shape (H, S, A)
        Positive reference policy.
    episodes : int
        How long it learns.
    doubling : bool
        Whether it fits again only once a determinant has doubled.
    seed : int
        Of the run.
    """

    mdp: LinearMDP
    ambiguity: FactorAmbiguity
    tau: float
    reference: FloatArray
    episodes: int
    doubling: bool
    seed: int

    @property
    def told(self) -> Setting:
        """What the learner is told; ridge 1."""
        return Setting(self.ambiguity, self.tau, self.reference, self.episodes, delta=DELTA)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One episode, looked at with the model at hand.

    Attributes
    ----------
    k : int
        The episode, from 0.
    fit : Fit
        The slow fit in force.
    own : Soft
        The policy's robust value.
    widths : array of shape (S,)
        2 sum_h E^{pi, P^pi}[Gamma_h] from each first state.
    now : Fit
        What a fit to all data so far would be.
    """

    k: int
    fit: Fit
    own: Soft
    widths: FloatArray
    now: Fit

    @property
    def tied(self) -> bool:
        """Whether rounding decides which of several least states nature takes."""
        near = self.own.v[1:-1] <= self.own.v[1:-1].min(axis=1, keepdims=True) + TIE
        return bool((near.sum(axis=1) > 1).any())


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A run of the library, a few of its episodes, and the optimum.

    Attributes
    ----------
    case : Case
        The instance.
    record : Record
        The run.
    looks : tuple of Look
        Some of its episodes.
    truth : Soft
        The optimum by the slow route.
    plugged : array of shape (H, d)
        The library's estimated worths of V* if the estimated factors are the true ones.
    """

    case: Case
    record: Record
    looks: tuple[Look, ...]
    truth: Soft
    plugged: FloatArray


def sample(rng: np.random.Generator) -> Case:
    """Draw a small model, a temperature, a number of episodes and a rule for fitting again."""
    mdp = random_model(rng, max_states=4)
    ambiguity = random_ambiguity(rng, mdp)
    reference, tau = random_reference(rng, mdp), float(rng.choice(TAUS))
    episodes, doubling = int(rng.choice(EPISODES)), bool(rng.integers(2))
    return Case(mdp, ambiguity, tau, reference, episodes, doubling, int(rng.integers(2**31)))


def run(case: Case, *, width: float = 1.0, doubling: bool = True, late: int = 0) -> Trace:
    """Learn, and look at some episodes; a twin narrows the widths or never waits."""
    mdp, told = case.mdp, case.told._replace(width=width)
    kept = record(mdp, told, case.seed, doubling=case.doubling and doubling, blind=width == 0)
    last = case.episodes - 1
    chosen = sorted({0, 1, last // 4, last // 2, last} & set(range(case.episodes)))
    return Trace(
        case,
        kept,
        looks=tuple(look(case, told, kept, k, late) for k in chosen),
        truth=soft_plan(mdp, case.ambiguity, case.tau, case.reference),
        plugged=plugged(case),
    )


def look(case: Case, told: Setting, kept: Record, k: int, late: int = 0) -> Look:
    """Fit slowly and evaluate the policy of episode k; a twin is late by one."""
    at = kept.fitted[k] + late
    fit, now = (Fit.of(case.mdp.known, told, kept.gram[i], kept.moments[i]) for i in (at, k + late))
    own = soft_value(case.mdp, fit.pi, case.ambiguity, case.tau, case.reference)
    expected = total(case.mdp, fit.pi, own.worst, (fit.pi * fit.bonus).sum(axis=2))
    return Look(k, fit, own, 2 * expected, now)


def plugged(case: Case) -> FloatArray:
    """Let the library's kernel estimate worths from the true factors."""
    mdp = case.mdp
    truth = soft_plan(mdp, case.ambiguity, case.tau, case.reference)
    kind, levels = factor_levels(case.ambiguity, mdp.horizon, mdp.n_factors)
    out = np.zeros(levels.shape)
    for h in range(mdp.horizon):
        v, cap = np.ascontiguousarray(truth.v[h + 1]), mdp.horizon - 1.0 - h
        order = np.argsort(v, kind="stable")
        least, coef = float(v.min()), np.array(mdp.mu[h])
        signed_worth(int(kind), levels[h], coef, v, order, least, cap, False, out[h])
    return out


def admissible(case: Case) -> bool:
    """Tell whether the instance is small and moderate."""
    known = 1 <= case.episodes <= 100 and case.tau >= 0
    return known and is_soft(case.mdp, case.ambiguity, case.tau or 1.0, case.reference)


# ---- the failure event --------------------------------------------------------------------------


def missed(trace: Trace) -> Iterator[Check]:
    """Look for an estimate that errs by more than its width, except in the fail state."""
    mdp, case = trace.case.mdp, trace.case
    for one in trace.looks:
        for h in range(mdp.horizon):
            worth = nature(mdp, case.ambiguity, h, one.fit.v[h + 1]).nu
            error = np.abs(mdp.known.phi_at(h) @ (worth - one.fit.nu[h]))
            if mdp.fail_state is not None:
                error[mdp.fail_state] = 0.0
            yield Check.nonpositive(error - one.fit.bonus[h], scale=1.0, slack=SLACK)
    yield Check.nonpositive(1.0 - np.asarray(trace.record.result.event, float), scale=1.0)


def never(trace: Trace) -> bool:
    """Overlook the event."""
    return False


# ---- links --------------------------------------------------------------------------------------


def fitted(trace: Trace) -> Iterator[Check]:
    """Compare the library's statistics, optimistic values and last policy with the slow ones."""
    result, start = trace.record.result, trace.case.mdp.start
    yield from Check.equal(result.state.gram, trace.record.gram[-1], scale=1.0)
    yield from Check.equal(result.state.moments, trace.record.moments[-1], scale=1.0)
    for one in trace.looks:
        yield from Check.equal(result.optimistic[one.k], start @ one.fit.v[0], scale=1.0)
    yield from Check.equal(result.pi, trace.looks[-1].fit.pi, slack=1e-8, scale=1.0)


def tracked(trace: Trace) -> Iterator[Check]:
    """Compare the library's regret with the slow one, and its certificate unless nature is torn."""
    result, start = trace.record.result, trace.case.mdp.start
    for one in trace.looks:
        size = 1.0 + float(start @ one.widths)
        lost = start @ (trace.truth.v[0] - one.own.v[0])
        yield from Check.equal(result.regret[one.k], lost, scale=1.0)
        if one.tied:
            continue
        pair = (result.certificate[one.k], start @ one.widths)
        yield from Check.equal(*pair, slack=SLACK * size, scale=size)


def plugs_in(trace: Trace) -> Checks:
    """Estimate worths from the true factors: they are the true worths."""
    return Check.equal(trace.plugged, trace.truth.nu, slack=1e-12, scale=1.0)


def above(trace: Trace) -> Iterator[Check]:
    """Q_hat >= Q* and V_hat >= V*."""
    for one in trace.looks:
        yield Check.nonpositive(trace.truth.q - one.fit.q, scale=1.0)
        yield Check.nonpositive(trace.truth.v - one.fit.v, scale=1.0)


def below(trace: Trace) -> Iterator[Check]:
    """V* - V^pi <= V_hat - V^pi <= 2 sum_h E^{pi, P^pi}[Gamma_h]."""
    for one in trace.looks:
        size = 1.0 + float(one.widths.max())
        claimed = one.fit.v[0] - one.own.v[0]
        lost = trace.truth.v[0] - one.own.v[0]
        yield Check.nonpositive(lost - claimed, scale=1.0)
        yield Check.nonpositive(claimed - one.widths, scale=size, slack=SLACK * size)


def squared(trace: Trace, *, tempered: bool = True) -> Iterator[Check]:
    """V* - V^pi <= sum_h E^{pi, P^pi}[osc(Q_hat - Q*)^2]/(8 tau)."""
    case = trace.case
    if case.tau == 0:
        return
    for one in trace.looks:
        spread = np.ptp(one.fit.q - trace.truth.q, axis=2) ** 2 / 8
        bound = total(case.mdp, one.fit.pi, one.own.worst, spread)
        bound /= case.tau if tempered else 1.0
        lost = trace.truth.v[0] - one.own.v[0]
        yield Check.nonpositive(lost - bound, scale=np.maximum(bound, 1e-3))


def waits(trace: Trace, *, factor: float = math.sqrt(2.0)) -> Iterator[Check]:
    """Hold widths to sqrt(2) times those of a fit to all data."""
    if not trace.case.doubling:
        return
    for one in trace.looks:
        live = one.now.bonus > 0
        if live.any():
            size = factor * one.now.bonus[live]
            yield Check.worst(one.fit.bonus[live], size, slack=SLACK * (1.0 + float(size.max())))


def refits(trace: Trace) -> Checks:
    """Count the fits: 1 + H d log2(1 + K/d) at most."""
    if not trace.case.doubling:
        return ()
    horizon, d, _ = trace.case.mdp.mu.shape
    most = 1 + horizon * d * math.log2(1 + trace.case.episodes / d)
    return Check(len(np.unique(trace.record.fitted)), most)


# ---- broken versions ----------------------------------------------------------------------------


def nominal_widths(trace: Trace) -> tuple[Look, ...]:
    """Let the nominal factors lead to the widths."""
    mdp = trace.case.mdp
    return tuple(
        replace(one, widths=2 * total(mdp, one.fit.pi, mdp.mu, (one.fit.pi * one.fit.bonus).sum(2)))
        for one in trace.looks
    )


def dual_without_price(trace: Trace) -> FloatArray:
    """Forget "- rho alpha" in the dual of the ball."""
    mdp, ambiguity = trace.case.mdp, trace.case.ambiguity
    if not isinstance(ambiguity, TVBall):
        return trace.plugged
    kind, levels = factor_levels(ambiguity, mdp.horizon, mdp.n_factors)
    out = np.zeros_like(levels)
    for h, i in np.ndindex(levels.shape):
        told = (mdp.mu[h, i], trace.truth.v[h + 1], mdp.horizon - 1.0 - h)
        out[h, i] = slow_worth(kind, float(levels[h, i]), *told, price=0.0)
    return out


CHAIN = Chain(
    id="dr_rpo.optimism",
    title="DR-RPO (reconstruction): optimism, and regret from widths",
    source=(
        "derived here for the setting of Gu, He, Liu and Xu, arXiv 2510.14246, whose theorems were"
        " not seen; self-normalised inequality of Abbasi-Yadkori, Pal and Szepesvari 2011"
    ),
    statement=(
        "With beta_h = B_h (sqrt(log det(Lambda_h/g)/4 + log(N (H-1)/delta)/2) + 1 + sqrt(g d)) in"
        " TV balls, N = ceil(sqrt K)^(S less the fail state), B_h = H - h - 1 (penalties: their own"
        " multiple), all estimates of all K episodes err by their widths Gamma at most, with"
        " probability 1 - delta; and then Q_hat >= Q*, V_hat >= V*, and V* - V^{pi_k} <= V_hat -"
        " V^{pi_k} <= 2 sum_h E^{pi_k, P^{pi_k}}[Gamma_h], for softmax (DR-RPO) and greedy"
        " (DR-LSVI-UCB) policies. Fits that wait for a determinant to double have widths below"
        " sqrt(2) times the current ones, and number 1 + H d log2(1 + K/(g d)) at most."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="transitions written down, statistics counted, fits and values by the slow route",
    links=(
        Link("fitted", "statistics, optimistic values, policies are those of the slow fit", fitted),
        Link("tracked", "regret and certificate are those of the slow route", tracked),
        Link("plugs_in", "the estimate's dual at the true factors is their worth", plugs_in),
        Link("above", "Q_hat >= Q*, V_hat >= V*", above, unless=("missed",)),
        Link("below", "V* - V^pi <= V_hat - V^pi <= 2 sum E[Gamma]", below, unless=("missed",)),
        Link("squared", "V* - V^pi <= sum_h E[osc(Q_hat - Q*)^2]/(8 tau)", squared),
        Link("waits", "Gamma of the last fit <= sqrt(2) Gamma of a new one", waits),
        Link("refits", "fits <= 1 + H d log2(1 + K/d)", refits),
    ),
    events=(Event("missed", "some estimate errs by more than its width", DELTA, missed),),
    twins=(
        Twin(
            "no_widths",
            "beta = 0",
            run=partial(run, width=0.0),
            events={"missed": never},
            expect_link=("above", "below"),
        ),
        Twin(
            "narrow",
            "beta is a twentieth",
            run=partial(run, width=0.05),
            expect_link=("missed", "fitted"),
        ),
        Twin(
            "late",
            "an episode's own transitions are used before it",
            run=partial(run, late=1),
            expect_link="fitted",
        ),
        Twin(
            "nominal_widths",
            "the widths are met under the nominal factors",
            run=altered(run, looks=nominal_widths),
            expect_link="tracked",
        ),
        Twin(
            "no_price",
            "'- rho alpha' is missing in the dual of the ball",
            run=altered(run, plugged=dual_without_price),
            expect_link="plugs_in",
        ),
        Twin(
            "untempered",
            "osc^2/8 is claimed, without 1/tau",
            links={"squared": partial(squared, tempered=False)},
            expect_link="squared",
        ),
        Twin(
            "no_root",
            "the widths of the last fit are claimed to be those of a new one",
            links={"waits": partial(waits, factor=1.0)},
            expect_link="waits",
        ),
        Twin(
            "always",
            "the learner that should wait fits every time",
            run=partial(run, doubling=False),
            expect_link="refits",
        ),
    ),
)
"""Far from tight: at these sizes the right side of the regret bound exceeds what can be lost."""
