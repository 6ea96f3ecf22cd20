"""A stochastic shortest path, written as a function instead of arrays.

A robot on a floor of 12 x 12 tiles wants to reach the door in the corner. It slips sideways with
probability 0.2, and every step costs 1.
"""

import numpy as np

from mdptheory import TabularMDP, TotalReward, solve
from mdptheory.certificates import check

SIZE = 12
DOOR = SIZE * SIZE - 1


def step(s, a):  # type: ignore[no-untyped-def]
    """Return the next tile in direction ``a`` (0 up, 1 right, 2 down, 3 left), or stay put."""
    row, column = s // SIZE, s % SIZE
    row = min(max(row + (a == 2) - (a == 0), 0), SIZE - 1)
    column = min(max(column + (a == 1) - (a == 3), 0), SIZE - 1)
    return row * SIZE + column


def main() -> None:
    """Print the expected number of steps from each tile of the first row."""
    from numba import njit

    move = njit(step)

    def transitions(s, a):  # type: ignore[no-untyped-def]
        if s == DOOR:
            return np.array([s]), np.array([1.0]), 0.0
        tiles = np.array([move(s, a), move(s, (a + 1) % 4), move(s, (a + 3) % 4)])
        return tiles, np.array([0.8, 0.1, 0.1]), -1.0

    mdp = TabularMDP.from_function(transitions, SIZE * SIZE, 4, objective=TotalReward())
    solution = solve(mdp, tol=1e-8)
    steps = -solution.v.reshape(SIZE, SIZE)
    print("expected steps from the first row:", *(f"{x:.2f}" for x in steps[0]))
    verified = check(solution.certificate, mdp, exact=True)
    print(f"proved within {float(verified.gap):.1e}; the policy reaches the door for sure")


if __name__ == "__main__":
    main()
