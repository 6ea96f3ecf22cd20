"""Slow second routes: rational arithmetic, enumeration, linear programs, histories.

Nothing here calls a solver, an operator or a kernel of the library: only the stored rows are read.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from typing import NamedTuple

import numpy as np

from mdptheory import FiniteHorizon, TabularMDP
from mdptheory._typing import FloatArray, IntArray


class Row(NamedTuple):
    """One state-action row in exact arithmetic."""

    action: int
    reward: Fraction
    successors: tuple[tuple[int, Fraction], ...]


def exact_rows(mdp: TabularMDP, stage: int = 0) -> list[list[Row]]:
    """Return the rows of each state as the fractions that the stored floats are."""
    block = stage * mdp.n_states if mdp.n_stages > 1 else 0
    table = []
    for s in range(mdp.n_states):
        first, last = (int(mdp.choice_ptr[block + s + i]) for i in (0, 1))
        table.append([_exact_row(mdp, k) for k in range(first, last)])
    return table


def _exact_row(mdp: TabularMDP, k: int) -> Row:
    span = range(int(mdp.row_ptr[k]), int(mdp.row_ptr[k + 1]))
    successors = tuple((int(mdp.next_state[i]), Fraction(float(mdp.prob[i]))) for i in span)
    return Row(int(mdp.action[k]), Fraction(float(mdp.reward[k])), successors)


def dense_rows(mdp: TabularMDP, stage: int = 0) -> tuple[FloatArray, FloatArray]:
    """Return ``P[s, a, s']`` and ``r[s, a]``; an unavailable action has ``r = -inf``."""
    P = np.zeros((mdp.n_states, mdp.n_actions, mdp.n_states))
    r = np.full((mdp.n_states, mdp.n_actions), -np.inf)
    for s, rows in enumerate(exact_rows(mdp, stage)):
        for row in rows:
            r[s, row.action] = float(row.reward)
            for t, p in row.successors:
                P[s, row.action, t] += float(p)
    return P, r


def policy_matrix(mdp: TabularMDP, policy: IntArray | FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return ``P_pi[s, s']`` and ``r_pi[s]`` of ``policy[s]`` or ``pi[s, a]``."""
    P, r = dense_rows(mdp)
    weights = np.asarray(policy)
    if weights.ndim == 1:
        states, chosen = np.arange(mdp.n_states), weights.astype(np.int64)
        return P[states, chosen], r[states, chosen]
    kernel: FloatArray = np.einsum("sa,sat->st", weights, P)
    reward: FloatArray = (weights * np.where(weights > 0, r, 0.0)).sum(axis=1)
    return kernel, reward


def dense_policy_value(mdp: TabularMDP, policy: IntArray | FloatArray) -> FloatArray:
    """Return ``(I - gamma P_pi)^-1 r_pi`` by a dense solve."""
    P, r = policy_matrix(mdp, policy)
    return np.asarray(np.linalg.solve(np.eye(mdp.n_states) - mdp.gamma * P, r), dtype=np.float64)


def solve_exactly(matrix: list[list[Fraction]], right: list[Fraction]) -> list[Fraction]:
    """Solve a square linear system in rational arithmetic (Gauss-Jordan elimination)."""
    n = len(right)
    rows = [[*line, b] for line, b in zip(matrix, right, strict=True)]
    for column in range(n):
        pivot = next(i for i in range(column, n) if rows[i][column] != 0)
        rows[column], rows[pivot] = rows[pivot], rows[column]
        inverse = 1 / rows[column][column]
        rows[column] = [x * inverse for x in rows[column]]
        for i in range(n):
            factor = rows[i][column]
            if i != column and factor != 0:
                rows[i] = [x - factor * y for x, y in zip(rows[i], rows[column], strict=True)]
    return [line[n] for line in rows]


def exact_chain_value(
    chosen: Sequence[Row], gamma: Fraction, end: Sequence[bool]
) -> list[Fraction]:
    """Value of the Markov chain of ``chosen`` rows; states marked ``end`` are worth 0."""
    n = len(chosen)
    matrix = [[Fraction(int(i == j)) for j in range(n)] for i in range(n)]
    right = [Fraction(0)] * n
    for s, row in enumerate(chosen):
        if end[s]:
            continue
        right[s] = row.reward
        for t, p in row.successors:
            matrix[s][t] -= gamma * p
    return solve_exactly(matrix, right)


def exact_policy_value(mdp: TabularMDP, policy: Sequence[int] | IntArray) -> list[Fraction]:
    """Value of a deterministic policy of a discounted model, exactly."""
    chosen = [
        next(row for row in rows if row.action == int(a))
        for rows, a in zip(exact_rows(mdp), policy, strict=True)
    ]
    return exact_chain_value(chosen, Fraction(mdp.gamma), [False] * mdp.n_states)


def exact_backup(row: Row, gamma: Fraction, v: Sequence[Fraction]) -> Fraction:
    """Return ``r + gamma p @ v`` of one row, exactly."""
    return row.reward + gamma * sum((p * v[t] for t, p in row.successors), Fraction(0))


def exact_policy_iteration(mdp: TabularMDP) -> tuple[list[Fraction], list[int], int]:
    """Optimal value, an optimal policy and the number of improvements, all in fractions."""
    table, gamma = exact_rows(mdp), Fraction(mdp.gamma)
    chosen, improvements = [rows[0] for rows in table], 0
    while True:
        v = exact_chain_value(chosen, gamma, [False] * len(table))
        best = [max(rows, key=lambda row: exact_backup(row, gamma, v)) for rows in table]
        better = [b if exact_backup(b, gamma, v) > v[s] else chosen[s] for s, b in enumerate(best)]
        if better == chosen:
            return v, [row.action for row in chosen], improvements
        chosen, improvements = better, improvements + 1


def optimal_value(mdp: TabularMDP) -> FloatArray:
    """Optimal value of a discounted model, exact up to one rounding per state."""
    return as_floats(exact_policy_iteration(mdp)[0])


def as_floats(values: Sequence[Fraction]) -> FloatArray:
    """Round fractions to float64."""
    return np.array([float(x) for x in values])


def all_policies(mdp: TabularMDP) -> Iterator[tuple[int, ...]]:
    """Yield every deterministic stationary policy."""
    return product(*[[row.action for row in rows] for rows in exact_rows(mdp)])


def best_of_all_policies(mdp: TabularMDP) -> FloatArray:
    """Statewise maximum of the value over every deterministic policy (discounted)."""
    policies = np.array(list(all_policies(mdp)))
    P, r = dense_rows(mdp)
    states = np.arange(mdp.n_states)
    matrices = np.eye(mdp.n_states) - mdp.gamma * P[states, policies]
    values = np.linalg.solve(matrices, r[states, policies][..., None])[..., 0]
    return values.max(axis=0)


def linear_program_value(mdp: TabularMDP) -> FloatArray:
    """Return the least ``v`` with ``v >= r + gamma P v`` for every row, by scipy's HiGHS."""
    from scipy.optimize import linprog

    left, right = [], []
    for s, rows in enumerate(exact_rows(mdp)):
        for row in rows:
            line = np.zeros(mdp.n_states)
            for t, p in row.successors:
                line[t] += mdp.gamma * float(p)
            line[s] -= 1.0
            left.append(line)
            right.append(-float(row.reward))
    answer = linprog(np.ones(mdp.n_states), A_ub=np.array(left), b_ub=right, bounds=(None, None))
    if not answer.success:
        raise RuntimeError(f"the linear program ended with: {answer.message}")
    return np.asarray(answer.x)


# ---- finite horizon ---------------------------------------------------------------------------


def horizon_of(mdp: TabularMDP) -> tuple[FiniteHorizon, list[list[list[Row]]], list[Fraction]]:
    """Return the objective, the rows of each stage and the terminal reward."""
    goal = mdp.objective
    if not isinstance(goal, FiniteHorizon):
        raise TypeError(f"objective is {goal!r}; expected FiniteHorizon")
    stages = [exact_rows(mdp, h) for h in range(goal.horizon)]
    terminal = np.zeros(mdp.n_states) if goal.terminal is None else goal.terminal
    return goal, stages, [Fraction(float(x)) for x in terminal]


def expectimax(mdp: TabularMDP) -> FloatArray:
    """Best value over history-dependent policies: the game tree, walked without memory."""
    goal, stages, terminal = horizon_of(mdp)
    gamma = Fraction(goal.gamma)

    def best(stage: int, s: int) -> Fraction:
        if stage == goal.horizon:
            return terminal[s]
        return max(
            row.reward
            + gamma * sum((p * best(stage + 1, t) for t, p in row.successors), Fraction(0))
            for row in stages[stage][s]
        )

    return as_floats([best(0, s) for s in range(mdp.n_states)])


def all_stage_policies(mdp: TabularMDP) -> Iterator[IntArray]:
    """Yield every deterministic Markov policy ``policy[h, s]``."""
    goal, stages, _ = horizon_of(mdp)
    options = [[row.action for row in rows] for stage in stages for rows in stage]
    for choice in product(*options):
        yield np.array(choice).reshape(goal.horizon, mdp.n_states)


def stage_policy_value(mdp: TabularMDP, policy: IntArray) -> FloatArray:
    """Value ``v[h, s]`` of a deterministic Markov policy, by its definition."""
    goal, stages, terminal = horizon_of(mdp)
    gamma, v = Fraction(goal.gamma), [terminal]
    for h in reversed(range(goal.horizon)):
        chosen = [
            next(row for row in rows if row.action == int(policy[h, s]))
            for s, rows in enumerate(stages[h])
        ]
        v.insert(0, [exact_backup(row, gamma, v[0]) for row in chosen])
    return np.array([as_floats(values) for values in v])


History = tuple[int, ...]


def history_policy_values(mdp: TabularMDP, start: int) -> Iterator[Fraction]:
    """Yield the value from ``start`` of every deterministic history-dependent policy.

    A policy assigns an action to every history ``(s_0, a_0, s_1, ..., s_h)``. The number of
    policies grows doubly exponentially: keep to two states, two actions and two steps.
    """
    goal, stages, terminal = horizon_of(mdp)
    gamma = Fraction(goal.gamma)
    histories = list(_histories(stages, start))
    options = [stages[len(h) // 2][h[-1]] for h in histories]

    def value(history: History, plan: dict[History, Row]) -> Fraction:
        if len(history) // 2 == goal.horizon:
            return terminal[history[-1]]
        row = plan[history]
        follow = ((p, value((*history, row.action, t), plan)) for t, p in row.successors)
        return row.reward + gamma * sum((p * x for p, x in follow), Fraction(0))

    for choice in product(*options):
        yield value((start,), dict(zip(histories, choice, strict=True)))


def _histories(stages: list[list[list[Row]]], start: int) -> Iterator[History]:
    level: list[History] = [(start,)]
    for stage in stages:
        yield from level
        level = [
            (*history, row.action, t)
            for history in level
            for row in stage[history[-1]]
            for t, p in row.successors
            if p > 0
        ]


# ---- total reward until the last state is reached ------------------------------------------------


def chosen_rows(mdp: TabularMDP, policy: Sequence[int] | IntArray) -> list[Row]:
    """Return the row that the policy uses in each state."""
    return [
        next(row for row in rows if row.action == int(a))
        for rows, a in zip(exact_rows(mdp), policy, strict=True)
    ]


def is_proper(chosen: Sequence[Row]) -> bool:
    """Tell whether the last state can be reached from every state."""
    reached = {len(chosen) - 1}
    for _ in chosen:
        reached |= {
            s
            for s, row in enumerate(chosen)
            if any(p > 0 and t in reached for t, p in row.successors)
        }
    return len(reached) == len(chosen)


def exact_total(chosen: Sequence[Row]) -> list[Fraction]:
    """Value of a proper policy's rows until the last state is reached."""
    end = [s == len(chosen) - 1 for s in range(len(chosen))]
    return exact_chain_value(chosen, Fraction(1), end)


def count_steps(chosen: Sequence[Row]) -> list[Fraction]:
    """Return the expected steps of a proper policy's rows until the last state is reached."""
    return exact_total([row._replace(reward=Fraction(1)) for row in chosen])


def best_proper(mdp: TabularMDP) -> tuple[list[Fraction], list[Fraction]]:
    """Return the statewise best value, and most expected steps, of all proper policies."""
    every = [chosen_rows(mdp, policy) for policy in all_policies(mdp)]
    proper = [chosen for chosen in every if is_proper(chosen)]
    values = [exact_total(chosen) for chosen in proper]
    steps = [count_steps(chosen) for chosen in proper]
    return [max(x) for x in zip(*values, strict=True)], [max(x) for x in zip(*steps, strict=True)]
