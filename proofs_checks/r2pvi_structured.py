"""Nature that moves factors does less harm than nature that moves rows, at the same price."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.models import (
    ChiSquarePenalty,
    FactorAmbiguity,
    KLBall,
    KLPenalty,
    LinearMDP,
    TVBall,
    TVPenalty,
    factor_levels,
)
from mdptheory.solvers import linear_evaluate, linear_plan
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered
from proofs_checks._linear_cases import is_policy, is_small, one_hot, random_policy
from proofs_checks._linear_oracles import divergence, plan, worth
from proofs_checks._soft_cases import level_of, milder, random_model

Kind: TypeAlias = Callable[[float], FactorAmbiguity]
KINDS: tuple[Kind, ...] = (TVPenalty, KLPenalty, ChiSquarePenalty, TVBall, KLBall)
LEVELS = (0.05, 0.2, 0.5, 1.0)


@case
class Case:
    """A model, a policy, and one level for everything that nature moves.

    Attributes
    ----------
    mdp : LinearMDP
        The model.
    pi : array of shape (H, S, A)
        A policy.
    ambiguity : FactorAmbiguity
        Its level is a number.
    """

    mdp: LinearMDP
    pi: FloatArray
    ambiguity: FactorAmbiguity


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Values against nature that moves factors, and against nature that moves rows.

    Attributes
    ----------
    case : Case
        The instance.
    factors, rows : array of shape (2, H + 1, S)
        The optimal value and the policy's.
    """

    case: Case
    factors: FloatArray
    rows: FloatArray


def sample(rng: np.random.Generator) -> Case:
    """Draw a model, a policy and what nature may do."""
    mdp = random_model(rng)
    ambiguity = KINDS[rng.integers(5)](float(rng.choice(LEVELS)))
    return Case(mdp, random_policy(rng, mdp), ambiguity)


def run(case: Case) -> Trace:
    """Plan and evaluate in the model, and in the one with a factor for each row."""
    found = [
        np.array(
            [
                linear_plan(mdp, case.ambiguity).v,
                linear_evaluate(mdp, case.pi, case.ambiguity).v,
            ]
        )
        for mdp in (case.mdp, one_hot(case.mdp))
    ]
    return Trace(case, found[0], found[1])


def admissible(case: Case) -> bool:
    """Tell whether the model is small and the level one moderate number."""
    level = level_of(case.ambiguity)
    fits = level.shape == () and 0.02 <= float(level) <= 1
    return fits and is_small(case.mdp) and is_policy(case.mdp, case.pi)


# ---- links --------------------------------------------------------------------------------------


def by_definition(case: Case, mdp: LinearMDP, ambiguity: FactorAmbiguity) -> FloatArray:
    """Return both values by the second route."""
    return np.array([plan(mdp, ambiguity).v, plan(mdp, ambiguity, case.pi).v])


def values(trace: Trace) -> Iterator[Check]:
    """Compare both natures with the second route."""
    case = trace.case
    for mdp, found in ((case.mdp, trace.factors), (one_hot(case.mdp), trace.rows)):
        own = by_definition(case, mdp, case.ambiguity)
        yield from Check.equal(found, own, slack=1e-8, scale=mdp.horizon)


def convexity(trace: Trace, *, share: float = 1.0) -> Checks:
    """Move factors as nature does: the mixed row is no farther than the factors on average."""
    mdp = trace.case.mdp
    phi, step = mdp.known.phi_at(0), max(mdp.horizon - 2, 0)
    kind, levels = factor_levels(trace.case.ambiguity, mdp.horizon, mdp.n_factors)
    ahead = trace.factors[0, -2]  # values that every model has, also where only one step is left
    q = worth(kind, levels[step], mdp.mu[step], ahead)[1]
    mean = phi @ divergence(kind, q, mdp.mu[step]) * share
    return Check.worst(divergence(kind, phi @ q, phi @ mdp.mu[step]), mean)


def above(trace: Trace) -> Checks:
    """Hold values with factors that move above values with rows that move."""
    return Check.nonpositive(trace.rows - trace.factors, scale=trace.case.mdp.horizon)


# ---- broken versions ----------------------------------------------------------------------------


def held(trace: Trace) -> FloatArray:
    """Let nature move rows at 3/2 of the price, or 2/3 as far."""
    return by_definition(trace.case, one_hot(trace.case.mdp), milder(trace.case.ambiguity))


CHAIN = Chain(
    id="r2pvi.structured",
    title="Factors that move do less harm than rows that move",
    source="derived: joint convexity of the divergence, and induction",
    statement=(
        "For a convex divergence D, sum_i phi_i D(q_i, mu_i) >= D(sum_i phi_i q_i, P). Hence values"
        " against nature that pays weight * D for each factor are at least those against nature"
        " that pays weight * D for each row (s, a), for a policy and for the optimum; likewise"
        " for balls of one radius."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="rows by bisection for their multiplier; backward induction in NumPy",
    links=(
        Link("values", "the library's values = the second route's", values),
        Link("convexity", "D(sum_i phi_i q_i, P) <= sum_i phi_i D(q_i, mu_i)", convexity),
        Link("above", "V with factors >= V with rows", above),
    ),
    twins=(
        Twin(
            "held",
            "moving rows costs 3/2 of what moving factors does",
            run=altered(run, rows=held),
            expect_link=("values", "above"),
        ),
        Twin(
            "half_mean",
            "half the mean divergence is taken",
            links={"convexity": partial(convexity, share=0.5)},
            expect_link="convexity",
        ),
    ),
)
"""Tight: one-hot features, where factors are rows."""
