"""Optimal values in rational arithmetic, by dense elimination and enumeration: slow and sure."""

import itertools
from fractions import Fraction

from mdptheory import FiniteHorizon, TabularMDP, TotalReward
from mdptheory.models import absorbing_states

Vector = list[Fraction]


def dense_rows(mdp: TabularMDP, stage: int = 0):
    """List ``(action, reward, {successor: probability})`` a state, from the stored floats."""
    table = []
    for state in range(mdp.n_states):
        block = stage * mdp.n_states + state if mdp.n_stages > 1 else state
        rows = range(mdp.choice_ptr[block], mdp.choice_ptr[block + 1])
        table.append([])
        for row in rows:
            span = range(mdp.row_ptr[row], mdp.row_ptr[row + 1])
            successors = {int(mdp.next_state[k]): Fraction(float(mdp.prob[k])) for k in span}
            table[-1].append((int(mdp.action[row]), Fraction(float(mdp.reward[row])), successors))
    return table


def solve_exactly(matrix: list[Vector], right: Vector) -> Vector | None:
    """Gauss-Jordan elimination; None for a singular matrix."""
    n = len(right)
    rows = [[*line, b] for line, b in zip(matrix, right, strict=True)]
    for column in range(n):
        pivot = next((i for i in range(column, n) if rows[i][column] != 0), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [x / rows[column][column] for x in rows[column]]
        for i in range(n):
            if i != column and rows[i][column] != 0:
                factor = rows[i][column]
                rows[i] = [x - factor * y for x, y in zip(rows[i], rows[column], strict=True)]
    return [row[-1] for row in rows]


def backup(gamma: Fraction, row, v: Vector) -> Fraction:
    _, reward, successors = row
    return reward + gamma * sum(p * v[t] for t, p in successors.items())


def discounted(mdp: TabularMDP) -> Vector:
    """Policy iteration in rational arithmetic."""
    table, gamma = dense_rows(mdp), Fraction(mdp.gamma)
    chosen = [rows[0] for rows in table]
    while True:
        v = policy_value(chosen, gamma)
        assert v is not None
        best = [max(rows, key=lambda row: backup(gamma, row, v)) for rows in table]
        if all(backup(gamma, row, v) == v[s] for s, row in enumerate(best)):
            return v
        chosen = [row if backup(gamma, row, v) > v[s] else chosen[s] for s, row in enumerate(best)]


def policy_value(chosen, gamma: Fraction, ends: frozenset[int] = frozenset()) -> Vector | None:
    n = len(chosen)
    matrix = [
        [
            Fraction(int(s == t)) - (0 if s in ends else gamma * chosen[s][2].get(t, Fraction(0)))
            for t in range(n)
        ]
        for s in range(n)
    ]
    return solve_exactly(matrix, [Fraction(0) if s in ends else chosen[s][1] for s in range(n)])


def finite_horizon(mdp: TabularMDP) -> list[Vector]:
    """Backward induction in rational arithmetic, stage by stage."""
    goal = mdp.objective
    assert isinstance(goal, FiniteHorizon)
    gamma = Fraction(goal.gamma)
    last = [0.0] * mdp.n_states if goal.terminal is None else goal.terminal.tolist()
    values = [[Fraction(x) for x in last]]
    for h in reversed(range(goal.horizon)):
        table = dense_rows(mdp, h if mdp.n_stages > 1 else 0)
        values.insert(0, [max(backup(gamma, row, values[0]) for row in rows) for rows in table])
    return values


def total_reward(mdp: TabularMDP) -> Vector:
    """Best value over all deterministic policies that reach an absorbing state for sure."""
    table, ends = dense_rows(mdp), frozenset(absorbing_states(mdp).nonzero()[0].tolist())
    best: Vector | None = None
    for chosen in itertools.product(*table):
        if not proper(chosen, ends):
            continue
        v = policy_value(chosen, Fraction(1), ends)
        assert v is not None
        best = v if best is None else [max(a, b) for a, b in zip(best, v, strict=True)]
    assert best is not None
    return best


def proper(chosen, ends: frozenset[int]) -> bool:
    safe = set(ends)
    while True:
        more = {s for s, row in enumerate(chosen) if any(row[2].get(t) for t in safe)} - safe
        if not more:
            return len(safe) == len(chosen)
        safe |= more


def optimal(mdp: TabularMDP):
    """Return the exact optimal value of the stored model."""
    if isinstance(mdp.objective, FiniteHorizon):
        return finite_horizon(mdp)
    return total_reward(mdp) if isinstance(mdp.objective, TotalReward) else discounted(mdp)
