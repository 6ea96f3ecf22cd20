"""Nature improves on every row at once: each ordinary solve brings the value closer by gamma."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory import Discounted, TabularMDP
from mdptheory._typing import BoolArray, FloatArray, IntArray
from mdptheory.algorithms import IWOCSResult
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered, build, reward_span, value_width
from proofs_checks._iwocs_families import (
    RULES,
    Board,
    are_family,
    board_of,
    given,
    in_fields,
    kernels_in_turn,
    promised,
    random_family,
    run_iwocs,
    spoiled,
)

NATURE_GREEDY, PUBLISHED = 3, 0
LIMIT = 8  # steps of the plain loop; it ends earlier, when no row changes
Reply = Callable[[Board, IntArray, FloatArray], IntArray]


@case
class Case:
    """Models whose rows nature mixes.

    Attributes
    ----------
    mdp, other : TabularMDP
        Discounted models with the same rewards; the first is the first kernel.
    third : TabularMDP, optional
        One more.
    """

    mdp: TabularMDP
    other: TabularMDP
    third: TabularMDP | None

    @property
    def models(self) -> list[TabularMDP]:
        """All models."""
        return given(self.mdp, self.other, self.third)


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Nature's kernels in turn, their optimal values, and the policies they suggest.

    Attributes
    ----------
    case : Case
        The instance.
    board : Board
        Every policy against every kernel.
    kernels : list of int
        T_0, T_1, ..., until no row changes.
    w : array of shape (i, n_states)
        ``W_i``, the optimal value of T_i, by trying every policy.
    lw : array of shape (i, n_states)
        ``L W_i``, one step of the robust operator.
    own : array of shape (i, n_states)
        Worst value of the policy rho_i that is robustly greedy at W_i, over all kernels.
    v : array of shape (n_states,)
        Robust optimal value, max over policies of the min over kernels.
    result : IWOCSResult
        The library's.
    """

    case: Case
    board: Board
    kernels: list[int]
    w: FloatArray
    lw: FloatArray
    own: FloatArray
    v: FloatArray
    result: IWOCSResult

    @property
    def gamma(self) -> float:
        """Discount factor."""
        return self.board.pair.gamma

    @property
    def errors(self) -> FloatArray:
        """Return ``e_i``, the largest error of W_i."""
        return np.asarray(np.abs(self.w - self.v).max(axis=1))

    @property
    def width(self) -> float:
        """Size of the values at hand, the scale of order checks."""
        return value_width(self.case.mdp)


def sample(rng: np.random.Generator) -> Case:
    """Draw a family, one on which the published rule stalls, or one that is tight."""
    fixed, drawn = (promised, spoiled), (trap, one_by_one, *[random_family] * 4)
    kind = int(rng.integers(len(fixed) + len(drawn)))
    return Case(*in_fields(fixed[kind]() if kind < 2 else drawn[kind - 2](rng)))


def trap(rng: np.random.Generator) -> list[TabularMDP]:
    """Draw the tight instance: nature may close the way out, and staying costs.

    At W_0, where the way out is open, to stay and leave later seems as good as to leave now for
    nothing, up to one part in a thousand; the policy stays and pays for ever.
    """
    gamma, paid = float(rng.choice([0.5, 0.75, 0.9])), float(rng.integers(1, 5)) / 4
    cost = 0.999 * gamma**2 / (1 - gamma) * paid
    stay, rest = (1, 0, 0), [[((0, 1, 0), paid)], [((0, 0, 1), 0.0)]]
    return [
        build([[(stay, -cost), (end, 0.0)], *rest], Discounted(gamma))
        for end in ((0, 1, 0), (0, 0, 1))
    ]


def one_by_one(rng: np.random.Generator) -> list[TabularMDP]:
    """Draw the instance with the slowest contraction: a bad news needs a step to reach state 0.

    State 1 leads to the best state, or the worst; state 0 to one that is all but as good as state
    1, or to state 1. Only when state 1 has become worse does nature send state 0 there.
    """
    gamma = float(rng.choice([0.5, 0.75, 0.9]))
    eye = np.eye(5).tolist()
    rest = [(eye[2], 1.0), (eye[3], 0.0), (eye[4], 0.999 * gamma)]
    return [
        build([[(eye[a], 0.0)], [(eye[b], 0.0)], *([arm] for arm in rest)], Discounted(gamma))
        for a, b in ((4, 2), (1, 3))
    ]


def improve(board: Board, kernel: IntArray, w: FloatArray) -> IntArray:
    """Reply with the worst option of each row; an option that is as bad stays."""
    return _changed(board, kernel, w, np.ones(len(kernel), dtype=np.bool_))


def improve_where_used(board: Board, kernel: IntArray, w: FloatArray) -> IntArray:
    """Reply only on the rows that the robustly greedy policy uses."""
    used = np.zeros(len(kernel), dtype=np.bool_)
    used[board.greedy(board.pair.worth(w).min(axis=0))] = True
    return _changed(board, kernel, w, used)


def help_out(board: Board, kernel: IntArray, w: FloatArray) -> IntArray:
    """Reply with the best option of each row."""
    return board.pair.worth(w).argmax(axis=0)


def _changed(board: Board, kernel: IntArray, w: FloatArray, where: BoolArray) -> IntArray:
    worth = board.pair.worth(w)
    now, least = worth[kernel, np.arange(len(kernel))], worth.min(axis=0)
    gains = where & (now > least + 1e-11 * (1.0 + np.abs(least)))
    return np.where(gains, board.reply(w), kernel)


def run(case: Case, *, reply: Reply = improve, coupled: bool = False) -> Trace:
    """Let nature improve her kernel in plain loops until no row changes."""
    board = board_of(*case.models)
    choice = np.zeros_like(board.choices[0])
    kernels = [board.index(choice)]
    for _ in range(LIMIT):
        choice = reply(board, choice, board.optimal[kernels[-1]])
        if board.index(choice) == kernels[-1]:
            break
        kernels.append(board.index(choice))
    w = board.optimal[kernels]
    robust_q = [board.pair.worth(each).min(axis=0) for each in w]
    n = w.shape[1]
    v = board.robust(board.everything)
    if coupled:
        members = [board.index(np.full_like(choice, k)) for k in range(len(case.models))]
        v = board.values[:, members].min(axis=1).max(axis=0)
    return Trace(
        case,
        board,
        kernels=kernels,
        w=w,
        lw=np.array([board.top(q) for q in robust_q]),
        own=np.array([board.least(board.greedy(q), board.everything) for q in robust_q]),
        v=v,
        result=run_iwocs(case.models, RULES[NATURE_GREEDY], np.full(n, 1.0 / n)),
    )


def admissible(case: Case) -> bool:
    """Tell whether the models belong together and can be enumerated."""
    return case.mdp.transition_reward is None and are_family(*case.models)


# ---- links --------------------------------------------------------------------------------------


def one_step(trace: Trace) -> Checks:
    """L W_i <= L_{T_i} W_i = W_i."""
    return Check.nonpositive(trace.lw - trace.w, scale=trace.width)


def next_below(trace: Trace) -> Checks:
    """W_{i+1} <= L W_i, since L_{T_{i+1}} W_i = L W_i <= W_i; nothing if there is no next."""
    if len(trace.w) < 2:
        return ()
    return Check.nonpositive(trace.w[1:] - trace.lw[:-1], scale=trace.width)


def above(trace: Trace) -> Checks:
    """W_i >= V*_U, since T_i is one of nature's kernels."""
    return Check.nonpositive(trace.v - trace.w, scale=trace.width)


def contracts(trace: Trace, power: int = 1) -> Checks:
    """Bound e_{i+1} by gamma e_i; W_{i+1} <= W_i alone gives e_i."""
    if len(trace.w) < 2:
        return ()
    e = trace.errors
    return Check.worst(e[1:], trace.gamma**power * e[:-1], trivial=e[:-1])


def rate(trace: Trace, *, horizon: bool = True) -> Checks:
    """Bound e_i by gamma^{i+1} (largest - smallest reward)/(1-gamma).

    One gamma more than for rewards of transitions: W_0 - V*_U is at most what the policy that is
    optimal for T_0 loses to nature, and its first reward is the same.
    """
    size = reward_span(trace.case.mdp) / ((1 - trace.gamma) if horizon else 1.0)
    return Check.worst(trace.errors, trace.gamma ** np.arange(1, len(trace.w) + 1) * size)


def candidate(trace: Trace, factor: float = 1.0) -> Checks:
    """Bound V*_U - V^{rho_i}_U by gamma psi_i/(1-gamma), psi_i = |L W_i - W_i|."""
    psi = np.abs(trace.lw - trace.w).max(axis=1)
    lost = (trace.v - trace.own).max(axis=1)
    return Check.worst(lost, factor * trace.gamma / (1 - trace.gamma) * psi)


def gap(trace: Trace, *, horizon: bool = True) -> Checks:
    """Bound W_i - V^{rho_i}_U by e_i/(1-gamma)."""
    apart = (trace.w - trace.own).max(axis=1)
    return Check.worst(apart, trace.errors / ((1 - trace.gamma) if horizon else 1.0))


def ends(trace: Trace) -> Checks:
    """Find W = V*_U when no row changes."""
    if len(trace.kernels) > LIMIT:
        return ()
    return Check.equal(trace.w[-1], trace.v, scale=trace.width)


def library(trace: Trace) -> Checks:
    """Hold the library's kernels to the plain ones, and its bounds to V*_U."""
    board, result = trace.board, trace.result
    found = kernels_in_turn(board, result)[:-1]
    mean = float(trace.v.mean())
    return (
        *Check.equal(board.optimal[found], trace.w[: len(found)], scale=trace.width),
        *Check.equal([result.upper, result.lower], [mean, mean], scale=trace.width),
    )


# ---- broken versions ----------------------------------------------------------------------------


def friendly_step(trace: Trace) -> FloatArray:
    """Return one step in which nature picks the best rows."""
    board = trace.board
    return np.array([board.top(board.pair.worth(w).max(axis=0)) for w in trace.w])


def published(trace: Trace) -> IWOCSResult:
    """Run the published rule instead."""
    n = trace.w.shape[1]
    return run_iwocs(trace.case.models, RULES[PUBLISHED], np.full(n, 1.0 / n))


CHAIN = Chain(
    id="iwocs.nature_greedy",
    title="Nature's policy iteration contracts by gamma",
    source="derived; Hoffman and Karp 1966 on nature's side",
    statement=(
        "With W_i = V*_{T_i} and T_{i+1} worst at W_i for every (s, a): V*_U <= W_{i+1} <= L W_i"
        " <= W_i, hence e_{i+1} <= gamma e_i for e_i = |W_i - V*_U|; rho_i robustly greedy at W_i"
        " has W_i - V^{rho_i}_U <= e_i/(1-gamma)."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="enumeration of all policies and kernels",
    links=(
        Link("one_step", "L W_i <= W_i", one_step),
        Link("next_below", "W_{i+1} <= L W_i", next_below),
        Link("above", "V*_U <= W_i", above),
        Link("contracts", "e_{i+1} <= gamma e_i", contracts),
        Link("rate", "e_i <= gamma^{i+1} (r_max - r_min)/(1-gamma), rewards r(s, a)", rate),
        Link("candidate", "V*_U - V^{rho_i}_U <= gamma |L W_i - W_i|/(1-gamma)", candidate),
        Link("gap", "W_i - V^{rho_i}_U <= e_i/(1-gamma)", gap),
        Link("ends", "W = V*_U when no row changes", ends),
        Link("library", "iwocs goes through the same kernels to V*_U", library),
    ),
    twins=(
        Twin(
            "helpful",
            "nature picks the best row of each pair",
            run=partial(run, reply=help_out),
            expect_link=("next_below", "contracts", "ends"),
        ),
        Twin(
            "used_pairs_only",
            "nature changes only the rows that the greedy policy uses",
            run=partial(run, reply=improve_where_used),
            expect_link=("next_below", "contracts"),
        ),
        Twin(
            "friendly_step",
            "L lets nature pick the best rows",
            run=altered(run, lw=friendly_step),
            expect_link="one_step",
        ),
        Twin(
            "coupled",
            "the robust value is that of a nature that must pick one model for all pairs",
            run=partial(run, coupled=True),
            expect_link=("above", "ends", "library"),
        ),
        Twin(
            "gamma_squared",
            "the error is claimed to shrink by gamma^2",
            links={"contracts": partial(contracts, power=2)},
            expect_link="contracts",
        ),
        Twin(
            "no_horizon",
            "the factors 1/(1-gamma) are dropped",
            links={"rate": partial(rate, horizon=False), "gap": partial(gap, horizon=False)},
            expect_link=("rate", "gap"),
        ),
        Twin(
            "half_residual",
            "the policy is claimed to lose half of gamma/(1-gamma) psi at most",
            links={"candidate": partial(candidate, factor=0.5)},
            expect_link="candidate",
        ),
        Twin(
            "published",
            "the library follows the published rule",
            run=altered(run, result=published),
            expect_link="library",
        ),
    ),
)
"""Tight: `one_by_one`, where the largest error moves on by one state (contraction); a policy that
is paid the most for ever until nature sends it to where the least is paid (rate); `trap`, where the
first policy pays for ever (loss and gap)."""
