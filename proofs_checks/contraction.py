"""The Bellman operator is monotone, shifts constants and contracts, in sup norm and in span."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory import TabularMDP
from mdptheory._typing import FloatArray
from mdptheory.operators import bellman
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import is_plain, random_mdp, random_values, span, sup, top, value_width
from proofs_checks._oracles import optimal_value

POWER = 3  # applications of T in the last link
Operator = Callable[[TabularMDP, FloatArray], FloatArray]


@case
class Case:
    """Two value vectors and a constant.

    Attributes
    ----------
    mdp : TabularMDP
        A discounted model.
    u, v : array of shape (n_states,)
        Any values.
    shift : float
        Any constant.
    """

    mdp: TabularMDP
    u: FloatArray
    v: FloatArray
    shift: float


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What the operator made of the case's vectors.

    Attributes
    ----------
    case : Case
        The instance.
    tu, tv, t_shifted, t_lower : array of shape (n_states,)
        The operator at ``u``, ``v``, ``v + shift`` and ``min(u, v)``.
    power : array of shape (n_states,)
        ``T^3 v``.
    v_star : array of shape (n_states,)
        Optimal value by exact policy iteration.
    """

    case: Case
    tu: FloatArray
    tv: FloatArray
    t_shifted: FloatArray
    t_lower: FloatArray
    power: FloatArray
    v_star: FloatArray

    @property
    def gamma(self) -> float:
        """Discount factor."""
        return self.case.mdp.gamma

    @property
    def width(self) -> float:
        """Size of the values at hand, the scale of order checks."""
        return value_width(self.case.mdp, self.case.u, self.case.v, self.case.v + self.case.shift)


def sample(rng: np.random.Generator) -> Case:
    """Draw a small model and two vectors in eighths; often they differ by a constant."""
    mdp = random_mdp(rng)
    v = random_values(rng, mdp.n_states)
    u = v + float(rng.integers(1, 9)) / 4
    if rng.integers(4):
        u = random_values(rng, mdp.n_states)
    return Case(mdp, u, v, float(rng.integers(-8, 9)) / 4)


def run(case: Case, operator: Operator = top) -> Trace:
    """Apply the operator to the case's vectors."""
    power = case.v
    for _ in range(POWER):
        power = operator(case.mdp, power)
    return Trace(
        case,
        tu=operator(case.mdp, case.u),
        tv=operator(case.mdp, case.v),
        t_shifted=operator(case.mdp, case.v + case.shift),
        t_lower=operator(case.mdp, np.minimum(case.u, case.v)),
        power=power,
        v_star=optimal_value(case.mdp),
    )


def admissible(case: Case) -> bool:
    """Tell whether the case is small and moderate, whatever its numbers."""
    return is_plain(case.mdp, case.u, case.v, np.array([case.shift]))


# ---- links --------------------------------------------------------------------------------------


def shifts(trace: Trace) -> Checks:
    """Constants shift: T(v + c 1) = T v + gamma c 1."""
    return Check.equal(
        trace.t_shifted, trace.tv + trace.gamma * trace.case.shift, scale=trace.width
    )


def monotone(trace: Trace) -> Checks:
    """Order is kept: w = min(u, v) <= v implies T w <= T v."""
    return Check.nonpositive(trace.t_lower - trace.tv, scale=trace.width)


def one_sided(trace: Trace) -> Checks:
    """T u - T v <= gamma max(u - v), from the two above; the bound may be negative."""
    gap = float(np.max(trace.case.u - trace.case.v))
    return Check.worst(trace.tu - trace.tv, trace.gamma * gap, scale=trace.width)


def contracts(trace: Trace, power: int = 1) -> Checks:
    """Bound |T u - T v| by gamma |u - v|; a non-expansion gives |u - v|."""
    distance = sup(trace.case.u - trace.case.v)
    return Check(sup(trace.tu - trace.tv), trace.gamma**power * distance, trivial=distance)


def contracts_span(trace: Trace) -> Checks:
    """Bound span(T u - T v) by gamma span(u - v)."""
    distance = span(trace.case.u - trace.case.v)
    return Check(span(trace.tu - trace.tv), trace.gamma * distance, trivial=distance)


def converges(trace: Trace) -> Checks:
    """Bound |T^3 v - v*| by gamma^3 |v - v*|, with v* from exact policy iteration."""
    distance = sup(trace.case.v - trace.v_star)
    return Check(sup(trace.power - trace.v_star), trace.gamma**POWER * distance, trivial=distance)


# ---- broken versions ----------------------------------------------------------------------------


def boltzmann(mdp: TabularMDP, v: FloatArray) -> FloatArray:
    """Average q by softmax weights instead of maximising: no contraction (Asadi, Littman 2017)."""
    q = bellman(mdp, v)
    weights = np.exp(8.0 * (q - q.max(axis=1, keepdims=True)))
    return (weights * np.where(weights > 0, q, 0.0)).sum(axis=1) / weights.sum(axis=1)


def undiscounted(mdp: TabularMDP, v: FloatArray) -> FloatArray:
    """Forget gamma on the way back."""
    return top(mdp, v / mdp.gamma)


CHAIN = Chain(
    id="planning.contraction",
    title="The Bellman operator is a monotone contraction",
    source="Blackwell 1965; Denardo 1967; Puterman 1994, section 6.2",
    statement=(
        "T(v + c1) = Tv + gamma c1; u <= v => Tu <= Tv; hence |Tu - Tv| <= gamma |u - v| in sup"
        " norm and in span, and |T^k v - v*| <= gamma^k |v - v*|."
    ),
    provenance=Provenance.FOLKLORE,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="v* by policy iteration in rational arithmetic",
    links=(
        Link("shift", "T(v + c1) = Tv + gamma c1", shifts),
        Link("monotone", "min(u, v) <= v => T min(u, v) <= Tv", monotone),
        Link("one_sided", "Tu - Tv <= gamma max(u - v)", one_sided),
        Link("contraction", "|Tu - Tv| <= gamma |u - v|", contracts),
        Link("span", "span(Tu - Tv) <= gamma span(u - v)", contracts_span),
        Link("fixed_point", "|T^3 v - v*| <= gamma^3 |v - v*|", converges),
    ),
    twins=(
        Twin(
            "boltzmann",
            "the maximum over actions is a softmax average at inverse temperature 8",
            run=partial(run, operator=boltzmann),
            expect_link="monotone",
        ),
        Twin(
            "undiscounted",
            "the operator forgets gamma",
            run=partial(run, operator=undiscounted),
            expect_link=("shift", "one_sided", "contraction", "span", "fixed_point"),
        ),
        Twin(
            "gamma_squared",
            "the modulus is claimed to be gamma^2",
            links={"contraction": partial(contracts, power=2)},
            expect_link="contraction",
        ),
    ),
)
"""Tight on every link: u = v + c with c > 0 (one case in four), where both sides are gamma c."""
