"""Ambiguity sets for a model, and what nature's worst row is, one `worst_case` at a time."""

import numpy as np

from mdptheory import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    EVaRSet,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    TabularMDP,
    WassersteinBall,
    WeightedL1Ball,
    worst_case,
)


def kernels(mdp: TabularMDP, count: int, rng: np.random.Generator) -> np.ndarray:
    """Sparse kernels, zero where an action is not available."""
    n = mdp.n_states
    out = rng.integers(0, 3, (count, n, mdp.n_actions, n)).astype(float)
    out[..., 0] += 1.0
    out /= out.sum(axis=-1, keepdims=True)
    return out * np.isfinite(mdp.table(mdp.reward))[None, :, :, None]


def bounds(mdp: TabularMDP, rng: np.random.Generator) -> IntervalSet:
    P = kernels(mdp, 1, rng)[0]
    width = rng.uniform(0, 0.3, P.shape) * (P.sum(axis=-1, keepdims=True) > 0)
    return IntervalSet(np.maximum(P - width, 0.0), np.minimum(P + width, 1.0))


def listed_bounds(mdp: TabularMDP, width: float) -> IntervalSet:
    return IntervalSet(
        np.maximum(mdp.prob - width, 0.0), np.minimum(mdp.prob + width, 1.0), mdp.row_ptr
    )


def sets(mdp: TabularMDP, seed: int = 0) -> dict[str, object]:
    """One set of each kind, with radii a number, a state and a pair."""
    rng = np.random.default_rng(seed)
    n, m = mdp.n_states, mdp.n_actions
    weights, cost = rng.uniform(0.5, 2.0, n), rng.integers(0, 4, (n, n)).astype(float)
    np.fill_diagonal(cost, 0.0)
    pair, state = rng.choice([0.0, 0.05, 0.3, 1.0], (n, m)), rng.choice([0.0, 0.2, 2.0], n)
    out: dict[str, object] = {}
    for support in ("nominal", "all"):
        out |= {
            f"L1 {support}": L1Ball(pair, support),
            f"WL1 {support}": WeightedL1Ball(state, weights, support),
            f"Linf {support}": LinfBall(pair, support),
            f"L2 {support}": L2Ball(state, support),
            f"Burg {support}": BurgBall(pair, support),
            f"contamination {support}": ContaminationSet(pair, support),
        }
    return out | {
        "L1 huge": L1Ball(np.inf, "all"),
        "KL": KLBall(pair),
        "EVaR": EVaRSet(np.exp(-pair)),
        "CVaR": CVaRSet(rng.choice([0.05, 0.5, 1.0], (n, m))),
        "chi2": ChiSquareBall(state),
        "Wasserstein": WassersteinBall(pair, cost),
        "interval": bounds(mdp, rng),
        "interval listed": listed_bounds(mdp, 0.2),
        "finite": FiniteSet(kernels(mdp, 4, rng), coupled=False),
    }


def one_row(ambiguity, mdp: TabularMDP, s: int, a: int):
    """The set of one pair, over all states."""
    if isinstance(ambiguity, IntervalSet):
        if ambiguity.row_ptr is None:
            return IntervalSet(ambiguity.lower[s, a], ambiguity.upper[s, a])
        lower, upper = np.zeros(mdp.n_states), np.zeros(mdp.n_states)
        row = mdp.row_of(s, a)
        some = slice(int(mdp.row_ptr[row]), int(mdp.row_ptr[row + 1]))
        lower[mdp.next_state[some]] = ambiguity.lower[some]
        upper[mdp.next_state[some]] = ambiguity.upper[some]
        return IntervalSet(lower, upper)
    if isinstance(ambiguity, FiniteSet):
        return FiniteSet(ambiguity.rows[:, s, a])
    fields = {k: getattr(ambiguity, k) for k in type(ambiguity).__dataclass_fields__}
    for name in ("radius", "alpha", "fraction"):
        if name in fields and np.ndim(fields[name]):
            fields[name] = float(
                fields[name][s] if np.ndim(fields[name]) == 1 else fields[name][s, a]
            )
    return type(ambiguity)(**fields)


def slow(mdp: TabularMDP, ambiguity, v: np.ndarray, nature: str = "adversarial") -> np.ndarray:
    """Table of robust action values by a plain loop."""
    q = np.full((mdp.n_states, mdp.n_actions), -np.inf)
    for s in range(mdp.n_states):
        for k in range(int(mdp.choice_ptr[s]), int(mdp.choice_ptr[s + 1])):
            a, p = int(mdp.action[k]), np.zeros(mdp.n_states)
            some = slice(int(mdp.row_ptr[k]), int(mdp.row_ptr[k + 1]))
            p[mdp.next_state[some]] = mdp.prob[some]
            z, pays = mdp.gamma * v, mdp.reward[k]
            if mdp.transition_reward is not None:
                pays = 0.0
                z = z + 0.0
                z[mdp.next_state[some]] += mdp.transition_reward[some]
            one = one_row(ambiguity, mdp, s, a)
            q[s, a] = pays + worst_case(p, z, one, nature=nature).value
    return q
