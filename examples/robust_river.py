"""Decide from fifteen observations how far upstream it is worth while to fight the current."""

import numpy as np

from mdptheory import solve
from mdptheory.certificates import check
from mdptheory.environments import riverswim20
from mdptheory.models import L1Ball
from mdptheory.operators import policy_value
from mdptheory.solvers import robust_solve

TRUE_RIVER = (0.2, 0.3, 0.5)  # drift back, hold, advance: unknown to the swimmer
TRIALS, RIVERS = 15, 1000


def main() -> None:
    """Plan with the estimated river and against nature; compare over rivers the data allow."""
    rng = np.random.default_rng(0)
    seen = rng.multinomial(TRIALS, TRUE_RIVER)
    belief = seen + 1.0  # Dirichlet, from a uniform prior
    estimate = riverswim20(swim=tuple(belief / belief.sum()))
    rivers = [riverswim20(swim=tuple(swim)) for swim in rng.dirichlet(belief, RIVERS)]
    print(f"{TRIALS} strokes seen: {seen[0]} back, {seen[1]} held, {seen[2]} on")

    plans = {"nominal": solve(estimate).policy}
    for radius in (0.1, 0.2):
        solution = robust_solve(estimate, L1Ball(radius, support="nominal"))
        proof = check(solution.certificate, estimate, exact=True)
        assert proof.gap < 1e-5
        plans[f"robust, radius {radius}"] = solution.policy

    print(f"{'plan':<20} {'swims from':>10} {'mean':>8} {'worst tenth':>12}")
    for name, policy in plans.items():
        worth = np.array([policy_value(river, policy).mean() for river in rivers])
        worst = np.sort(worth)[: RIVERS // 10].mean()
        start = np.flatnonzero(policy)[0]
        print(f"{name:<20} {start:>10} {worth.mean():>8.1f} {worst:>12.1f}")


if __name__ == "__main__":
    main()
