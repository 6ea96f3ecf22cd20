"""Solve a model written as arrays, and prove the answer in exact rational arithmetic.

A machine is new, worn or broken; each month it is run, or replaced by a new one for a price.
"""

import numpy as np

from mdptheory import TabularMDP, solve
from mdptheory.certificates import check


def main() -> None:
    """Print the optimal plan, and what the independent checker says about it."""
    run = [[0.8, 0.2, 0.0], [0.0, 0.7, 0.3], [0.0, 0.0, 1.0]]
    replace = [[1.0, 0.0, 0.0]] * 3
    P = np.stack([run, replace], axis=1)  # P[s, a, s']
    r = np.array([[10.0, -5.0], [7.0, -5.0], [0.0, -5.0]])  # r[s, a], thousands a month
    mdp = TabularMDP.from_dense(
        P,
        r,
        gamma=0.95,
        state_names=["new", "worn", "broken"],
        action_names=["run", "replace"],
    )

    solution = solve(mdp, tol=1e-8)
    for s in range(mdp.n_states):
        action = mdp.action_label(int(solution.policy[s]))
        print(f"{mdp.state_label(s):<12} worth {solution.v[s]:9.4f}: {action}")

    verified = check(solution.certificate, mdp, exact=True)
    print(solution.convergence.status.value)
    print(f"proved: the optimal value lies in an interval of width {float(verified.gap):.1e}")


if __name__ == "__main__":
    main()
