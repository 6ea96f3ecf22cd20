"""DRPVI with the published widths, where its assumptions on coverage and episodes hold."""

import math
from functools import partial

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms import OfflineOptions
from mdptheory.environments import random_simplex_mdp
from mdptheory.models import LinearMDP, OfflineStatistics, TVBall
from mdptheory.theory import Chain, Check, Event, Link, Provenance, Twin
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered
from proofs_checks._linear_cases import is_small, one_hot, uniform
from proofs_checks._linear_oracles import as_mixture, plan
from proofs_checks._pessimism import (
    DELTA,
    Case,
    Learner,
    Learnt,
    Trace,
    by_definition,
    conclusion,
    decomposition,
    fitted,
    missed,
    pessimism,
    run,
)
from proofs_checks._ridge_oracles import Signed, Sums, Told

RADII = (0.05, 0.2, 0.5)
COVERED = 0.05  # models that cover their factors less are drawn again


def sample(rng: np.random.Generator) -> Case:
    """Draw a model that uniform actions cover, and 1.1 or 10 times the episodes that it takes."""
    while True:
        mdp = _model(rng)
        kappa = coverage(mdp)
        if kappa >= COVERED:
            break
    radius, times = float(rng.choice(RADII)), float(rng.choice([1.1, 10.0]))
    episodes = math.ceil(times * threshold(mdp, kappa))
    return Case(mdp, TVBall(radius), episodes, 1.0, False, int(rng.integers(2**31)))


def _model(rng: np.random.Generator) -> LinearMDP:
    """Draw two states and one or two actions with factors of their own, or mixed features."""
    horizon, actions = int(rng.integers(2, 4)), int(rng.integers(1, 3))
    mean = float(rng.choice([1.0, 3.0]))
    mdp = random_simplex_mdp(2, actions, 2, horizon, concentration=mean, rng=rng)
    return uniform(one_hot(mdp) if rng.integers(2) else mdp)


def coins(rng: np.random.Generator) -> Case:
    """Draw the episodes of two states that a coin leads to, one of which is paid."""
    theta = np.tile([1.0, 0.0], (2, 1))
    mdp = uniform(LinearMDP(np.eye(2)[:, None], theta, np.full((2, 2, 2), 0.5)))
    episodes = math.ceil(1.1 * threshold(mdp, coverage(mdp)))
    return Case(mdp, TVBall(0.2), episodes, 1.0, False, int(rng.integers(2**31)))


def coverage(mdp: LinearMDP) -> float:
    """Return kappa: the least eigenvalue of E phi phi' over steps, under uniform actions."""
    law, least = np.array(mdp.start), math.inf
    for h in range(mdp.horizon):
        phi = mdp.known.phi_at(h)
        both = np.einsum("s,sai,saj->ij", law, phi, phi) / mdp.n_actions
        least = min(least, float(np.linalg.eigvalsh(both)[0]))
        law = np.einsum("s,sat->t", law, mdp.kernel(h)) / mdp.n_actions
    return least


def threshold(mdp: LinearMDP, kappa: float) -> float:
    """Return the number of episodes that must be exceeded."""
    d, horizon = mdp.n_factors, mdp.horizon
    by_log = 512 * math.log(2 * d * horizon**2 / DELTA) / kappa**2
    return max(by_log, 20449 * d**2 * horizon**2 / kappa)


def admissible(case: Case) -> bool:
    """Tell whether features cover, episodes are enough, and the ball is one of all factors."""
    mdp = case.mdp
    told = isinstance(case.ambiguity, TVBall) and np.ndim(case.ambiguity.radius) == 0
    if not told or not is_small(mdp) or mdp.fail_state is not None or case.shift:
        return False
    kappa = coverage(mdp)
    fits = case.ridge == 1.0 and mdp.known.simplex and mdp.horizon >= 2
    return fits and kappa >= 0.01 and threshold(mdp, kappa) < case.episodes <= 10**12


# ---- the learner --------------------------------------------------------------------------------


def published(case: Case) -> FloatArray:
    """Return 4 sqrt(d) H sqrt(log(2 d H^2 K / delta)) for every step and factor, the last too."""
    d, horizon = case.mdp.n_factors, case.mdp.horizon
    log = math.log(2 * d * horizon**2 * case.episodes / DELTA)
    return np.full((horizon, d), 4 * math.sqrt(d) * horizon * math.sqrt(log))


def library(case: Case, data: OfflineStatistics, factor: float = 1.0) -> Learnt:
    """Learn with the published widths, in all steps; worths are not clipped."""
    options = OfflineOptions(beta=factor * published(case), penalty_last=True, clip_w=False)
    found = fitted(case, data, case.ambiguity, options)
    return Learnt(found.v, found.policy, found.w, found.width)


def with_dual(sign: float, free: bool) -> Learner:
    """Return a learner whose ball is free of charge, or whose widths are added."""

    def dual(x: Signed) -> float:
        levels = np.concatenate([[0.0, x.cap], x.v])
        price = 0.0 if free else x.level
        z = np.minimum(x.v, levels[:, None]) @ x.coef
        return float((z - price * (levels - np.minimum(levels, x.floor))).max())

    def learner(case: Case, data: OfflineStatistics) -> Learnt:
        told = Told(case.ambiguity, published(case), 1.0, sign, dual=dual)
        return by_definition(case, Sums(data.gram, data.moments), told)

    return learner


# ---- links --------------------------------------------------------------------------------------


def thin(trace: Trace) -> Checks:
    """Hold the least eigenvalues of the Gram matrices above half of kappa K."""
    kappa, episodes = coverage(trace.case.mdp), trace.case.episodes
    least = min(float(np.linalg.eigvalsh(one)[0]) for one in trace.sums.gram)
    return Check.nonpositive(0.5 - least / (kappa * episodes), scale=1.0)


def loss(trace: Trace) -> Checks:
    """Bound the loss at the start by 2 H beta sqrt(2 / (kappa K))."""
    case, mdp = trace.case, trace.case.mdp
    covered = coverage(mdp) * case.episodes
    bound = 2 * mdp.horizon * float(published(case)[0, 0]) * math.sqrt(2 / covered)
    lost = mdp.start @ (trace.best.v - trace.own)[0]
    return Check(lost, bound, trivial=mdp.start @ trace.best.v[0])


# ---- broken versions ----------------------------------------------------------------------------


def worst_actions(trace: Trace) -> FloatArray:
    """Evaluate the policy that is worst in the model."""
    mdp, worst = trace.case.mdp, trace.best.q.argmin(axis=2)
    return plan(mdp, trace.case.ambiguity, as_mixture(worst, mdp.n_actions)).v


def tenth(trace: Trace) -> Sums:
    """Count a tenth of the transitions."""
    return Sums(trace.sums.gram / 10, trace.sums.moments / 10)


CHAIN = Chain(
    id="r2pvi.drpvi_coverage",
    title="DRPVI's published widths under full coverage",
    source=(
        "Liu and Xu, NeurIPS 2024, Theorem 4.4, Lemmas D.1 and D.2; the constant of the rate from"
        " the matrix Chernoff bound is derived here"
    ),
    statement=(
        "Let kappa be the least eigenvalue of E phi phi' over steps, and K > max(512 log(2 d H^2 /"
        " delta)/kappa^2, 20449 d^2 H^2 / kappa), ridge 1. With probability 1 - delta, estimated"
        " worths miss by at most Gamma = 4 sqrt(d) H sqrt(log(2 d H^2 K / delta)) sum_i phi_i"
        " sqrt((Lambda^-1)_ii). Then V_hat <= V^pi_hat <= V*, and the loss is at most 2 sup_P sum_h"
        " E^{pi*,P} Gamma_h, which is of order sqrt(d) H^2 / sqrt(kappa K)."
    ),
    provenance=Provenance.PAPER,
    sample=sample,
    run=partial(run, learner=library),
    admissible=admissible,
    second_route="planning and evaluation in NumPy; coverage from exact laws of the states",
    events=(
        Event("missed", "some estimate misses by more than its width", DELTA, missed),
        Event("thin", "some Gram matrix has an eigenvalue below kappa K / 2", DELTA, thin),
    ),
    links=(
        Link("pessimism", "V_hat <= V^pi_hat <= V*", pessimism, unless=("missed",)),
        Link(
            "decomposition",
            "V* - V_hat <= 2 sum E^{pi*,P_hat} Gamma",
            decomposition,
            unless=("missed",),
        ),
        Link("conclusion", "loss of pi_hat <= 2 sum E^{pi*,P_hat} Gamma", conclusion, ("missed",)),
        Link("rate", "loss <= 2 H beta sqrt(2 / (kappa K))", loss, ("missed", "thin")),
    ),
    twins=(
        Twin(
            "narrow",
            "widths are a thousandth",
            sample=coins,
            run=partial(run, learner=partial(library, factor=1e-3)),
            expect_link="missed",
        ),
        Twin(
            "free_ball",
            "the ball's dual lacks - radius * alpha",
            sample=coins,
            run=partial(run, learner=with_dual(-1.0, free=True)),
            expect_link="missed",
        ),
        Twin(
            "bonus",
            "widths are added instead of subtracted",
            run=partial(run, learner=with_dual(1.0, free=False)),
            expect_link="pessimism",
        ),
        Twin(
            "one_width",
            "the bound adds widths up once, not twice",
            links={"decomposition": partial(decomposition, times=1.0)},
            expect_link="decomposition",
        ),
        Twin(
            "worst_actions",
            "the worst policy is evaluated",
            run=altered(partial(run, learner=library), own=worst_actions),
            expect_link=("conclusion", "rate"),
        ),
        Twin(
            "tenth",
            "a tenth of the transitions is counted",
            run=altered(partial(run, learner=library), sums=tenth),
            expect_link="thin",
        ),
    ),
)
"""Errors take up a hundredth of the widths at most: see the findings."""
