"""R2PVI and DRPVI with explicit widths: how often, and what follows when no width is missed."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.algorithms import OfflineOptions
from mdptheory.environments import simulated_linear_mdp
from mdptheory.models import (
    ChiSquarePenalty,
    FactorAmbiguity,
    KLPenalty,
    OfflineStatistics,
    TVBall,
    TVPenalty,
)
from mdptheory.theory import Chain, Check, Event, Link, Provenance, RateClaim, Twin
from proofs_checks._cases import altered
from proofs_checks._linear_cases import any_model, is_small, random_ambiguity, single
from proofs_checks._linear_oracles import as_mixture, plan, step_worth, total
from proofs_checks._pessimism import (
    DELTA,
    REFIT,
    Case,
    Learner,
    Learnt,
    Trace,
    by_definition,
    conclusion,
    decomposition,
    explicit,
    fitted,
    library,
    missed,
    near,
    never,
    optimism,
    pessimism,
    run,
    supremum,
)
from proofs_checks._ridge_oracles import Signed, Sums, Told

EPISODES = (1_000, 100_000, 1_000_000, 10_000_000)
RIDGES = (0.1, 1.0, 10.0)
GRID = (1e3, 1e4, 1e5, 1e6)  # replicates differ little: eight tell a wrong slope beyond doubt
SLOPES = (-0.6, -0.4)


def sample(rng: np.random.Generator) -> Case:
    """Draw a model, what nature may do, and the number of episodes."""
    mdp = any_model(rng)
    ambiguity = random_ambiguity(rng, mdp)
    episodes, ridge = int(rng.choice(EPISODES)), float(rng.choice(RIDGES))
    shift = isinstance(ambiguity, KLPenalty) and bool(rng.integers(2))
    return Case(mdp, ambiguity, episodes, ridge, shift, int(rng.integers(2**31)))


def on_test_bed(ambiguity: FactorAmbiguity, episodes: int) -> Callable[..., Case]:
    """Return a sampler of the simulated linear MDP with |xi| = 0.3, ridge 1."""

    def drawn(rng: np.random.Generator) -> Case:
        mdp = simulated_linear_mdp(0.3)
        return Case(mdp, ambiguity, episodes, 1.0, False, int(rng.integers(2**31)))

    return drawn


def light(rng: np.random.Generator) -> Case:
    """Draw two states with a factor for each action, and a TV ball: what is quick to run."""
    radius, seed = float(rng.choice([0.1, 0.3])), int(rng.integers(2**31))
    return Case(single(rng), TVBall(radius), 100_000, 1.0, False, seed)


def admissible(case: Case) -> bool:
    """Tell whether the model is small, its features simplex weights, and numbers are moderate."""
    if not is_small(case.mdp, case.ambiguity) or not case.mdp.known.simplex:
        return False
    if isinstance(case.ambiguity, KLPenalty):
        steep = case.mdp.horizon / np.asarray(case.ambiguity.weight).min()
        return bool(steep <= 12) and _moderate(case)
    return not case.shift and _moderate(case)


def _moderate(case: Case) -> bool:
    return 1 <= case.episodes <= 10**8 and 0.05 <= case.ridge <= 20 and case.seed >= 0


# ---- links --------------------------------------------------------------------------------------


def refit(trace: Trace) -> Iterator[Check]:
    """Compare both fits with those from single transitions and plain inverses."""
    case, learnt = trace.case, trace.learnt
    beta = explicit(case, trace.sums.gram)
    for sign, v, w in ((-1.0, learnt.v, learnt.w), (1.0, learnt.high, learnt.high_w)):
        if v is None or w is None:
            continue
        told = Told(case.ambiguity, beta, case.ridge, sign, case.shift)
        own = by_definition(case, trace.sums, told)
        for found, expected in ((v, own.v), (w, own.w)):
            yield from Check.equal(found, expected, slack=REFIT, scale=trace.scale)
        gap = np.abs(learnt.width - own.width) / np.maximum(1.0, own.width)
        yield Check.nonpositive(gap, slack=REFIT, scale=trace.scale)


# ---- rates --------------------------------------------------------------------------------------


def right_side(rng: np.random.Generator, size: float) -> float:
    """Return the bound at the start of the simulated linear MDP, TV penalty of weight 3."""
    trace = run(on_test_bed(TVPenalty(3.0), int(size))(rng))
    return float(trace.bound(trace.reply.worst)[0, 0])


def inverse_right_side(rng: np.random.Generator, size: float) -> float:
    """Return one over the bound, for the claim that it does not fall faster."""
    return 1.0 / right_side(rng, size)


def ties_elsewhere(rng: np.random.Generator, size: float) -> float:
    """Let nature break ties at the lowest state; the weight is 1, so that she moves."""
    trace = run(on_test_bed(TVPenalty(1.0), int(size))(rng))
    mdp = trace.case.mdp
    blind = replace(mdp, fail_state=None)
    reply = step_worth(blind, trace.case.ambiguity, trace.learnt.v)
    return float(total(mdp, trace.best.pi, reply.worst, 2 * trace.learnt.width)[0, 0])


def squared_spread(rng: np.random.Generator, size: float) -> float:
    """Take variances for standard errors: one over the bound."""
    trace = run(on_test_bed(TVPenalty(3.0), int(size))(rng))
    thin = replace(trace, learnt=replace(trace.learnt, width=trace.learnt.width**2))
    return 1.0 / float(thin.bound(trace.reply.worst)[0, 0])


# ---- broken versions ----------------------------------------------------------------------------


def bonus(trace: Trace) -> Learnt:
    """Add the widths instead of subtracting them."""
    learnt = trace.learnt
    assert learnt.high is not None and learnt.high_w is not None  # noqa: PT018
    return replace(learnt, v=learnt.high, w=learnt.high_w)


def with_dual(dual: Callable[[Signed], float]) -> Learner:
    """Return a learner with another dual and the true widths."""

    def learner(case: Case, data: OfflineStatistics) -> Learnt:
        told = Told(case.ambiguity, explicit(case, data.gram), case.ridge, dual=dual)
        return by_definition(case, Sums(data.gram, data.moments), told)

    return learner


def doubled(x: Signed) -> float:
    """Take exp(-2 v / weight) for exp(-v / weight)."""
    moment = float(x.coef @ np.exp(-2 * x.v / x.level))
    return -x.level * math.log(max(moment, math.exp(-x.cap / x.level)))


def free_ball(x: Signed) -> float:
    """Forget "- radius * alpha" in the ball's dual."""
    levels = np.concatenate([[0.0, x.cap], x.v])
    return float((np.minimum(x.v, levels[:, None]) @ x.coef).max())


def told_half(case: Case, data: OfflineStatistics) -> Learnt:
    """Learn for half the weight, with the widths of the whole one."""
    options = OfflineOptions(beta=explicit(case, data.gram), ridge=case.ridge)
    assert isinstance(case.ambiguity, TVPenalty)
    half = TVPenalty(np.asarray(case.ambiguity.weight) / 2)
    return _plain(case, data, half, options)


def least_dual(case: Case, data: OfflineStatistics) -> Learnt:
    """Minimise the chi-square dual."""
    beta = explicit(case, data.gram)
    options = OfflineOptions(beta=beta, ridge=case.ridge, chi_square_minimum=True)
    return _plain(case, data, case.ambiguity, options)


def scaled(case: Case, data: OfflineStatistics, factor: float) -> Learnt:
    """Multiply the widths."""
    options = OfflineOptions(beta=factor * explicit(case, data.gram), ridge=case.ridge)
    return _plain(case, data, case.ambiguity, options)


def _plain(
    case: Case, data: OfflineStatistics, ambiguity: FactorAmbiguity, options: OfflineOptions
) -> Learnt:
    found = fitted(case, data, ambiguity, options)
    return Learnt(found.v, found.policy, found.w, found.width)


def other_ridge(case: Case, data: OfflineStatistics) -> Learnt:
    """Learn with twice the ridge."""
    return library(replace(case, ridge=2 * case.ridge), data)


def no_bonus(trace: Trace) -> Learnt:
    """Take the pessimistic fit for the optimistic one."""
    return replace(trace.learnt, high=trace.learnt.v, high_w=trace.learnt.w)


def worst_actions(trace: Trace) -> FloatArray:
    """Evaluate the policy that is worst in the model."""
    mdp, worst = trace.case.mdp, trace.best.q.argmin(axis=2)
    return plan(mdp, trace.case.ambiguity, as_mixture(_as_index(worst), mdp.n_actions)).v


def _as_index(policy: IntArray) -> IntArray:
    return policy.astype(np.int64)


CHAIN = Chain(
    id="r2pvi.suboptimality",
    title="Pessimism with explicit widths: event, decomposition, twin certificate, rate",
    source=(
        "decomposition for balls: Liu and Xu, NeurIPS 2024, Lemma D.1; penalties, nature's reply in"
        " the bound, explicit widths without data splitting and the twin certificate derived here"
    ),
    statement=(
        "Let e be the error of the estimated worth behind an action, Gamma its width, P_hat"
        " nature's reply to V_hat, pi* the optimum. With probability 1 - delta, |e| <= Gamma in"
        " both fits at once. Then V_hat <= V^pi_hat <= V*; V* - V_hat <= 2 sum_h E^{pi*,P_hat}"
        " Gamma_h; P_hat is within the radius, or within (range of V_hat)/weight; and V* <= V_bar,"
        " the fit with widths added. The bound falls like K^(-1/2)."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="planning by multipliers; sums over single transitions and plain inverses",
    events=(
        Event(
            "missed", "some estimate misses by more than its width, in either fit", DELTA, missed
        ),
    ),
    links=(
        Link("refit", "the library's fits = fits from single transitions", refit),
        Link("pessimism", "V_hat <= V^pi_hat <= V*", pessimism, unless=("missed",)),
        Link("near", "D(mu_hat, mu) <= rho, or <= range(V_hat)/weight", near),
        Link(
            "decomposition",
            "V* - V_hat <= 2 sum E^{pi*,P_hat} Gamma",
            decomposition,
            unless=("missed",),
        ),
        Link(
            "supremum",
            "... <= 2 sup over such P of sum E^{pi*,P} Gamma",
            supremum,
            unless=("missed",),
        ),
        Link("optimism", "V* <= V_bar; V* - V^pi_hat <= V_bar - V_hat", optimism, ("missed",)),
        Link("conclusion", "loss of pi_hat <= 2 sum E^{pi*,P_hat} Gamma", conclusion, ("missed",)),
    ),
    rates=(
        RateClaim(
            "falls",
            "the bound falls at least like K^-0.4",
            exponent=SLOPES[1],
            grid=GRID,
            measure=right_side,
            replicates=8,
        ),
        RateClaim(
            "no_faster",
            "the bound falls no faster than K^-0.6",
            exponent=-SLOPES[0],
            grid=GRID,
            measure=inverse_right_side,
            replicates=8,
        ),
    ),
    twins=(
        Twin(
            "bonus",
            "widths are added instead of subtracted",
            run=altered(run, learnt=bonus),
            expect_link="pessimism",
        ),
        Twin(
            "doubled",
            "KL moments are those of exp(-2 V / weight), and no one looks at the event",
            sample=on_test_bed(KLPenalty(2.0), 100_000),
            run=partial(run, learner=with_dual(doubled)),
            events={"missed": never},
            expect_link="pessimism",
        ),
        Twin(
            "no_width",
            "nothing is subtracted, and no one looks at the event",
            sample=on_test_bed(KLPenalty(2.0), 1_000),
            run=partial(run, learner=partial(scaled, factor=0.0)),
            events={"missed": never},
            expect_link="pessimism",
        ),
        Twin(
            "least_dual",
            "the chi-square dual is minimised",
            sample=on_test_bed(ChiSquarePenalty(1.0), 100_000),
            run=partial(run, learner=least_dual),
            expect_link="missed",
        ),
        Twin(
            "told_half",
            "the TV penalty takes weight/2, as if TV were the L1 distance",
            sample=on_test_bed(TVPenalty(1.0), 1_000),
            run=partial(run, learner=told_half),
            expect_link="missed",
        ),
        Twin(
            "free_ball",
            "the ball's dual lacks - radius * alpha",
            sample=on_test_bed(TVBall(0.2), 100_000),
            run=partial(run, learner=with_dual(free_ball)),
            expect_link="missed",
        ),
        Twin(
            "narrow",
            "widths are a hundredth",
            sample=on_test_bed(TVPenalty(3.0), 1_000),
            run=partial(run, learner=partial(scaled, factor=0.01)),
            expect_link="missed",
        ),
        Twin(
            "other_ridge",
            "the library is told twice the ridge",
            run=partial(run, learner=other_ridge),
            expect_link="refit",
        ),
        Twin(
            "one_width",
            "the bound adds widths up once, not twice",
            links={"decomposition": partial(decomposition, times=1.0)},
            expect_link="decomposition",
        ),
        Twin(
            "half_budget",
            "nature is allowed half as far",
            links={
                "near": partial(near, share=0.5),
                "supremum": partial(supremum, share=0.0),
            },
            expect_link=("near", "supremum"),
        ),
        Twin(
            "no_bonus",
            "the pessimistic fit stands for the optimistic one",
            run=altered(run, learnt=no_bonus),
            expect_link="optimism",
        ),
        Twin(
            "worst_actions",
            "the worst policy is evaluated",
            run=altered(run, own=worst_actions),
            expect_link=("optimism", "conclusion"),
        ),
        Twin(
            "ties_elsewhere",
            "nature breaks ties at the lowest state instead of the fail state",
            sample=light,
            rates={"falls": ties_elsewhere},
            expect_link="falls",
        ),
        Twin(
            "squared_spread",
            "widths are made of variances instead of standard errors",
            sample=light,
            rates={"no_faster": squared_spread},
            expect_link="no_faster",
        ),
    ),
)
"""Errors took up three tenths of the widths at most: the event never occurred."""
