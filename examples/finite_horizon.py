"""Plan for a finite horizon: what is best depends on the time that is left."""

import numpy as np

from mdptheory import FiniteHorizon, solve
from mdptheory.environments import riverswim

HORIZON = 20


def main() -> None:
    """Print from which state on it pays to swim upstream, by the number of steps left."""
    stationary = riverswim()
    mdp = stationary.with_objective(FiniteHorizon(HORIZON))
    solution = solve(mdp)
    print(f"v has shape {solution.v.shape}, policy {solution.policy.shape}")
    print("steps left   action in each state   value at the left bank")
    for h in range(0, HORIZON, 3):
        actions = " ".join(str(a) for a in solution.policy[h])
        print(f"{HORIZON - h:>10}   {actions:<20}   {solution.v[h, 0]:10.3f}")
    discounted = solve(stationary)
    same = np.array_equal(solution.policy[0], discounted.policy)
    print(f"the first action agrees with the discounted plan in every state: {same}")
    print(f"rounding error at most {solution.convergence.error_bound:.1e}")


if __name__ == "__main__":
    main()
