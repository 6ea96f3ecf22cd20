"""MacQueen's bounds against nature: what one sweep of a robust operator says about its optimum."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from mdptheory import RobustSolution, TabularMDP
from mdptheory._typing import FloatArray
from mdptheory.models.ambiguity import RowAmbiguity
from mdptheory.operators.robust import robust_bellman
from mdptheory.solvers import robust_value_iteration
from mdptheory.theory import Chain, Check, Link, Provenance, Twin, case
from mdptheory.theory.chain import Checks
from proofs_checks._cases import altered, random_values, reward_span, span, sup, value_width
from proofs_checks._robust_games import Opponent, is_game, random_game
from proofs_checks._robust_twins import friendly

STEPS = 3  # applications of L in the unrolled link
Sweep = Callable[[Opponent, FloatArray], FloatArray]


@case
class Case:
    """A game, two value vectors, a constant and a tolerance.

    Attributes
    ----------
    mdp : TabularMDP
        A discounted model.
    ambiguity : RowAmbiguity
        Where nature picks each row from.
    u, v : array of shape (n_states,)
        Any values; the bounds are those at ``v``.
    shift : float
        Any constant.
    tol : float
        Tolerance handed to the library's robust value iteration.
    """

    mdp: TabularMDP
    ambiguity: RowAmbiguity
    u: FloatArray
    v: FloatArray
    shift: float
    tol: float


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The operator at the case's vectors, what follows, and the truth.

    Attributes
    ----------
    case : Case
        The instance.
    opponent : Opponent
        The game in plain loops.
    tu, t_shifted, t_lower : array of shape (n_states,)
        The operator L at ``u``, at ``v + shift`` and at ``min(u, v)``.
    later : array of shape (1 + STEPS, n_states)
        ``L v, L^2 v, ...``
    v_star : array of shape (n_states,)
        Robust optimal value.
    solution : RobustSolution
        What the library's robust value iteration returned.
    """

    case: Case
    opponent: Opponent
    tu: FloatArray
    t_shifted: FloatArray
    t_lower: FloatArray
    later: FloatArray
    v_star: FloatArray
    solution: RobustSolution

    @property
    def gamma(self) -> float:
        """Discount factor."""
        return self.case.mdp.gamma

    @property
    def weight(self) -> float:
        """``gamma / (1 - gamma)``."""
        return self.gamma / (1 - self.gamma)

    @property
    def tv(self) -> FloatArray:
        """``L v``."""
        return np.asarray(self.later[0])

    @property
    def step(self) -> FloatArray:
        """Return ``d = L v - v``."""
        return self.tv - self.case.v

    @property
    def width(self) -> float:
        """Size of the values at hand, the scale of order checks."""
        given = (self.case.u, self.case.v, self.case.v + self.case.shift)
        return value_width(self.case.mdp, *given)


def sample(rng: np.random.Generator) -> Case:
    """Draw a game, and vectors: random, near the optimum, or apart by a constant."""
    mdp, ambiguity = random_game(rng)
    v = random_values(rng, mdp.n_states)
    if rng.integers(4):
        truth, error = Opponent.of(mdp, ambiguity).optimum(), (1 - mdp.gamma) / 2 * v
        v = truth + error * int(rng.integers(8) > 0) + float(rng.integers(-2, 3)) / 4
    u = v + float(rng.integers(1, 9)) / 4
    if rng.integers(4):
        u = random_values(rng, mdp.n_states)
    shift, tol = float(rng.integers(-8, 9)) / 4, float(rng.choice([1.0, 0.1, 1e-3]))
    return Case(mdp, ambiguity, u, v, shift, tol)


def run(case: Case, sweep: Sweep = Opponent.top) -> Trace:
    """Apply the operator, unroll a few steps, and solve."""
    opponent = Opponent.of(case.mdp, case.ambiguity)
    later = [sweep(opponent, case.v)]
    for _ in range(STEPS):
        later.append(sweep(opponent, later[-1]))
    return Trace(
        case,
        opponent,
        tu=sweep(opponent, case.u),
        t_shifted=sweep(opponent, case.v + case.shift),
        t_lower=sweep(opponent, np.minimum(case.u, case.v)),
        later=np.array(later),
        v_star=opponent.optimum(),
        solution=robust_value_iteration(case.mdp, case.ambiguity, tol=case.tol),
    )


def admissible(case: Case) -> bool:
    """Tell whether the game is small and moderate, whatever its numbers."""
    values = (case.u, case.v, np.array([case.shift]))
    return 1e-6 <= case.tol <= 10 and is_game(case.mdp, case.ambiguity, *values)


# ---- links --------------------------------------------------------------------------------------


def shifts(trace: Trace) -> Checks:
    """Constants shift: L(v + c 1) = L v + gamma c 1."""
    moved = trace.tv + trace.gamma * trace.case.shift
    return Check.equal(trace.t_shifted, moved, scale=trace.width)


def monotone(trace: Trace) -> Checks:
    """Order is kept: w = min(u, v) <= v implies L w <= L v."""
    return Check.nonpositive(trace.t_lower - trace.tv, scale=trace.width)


def contracts(trace: Trace, power: int = 1) -> Checks:
    """Bound |L u - L v| by gamma |u - v|."""
    distance = sup(trace.case.u - trace.case.v)
    return Check(sup(trace.tu - trace.tv), trace.gamma**power * distance, trivial=distance)


def routes_agree(trace: Trace) -> Checks:
    """Apply L to v* by maximising dual problems in plain NumPy: it gives v*."""
    scale = max(trace.width, 1e-3)
    again = trace.opponent.by_duals(trace.v_star)
    return Check.equal(again, trace.v_star, slack=1e-7 * scale, scale=scale)


def next_step(trace: Trace) -> Checks:
    """Bound L(L v) - L v between gamma min d and gamma max d."""
    gain, gamma = trace.later[1] - trace.tv, trace.gamma
    return (
        Check.worst(gain, gamma * trace.step.max(), scale=trace.width),
        Check.worst(-gain, -gamma * trace.step.min(), scale=trace.width),
    )


def unrolled(trace: Trace) -> Checks:
    """Sum the steps: L^{k+1} v - L v lies between (gamma + .. + gamma^k) times min d and max d."""
    k = np.arange(1, STEPS + 1)[:, None]
    weight = trace.gamma * (1 - trace.gamma**k) / (1 - trace.gamma)
    gain = trace.later[1:] - trace.tv
    return (
        Check.worst(gain, weight * trace.step.max(), scale=trace.width),
        Check.worst(-gain, -weight * trace.step.min(), scale=trace.width),
    )


def upper(trace: Trace, pick: Callable[[FloatArray], float] = np.max) -> Checks:
    """v* <= L v + gamma/(1-gamma) max d."""
    above = trace.tv + trace.weight * pick(trace.step)
    return Check.nonpositive(trace.v_star - above, scale=trace.width)


def lower(trace: Trace, pick: Callable[[FloatArray], float] = np.min) -> Checks:
    """v* >= L v + gamma/(1-gamma) min d."""
    below = trace.tv + trace.weight * pick(trace.step)
    return Check.nonpositive(below - trace.v_star, scale=trace.width)


def narrower(trace: Trace, *, weighted: bool = True) -> Checks:
    """Find the bounds at L v within those at v."""
    weight = trace.weight if weighted else 1.0
    d, following = trace.step, trace.later[1] - trace.tv
    above = trace.later[1] + weight * following.max() - (trace.tv + weight * d.max())
    below = trace.tv + weight * d.min() - (trace.later[1] + weight * following.min())
    return (
        Check.nonpositive(above, scale=trace.width),
        Check.nonpositive(below, scale=trace.width),
    )


def midpoint(trace: Trace, factor: float = 0.5) -> Checks:
    """Bound the midpoint's error by gamma/(2(1-gamma)) span(d)."""
    middle = (trace.step.min() + trace.step.max()) / 2
    error = sup(trace.tv + trace.weight * middle - trace.v_star)
    prior = reward_span(trace.case.mdp) / (2 * (1 - trace.gamma))
    return Check(error, factor * trace.weight * span(trace.step), trivial=prior)


def sup_norm(trace: Trace, *, weighted: bool = True) -> Checks:
    """Bound |L v - v*| by gamma/(1-gamma) |d|, which the span bounds imply."""
    weight = trace.weight if weighted else 1.0
    return Check(sup(trace.tv - trace.v_star), weight * sup(trace.step))


def library(trace: Trace) -> Checks:
    """Hold the library's step to L v, its answer to its error bound, and that to the tolerance."""
    case, solution, width = trace.case, trace.solution, max(trace.width, 1e-3)
    one = robust_bellman(case.mdp, case.ambiguity, case.v)
    bound = solution.convergence.error_bound
    return (
        *Check.equal(one.value, trace.opponent.top(case.v), scale=width),
        Check(sup(solution.v - trace.v_star), bound),
        Check.nonpositive(solution.certificate.lower - trace.v_star, scale=width),
        Check.nonpositive(trace.v_star - solution.certificate.upper, scale=width),
        Check(bound, case.tol),
    )


# ---- broken versions ----------------------------------------------------------------------------


def gauss_seidel(opponent: Opponent, v: FloatArray) -> FloatArray:
    """Sweep in place, so that later states see new values."""
    w = v.copy()
    for s in range(len(v)):
        w[s] = opponent.top(w)[s]
    return w


def signed_rows(opponent: Opponent, v: FloatArray) -> FloatArray:
    """Let nature add signed rows of L1 norm 1/2: ``p.v - span(v)/4``, not a contraction."""
    game = opponent.game
    return game.best(game.reward + game.gamma * (game.rows @ v - 0.25 * span(v)))


def undiscounted(opponent: Opponent, v: FloatArray) -> FloatArray:
    """Forget gamma on the way back."""
    return opponent.top(v / opponent.game.gamma)


def friendly_top(opponent: Opponent, v: FloatArray) -> FloatArray:
    """Let nature maximise."""
    game = opponent.game
    return game.best(game.worst(opponent.sets, game.worth(v), friendly)[0])


def kindest(trace: Trace) -> FloatArray:
    """Return the optimum against a nature that maximises: a wrong reference."""
    v = trace.v_star
    for _ in range(400):
        v = friendly_top(trace.opponent, v)
    return v


def step_as_error(trace: Trace) -> Checks:
    """Stop when the step is below the tolerance."""
    tol, v = trace.case.tol, np.zeros(trace.case.mdp.n_states)
    for _ in range(1000):
        following = trace.opponent.top(v)
        if sup(following - v) <= tol:
            break
        v = following
    return Check(sup(following - trace.v_star), tol)


CHAIN = Chain(
    id="robust_core.stopping",
    title="MacQueen's bounds enclose the robust optimal value",
    source="derived for robust operators; for ordinary ones MacQueen 1966, Porteus 1971",
    statement=(
        "L v(s) = max_a min_q r + gamma q.v is monotone, moves with constants and contracts. With d"
        " = Lv - v: Lv + gamma/(1-gamma) min d <= v* <= Lv + gamma/(1-gamma) max d; these bounds"
        " narrow from sweep to sweep, and the midpoint errs by at most gamma/(2(1-gamma)) span(d)."
    ),
    provenance=Provenance.DERIVED,
    sample=sample,
    run=run,
    admissible=admissible,
    second_route="v* by a loop over worst_case, confirmed by dual problems in plain NumPy",
    links=(
        Link("shift", "L(v + c1) = Lv + gamma c1", shifts),
        Link("monotone", "min(u, v) <= v => L min(u, v) <= Lv", monotone),
        Link("contraction", "|Lu - Lv| <= gamma |u - v|", contracts),
        Link("routes", "v* = L v*, with dual problems", routes_agree),
        Link("next_step", "gamma min d <= L(Lv) - Lv <= gamma max d", next_step),
        Link("unrolled", "(g + .. + g^k) min d <= L^{k+1}v - Lv <= (g + .. + g^k) max d", unrolled),
        Link("upper", "v* <= Lv + gamma/(1-gamma) max d", upper),
        Link("lower", "v* >= Lv + gamma/(1-gamma) min d", lower),
        Link("narrower", "the bounds at Lv lie within those at v", narrower),
        Link("midpoint", "|midpoint - v*| <= gamma/(2(1-gamma)) span(d)", midpoint),
        Link("sup_norm", "|Lv - v*| <= gamma/(1-gamma) |d|", sup_norm),
        Link("library", "|robust_value_iteration - v*| <= its error_bound <= tol", library),
    ),
    twins=(
        Twin(
            "gauss_seidel",
            "d comes from an in-place (Gauss-Seidel) sweep",
            run=partial(run, sweep=gauss_seidel),
            expect_link=("next_step", "unrolled", "lower", "narrower"),
        ),
        Twin(
            "signed_rows",
            "nature's rows may be negative (SignedLpBall): no contraction",
            run=partial(run, sweep=signed_rows),
            expect_link=("monotone", "contraction", "next_step", "unrolled", "lower"),
        ),
        Twin(
            "undiscounted",
            "the operator forgets gamma",
            run=partial(run, sweep=undiscounted),
            expect_link=("shift", "contraction", "next_step"),
        ),
        Twin(
            "friendly",
            "nature maximises",
            run=partial(run, sweep=friendly_top),
            expect_link=("lower", "midpoint", "sup_norm"),
        ),
        Twin(
            "wrong_reference",
            "the optimum against a nature that maximises stands for the robust one",
            run=altered(run, v_star=kindest),
            expect_link=("routes", "upper", "library"),
        ),
        Twin(
            "swapped",
            "min d and max d change places",
            links={"upper": partial(upper, pick=np.min), "lower": partial(lower, pick=np.max)},
            expect_link=("upper", "lower"),
        ),
        Twin(
            "unweighted",
            "the factor gamma/(1-gamma) is replaced by 1",
            links={
                "narrower": partial(narrower, weighted=False),
                "sup_norm": partial(sup_norm, weighted=False),
            },
            expect_link=("narrower", "sup_norm"),
        ),
        Twin(
            "gamma_squared",
            "the modulus is claimed to be gamma^2",
            links={"contraction": partial(contracts, power=2)},
            expect_link="contraction",
        ),
        Twin(
            "quarter_span",
            "the midpoint's error is claimed to be half as large",
            links={"midpoint": partial(midpoint, factor=0.25)},
            expect_link="midpoint",
        ),
        Twin(
            "step_as_error",
            "the library is said to stop when a step is below the tolerance",
            links={"library": step_as_error},
            expect_link="library",
        ),
    ),
)
"""Tight: values that differ by a constant from each other or from v*; the midpoint's bound where
two absorbing states take the extremes of d."""
