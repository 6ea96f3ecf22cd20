"""The simulation lemma: what a wrong model costs, with explicit constants."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory import Discounted, TabularMDP
from mdptheory._typing import FloatArray, IntArray
from mdptheory.operators import policy_value
from mdptheory.solvers import policy_iteration
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import (
    GAMMAS,
    Arm,
    altered,
    build,
    is_plain,
    random_policy,
    random_table,
    span,
    sup,
)
from proofs_checks._oracles import (
    as_floats,
    dense_rows,
    exact_policy_value,
    optimal_value,
    policy_matrix,
)


@case
class Case:
    """Two models with the same states and actions, and a policy.

    Attributes
    ----------
    mdp, other : TabularMDP
        Discounted models with one gamma.
    policy : array of int of shape (n_states,)
        Any policy.
    """

    mdp: TabularMDP
    other: TabularMDP
    policy: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The policy in both models, and both optima.

    Attributes
    ----------
    case : Case
        The instance.
    P, P_other : array of shape (n_states, n_states)
        The policy's kernels.
    r, r_other : array of shape (n_states,)
        Its rewards.
    v, v_other : array of shape (n_states,)
        Its values, in rational arithmetic.
    v_operator : array of shape (n_states,)
        ``v`` by the library's sparse solve.
    v_star, v_star_other : array of shape (n_states,)
        The optimal values.
    v_transfer : array of shape (n_states,)
        In ``mdp``, the value of the policy that is optimal in ``other``.
    """

    case: Case
    P: FloatArray
    P_other: FloatArray
    r: FloatArray
    r_other: FloatArray
    v: FloatArray
    v_other: FloatArray
    v_operator: FloatArray
    v_star: FloatArray
    v_star_other: FloatArray
    v_transfer: FloatArray

    @property
    def gamma(self) -> float:
        """Discount factor."""
        return self.case.mdp.gamma

    @property
    def source(self) -> FloatArray:
        """One step's error at ``v``: (r - r') + gamma (P - P') v."""
        return self.r - self.r_other + self.gamma * (self.P - self.P_other) @ self.v

    @property
    def reward_span(self) -> float:
        """Span of the rewards of both models."""
        both = np.concatenate([self.case.mdp.reward, self.case.other.reward])
        return span(both)

    @property
    def most(self) -> float:
        """Largest difference of two values that rewards in this range allow."""
        return self.reward_span / (1 - self.gamma)


def sample(rng: np.random.Generator) -> Case:
    """Draw a model and a perturbed copy, or one of the two instances that are tight."""
    gamma = float(rng.choice(np.asarray(GAMMAS)))
    special = rng.integers(8)
    if special < 2:
        return two_alike(rng, gamma) if special else misled(rng, gamma)
    table = random_table(rng, int(rng.integers(1, 5)), 3)
    degree = float(rng.choice([0.02, 0.05, 0.2]))
    other = [[_perturbed(rng, arm, degree * (1 - gamma)) for arm in state] for state in table]
    mdp = build(table, Discounted(gamma))
    return Case(mdp, build(other, Discounted(gamma)), random_policy(rng, mdp))


def _perturbed(rng: np.random.Generator, arm: Arm, degree: float) -> Arm:
    weights = np.asarray(arm[0], dtype=np.float64)
    target = np.eye(len(weights))[rng.integers(len(weights))]
    mixed = (1 - degree) * weights / weights.sum() + degree * target
    return mixed.tolist(), arm[1] + float(rng.integers(-1, 2)) * degree


def two_alike(rng: np.random.Generator, gamma: float) -> Case:
    """Draw two states with equal rows, of which one pays: each step loses the same again."""
    weight = float(rng.integers(1, 8)) / 8
    moved = weight + (1 - gamma) / 16
    models = [
        build([[((p, 1 - p), 1.0)], [((p, 1 - p), 0.0)]], Discounted(gamma))
        for p in (weight, moved)
    ]
    return Case(models[0], models[1], np.zeros(2, dtype=np.int64))


def misled(rng: np.random.Generator, gamma: float) -> Case:
    """Draw three rewards: the two best change places, each being wrong by e in the other model."""
    error = float(rng.integers(1, 5)) / 16
    true, seen = (-1.0, 0.0, 2 * error * 0.999), (-1.0, error, 2 * error * 0.999 - error)
    models = [build([[((1,), reward) for reward in r]], Discounted(gamma)) for r in (true, seen)]
    return Case(models[0], models[1], np.array([rng.integers(3)]))


def run(case: Case, *, swap: bool = False) -> Trace:
    """Evaluate the policy in both models; ``swap`` takes the other model's value in the source."""
    P, r = policy_matrix(case.mdp, case.policy)
    P_other, r_other = policy_matrix(case.other, case.policy)
    v = as_floats(exact_policy_value(case.mdp, case.policy))
    v_other = as_floats(exact_policy_value(case.other, case.policy))
    if swap:
        P, P_other = P_other, P
    transfer = policy_iteration(case.other, tol=1e-9).policy
    return Trace(
        case,
        P=P,
        P_other=P_other,
        r=r,
        r_other=r_other,
        v=v,
        v_other=v_other,
        v_operator=policy_value(case.mdp, case.policy),
        v_star=optimal_value(case.mdp),
        v_star_other=optimal_value(case.other),
        v_transfer=as_floats(exact_policy_value(case.mdp, transfer)),
    )


def admissible(case: Case) -> bool:
    """Tell whether both models are small and moderate and share gamma, states and actions."""
    alike = case.mdp.gamma == case.other.gamma
    alike &= np.array_equal(case.mdp.choice_ptr, case.other.choice_ptr)
    alike &= np.array_equal(case.mdp.action, case.other.action)
    return alike and is_plain(case.mdp) and is_plain(case.other)


# ---- links --------------------------------------------------------------------------------------


def routes_agree(trace: Trace) -> Checks:
    """Compare the library's sparse solve with elimination in fractions."""
    return Check.equal(trace.v_operator, trace.v, scale=1.0 + sup(trace.v))


def identity(trace: Trace) -> Checks:
    """Solve (I - gamma P')(v - v') = [(r - r') + gamma (P - P') v]."""
    system = np.eye(len(trace.v)) - trace.gamma * trace.P_other
    right = np.linalg.solve(system, trace.source)
    return Check.equal(right, trace.v - trace.v_other, scale=sup(trace.source) / (1 - trace.gamma))


def centred(trace: Trace, factor: float = 0.5) -> Checks:
    """Bound |(P - P') v| by |P - P'|_1 span(v)/2, state by state: rows of P - P' sum to 0."""
    difference = trace.P - trace.P_other
    norm = np.abs(difference).sum(axis=1)
    bound = factor * norm * span(trace.v)
    return Check.worst(np.abs(difference @ trace.v), bound, trivial=span(trace.v))


def resolvent(trace: Trace, *, horizon: bool = True) -> Checks:
    """Bound |v - v'| by |source| / (1-gamma), since (1-gamma)(I - gamma P')^-1 averages."""
    bound = sup(trace.source) / (1 - trace.gamma if horizon else 1.0)
    return Check(sup(trace.v - trace.v_other), bound, trivial=trace.most)


def _policy_errors(trace: Trace) -> tuple[float, float]:
    eps_r = sup(trace.r - trace.r_other)
    return eps_r, float(np.abs(trace.P - trace.P_other).sum(axis=1).max())


def lemma(trace: Trace, *, horizon: bool = True) -> Checks:
    """Bound |v - v'| by (eps_r + gamma eps_P span(v)/2) / (1-gamma)."""
    eps_r, eps_p = _policy_errors(trace)
    total = eps_r + trace.gamma * eps_p * span(trace.v) / 2
    bound = total / (1 - trace.gamma) if horizon else total
    return Check(sup(trace.v - trace.v_other), bound, trivial=trace.most)


def _model_errors(trace: Trace) -> tuple[float, float]:
    (P, r), (P_other, r_other) = dense_rows(trace.case.mdp), dense_rows(trace.case.other)
    here = np.isfinite(r)
    return sup(r[here] - r_other[here]), float(np.abs(P - P_other).sum(axis=2).max())


def optima(trace: Trace, factor: float = 0.5) -> Checks:
    """Bound |v* - v*'| by (eps_r + gamma eps_P span(v*)/2) / (1-gamma), errors over all rows."""
    eps_r, eps_p = _model_errors(trace)
    bound = (eps_r + trace.gamma * eps_p * factor * span(trace.v_star)) / (1 - trace.gamma)
    return Check(sup(trace.v_star - trace.v_star_other), bound, trivial=trace.most)


def transfer(trace: Trace, factor: float = 2.0) -> Checks:
    """Bound v* - v(other's policy) by 2 (eps_r + gamma eps_P R/(2(1-gamma))) / (1-gamma)."""
    eps_r, eps_p = _model_errors(trace)
    horizon = 1 / (1 - trace.gamma)
    bound = factor * (eps_r + trace.gamma * eps_p * trace.reward_span * horizon / 2) * horizon
    return Check(sup(trace.v_star - trace.v_transfer), bound, trivial=trace.most)


CHAIN = Chain(
    id="planning.simulation",
    title="The simulation lemma",
    source="after Kearns and Singh 2002; discounted form and constants derived",
    statement=(
        "With eps_r = max |r - r'|, eps_P = max |P - P'|_1: |v - v'| <= (eps_r + gamma eps_P"
        " span(v)/2)/(1-gamma) for each policy and for the optima; the other model's optimal"
        " policy loses at most 2 (eps_r + gamma eps_P R/(2(1-gamma)))/(1-gamma), R the span of all"
        " rewards."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="all values by elimination in rational arithmetic",
    links=(
        Link("routes", "sparse solve = elimination in fractions", routes_agree),
        Link("identity", "v - v' = (I - gamma P')^-1 [r - r' + gamma (P - P') v]", identity),
        Link("centred", "|(P - P') v| <= |P - P'|_1 span(v)/2", centred),
        Link("resolvent", "|v - v'| <= |r - r' + gamma (P - P') v|/(1-gamma)", resolvent),
        Link("lemma", "|v - v'| <= (eps_r + gamma eps_P span(v)/2)/(1-gamma)", lemma),
        Link("optima", "|v* - v*'| <= (eps_r + gamma eps_P span(v*)/2)/(1-gamma)", optima),
        Link(
            "transfer", "v* - v_(pi*') <= 2(eps_r + gamma eps_P R/(2(1-gamma)))/(1-gamma)", transfer
        ),
    ),
    twins=(
        Twin(
            "no_horizon",
            "the factor 1/(1-gamma) is dropped",
            links={
                "resolvent": partial(resolvent, horizon=False),
                "lemma": partial(lemma, horizon=False),
            },
            expect_link=("resolvent", "lemma"),
        ),
        Twin(
            "quarter",
            "span(v)/2 becomes span(v)/4, as when |P - P'|_1 is taken for twice itself",
            links={
                "centred": partial(centred, factor=0.25),
                "optima": partial(optima, factor=0.25),
            },
            expect_link=("centred", "optima"),
        ),
        Twin(
            "other_policy_value",
            "the library evaluates in the other model",
            run=altered(run, v_operator=lambda t: policy_value(t.case.other, t.case.policy)),
            expect_link="routes",
        ),
        Twin(
            "half_transfer",
            "the factor 2 of the last link is dropped",
            links={"transfer": partial(transfer, factor=1.0)},
            expect_link="transfer",
        ),
        Twin(
            "kernels_swapped",
            "P and P' change places in the identity",
            run=partial(run, swap=True),
            expect_link="identity",
        ),
    ),
)
"""Tight: `two_alike`, two states with the same row of which one pays 1: (P - P') v is the same in
both, so that nothing is lost in Hoelder's inequality nor in the resolvent. The last link: `misled`,
where rewards that are wrong by e in opposite directions make the worse action look better."""
