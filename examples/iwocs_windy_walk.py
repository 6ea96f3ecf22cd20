"""Walk against a wind of unknown strength: a robust policy from a handful of ordinary solves."""

import numpy as np

from mdptheory.algorithms import IWOCSOptions, MonteCarlo, iwocs
from mdptheory.environments import windy_walk, windy_walk_family

STEPS = {"north": (-1, 0), "south": (1, 0), "east": (0, 1), "west": (0, -1)}


def drawing(policy: np.ndarray) -> str:
    """Draw the grid with the way that the policy takes if every move succeeds."""
    mdp = windy_walk()
    assert mdp.state_names is not None
    assert mdp.action_names is not None
    picture = np.full(36, ".")
    for s, name in enumerate(mdp.state_names):
        picture[s] = "#" if name.startswith("wall") else picture[s]
    row, column = 0, 0
    while mdp.state_names[6 * row + column] != "G":
        picture[6 * row + column] = "*"
        move = STEPS[mdp.action_names[policy[6 * row + column]]]
        row, column = row + move[0], column + move[1]
    picture[[0, 5]] = "S", "G"
    return "\n".join("  " + "".join(line) for line in picture.reshape(6, 6))


def main() -> None:
    """Print bounds and ways, for the exact and the simulated search for the worst wind."""
    family = windy_walk_family()  # 25 strengths from 0 to 0.5
    walk, winds = windy_walk(0.0), family.ambiguity(coupled=True)

    result = iwocs(walk, winds)
    wind = family.alphas[0]
    for i, step in enumerate(result.history):
        print(f"planned for wind {wind:.3f}: {step.lower:.4f} <= robust value <= {step.upper:.4f}")
        wind = family.alphas[result.kernels_found[step.kernel_id]]
        print(f"  worst wind for policy {i}: {wind:.3f}")
    print(f"{result.status.value}\nthe robust way:\n{drawing(result.best_policy)}")

    calm = iwocs(walk, windy_walk_family([0.0]).ambiguity(coupled=True))
    print(f"without wind:\n{drawing(calm.best_policy)}")

    for selection in ("nature_greedy", "hull"):
        options = IWOCSOptions(selection=selection)
        by_pair = iwocs(walk, family.ambiguity(coupled=False), options=options)
        print(f"{selection}, a wind for each pair: {by_pair.lower:.4f} ({by_pair.status.name})")

    options = IWOCSOptions(evaluator=MonteCarlo(n_rollouts=300, horizon=10_000))
    noisy = iwocs(walk, winds, options=options, tol=1.0, rng=0)
    last = noisy.history[-1]
    print(f"simulated: {last.lower:.2f} (standard error {last.standard_error:.2f})")


if __name__ == "__main__":
    main()
