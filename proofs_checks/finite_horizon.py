"""Backward induction is optimal among all policies, remembering ones included."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np

from mdptheory import FiniteHorizon, Solution, TabularMDP
from mdptheory._typing import FloatArray, IntArray
from mdptheory.certificates import check
from mdptheory.operators import bellman
from mdptheory.solvers import backward_induction
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered, build, is_small, random_start, random_table
from proofs_checks._oracles import (
    dense_rows,
    expectimax,
    history_policy_values,
    horizon_of,
    stage_policy_value,
)

Solver = Callable[[TabularMDP], tuple[FloatArray, IntArray]]


@case
class Case:
    """A finite horizon and two policies to compare.

    Attributes
    ----------
    mdp : TabularMDP
        Two or three states, two or three stages; stationary or stage-dependent rows.
    policy, other : array of int of shape (horizon, n_states)
        Two Markov policies.
    start : array of shape (n_states,)
        Distribution of the first state.
    """

    mdp: TabularMDP
    policy: IntArray
    other: IntArray
    start: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Backward induction beside every way of doing without it.

    Attributes
    ----------
    case : Case
        The instance.
    v, policy : array of shape (horizon + 1, n_states) and (horizon, n_states)
        What the induction found.
    v_policy : array of shape (horizon + 1, n_states)
        That policy's value, in rational arithmetic.
    best : array of shape (n_states,)
        Best value of all deterministic Markov policies.
    tree : array of shape (n_states,)
        Value of the game tree, walked without memory.
    remembered : array of shape (n_states,) or None
        Best value of all history-dependent policies, listed one by one; tiny cases only.
    solution : Solution
        What the library returned.
    walker : array of int of shape (horizon, n_states)
        Whose steps weigh the advantages.
    """

    case: Case
    v: FloatArray
    policy: IntArray
    v_policy: FloatArray
    best: FloatArray
    tree: FloatArray
    remembered: FloatArray | None
    solution: Solution
    walker: IntArray

    @property
    def width(self) -> float:
        """Size of what can be earned, the scale of order checks."""
        mdp = self.case.mdp
        goal, _, terminal = horizon_of(mdp)
        discount = sum(goal.gamma**h for h in range(goal.horizon))
        ends = [float(x) for x in terminal]
        earned = discount * float(mdp.reward.max() - mdp.reward.min())
        return earned + goal.gamma**goal.horizon * (max(ends) - min(ends))


def sample(rng: np.random.Generator) -> Case:
    """Draw two states and two or three stages, or three states and two stages."""
    n_states, horizon = [(2, 2), (2, 3), (3, 2)][rng.integers(3)]
    stages = horizon if rng.integers(2) else 1
    table = random_table(rng, n_states, 2, n_blocks=stages * n_states)
    terminal = rng.integers(0, 9, n_states) / 4 if rng.integers(3) else None
    gamma = float(rng.choice([0.5, 0.9, 1.0]))
    mdp = build(table, FiniteHorizon(horizon, gamma, terminal))
    policy, other = (_random_stage_policy(rng, mdp, horizon) for _ in range(2))
    return Case(mdp, policy, other, random_start(rng, n_states))


def _random_stage_policy(rng: np.random.Generator, mdp: TabularMDP, horizon: int) -> IntArray:
    counts = np.diff(mdp.choice_ptr).reshape(mdp.n_stages, mdp.n_states)
    return rng.integers(0, np.broadcast_to(counts, (horizon, mdp.n_states)))


def induct(
    mdp: TabularMDP, *, forget_end: bool = False, early: bool = False
) -> tuple[FloatArray, IntArray]:
    """Induct backwards; the twins forget the terminal reward or use the stage before."""
    goal, _, terminal = horizon_of(mdp)
    end = np.array([0.0 if forget_end else float(x) for x in terminal])
    values, policies = [end], list[IntArray]()
    for h in reversed(range(goal.horizon)):
        q = bellman(mdp, values[0], stage=max(h - 1, 0) if early else h)
        policies.insert(0, q.argmax(axis=1))
        values.insert(0, q.max(axis=1))
    return np.array(values), np.array(policies)


def myopic(mdp: TabularMDP) -> tuple[FloatArray, IntArray]:
    """Induct backwards, but act in every stage as in the last one."""
    v, policy = induct(mdp)
    return v, np.broadcast_to(policy[-1], policy.shape)


def run(case: Case, *, solver: Solver = induct, walker: str = "policy") -> Trace:
    """Solve by induction, by enumeration, by the tree, and by the library."""
    mdp = case.mdp
    v, policy = solver(mdp)
    tiny = mdp.n_states == 2 and len(policy) == 2
    every = [max(history_policy_values(mdp, s)) for s in range(mdp.n_states)] if tiny else None
    playable = _available(mdp, policy)
    return Trace(
        case,
        v=v,
        policy=playable,
        v_policy=stage_policy_value(mdp, playable),
        best=best_markov_value(mdp),
        tree=expectimax(mdp),
        remembered=None if every is None else np.array([float(x) for x in every]),
        solution=backward_induction(mdp),
        walker=case.policy if walker == "policy" else case.other,
    )


def _available(mdp: TabularMDP, policy: IntArray) -> IntArray:
    """Replace actions that the stage lacks by its first one (a broken solver may pick such)."""
    counts = np.diff(mdp.choice_ptr).reshape(mdp.n_stages, mdp.n_states)
    return np.where(policy < np.broadcast_to(counts, policy.shape), policy, 0)


def best_markov_value(mdp: TabularMDP) -> FloatArray:
    """Return the statewise best first-stage value of all Markov policies, each evaluated."""
    goal, stages, terminal = horizon_of(mdp)
    values = np.array([[float(x) for x in terminal]])
    states = np.arange(mdp.n_states)
    for h in reversed(range(goal.horizon)):
        P, r = dense_rows(mdp, h)
        rules = np.array(list(product(*[[row.action for row in rows] for rows in stages[h]])))
        step = np.einsum("mst,nt->mns", P[states, rules], values)
        values = (r[states, rules][:, None, :] + goal.gamma * step).reshape(-1, mdp.n_states)
    return values.max(axis=0)


def admissible(case: Case) -> bool:
    """Tell whether listing all policies is affordable and numbers are moderate."""
    mdp = case.mdp
    horizon = horizon_of(mdp)[0].horizon
    rules = math.prod(np.diff(mdp.choice_ptr).tolist()) ** (horizon // mdp.n_stages)
    return rules <= 4096 and mdp.n_transitions**horizon <= 10_000 and is_small(mdp)


# ---- links --------------------------------------------------------------------------------------


def ends(trace: Trace) -> Checks:
    """Start from the terminal reward: v_H = terminal."""
    terminal = np.array([float(x) for x in horizon_of(trace.case.mdp)[2]])
    return (
        *Check.equal(trace.v[-1], terminal, scale=trace.width),
        *Check.equal(trace.solution.v[-1], terminal, scale=trace.width),
    )


def recursion(trace: Trace) -> Checks:
    """Step back: v_h = max_a (r_h + gamma P_h v_{h+1}), by dense arithmetic."""
    goal = horizon_of(trace.case.mdp)[0]
    expected = []
    for h in range(goal.horizon):
        P, r = dense_rows(trace.case.mdp, h)
        expected.append((r + goal.gamma * P @ trace.v[h + 1]).max(axis=1))
    return Check.equal(trace.v[:-1], np.array(expected), scale=trace.width)


def dominates(trace: Trace) -> Checks:
    """No Markov policy is better than v_0."""
    return Check.nonpositive(trace.best - trace.v[0], scale=trace.width)


def attained(trace: Trace) -> Checks:
    """Compare the greedy policy's own value with v, at every stage."""
    return Check.equal(trace.v_policy, trace.v, scale=trace.width)


def remembering(trace: Trace) -> Checks:
    """Remembering the past does not help: the game tree is worth v_0."""
    listed = trace.tree if trace.remembered is None else trace.remembered
    return (
        *Check.equal(trace.tree, trace.v[0], scale=trace.width),
        *Check.equal(listed, trace.tree, scale=trace.width),
    )


def difference(trace: Trace) -> Checks:
    """Compare policies: mu0 (v^pi - v^pi') = sum_h gamma^h E_pi[advantage over pi' at stage h]."""
    mdp, policy, other = trace.case.mdp, trace.case.policy, trace.case.other
    goal, states = horizon_of(mdp)[0], np.arange(mdp.n_states)
    v, v_other = stage_policy_value(mdp, policy), stage_policy_value(mdp, other)
    here, total = trace.case.start, 0.0
    for h in range(goal.horizon):
        P, r = dense_rows(mdp, h)
        step = r[states, policy[h]] + goal.gamma * P[states, policy[h]] @ v_other[h + 1]
        total += goal.gamma**h * float(here @ (step - v_other[h]))
        here = here @ P[states, trace.walker[h]]
    left = float(trace.case.start @ (v[0] - v_other[0]))
    return Check.equal(left, total, scale=trace.width)


def library(trace: Trace) -> Checks:
    """Hold the library's values and policy to the tree; prove its certificate in fractions."""
    solution = trace.solution
    own = stage_policy_value(trace.case.mdp, solution.policy)
    verified = check(solution.certificate, trace.case.mdp, exact=True)
    loss = float(np.max(trace.tree - own[0]))
    return (
        *Check.equal(solution.v[0], trace.tree, scale=trace.width),
        *Check.equal(own, solution.v, scale=trace.width),
        Check(loss, verified.policy_loss, slack=1e-14 * (1.0 + trace.width), scale=trace.width),
    )


CHAIN = Chain(
    id="planning.finite_horizon",
    title="Backward induction is optimal among all policies",
    source="Bellman 1957; Puterman 1994, chapter 4; difference lemma after Kakade 2003",
    statement=(
        "v_H = terminal and v_h = max_a (r_h + gamma P_h v_{h+1}) give the best value among"
        " history-dependent policies; the greedy Markov policy attains it; and mu0 (v^pi - v^pi') ="
        " sum_h gamma^h E_pi[advantage of pi_h over pi' at stage h]."
    ),
    provenance=Provenance.FOLKLORE,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="every Markov policy; every history-dependent policy; the game tree in fractions",
    links=(
        Link("ends", "v_H = terminal", ends),
        Link("recursion", "v_h = max_a (r_h + gamma P_h v_{h+1})", recursion),
        Link("dominates", "v_0 >= v^pi for every Markov pi", dominates),
        Link("attained", "the greedy policy's value is v", attained),
        Link("remembering", "v_0 = game tree = best history-dependent policy", remembering),
        Link("difference", "mu0 (v^pi - v^pi') = sum_h gamma^h E_pi[advantage]", difference),
        Link("library", "backward_induction finds all of this, with proof", library),
    ),
    twins=(
        Twin(
            "no_terminal",
            "the terminal reward is forgotten",
            run=partial(run, solver=partial(induct, forget_end=True)),
            expect_link=("ends", "dominates", "remembering"),
        ),
        Twin(
            "stage_before",
            "stage h uses the rows of stage h - 1",
            run=partial(run, solver=partial(induct, early=True)),
            expect_link="recursion",
        ),
        Twin(
            "stage_late",
            "the library's values are filed one stage late",
            run=altered(
                run, solution=lambda t: replace(t.solution, v=np.roll(t.solution.v, 1, axis=0))
            ),
            expect_link="library",
        ),
        Twin(
            "myopic",
            "every stage acts as the last one does",
            run=partial(run, solver=myopic),
            expect_link="attained",
        ),
        Twin(
            "other_walks",
            "the advantages are weighed by where the other policy goes",
            run=partial(run, walker="other"),
            expect_link="difference",
        ),
    ),
)
"""Tight: every link but `dominates` is an equality, and that one is attained by the best policy."""
