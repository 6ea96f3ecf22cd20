"""Solve a Gymnasium environment and draw its optimal policy (needs the extra ``gym``)."""

import gymnasium as gym

from mdptheory import solve
from mdptheory.io import from_gymnasium

ARROWS = "←↓→↑"  # Gymnasium's order of actions


def main() -> None:
    """Print the lake with an arrow on each safe field."""
    env = gym.make("FrozenLake-v1", map_name="8x8")
    mdp = from_gymnasium(env, gamma=0.99)
    solution = solve(mdp, tol=1e-9)
    lake = env.unwrapped.desc.astype(str)  # type: ignore[attr-defined]
    n_rows, n_columns = lake.shape
    for row in range(n_rows):
        fields = []
        for column in range(n_columns):
            action = int(solution.policy[row * n_columns + column])
            fields.append("·" if lake[row, column] in "HG" else ARROWS[action])
        print(" ".join(fields), "  ", "".join(lake[row]))
    print(f"chance of a discounted arrival from the start: {solution.v[0]:.6f}")
    print(f"certified error: {solution.convergence.error_bound:.1e}")


if __name__ == "__main__":
    main()
