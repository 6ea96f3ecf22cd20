"""What a policy loses to the soft robust optimum, from below and from above."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.models import FactorAmbiguity, LinearMDP, LinearPlan
from mdptheory.solvers import linear_evaluate, linear_plan
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered
from proofs_checks._soft_cases import (
    is_soft,
    random_ambiguity,
    random_mixtures,
    random_model,
    random_reference,
)
from proofs_checks._soft_oracles import (
    Soft,
    divergence,
    soft_plan,
    soft_value,
    softmax,
    total,
)

TAUS = (0.05, 0.1, 0.3, 1.0, 2.0)
NOISES = (0.01, 0.1, 1.0)
SLACK = 1e-10  # times 1 + the larger side: small temperatures make large sides


@case
class Case:
    """A linear MDP, what nature may do, and two policies.

    Attributes
    ----------
    mdp : LinearMDP
        With simplex features.
    ambiguity : FactorAmbiguity
        TV ball, or penalty on TV, KL or chi-square divergence.
    tau : float
        Temperature, in units of reward.
    reference : array of shape (H, S, A)
        Positive reference policy.
    noise : array of shape (H, S, A)
        What is added to Q* before the first policy, a softmax, is made of it.
    mixture : array of shape (H, S, A)
        The second policy, any.
    """

    mdp: LinearMDP
    ambiguity: FactorAmbiguity
    tau: float
    reference: FloatArray
    noise: FloatArray
    mixture: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The library's optimum and evaluations.

    Attributes
    ----------
    case : Case
        The instance.
    plan : LinearPlan
        The library's optimum.
    softmax, mixture : LinearPlan
        The library's evaluations of the two policies.
    truth : tuple of three Soft
        The same three by the slow route.
    calm : tuple of two LinearPlan
        Optimum and evaluation of the softmax policy without nature.
    """

    case: Case
    plan: LinearPlan
    softmax: LinearPlan
    mixture: LinearPlan
    truth: tuple[Soft, ...]
    calm: tuple[LinearPlan, LinearPlan]


def sample(rng: np.random.Generator) -> Case:
    """Draw a model, a reference, noise of one size, and a policy of small integer weights."""
    mdp = random_model(rng, max_states=5, max_actions=4, max_horizon=4)
    ambiguity = random_ambiguity(rng, mdp)
    reference, tau = random_reference(rng, mdp), float(rng.choice(TAUS))
    noise = rng.normal(size=reference.shape) * float(rng.choice(NOISES))
    return Case(mdp, ambiguity, tau, reference, noise, random_mixtures(rng, mdp))


def run(case: Case, *, charged: bool = True) -> Trace:
    """Plan and evaluate; a twin forgets to charge KL in the evaluations."""
    mdp, reference = case.mdp, case.reference
    plan = linear_plan(mdp, case.ambiguity, tau=case.tau, reference=reference)
    pi = softmax(plan.q + case.noise, case.tau, reference)
    tau = case.tau if charged else 0.0
    both = [
        linear_evaluate(mdp, x, case.ambiguity, tau=tau, reference=reference)
        for x in (pi, case.mixture)
    ]
    told = (case.ambiguity, case.tau, reference)
    slow = [soft_value(mdp, x, *told) for x in (pi, case.mixture)]
    calm = (
        linear_plan(mdp, None, tau=case.tau, reference=reference),
        linear_evaluate(mdp, pi, None, tau=tau, reference=reference),
    )
    return Trace(case, plan, both[0], both[1], (soft_plan(mdp, *told), *slow), calm)


def admissible(case: Case) -> bool:
    """Tell whether the instance is small and moderate, and the policy a policy."""
    shape = case.reference.shape
    fits = case.noise.shape == case.mixture.shape == shape
    proper = fits and bool((case.mixture >= 0).all() and (np.abs(case.noise) <= 10).all())
    proper = proper and bool((np.abs(case.mixture.sum(axis=2) - 1) <= 1e-9).all())
    return proper and is_soft(case.mdp, case.ambiguity, case.tau, case.reference)


# ---- links --------------------------------------------------------------------------------------


def planned(trace: Trace) -> Checks:
    """Compare the library's values with the slow ones."""
    mine = (trace.plan, trace.softmax, trace.mixture)
    pairs = zip(mine, trace.truth, strict=True)
    return [one for a, b in pairs for one in Check.equal(a.v, b.v, slack=1e-9, scale=1.0)]


def sides(
    trace: Trace, *, swap: bool = False, backwards: bool = False
) -> Iterator[tuple[FloatArray, FloatArray, FloatArray]]:
    """Yield lower side, gap and upper side in every first state, for both policies."""
    case, best = trace.case, trace.plan
    for other in (trace.softmax, trace.mixture):
        cost = _cost(case.tau, other.pi, best.pi, backwards)
        low, high = (total(case.mdp, other.pi, x.worst, cost) for x in (best, other))
        if swap:
            low, high = high, low
        yield low, best.v[0] - other.v[0], high


def _cost(tau: float, pi: FloatArray, best: FloatArray, backwards: bool) -> FloatArray:
    """Return tau KL(pi || pi*) at every step and state, or the wrong way round."""
    if backwards:
        return tau * divergence(best, np.maximum(pi, 1e-300))
    return tau * divergence(pi, best)


def lower(trace: Trace, **broken: bool) -> Iterator[Check]:
    """Expect tau KL(pi || pi*) under the optimum's nature: at most what is lost."""
    for low, gap, _ in sides(trace, **broken):
        yield _order(low, gap)


def upper(trace: Trace, **broken: bool) -> Iterator[Check]:
    """Expect tau KL(pi || pi*) under the policy's own nature: at least what is lost."""
    for _, gap, high in sides(trace, **broken):
        yield _order(gap, high)


def _order(small: FloatArray, large: FloatArray) -> Check:
    scale = 1.0 + float(np.abs(large).max())
    return Check.nonpositive(small - large, scale=np.maximum(large, 1e-3), slack=SLACK * scale)


def calm(trace: Trace, *, backwards: bool = False) -> Checks:
    """Without nature both sides are what is lost."""
    best, other = trace.calm
    mdp = trace.case.mdp
    cost = _cost(trace.case.tau, other.pi, best.pi, backwards)
    expected, lost = total(mdp, other.pi, mdp.mu, cost), best.v[0] - other.v[0]
    scale = 1.0 + float(np.abs(expected).max())
    return Check.equal(lost, expected, slack=SLACK * scale, scale=scale)


def spread(trace: Trace) -> FloatArray:
    """Return max - min over actions of Q_hat - Q*, squared, shape (H, S)."""
    return np.asarray(np.ptp(trace.case.noise, axis=2) ** 2)


def local(trace: Trace, *, constant: float = 8.0) -> Checks:
    """Hold tau KL(pi || pi*) to osc(Q_hat - Q*)^2 / (8 tau)."""
    tau = trace.case.tau
    cost = _cost(tau, trace.softmax.pi, trace.plan.pi, backwards=False)
    return _order(cost, spread(trace) / (constant * tau))


def summed(trace: Trace, *, constant: float = 8.0) -> Checks:
    """Hold the loss of the softmax policy to the expected osc^2 / (8 tau) under its nature."""
    case, other = trace.case, trace.softmax
    bound = total(case.mdp, other.pi, other.worst, spread(trace) / (constant * case.tau))
    return _order(trace.plan.v[0] - other.v[0], bound)


# ---- broken versions ----------------------------------------------------------------------------


def friendly(trace: Trace) -> LinearPlan:
    """Plan without nature."""
    return trace.calm[0]


CHAIN = Chain(
    id="dr_rpo.sandwich",
    title="DR-RPO (reconstruction): what a policy loses, from both sides",
    source=(
        "derived here for the setting of Gu, He, Liu and Xu, arXiv 2510.14246, whose theorems were"
        " not seen"
    ),
    statement=(
        "For any policy pi, with P* and P^pi kernels that attain the worst case at V* and at V^pi:"
        " sum_h E^{pi,P*}[tau KL(pi_h || pi*_h)] <= V*_1 - V^pi_1 <= sum_h E^{pi,P^pi}[tau"
        " KL(pi_h || pi*_h)], equal without nature; if pi is the softmax of Q_hat, tau KL(pi ||"
        " pi*) <= osc(Q_hat - Q*)^2/(8 tau)."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="values by the definitions; expectations forward, by laws of the state",
    links=(
        Link("values", "the library's V* and V^pi are those of the slow route", planned),
        Link("lower", "sum_h E^{pi,P*} tau KL(pi || pi*) <= V* - V^pi", lower),
        Link("upper", "V* - V^pi <= sum_h E^{pi,P^pi} tau KL(pi || pi*)", upper),
        Link("calm", "without nature both are equal", calm),
        Link("local", "tau KL(pi || pi*) <= osc(Q_hat - Q*)^2/(8 tau)", local),
        Link("summed", "V* - V^pi <= sum_h E^{pi,P^pi} osc(Q_hat - Q*)^2/(8 tau)", summed),
    ),
    twins=(
        Twin(
            "swapped",
            "the two kernels change places",
            links={"lower": partial(lower, swap=True), "upper": partial(upper, swap=True)},
            expect_link=("lower", "upper"),
        ),
        Twin(
            "backwards",
            "KL(pi* || pi) is taken for KL(pi || pi*)",
            links={
                "lower": partial(lower, backwards=True),
                "upper": partial(upper, backwards=True),
                "calm": partial(calm, backwards=True),
            },
            expect_link=("lower", "upper", "calm"),
        ),
        Twin(
            "uncharged",
            "KL to the reference is not charged in the evaluation",
            run=partial(run, charged=False),
            expect_link=("values", "lower", "calm"),
        ),
        Twin(
            "sixteenth",
            "osc^2/(16 tau) is claimed",
            links={
                "local": partial(local, constant=16.0),
                "summed": partial(summed, constant=16.0),
            },
            expect_link=("local", "summed"),
        ),
        Twin(
            "friendly",
            "the optimum is planned without nature",
            run=altered(run, plan=friendly),
            expect_link=("values", "upper"),
        ),
    ),
)
"""Tight: both sides where nature does nothing or both natures agree; local as the noise falls."""
