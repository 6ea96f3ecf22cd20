"""With a fail state, a policy meets its widths more often under the nominal factors."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.algorithms import OnlineOptions, dr_rpo
from mdptheory.environments import random_simplex_mdp
from mdptheory.models import (
    FactorAmbiguity,
    KLPenalty,
    LinearMDP,
    LinearPlan,
    TVBall,
    TVPenalty,
    factor_levels,
)
from mdptheory.solvers import linear_evaluate, linear_occupation
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered
from proofs_checks._soft_cases import is_soft, random_reference
from proofs_checks._soft_oracles import Fit, Setting, occupation, softmax, worst_row

TAUS = (0.05, 0.2, 1.0)


@case
class Case:
    """A linear MDP with a fail state, and how its policy comes about.

    Attributes
    ----------
    mdp : LinearMDP
        With simplex features and a fail state.
    ambiguity : FactorAmbiguity
        TV ball or penalty on TV.
    tau : float
        Temperature, in units of reward.
    reference : array of shape (H, S, A)
        Positive reference policy.
    episodes : int
        After which the learner's policy and widths are looked at.
    noise : array of shape (H, S, A)
        Added to the learner's values before the softmax, to make arbitrary policies too.
    seed : int
        Of the run.
    """

    mdp: LinearMDP
    ambiguity: FactorAmbiguity
    tau: float
    reference: FloatArray
    episodes: int
    noise: FloatArray
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A policy's widths, its robust value, and where it goes.

    Attributes
    ----------
    case : Case
        The instance.
    bonus : array of shape (H, S, A)
        The learner's widths after the run.
    own : LinearPlan
        The library's evaluation of the policy.
    laws : array of shape (2, H, S)
        The library's laws of the state under nature's reply, and under the nominal factors.
    sink : int
        The fail state.
    """

    case: Case
    bonus: FloatArray
    own: LinearPlan
    laws: FloatArray
    sink: int

    @property
    def applies(self) -> bool:
        """Whether the fail state is worth least at every step, to the last digit.

        Nature takes another state that is less by rounding.
        """
        v = self.own.v
        return bool((v[:, self.sink] <= v.min(axis=1)).all())

    @property
    def fails(self) -> bool:
        """Whether another state is worth less at some step, by more than rounding."""
        v = self.own.v
        return bool((v[:, self.sink] > v.min(axis=1) + 1e-6).any())


def sample(rng: np.random.Generator) -> Case:
    """Draw a model, TV kinds, and a policy that is learned or wild."""
    return _case(rng, (TVBall, TVPenalty)[rng.integers(2)])


def kl_sample(rng: np.random.Generator) -> Case:
    """Draw a penalty on KL divergence instead."""
    return _case(rng, KLPenalty)


def _case(rng: np.random.Generator, kind: Callable[[float], FactorAmbiguity]) -> Case:
    shape = [int(rng.integers(low, 5)) for low in (2, 1, 2, 2)]
    mean = float(rng.choice([0.3, 1.0]))
    mdp = random_simplex_mdp(*shape, fail=True, concentration=mean, rng=rng)
    if shape[0] > 2 and rng.integers(3) == 0:
        mdp = dead_end(mdp)
    level = float(rng.choice([0.1, 0.3, 0.5]) * (1 if kind is TVBall else 2))
    reference, tau = random_reference(rng, mdp), float(rng.choice(TAUS))
    noise = rng.normal(size=reference.shape) * float(rng.choice([0.0, 1.0]))
    episodes, seed = int(rng.integers(1, 30)), int(rng.integers(2**31))
    return Case(mdp, kind(level), tau, reference, episodes, noise, seed)


def dead_end(mdp: LinearMDP) -> LinearMDP:
    """Make the last state but one lead to the fail state for nothing: both are worth 0."""
    phi = np.array(mdp.phi)
    phi[-2] = phi[-1]
    return LinearMDP(phi, mdp.theta, mdp.mu, mdp.known.initial, mdp.fail_state)


def run(case: Case) -> Trace:
    """Learn for a few episodes; evaluate the softmax of the values, with the noise on them."""
    mdp, sink = case.mdp, case.mdp.fail_state
    if sink is None:
        raise ValueError("mdp has no fail state")
    options = OnlineOptions(beta="theory", ridge=1.0)
    result = dr_rpo(
        mdp,
        case.episodes,
        case.ambiguity,
        tau=case.tau,
        reference=case.reference,
        options=options,
        rng=case.seed,
    )
    told = Setting(case.ambiguity, case.tau, case.reference, case.episodes)
    fit = Fit.of(mdp.known, told, result.state.gram, result.state.moments)
    pi = softmax(fit.q + case.noise, case.tau, case.reference)
    own = linear_evaluate(mdp, pi, case.ambiguity, tau=case.tau, reference=case.reference)
    laws = [linear_occupation(mdp, pi, factors) for factors in (own.worst, mdp.mu)]
    return Trace(case, fit.bonus, own, np.array(laws), sink)


def admissible(case: Case) -> bool:
    """Tell whether the instance is small and moderate, with a fail state and TV."""
    fits = case.noise.shape == case.reference.shape and bool((np.abs(case.noise) <= 10).all())
    kinds = isinstance(case.ambiguity, TVBall | TVPenalty) and case.mdp.fail_state is not None
    known = fits and kinds and 1 <= case.episodes <= 100
    return known and is_soft(case.mdp, case.ambiguity, case.tau, case.reference)


# ---- links --------------------------------------------------------------------------------------


def laws(trace: Trace) -> Checks:
    """Compare the library's laws of the state with sums over the way."""
    mdp, pi = trace.case.mdp, trace.own.pi
    slow = [occupation(mdp, pi, factors, 0) for factors in (trace.own.worst, mdp.mu)]
    return Check.equal(trace.laws, np.array(slow), scale=1.0)


def only_to_fail(trace: Trace, *, always: bool = False) -> Checks:
    """Expect nature to move mass to the fail state only."""
    if not (trace.applies or (always and trace.fails)):
        return ()
    gained = np.delete(trace.own.worst - trace.case.mdp.mu, trace.sink, axis=2)
    return Check.nonpositive(gained, scale=1.0)


def dominated(trace: Trace, *, paid: float = 0.0, always: bool = False) -> Checks:
    """E^{pi, P^pi}[width_h] <= E^{pi, P0}[width_h], step by step."""
    if not (trace.applies or (always and trace.fails)):
        return ()
    widths = (trace.own.pi * trace.bonus).sum(axis=2)
    widths[:, trace.sink] = paid
    robust, nominal = (trace.laws * widths).sum(axis=2)
    size = 1.0 + float(widths.max())
    return Check.nonpositive(robust - nominal, scale=size, slack=1e-10 * size)


# ---- broken versions ----------------------------------------------------------------------------


def elsewhere(trace: Trace) -> LinearPlan:
    """Let nature take another one of several least states."""
    case, own, sink = trace.case, trace.own, trace.sink
    kind, levels = factor_levels(case.ambiguity, case.mdp.horizon, case.mdp.n_factors)
    worst = np.array(own.worst)
    for h, i in np.ndindex(worst.shape[:2]):
        v = own.v[h + 1]
        others = [s for s in np.flatnonzero(v == v.min()).tolist() if s != sink]
        worst[h, i] = worst_row(
            kind, float(levels[h, i]), case.mdp.mu[h, i], v, (others or [sink])[0]
        )
    return replace(own, worst=worst)


CHAIN = Chain(
    id="dr_rpo.domination",
    title="DR-RPO (reconstruction): widths are met less under nature's reply",
    source=(
        "derived here for the setting of Gu, He, Liu and Xu, arXiv 2510.14246, whose theorems were"
        " not seen"
    ),
    statement=(
        "Let nature have TV balls or pay for TV, let there be a fail state that V^pi values least"
        " at every step (no consequence of the setting: KL to the reference may make values"
        " negative), and let her take it among several least states. Then she moves mass to the"
        " fail state only, and E^{pi, P^pi}[Gamma_h] <= E^{pi, P0}[Gamma_h] for widths Gamma that"
        " are 0 in the fail state."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="laws of the state forward; the widths by a slow fit of the learner's statistics",
    links=(
        Link("laws", "the library's laws of the state are sums over the way", laws),
        Link("only_to_fail", "mu^worst(s) <= mu0(s) unless s is the fail state", only_to_fail),
        Link("dominated", "E^{pi, P^pi}[Gamma_h] <= E^{pi, P0}[Gamma_h]", dominated),
    ),
    twins=(
        Twin(
            "paid",
            "the width in the fail state is 1",
            links={"dominated": partial(dominated, paid=1.0)},
            expect_link="dominated",
        ),
        Twin(
            "elsewhere",
            "nature takes another one of several least states",
            run=altered(run, own=elsewhere),
            expect_link="only_to_fail",
        ),
        Twin(
            "always",
            "the fail state need not be worth least",
            links={
                "only_to_fail": partial(only_to_fail, always=True),
                "dominated": partial(dominated, always=True),
            },
            expect_link=("only_to_fail", "dominated"),
        ),
        Twin(
            "kl",
            "nature pays for KL divergence",
            sample=kl_sample,
            expect_link="only_to_fail",
        ),
        Twin(
            "unmoved",
            "the states' law under nature's reply is taken for the nominal one",
            run=altered(run, laws=lambda trace: trace.laws[[0, 0]]),
            expect_link="laws",
        ),
    ),
)
"""Tight: everything is equal where the fail state is out of reach."""
