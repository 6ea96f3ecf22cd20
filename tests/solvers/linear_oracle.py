"""Linear MDPs planned from the definitions: nature by a conic solver, loops in plain Python."""

import numpy as np

from mdptheory.models import ChiSquarePenalty, KLBall, KLPenalty, LinearMDP, TVBall, TVPenalty

TINY = {  # kind: ambiguity of a level
    "tv ball": TVBall,
    "kl ball": KLBall,
    "tv penalty": TVPenalty,
    "kl penalty": KLPenalty,
    "chi2 penalty": ChiSquarePenalty,
}


def random_rows(rng, *shape):
    """Distributions of small integer weights: zeros and deterministic rows are common."""
    weights = rng.integers(0, 3, size=shape)
    weights[..., 0] += weights.sum(axis=-1) == 0
    return weights / weights.sum(axis=-1, keepdims=True)


def tiny_mdp(seed, *, n_states=3, n_actions=2, n_factors=2, horizon=2, stepwise=False) -> LinearMDP:
    rng = np.random.default_rng(seed)
    lead = (horizon,) if stepwise else ()
    phi = random_rows(rng, *lead, n_states, n_actions, n_factors)
    theta = rng.integers(0, 5, size=(horizon, n_factors)) / 4
    mu = random_rows(rng, horizon, n_factors, n_states)
    return LinearMDP(phi, theta, mu, random_rows(rng, n_states))


def sigma(v, m, ambiguity, level):
    """Nature's least worth of one factor by a conic program."""
    import cvxpy as cp

    inside = m > 0
    mu, objective, rules = cp.Variable(m.size, nonneg=True), 0.0, []
    if isinstance(ambiguity, TVBall | TVPenalty):
        distance = cp.norm1(mu - m) / 2
    else:
        rules = [mu[np.flatnonzero(~inside)] == 0] if not inside.all() else []
        chosen, given = mu[np.flatnonzero(inside)], m[inside]
        if isinstance(ambiguity, ChiSquarePenalty):
            distance = cp.sum(cp.multiply(1 / given, cp.square(chosen - given)))
        else:
            distance = cp.sum(cp.kl_div(chosen, given))
    if isinstance(ambiguity, TVBall | KLBall):
        rules.append(distance <= level)
    else:
        objective = level * distance
    problem = cp.Problem(cp.Minimize(mu @ v + objective), [cp.sum(mu) == 1, *rules])
    return problem.solve(solver=cp.CLARABEL)


def slow_plan(mdp, ambiguity, level, tau=0.0, reference=None, pi=None):
    """Values by loops; the best policy's if none is given."""
    v = np.zeros((mdp.horizon + 1, mdp.n_states))
    for h in reversed(range(mdp.horizon)):
        rows = mdp.mu[h]
        nu = [m @ v[h + 1] if level is None else sigma(v[h + 1], m, ambiguity, level) for m in rows]
        for s in range(mdp.n_states):
            q = mdp.known.phi_at(h)[s] @ (mdp.known.theta[h] + nu)
            if pi is not None:
                used = np.flatnonzero(pi[h, s])
                p = pi[h, s][used]
                v[h, s] = p @ (q[used] - tau * np.log(p / reference[used]))
            else:
                v[h, s] = tau * np.log(reference @ np.exp(q / tau)) if tau else max(q)
    return v
