"""The performance-difference lemma: two policies compared by advantages where one of them goes."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory import TabularMDP
from mdptheory._typing import FloatArray
from mdptheory.operators import bellman, occupancy, policy_bellman, policy_value
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import (
    altered,
    is_plain,
    random_mdp,
    random_mixture,
    random_start,
    reward_span,
    sup,
)
from proofs_checks._oracles import dense_policy_value, policy_matrix


@case
class Case:
    """Two stochastic policies and a distribution of the first state.

    Attributes
    ----------
    mdp : TabularMDP
        A discounted model.
    pi, other : array of shape (n_states, n_actions)
        The new policy and the one it is compared with.
    start : array of shape (n_states,)
        Distribution of the first state.
    """

    mdp: TabularMDP
    pi: FloatArray
    other: FloatArray
    start: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Values, advantages and occupancies.

    Attributes
    ----------
    case : Case
        The instance.
    v, v_other : array of shape (n_states,)
        The policies' values by the library's sparse solve.
    v_dense : array of shape (n_states,)
        ``v`` by a dense solve.
    gain : array of shape (n_states,)
        Expected advantage of ``pi`` over ``other``: ``T_pi v_other - v_other``.
    visits : array of shape (n_states,)
        Normalised discounted occupancy of ``pi``.
    visits_summed : array of shape (n_states,)
        The same by summing ``gamma^t mu0 P^t``.
    """

    case: Case
    v: FloatArray
    v_other: FloatArray
    v_dense: FloatArray
    gain: FloatArray
    visits: FloatArray
    visits_summed: FloatArray

    @property
    def gamma(self) -> float:
        """Discount factor."""
        return self.case.mdp.gamma

    @property
    def most(self) -> float:
        """Largest difference of two values that rewards in this range allow."""
        return reward_span(self.case.mdp) / (1 - self.gamma)

    @property
    def difference(self) -> float:
        """Return mu0 (v - v')."""
        return float(self.case.start @ (self.v - self.v_other))


def sample(rng: np.random.Generator) -> Case:
    """Draw a model and two policies; often the second differs in one state only."""
    mdp = random_mdp(rng)
    pi, other = random_mixture(rng, mdp), random_mixture(rng, mdp)
    if rng.integers(3) == 0:
        keep = rng.integers(mdp.n_states)
        other, changed = pi.copy(), other[keep]
        other[keep] = changed
    return Case(mdp, pi, other, random_start(rng, mdp.n_states))


def run(case: Case, *, walker: str = "pi", normalised: bool = True) -> Trace:
    """Evaluate both policies; the twins walk with the other one or leave the weights unscaled."""
    mdp = case.mdp
    v_other = policy_value(mdp, case.other)
    q = bellman(mdp, v_other)
    walking = case.pi if walker == "pi" else case.other
    visits = occupancy(mdp, walking, case.start)
    return Trace(
        case,
        v=policy_value(mdp, case.pi),
        v_other=v_other,
        v_dense=dense_policy_value(mdp, case.pi),
        gain=(case.pi * np.where(case.pi > 0, q, 0.0)).sum(axis=1) - v_other,
        visits=visits if normalised else visits / (1 - mdp.gamma),
        visits_summed=summed_visits(mdp, case.pi, case.start),
    )


def summed_visits(mdp: TabularMDP, pi: FloatArray, start: FloatArray) -> FloatArray:
    """Sum (1-gamma) gamma^t mu0 P^t until the rest is below 1e-13, doubling the terms each step."""
    P, _ = policy_matrix(mdp, pi)
    total, jump = np.eye(len(start)), mdp.gamma * P
    rest = mdp.gamma
    while rest > 1e-13:  # sum_{t < 2n} M^t = (I + M^n) sum_{t < n} M^t
        total, jump, rest = total + jump @ total, jump @ jump, rest * rest
    return (1 - mdp.gamma) * start @ total


def admissible(case: Case) -> bool:
    """Tell whether the case is small and moderate, whatever its numbers."""
    return is_plain(case.mdp)


# ---- links --------------------------------------------------------------------------------------


def routes_agree(trace: Trace) -> Checks:
    """Sparse and dense solve agree, and so do occupancy and the summed visits."""
    return (
        *Check.equal(trace.v, trace.v_dense, scale=1.0 + sup(trace.v)),
        *Check.equal(trace.visits_summed, trace.visits, scale=1.0),
    )


def flow(trace: Trace) -> Checks:
    """Visits balance: d = (1-gamma) mu0 + gamma d P, and d is a distribution."""
    P, _ = policy_matrix(trace.case.mdp, trace.case.pi)
    inflow = (1 - trace.gamma) * trace.case.start + trace.gamma * trace.visits @ P
    return (
        *Check.equal(trace.visits, inflow, scale=1.0),
        *Check.equal(trace.visits.sum(), 1.0, scale=1.0),
        Check.nonpositive(-trace.visits, scale=1.0),
    )


def identity(trace: Trace) -> Checks:
    """(I - gamma P)(v - v') = T_pi v' - v', state by state."""
    P, _ = policy_matrix(trace.case.mdp, trace.case.pi)
    change = trace.v - trace.v_other
    return Check.equal(change - trace.gamma * P @ change, trace.gain, scale=sup(trace.gain))


def lemma(trace: Trace, *, horizon: bool = True) -> Checks:
    """mu0 (v - v') = d . (T_pi v' - v') / (1-gamma), as two inequalities."""
    right = float(trace.visits @ trace.gain)
    right = right / (1 - trace.gamma) if horizon else right
    return Check.equal(trace.difference, right, scale=sup(trace.gain) / (1 - trace.gamma))


def worst_advantage(trace: Trace, *, horizon: bool = True) -> Checks:
    """Bound |mu0 (v - v')| by max |T_pi v' - v'| / (1-gamma)."""
    bound = sup(trace.gain) / (1 - trace.gamma if horizon else 1.0)
    return Check(abs(trace.difference), bound, trivial=trace.most)


CHAIN = Chain(
    id="planning.performance_difference",
    title="The performance-difference lemma",
    source="Kakade and Langford 2002, Lemma 6.1",
    statement=(
        "mu0 (v_pi - v_pi') = sum_s d(s) (T_pi v_pi' - v_pi')(s) / (1-gamma) with d the normalised"
        " discounted occupancy of pi (not of pi')."
    ),
    provenance=Provenance.MEMORY,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="dense solves; occupancy by summing gamma^t mu0 P^t",
    links=(
        Link("routes", "sparse = dense solve; occupancy = summed visits", routes_agree),
        Link("flow", "d = (1-gamma) mu0 + gamma d P, d >= 0, sum d = 1", flow),
        Link("identity", "(I - gamma P)(v - v') = T_pi v' - v'", identity),
        Link("lemma", "mu0 (v - v') = d (T_pi v' - v')/(1-gamma)", lemma),
        Link("worst", "|mu0 (v - v')| <= max |T_pi v' - v'|/(1-gamma)", worst_advantage),
    ),
    twins=(
        Twin(
            "other_walks",
            "d is the occupancy of the policy one compares with",
            run=partial(run, walker="other"),
            expect_link="lemma",
        ),
        Twin(
            "other_gains",
            "the advantages are those of the policy one compares with",
            run=altered(run, gain=lambda t: policy_bellman(t.case.mdp, t.case.other, t.v) - t.v),
            expect_link="identity",
        ),
        Twin(
            "unnormalised",
            "the occupancy is not scaled by 1-gamma",
            run=partial(run, normalised=False),
            expect_link=("routes", "flow", "lemma"),
        ),
        Twin(
            "no_horizon",
            "the factor 1/(1-gamma) is dropped",
            links={
                "lemma": partial(lemma, horizon=False),
                "worst": partial(worst_advantage, horizon=False),
            },
            expect_link=("lemma", "worst"),
        ),
    ),
)
"""Tight: the lemma is an equality; its last link is tight where the advantage is the same in every
state that pi visits, e.g. with one state."""
