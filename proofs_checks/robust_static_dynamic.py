"""Against a stationary policy a nature that may change her rows gains nothing by it."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mdptheory import RobustSolution, TabularMDP
from mdptheory._typing import FloatArray
from mdptheory.operators.robust import robust_policy_bellman
from mdptheory.solvers import evaluate_robust
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered, random_mixture, random_values, value_width
from proofs_checks._oracles import dense_policy_value
from proofs_checks._robust_games import Pair, are_paired, both, random_pair


@case
class Case:
    """Two models with the same rewards, whose rows nature mixes, a policy and values at the end.

    Attributes
    ----------
    mdp, other : TabularMDP
        Discounted models; the rewards are the first one's.
    pi : array of shape (n_states, n_actions)
        A stochastic policy.
    end : array of shape (n_states,)
        What the states are worth after two steps.
    """

    mdp: TabularMDP
    other: TabularMDP
    pi: FloatArray
    end: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The policy against every kernel, and against every pair of them in turn.

    Attributes
    ----------
    case : Case
        The instance.
    pair : Pair
        The rows that nature chooses from.
    static : array of shape (m, n_states)
        Value under each kernel, kept for ever.
    v : array of shape (n_states,)
        Statewise minimum of these.
    switching : array of shape (m, n_states)
        Least value of nature's plans that use each kernel once and then another one for ever.
    reply : array of shape (n_states,)
        Value under the kernel of worst rows at ``v``.
    two_steps : array of shape (n_states,)
        Least worth of two steps and the end, over all kernels of the first and of the second step.
    solution : RobustSolution
        The library's evaluation of the policy.
    """

    case: Case
    pair: Pair
    static: FloatArray
    v: FloatArray
    switching: FloatArray
    reply: FloatArray
    two_steps: FloatArray
    solution: RobustSolution

    @property
    def width(self) -> float:
        """Size of the values at hand, the scale of order checks."""
        paid = np.append(self.pair.paid, 0.0)
        values = float(np.ptp(paid)) / (1 - self.pair.gamma)
        return max(values, value_width(self.case.mdp, self.case.end))


def sample(rng: np.random.Generator) -> Case:
    """Draw two small models, or the two states between which kernels must not be coupled."""
    mdp, other = two_states() if rng.integers(8) == 0 else random_pair(rng)
    pi, end = random_mixture(rng, mdp), random_values(rng, mdp.n_states)
    if rng.integers(2):
        pi = np.eye(mdp.n_actions)[pi.argmax(axis=1)]
    return Case(mdp, other, pi, end * float(rng.integers(1, 4)))


def two_states() -> tuple[TabularMDP, TabularMDP]:
    """Return the instance of Petrik's craam2: moving on pays 2, staying nothing.

    In the first model state 0 moves on to state 1, which is absorbing; in the second one it is
    the other way round. Nature, if she may, lets both stay.
    """
    paid = np.array([[[0.0, 2.0]], [[2.0, 0.0]]])
    first, second = (np.eye(2)[[[end], [end]]] for end in (1, 0))
    models = [TabularMDP.from_dense(P, paid, 0.9).completed(0.0) for P in (first, second)]
    return replace(models[0], transition_reward=paid.ravel()), models[1]


def run(case: Case, *, coupled: bool = False, homogeneous: bool = False) -> Trace:
    """Enumerate nature's kernels; the twins let her choose among two, or only once."""
    pair = Pair.of(case.mdp, case.other)
    kernels, every = pair.kernels(coupled=coupled), pair.kernels()
    P, r = pair.induced(every, case.pi)
    forever = pair.values(every, case.pi)
    last = r + pair.gamma * P @ case.end
    static = pair.values(kernels, case.pi)
    v = static.min(axis=0)
    reply = pair.values(pair.reply(v)[None], case.pi)[0]
    return Trace(
        case,
        pair,
        static=static,
        v=v,
        switching=_then(pair, P, r, forever).min(axis=1),
        reply=reply,
        two_steps=_two_steps(pair, P, r, last, homogeneous),
        solution=evaluate_robust(case.mdp, both(case.mdp, case.other), case.pi, tol=1e-10),
    )


def _then(pair: Pair, P: FloatArray, r: FloatArray, later: FloatArray) -> FloatArray:
    """Return the worth of each first kernel with each later value, shape (m, k, n_states)."""
    return np.asarray(r[:, None] + pair.gamma * np.einsum("mst,kt->mks", P, later))


def _two_steps(
    pair: Pair, P: FloatArray, r: FloatArray, last: FloatArray, homogeneous: bool
) -> FloatArray:
    plans = _then(pair, P, r, last)
    if homogeneous:
        return np.asarray(np.einsum("mms->ms", plans).min(axis=0))
    return np.asarray(plans.min(axis=(0, 1)))


def admissible(case: Case) -> bool:
    """Tell whether the models are small and belong together."""
    policy = case.pi.shape == (case.mdp.n_states, case.mdp.n_actions)
    available = np.isfinite(case.mdp.table(np.zeros(case.mdp.n_rows)))
    proper = policy and bool((case.pi >= 0).all() and (case.pi[~available] == 0).all())
    proper = proper and bool(np.allclose(case.pi.sum(axis=1), 1.0, atol=1e-12))
    moderate = case.end.shape == (case.mdp.n_states,) and bool((np.abs(case.end) <= 100).all())
    return proper and moderate and are_paired(case.mdp, case.other)


# ---- links --------------------------------------------------------------------------------------


def fixed_point(trace: Trace) -> Checks:
    """V = L_pi V for the statewise minimum V over all kernels."""
    return Check.equal(trace.pair.step(trace.v, trace.case.pi), trace.v, scale=trace.width)


def reply(trace: Trace) -> Checks:
    """Find V again under the kernel of worst rows at V."""
    return Check.equal(trace.reply, trace.v, scale=trace.width)


def attained(trace: Trace) -> Checks:
    """Find one kernel that is worst in every state."""
    excess = (trace.static - trace.v).max(axis=1).min()
    return Check.nonpositive(excess, scale=trace.width)


def one_step(trace: Trace) -> Checks:
    """Bound every plan that changes its kernel after a step: it is worth V at least."""
    return Check.nonpositive(trace.v - trace.switching, scale=trace.width)


def horizon(trace: Trace) -> Checks:
    """Compare the least of all two-step plans with two steps of L_pi from the end."""
    pi = trace.case.pi
    twice = trace.pair.step(trace.pair.step(trace.case.end, pi), pi)
    return Check.equal(trace.two_steps, twice, scale=trace.width)


def library(trace: Trace) -> Checks:
    """Hold the library's value, its enclosure, its worst case and its operator to the truth."""
    case, solution, width = trace.case, trace.solution, trace.width
    sets = both(case.mdp, case.other)
    stepped = robust_policy_bellman(case.mdp, sets, case.pi, case.end)
    claim = solution.certificate
    return (
        *Check.equal(solution.v, trace.v, scale=width),
        Check.nonpositive(claim.lower - trace.v, scale=width),
        Check.nonpositive(trace.v - claim.upper, scale=width),
        *Check.equal(dense_policy_value(solution.worst_case, case.pi), trace.v, scale=width),
        *Check.equal(stepped, trace.pair.step(case.end, case.pi), scale=width),
    )


# ---- broken versions ----------------------------------------------------------------------------


def nominal(trace: Trace) -> FloatArray:
    """Value under the first kernel, as if nature were idle."""
    return trace.pair.values(trace.pair.options[:1], trace.case.pi)[0]


def reply_to_nominal(trace: Trace) -> FloatArray:
    """Value under the worst rows at the value of an idle nature."""
    rows = trace.pair.reply(nominal(trace))
    return trace.pair.values(rows[None], trace.case.pi)[0]


CHAIN = Chain(
    id="robust_core.static_dynamic",
    title="Against a stationary policy one static kernel is as bad as any nature",
    source="Zouitine et al. 2024 (arXiv:2410.06212), after Iyengar 2005, Lemma 3.3; proof derived",
    statement=(
        "If nature picks each row by itself, then for every stationary policy pi the least value"
        " over all kernels, V(s) = min_T V^pi_T(s), solves V = L_pi V; one kernel attains it in"
        " every state; and no nature that changes her kernel on the way does better."
    ),
    provenance=Provenance.PAPER,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="enumeration of all kernels, and of all pairs of kernels in turn",
    links=(
        Link("fixed_point", "V = L_pi V for V = min_T V^pi_T", fixed_point),
        Link("reply", "the worst rows at V have the value V", reply),
        Link("attained", "one kernel attains V in every state", attained),
        Link("one_step", "r_T + gamma P_T V_T' >= V for all T, T'", one_step),
        Link("horizon", "min over T, T' of two steps = L_pi L_pi w", horizon),
        Link("library", "evaluate_robust = V, and its worst case attains it", library),
    ),
    twins=(
        Twin(
            "coupled",
            "nature must pick one of the two models for all pairs",
            run=partial(run, coupled=True),
            expect_link=("fixed_point", "reply", "attained", "one_step", "library"),
        ),
        Twin(
            "time_homogeneous",
            "over a finite horizon nature keeps one kernel",
            run=partial(run, homogeneous=True),
            expect_link="horizon",
        ),
        Twin(
            "idle",
            "the value of an idle nature stands for the least one",
            run=altered(run, v=nominal),
            expect_link=("fixed_point", "one_step", "library"),
        ),
        Twin(
            "reply_to_nominal",
            "the worst rows are those at the value of an idle nature",
            run=altered(run, reply=reply_to_nominal),
            expect_link="reply",
        ),
    ),
)
"""Tight: equalities."""
