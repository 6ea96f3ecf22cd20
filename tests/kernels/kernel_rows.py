"""Row sets as the kernels take them, and what the kernels compute, in slow NumPy."""

from typing import NamedTuple

import numpy as np

SIZES = (1, 2, 5, 8, 13)


class Rows(NamedTuple):
    """Read-only rows: state s owns ``choice_ptr[s]:choice_ptr[s + 1]``."""

    choice_ptr: np.ndarray
    row_ptr: np.ndarray
    next_state: np.ndarray
    prob: np.ndarray
    reward: np.ndarray

    @property
    def n(self) -> int:
        return len(self.choice_ptr) - 1

    @property
    def n_rows(self) -> int:
        return len(self.reward)

    def of(self, s: int) -> range:
        return range(int(self.choice_ptr[s]), int(self.choice_ptr[s + 1]))

    def kernel(self) -> np.ndarray:
        """Dense ``P[row, successor]``."""
        P = np.zeros((self.n_rows, self.n))
        for row in range(self.n_rows):
            for k in range(int(self.row_ptr[row]), int(self.row_ptr[row + 1])):
                P[row, self.next_state[k]] += self.prob[k]
        return P


def build(n: int, table: list[list[tuple[float, dict[int, float]]]], *, wide: bool = False) -> Rows:
    """Pack ``table[s] = [(reward, {successor: probability}), ...]``."""
    rows = [row for choices in table for row in choices]
    arrays = (
        np.cumsum([0, *map(len, table)]).astype(np.uint64),
        np.cumsum([0, *(len(p) for _, p in rows)]).astype(np.uint64),
        np.array([t for _, p in rows for t in p], dtype=np.uint64 if wide else np.uint32),
        np.array([x for _, p in rows for x in p.values()], dtype=np.float64),
        np.array([r for r, _ in rows], dtype=np.float64),
    )
    for array in arrays:
        array.setflags(write=False)
    assert len(table) == n
    return Rows(*arrays)


def random_rows(seed: int, n: int, *, most: int = 4, branching: int = 3, wide=False) -> Rows:
    """Ragged rows of eighths and small integer rewards: all sums are exact and ties are common."""
    rng = np.random.default_rng(seed)
    table = []
    for _ in range(n):
        choices = []
        for _ in range(rng.integers(1, most + 1)):
            size = int(rng.integers(1, min(branching, n) + 1))
            where = np.sort(rng.choice(n, size, replace=False)).tolist()
            cuts = np.sort(rng.choice(np.arange(1, 8), size - 1, replace=False))
            eighths = np.diff(np.concatenate(([0], cuts, [8]))) / 8
            choices.append((float(rng.integers(-1, 2)), dict(zip(where, eighths, strict=True))))
        table.append(choices)
    return build(n, table, wide=wide)


def full_rows(seed: int, n: int, *, most: int = 3) -> Rows:
    """Ragged rows that store every state, zeros too."""
    rng = np.random.default_rng(seed)
    table = []
    for _ in range(n):
        p = rng.dirichlet(np.ones(n), size=int(rng.integers(1, most + 1)))
        p[0] = np.eye(n)[rng.integers(n)]
        table.append([(float(rng.normal()), dict(enumerate(q))) for q in p])
    return build(n, table)


def one_row_each(seed: int, n: int, *, branching: int = 3) -> Rows:
    return random_rows(seed, n, most=1, branching=branching)


def greedy(rows: Rows, gamma: float, v: np.ndarray):
    """Return each row's value, each state's best value and the first row that attains it."""
    q = rows.reward + gamma * (rows.kernel() @ v)
    best = np.array([max(rows.of(s), key=lambda row: (q[row], -row)) for s in range(rows.n)])
    return q, q[best], best


def whole_numbers(seed: int, n: int) -> np.ndarray:
    v = np.random.default_rng(seed).integers(-4, 5, size=n).astype(np.float64)
    v.setflags(write=False)
    return v
