"""Softly regularised robust planning: what V* dominates, and how it moves with its levels."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.models import FactorAmbiguity, LinearMDP, LinearPlan, TVBall, TVPenalty
from mdptheory.solvers import linear_evaluate, linear_occupation, linear_plan
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered
from proofs_checks._soft_cases import (
    bolder,
    is_soft,
    milder,
    random_ambiguity,
    random_mixtures,
    random_model,
    random_reference,
    stairs,
)
from proofs_checks._soft_oracles import (
    Nature,
    Soft,
    divergence,
    nature,
    soft_plan,
    soft_value,
    softmax,
)

TAUS = (0.1, 0.3, 1.0, 2.0)
RIVALS = 10
PARTS = 6  # of the grid on the simplex

Planner = Callable[..., LinearPlan]


@case
class Case:
    """A linear MDP, what nature may do, and what the policy is regularised to.

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
    seed : int
        Of the policies that V* has to dominate.
    """

    mdp: LinearMDP
    ambiguity: FactorAmbiguity
    tau: float
    reference: FloatArray
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Plans of the library, and values by definition.

    Attributes
    ----------
    case : Case
        The instance.
    plan, hard, hotter, bold : LinearPlan
        The library's plan at tau, at 0, at 2 tau, and against a bolder nature.
    own : LinearPlan
        The library's evaluation of the plan's policy.
    truth : Soft
        Backward induction by the slow route.
    best : array of shape (H, S)
        Largest <Q, p> - tau KL(p || reference) over a grid of distributions p, Q the true one.
    worth : array of shape (n, H + 1, S)
        Values of other policies by the slow route.
    laws : array of shape (2, H, S)
        The library's laws of the state under the plan's policy and under the reference.
    """

    case: Case
    plan: LinearPlan
    hard: LinearPlan
    hotter: LinearPlan
    bold: LinearPlan
    own: LinearPlan
    truth: Soft
    best: FloatArray
    worth: FloatArray
    laws: FloatArray

    @property
    def left(self) -> FloatArray:
        """Steps that are left, H - h, shape (H, 1)."""
        return np.arange(self.case.mdp.horizon, 0, -1.0)[:, None]


def sample(rng: np.random.Generator) -> Case:
    """Draw a small model, or the stairs, where all of the horizon is at stake in one action."""
    mdp = stairs(int(rng.integers(1, 4))) if rng.integers(3) == 0 else random_model(rng)
    ambiguity = random_ambiguity(rng, mdp)
    reference, tau = random_reference(rng, mdp), float(rng.choice(TAUS))
    return Case(mdp, ambiguity, tau, reference, int(rng.integers(2**31)))


def run(case: Case, planner: Planner = linear_plan) -> Trace:
    """Plan four times; a twin brings a planner of its own."""
    mdp, reference = case.mdp, case.reference
    plan = planner(mdp, case.ambiguity, tau=case.tau, reference=reference)
    truth = soft_plan(mdp, case.ambiguity, case.tau, reference)
    told = (case.ambiguity, case.tau, reference)
    others = rivals(case, truth.pi)
    return Trace(
        case,
        plan,
        hard=linear_plan(mdp, case.ambiguity),
        hotter=planner(mdp, case.ambiguity, tau=2 * case.tau, reference=reference),
        bold=linear_plan(mdp, bolder(case.ambiguity), tau=case.tau, reference=reference),
        own=linear_evaluate(mdp, plan.pi, case.ambiguity, tau=case.tau, reference=reference),
        truth=truth,
        best=best_on_grid(truth.q, case.tau, reference),
        worth=np.array([soft_value(mdp, pi, *told).v for pi in others]),
        laws=np.array([linear_occupation(mdp, pi) for pi in (plan.pi, reference)]),
    )


def admissible(case: Case) -> bool:
    """Tell whether the instance is small and moderate."""
    return is_soft(case.mdp, case.ambiguity, case.tau, case.reference)


# ---- second routes ------------------------------------------------------------------------------


def rivals(case: Case, pi: FloatArray) -> list[FloatArray]:
    """Return the reference, the best policy a little off, and policies at random."""
    rng = np.random.default_rng(case.seed)
    drawn = [random_mixtures(rng, case.mdp) for _ in range(RIVALS)]
    return [case.reference, 0.95 * pi + 0.05 * drawn[0], *drawn]


def best_on_grid(q: FloatArray, tau: float, reference: FloatArray) -> FloatArray:
    """Maximise the regularised step over a grid of distributions of actions."""
    grid = np.array([x for x in product(range(PARTS + 1), repeat=q.shape[2]) if sum(x) == PARTS])
    points = (grid / PARTS)[:, None, None, :]
    return np.asarray(((points * q).sum(axis=3) - tau * divergence(points, reference)).max(axis=0))


# ---- links --------------------------------------------------------------------------------------


def planned(trace: Trace) -> Checks:
    """Compare the library's plan with the slow one, value by value."""
    pairs = [(getattr(trace.plan, x), getattr(trace.truth, x)) for x in ("v", "q", "pi", "nu")]
    return [one for a, b in pairs for one in Check.equal(a, b, scale=1.0)]


def dominates(trace: Trace) -> Checks:
    """V* is at least any policy's value, and Q* cannot be used better by any distribution."""
    v = trace.plan.v
    return (
        Check.nonpositive(trace.worth - v, scale=1.0),
        Check.nonpositive(trace.best - v[:-1], scale=1.0),
    )


def attained(trace: Trace) -> Checks:
    """Let the softmax policy earn V*, KL to the reference charged."""
    return Check.equal(trace.own.v, trace.plan.v, scale=1.0)


def sandwich(trace: Trace, *, total: bool = True) -> Checks:
    """0 <= V*_0 - V*_tau <= tau sum_t max_s log 1/ref(a*_t(s) | s)."""
    steps = np.take_along_axis(trace.case.reference, trace.hard.policy[..., None], axis=2)
    cost = -trace.case.tau * np.log(steps[..., 0]).min(axis=1)
    if total:
        cost = np.cumsum(cost[::-1])[::-1]
    lost = trace.hard.v - trace.plan.v
    room = np.maximum(cost, 1e-3)[:, None]
    return (
        Check.nonpositive(-lost, scale=1.0),
        Check.nonpositive(lost[:-1] - cost[:, None], scale=room),
    )


def cools(trace: Trace) -> Checks:
    """V*_2tau <= V*_tau."""
    return Check.nonpositive(trace.hotter.v - trace.plan.v, scale=1.0)


def monotone(trace: Trace) -> Checks:
    """Pay no more against a nature that may do more."""
    return Check.nonpositive(trace.bold.v - trace.plan.v, scale=1.0)


def soft(trace: Trace, *, horizon: bool = True) -> Checks:
    """Hold log ref(a|s) - log pi*(a|s) to (H - h)/tau."""
    ratio = np.log(trace.case.reference) - np.log(np.maximum(trace.plan.pi, 1e-300))
    left = trace.left[..., None] if horizon else 1.0
    return Check.nonpositive(ratio * trace.case.tau - left, scale=trace.left[..., None], slack=1e-8)


def explores(trace: Trace, *, discounted: bool = True) -> Checks:
    """E^{pi*}[phi phi'] - exp(-sum (H - t)/tau) E^{ref}[phi phi'] has no eigenvalue < 0."""
    mdp, checks = trace.case.mdp, []
    exponent = np.cumsum(trace.left[:, 0]) / trace.case.tau
    for h in range(mdp.horizon):
        phi = mdp.known.phi_at(h)
        mine, theirs = (
            np.einsum("s,sa,sai,saj->ij", law[h], pi[h], phi, phi)
            for law, pi in zip(trace.laws, (trace.plan.pi, trace.case.reference), strict=True)
        )
        share = np.exp(-exponent[h]) if discounted else 1.0
        least = np.linalg.eigvalsh(mine - share * theirs).min()
        checks.append(Check.nonpositive(-least, scale=share, slack=1e-13))
    return checks


def shrinks(trace: Trace) -> Checks:
    """Hold the span of V*_h to (1 - (1 - rho)^{H-h})/rho, or 1 + min(lambda, H - h - 1)."""
    case, left = trace.case, trace.left[:, 0]
    if isinstance(case.ambiguity, TVBall):
        if np.ndim(case.ambiguity.radius):
            return ()
        rho = float(case.ambiguity.radius)
        bound = (1 - (1 - rho) ** left) / rho
    elif isinstance(case.ambiguity, TVPenalty):
        bound = 1 + np.minimum(np.max(case.ambiguity.weight), left - 1)
    else:
        return ()
    v = trace.plan.v[:-1]
    return Check.nonpositive(v.max(axis=1) - v.min(axis=1) - bound, scale=bound)


# ---- broken versions ----------------------------------------------------------------------------


def without_tau(q: FloatArray, tau: float, reference: FloatArray) -> FloatArray:
    """Forget the factor tau before the logarithm."""
    return np.asarray(np.log((reference * np.exp(q / tau)).sum(axis=1)))


def without_reference(q: FloatArray, tau: float, reference: FloatArray) -> FloatArray:
    """Forget the reference under the logarithm."""
    return np.asarray(tau * np.log(np.exp(q / tau).sum(axis=1)))


def exact(q: FloatArray, tau: float, reference: FloatArray) -> FloatArray:
    """Take the soft maximum as it is."""
    return np.asarray(tau * np.log((reference * np.exp(q / tau)).sum(axis=1)))


def plan_by(
    mdp: LinearMDP,
    ambiguity: FactorAmbiguity,
    *,
    tau: float,
    reference: FloatArray,
    rule: Callable[[FloatArray, float, FloatArray], FloatArray],
    without: int | None = None,
) -> LinearPlan:
    """Plan with another soft maximum, or without one factor."""
    v, q = np.zeros((mdp.horizon + 1, mdp.n_states)), np.zeros_like(mdp.reward)
    replies: list[Nature] = []
    for h in reversed(range(mdp.horizon)):
        reply = nature(mdp, ambiguity, h, v[h + 1])
        replies.insert(0, reply)
        used = reply.nu * (np.arange(mdp.n_factors) != without)
        q[h] = mdp.reward[h] + mdp.known.phi_at(h) @ used
        v[h] = rule(q[h], tau, reference[h])
    nu, worst = (np.array([getattr(one, x) for one in replies]) for x in ("nu", "worst"))
    return LinearPlan(v, q, softmax(q, tau, reference), nu, worst, ambiguity, tau)


def reversed_cost(trace: Trace) -> LinearPlan:
    """Charge KL(reference || pi) instead of KL(pi || reference)."""
    mdp, v, pi = trace.case.mdp, np.zeros_like(trace.plan.v), trace.plan.pi
    for h in reversed(range(mdp.horizon)):
        reply = nature(mdp, trace.case.ambiguity, h, v[h + 1])
        q = mdp.reward[h] + mdp.known.phi_at(h) @ reply.nu
        cost = divergence(trace.case.reference[h], np.maximum(pi[h], 1e-300))
        v[h] = (pi[h] * q).sum(axis=1) - trace.case.tau * cost
    own = trace.own
    return LinearPlan(v, own.q, pi, own.nu, own.worst, own.ambiguity, own.tau)


def mild(trace: Trace) -> LinearPlan:
    """Plan against a milder nature."""
    case = trace.case
    return linear_plan(case.mdp, milder(case.ambiguity), tau=case.tau, reference=case.reference)


def nominal(trace: Trace) -> LinearPlan:
    """Plan as if nature did nothing."""
    case = trace.case
    return linear_plan(case.mdp, None, tau=case.tau, reference=case.reference)


CHAIN = Chain(
    id="dr_rpo.soft_bellman",
    title="DR-RPO (reconstruction): the soft robust Bellman equation",
    source=(
        "derived here from the abstract of Gu, He, Liu and Xu, arXiv 2510.14246, whose theorems"
        " were not seen; Gibbs' variational principle"
    ),
    statement=(
        "With V_h = max_pi <pi, Q_h> - tau KL(pi || ref) and Q_h = r_h + T_h V_{h+1}, T a worst"
        " case over the factors of a linear MDP: V* is tau log E_ref exp(Q/tau), attained by"
        " ref exp(Q/tau), between V*_0 - tau sum max log 1/ref and V*_0, and falls as tau or what"
        " nature may do grows; pi* >= ref exp(-(H-h)/tau), so that all that ref explores is"
        " explored; a common TV radius, or a TV price, bounds the span of V*."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route=(
        "backward induction with nature's rows from the definitions; policies at random and a grid"
        " of distributions"
    ),
    links=(
        Link("plan", "the library's V*, Q*, pi* and worths are those of the slow route", planned),
        Link("dominates", "V^pi <= V*; <p, Q*> - tau KL(p || ref) <= V*", dominates),
        Link("attained", "V^{pi*} = V*", attained),
        Link("sandwich", "0 <= V*_0 - V*_tau <= tau sum_t max_s log 1/ref(a*|s)", sandwich),
        Link("cools", "V*_{2 tau} <= V*_tau", cools),
        Link("monotone", "V* falls as a radius grows or a price falls", monotone),
        Link("soft", "pi*(a|s) >= ref(a|s) exp(-(H-h)/tau)", soft),
        Link("explores", "E^{pi*} phi phi' >= exp(-sum (H-t)/tau) E^ref phi phi'", explores),
        Link("shrinks", "span V*_h <= (1-(1-rho)^{H-h})/rho, or 1 + min(lambda, H-h-1)", shrinks),
    ),
    twins=(
        Twin(
            "without_tau",
            "the soft maximum is log E_ref exp(Q/tau), without the factor tau",
            run=partial(run, planner=partial(plan_by, rule=without_tau)),
            expect_link=("plan", "attained"),
        ),
        Twin(
            "without_reference",
            "the soft maximum is tau log sum exp(Q/tau), without the reference",
            run=partial(run, planner=partial(plan_by, rule=without_reference)),
            expect_link=("plan", "attained", "sandwich", "cools"),
        ),
        Twin(
            "drops_a_factor",
            "the first factor's worth is left out",
            run=partial(run, planner=partial(plan_by, rule=exact, without=0)),
            expect_link=("plan", "dominates"),
        ),
        Twin(
            "reversed",
            "KL(ref || pi) is charged",
            run=altered(run, own=reversed_cost),
            expect_link="attained",
        ),
        Twin(
            "one_step",
            "only one step of the way is charged to the temperature",
            links={"sandwich": partial(sandwich, total=False)},
            expect_link="sandwich",
        ),
        Twin(
            "milder",
            "nature is milder where she should be bolder",
            run=altered(run, bold=mild),
            expect_link="monotone",
        ),
        Twin(
            "no_horizon",
            "exp(-1/tau) bounds the softness at every step",
            links={"soft": partial(soft, horizon=False)},
            expect_link="soft",
        ),
        Twin(
            "no_discount",
            "all that the reference explores is claimed to be explored as much",
            links={"explores": partial(explores, discounted=False)},
            expect_link="explores",
        ),
        Twin(
            "nominal",
            "nominal values are held to the robust span",
            run=altered(run, plan=nominal),
            expect_link="shrinks",
        ),
    ),
)
"""Tight: dominates and sandwich on the stairs with a sharp reference; shrinks on the stairs."""
