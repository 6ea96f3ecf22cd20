"""No duality gap, and the saddle point of a policy and a kernel that certify each other."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mdptheory import Discounted, RobustSolution, TabularMDP
from mdptheory._typing import FloatArray, IntArray
from mdptheory.certificates import check
from mdptheory.errors import InvalidCertificateError
from mdptheory.models.ambiguity import KLBall, L1Ball, RowAmbiguity
from mdptheory.solvers import robust_solve
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered, build, value_width
from proofs_checks._oracles import dense_policy_value, optimal_value
from proofs_checks._robust_games import (
    GAMMAS,
    Opponent,
    Pair,
    are_paired,
    both,
    policies_of,
    random_pair,
)
from proofs_checks._robust_oracles import Game, excess

INSIDE = 1e-9  # how far a row may be outside of its set, in the set's own distance


@case
class Case:
    """Two models with the same rewards, whose rows nature mixes, and a radius around the first.

    Attributes
    ----------
    mdp, other : TabularMDP
        Discounted models; the rewards are the first one's.
    radius : float
        Of the L1 and the KL balls around the first model's rows.
    """

    mdp: TabularMDP
    other: TabularMDP
    radius: float


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Every policy against every kernel, and what the library makes of it.

    Attributes
    ----------
    case : Case
        The instance.
    pair : Pair
        The rows that nature chooses from.
    values : array of shape (n_policies, m, n_states)
        Value of each deterministic policy under each kernel.
    v : array of shape (n_states,)
        ``max_pi min_T`` of these.
    rows : array of shape (n_rows, n_states)
        The kernel of worst rows at ``v``, for every action.
    policy : array of int of shape (n_states,)
        Greedy at ``v`` under these rows.
    solutions : dict of RobustSolution
        The library's, for the two rows, an L1 ball and a KL ball.
    truth : dict of arrays of shape (n_states,)
        Robust values by loops over ``worst_case``.
    """

    case: Case
    pair: Pair
    values: FloatArray
    v: FloatArray
    rows: FloatArray
    policy: IntArray
    solutions: dict[str, RobustSolution]
    truth: dict[str, FloatArray]

    @property
    def width(self) -> float:
        """Size of the values at hand, the scale of order checks."""
        return value_width(self.case.mdp)


def all_sets(case: Case) -> dict[str, RowAmbiguity]:
    """Build the sets on which the library's saddle points are checked."""
    return {
        "finite": both(case.mdp, case.other),
        "l1": L1Ball(case.radius, "all"),
        "kl": KLBall(case.radius),
    }


def sample(rng: np.random.Generator) -> Case:
    """Draw two small models, or the guess that no policy wins against a coupled nature."""
    mdp, other = guess(rng) if rng.integers(8) == 0 else random_pair(rng)
    return Case(mdp, other, float(rng.choice([0.05, 0.1, 0.25])))


def guess(rng: np.random.Generator) -> tuple[TabularMDP, TabularMDP]:
    """Draw the instance with a gap: one of two doors leads to 1 for ever, nature knows which."""
    goal = Discounted(float(rng.choice(np.asarray(GAMMAS))))
    good, bad = (0, 1, 0), (0, 0, 1)
    return tuple(  # type: ignore[return-value]
        build([[(a, 0.0), (b, 0.0)], [(good, 1.0)], [(bad, 0.0)]], goal)
        for a, b in ((good, bad), (bad, good))
    )


Reply = Callable[[Pair, FloatArray], FloatArray]


def worst_rows(pair: Pair, v: FloatArray) -> FloatArray:
    """Return the kernel of worst rows at ``v``, for every action."""
    return pair.reply(v)


def run(case: Case, *, coupled: bool = False, reply: Reply = worst_rows) -> Trace:
    """Enumerate policies and kernels; the twins couple the kernels or let nature reply badly."""
    pair = Pair.of(case.mdp, case.other)
    kernels = pair.kernels(coupled=coupled)
    values = np.array([pair.values(kernels, policy) for policy in policies_of(case.mdp)])
    v = values.min(axis=1).max(axis=0)
    rows = reply(pair, v)
    sets = all_sets(case)
    return Trace(
        case,
        pair,
        values=values,
        v=v,
        rows=rows,
        policy=pair.best(rows, v)[1],
        solutions={name: robust_solve(case.mdp, one, tol=1e-10) for name, one in sets.items()},
        truth={name: Opponent.of(case.mdp, one).optimum() for name, one in sets.items()},
    )


def admissible(case: Case) -> bool:
    """Tell whether the models are small and belong together, with a sensible radius."""
    return are_paired(case.mdp, case.other) and 1e-3 <= case.radius <= 1.0


# ---- links --------------------------------------------------------------------------------------


def no_gap(trace: Trace) -> Checks:
    """max_pi min_T = min_T max_pi, in every state."""
    nature_last = trace.values.min(axis=1).max(axis=0)
    nature_first = trace.values.max(axis=0).min(axis=0)
    return Check.equal(nature_last, nature_first, scale=trace.width)


def fixed_point(trace: Trace) -> Checks:
    """Take one optimal step at v under the worst rows at v: it gives v."""
    return Check.equal(trace.pair.best(trace.rows, trace.v)[0], trace.v, scale=trace.width)


def nature_side(trace: Trace) -> Checks:
    """Find no policy that earns more than v under that kernel."""
    best = [trace.pair.values(trace.rows[None], p)[0] for p in policies_of(trace.case.mdp)]
    return Check.equal(np.max(best, axis=0), trace.v, scale=trace.width)


def agent_side(trace: Trace) -> Checks:
    """Find no kernel that holds the policy below v; and that kernel holds it to v."""
    kernels = trace.pair.kernels()
    own = trace.pair.values(kernels, trace.policy).min(axis=0)
    here = trace.pair.values(trace.rows[None], trace.policy)[0]
    return (
        *Check.equal(own, trace.v, scale=trace.width),
        *Check.equal(here, trace.v, scale=trace.width),
    )


def routes_agree(trace: Trace) -> Checks:
    """Compare enumeration with the loop over ``worst_case``."""
    return Check.equal(trace.truth["finite"], trace.v, scale=trace.width)


def inside(trace: Trace) -> Iterator[Check]:
    """Hold every row of the library's worst cases to its set."""
    game, sets = Game.of(trace.case.mdp), all_sets(trace.case)
    for name, solution in trace.solutions.items():
        rows = Game.of(solution.worst_case).rows
        if name == "finite":
            off = np.abs(trace.pair.options - rows).max(axis=2).min(axis=0)
        else:
            pairs = zip(game.rows, rows, strict=True)
            off = np.array([excess(p, q[None], sets[name])[0] for p, q in pairs])
        yield Check.nonpositive(off, scale=1.0, slack=INSIDE)


def library(trace: Trace) -> Iterator[Check]:
    """V*_{T*} = v*, V^{pi*}_{T*} = v*, and pi* against any nature gets v*, set by set."""
    scale = max(trace.width, 1e-3)
    for name, solution in trace.solutions.items():
        truth = trace.truth[name]
        board = Opponent.of(trace.case.mdp, all_sets(trace.case)[name])
        held = board.only(trace.case.mdp.policy_rows(solution.policy)).optimum()
        saddle = (
            solution.v,
            optimal_value(solution.worst_case),
            dense_policy_value(solution.worst_case, solution.policy),
            held,
        )
        for found in saddle:
            yield from Check.equal(found, truth, slack=1e-7 * scale, scale=scale)


def certified(trace: Trace, raised: float = 0.0) -> Iterator[Check]:
    """Let the independent checker accept every certificate, with the truth within its bounds."""
    slack = 1e-7 * max(trace.width, 1e-3)
    for name, solution in trace.solutions.items():
        claim, truth = solution.certificate, trace.truth[name]
        claim = replace(claim, lower=claim.lower + raised)
        try:
            gap = check(claim, trace.case.mdp).gap
        except InvalidCertificateError:
            gap = np.inf
        yield Check.nonpositive(gap - 1e-9, scale=1.0)
        yield Check.nonpositive(claim.lower - truth, slack=slack, scale=trace.width)
        yield Check.nonpositive(truth - claim.upper, slack=slack, scale=trace.width)


# ---- broken versions ----------------------------------------------------------------------------


def chosen_only(pair: Pair, v: FloatArray) -> FloatArray:
    """Store nature's reply for the actions of the policy alone; elsewhere the first model's."""
    rows = pair.reply(v)
    used = pair.weights(pair.best(rows, v)[1]).sum(axis=0)
    return np.where(used[:, None] > 0, rows, pair.options[0])


def friendly_rows(pair: Pair, v: FloatArray) -> FloatArray:
    """Reply with the best rows."""
    return pair.reply(v, friendly=True)


def first_actions(trace: Trace) -> IntArray:
    """Act by the first action everywhere."""
    mdp = trace.case.mdp
    return np.asarray(mdp.action[mdp.choice_ptr[:-1]])


def best_kernels(trace: Trace) -> dict[str, FloatArray]:
    """Return optimal values of the first model: wrong references."""
    return {name: optimal_value(trace.case.mdp) for name in trace.truth}


def too_wide(trace: Trace) -> dict[str, RobustSolution]:
    """Solve with the radius doubled, and the two rows' game with an L1 ball."""
    mdp, radius = trace.case.mdp, 2 * trace.case.radius
    wide: dict[str, RowAmbiguity] = {
        "finite": L1Ball(radius, "all"),
        "l1": L1Ball(radius, "all"),
        "kl": KLBall(radius),
    }
    return {name: robust_solve(mdp, one, tol=1e-10) for name, one in wide.items()}


CHAIN = Chain(
    id="robust_core.saddle",
    title="Policy and nature have a saddle point when she picks each row by itself",
    source=(
        "Zouitine et al. 2024 (arXiv:2410.06212), after Wiesemann et al. 2013, Proposition 9;"
        " proof derived"
    ),
    statement=(
        "If nature picks each row by itself, max_pi min_T V^pi_T = min_T max_pi V^pi_T = v* in"
        " every state, over deterministic stationary policies. The kernel T* of worst rows at v*,"
        " for every action, has V*_{T*} = v*, and a policy greedy at v* has V^{pi*}_{T*} = v*."
    ),
    provenance=Provenance.PAPER,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="enumeration of policies and kernels; for balls a loop over worst_case",
    links=(
        Link("fixed_point", "max_a T*(s, a).(r + gamma v*) = v*(s)", fixed_point),
        Link("nature_side", "V*_{T*} = v*", nature_side),
        Link("agent_side", "min_T V^{pi*}_T = V^{pi*}_{T*} = v*", agent_side),
        Link("no_gap", "max_pi min_T V^pi_T = min_T max_pi V^pi_T", no_gap),
        Link("routes", "enumeration = loop over worst_case", routes_agree),
        Link("inside", "the library's worst rows are in their sets", inside),
        Link("library", "robust_solve's policy and worst case certify each other", library),
        Link("certified", "the checker accepts the library's certificates", certified),
    ),
    twins=(
        Twin(
            "coupled",
            "nature must pick one of the two models for all pairs",
            run=partial(run, coupled=True),
            expect_link=("fixed_point", "nature_side", "agent_side", "no_gap", "routes"),
        ),
        Twin(
            "chosen_only",
            "nature's rows are stored for the chosen actions only",
            run=partial(run, reply=chosen_only),
            expect_link=("fixed_point", "nature_side"),
        ),
        Twin(
            "friendly",
            "the best rows are stored instead of the worst ones",
            run=partial(run, reply=friendly_rows),
            expect_link=("fixed_point", "nature_side", "agent_side"),
        ),
        Twin(
            "first_actions",
            "the policy takes the first action everywhere",
            run=altered(run, policy=first_actions),
            expect_link="agent_side",
        ),
        Twin(
            "idle",
            "the optimal value of the first model stands for the robust one",
            run=altered(run, truth=best_kernels),
            expect_link=("routes", "library"),
        ),
        Twin(
            "too_wide",
            "the library solves with twice the radius",
            run=altered(run, solutions=too_wide),
            expect_link=("inside", "library"),
        ),
        Twin(
            "raised",
            "the certificates' lower bounds are raised by 1e-3",
            links={"certified": partial(certified, raised=1e-3)},
            expect_link="certified",
        ),
    ),
)
"""Tight: equalities."""
