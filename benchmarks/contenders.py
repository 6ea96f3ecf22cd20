"""Who takes part: our solvers and the peers, each as load, solve and the settings to try.

A peer is imported only inside its own process. ``load(problem, setting)`` turns the arrays into the
peer's model; ``solve(model, setting)`` returns its value as an array. ``setting`` is None for the
peer's defaults, else a tolerance in the peer's own sense with its limits on iterations lifted.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.problems import Floats, Problem

TARGET = 1e-6
LADDER = (2e-6, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-12)  # loosest first
MANY = 10_000_000


@dataclass(frozen=True, slots=True)
class Contender:
    """One solver of one package.

    Attributes
    ----------
    name, package : str
        Name in the table and the distribution that pip installs.
    load, solve : callable
        See the module's docstring.
    ladder : tuple of float
        Settings tried in turn until the true error is within the target; empty if the defaults
        are all there is (policy iteration: without its limit it may swap tied actions for ever).
    parallel : bool
        Whether a second thread can help.
    reload : bool
        Whether the peer's model depends on the setting.
    fresh : bool
        Whether the peer's model remembers its last solution and starts from it: then each solve
        gets a newly loaded model, and the loading is not timed.
    suits : callable
        Tells whether the problem is of a size worth trying.
    ours : bool
        Whether this is mdptheory.
    """

    name: str
    package: str
    load: Callable[[Problem, float | None], Any]
    solve: Callable[[Any, float | None], Any]
    ladder: tuple[float, ...] = LADDER
    parallel: bool = False
    reload: bool = False
    fresh: bool = False
    suits: Callable[[Problem], bool] = lambda problem: True
    ours: bool = False


def matrix(problem: Problem) -> Any:
    """Return the transitions as scipy CSR of shape (n_rows, n_states), sharing the arrays."""
    from scipy import sparse

    return sparse.csr_matrix(
        (problem.prob, problem.next_state, problem.row_ptr),
        shape=(problem.n_states * problem.n_actions, problem.n_states),
    )


def is_full(problem: Problem) -> bool:
    """Tell whether every row stores every state."""
    return problem.n_transitions == problem.n_states**2 * problem.n_actions


# ---- mdptheory ---------------------------------------------------------------------------------


def load_ours(problem: Problem, setting: float | None = None) -> Any:
    """Build and validate a `TabularMDP`."""
    from mdptheory import Discounted, TabularMDP

    n_rows = problem.n_states * problem.n_actions
    return TabularMDP(
        choice_ptr=np.arange(0, n_rows + 1, problem.n_actions),
        action=np.tile(np.arange(problem.n_actions, dtype=np.int32), problem.n_states),
        row_ptr=problem.row_ptr,
        next_state=problem.next_state,
        prob=problem.prob,
        reward=problem.reward,
        objective=Discounted(problem.gamma),
        n_states=problem.n_states,
    )


def ours(name: str, **options: Any) -> Contender:
    """Enter the solver of that name; it gets the target as its certified tolerance."""

    def solve(mdp: Any, setting: float | None) -> Any:
        from mdptheory import solvers

        return getattr(solvers, name)(mdp, tol=TARGET if setting is None else setting)

    return Contender(name, "mdptheory", load_ours, solve, (TARGET,), ours=True, **options)


# ---- quantecon ---------------------------------------------------------------------------------


def quantecon(label: str, method: str, **options: Any) -> Contender:
    """Enter one method of ``DiscreteDP``."""

    def load(problem: Problem, setting: float | None) -> Any:
        from quantecon.markov import DiscreteDP

        reward = problem.reward
        shape = (problem.n_states, problem.n_actions)
        if is_full(problem):
            dense = problem.prob.reshape(*shape, problem.n_states)
            return DiscreteDP(reward.reshape(shape), dense, problem.gamma)
        s = np.repeat(np.arange(problem.n_states), problem.n_actions)
        a = np.tile(np.arange(problem.n_actions), problem.n_states)
        return DiscreteDP(reward, matrix(problem), problem.gamma, s, a)

    def solve(model: Any, setting: float | None) -> Any:
        if setting is None:
            return model.solve(method=method).v
        return model.solve(method=method, epsilon=setting, max_iter=MANY, **options).v

    ladder = () if method == "pi" else LADDER
    return Contender(f"quantecon {label}", "quantecon", load, solve, ladder, parallel=True)


# ---- pymdptoolbox ------------------------------------------------------------------------------

DENSE_BYTES = 200e6


def toolbox(label: str, kind: str) -> Contender:
    """Enter one class of ``mdptoolbox.mdp``; its checks belong to loading, a copy is run."""

    def load(problem: Problem, setting: float | None) -> Any:
        import mdptoolbox.mdp

        n_states, n_actions = problem.n_states, problem.n_actions
        rows = matrix(problem)
        per_action: Any = [rows[a::n_actions] for a in range(n_actions)]
        if 8.0 * n_states**2 * n_actions <= DENSE_BYTES:
            per_action = np.stack([m.toarray() for m in per_action])
        arguments: dict[str, Any] = {"max_iter": MANY} if setting is not None else {}
        if setting is not None and kind != "PolicyIteration":
            arguments["epsilon"] = setting
        reward = problem.reward.reshape(n_states, n_actions)
        made = getattr(mdptoolbox.mdp, kind)(per_action, reward, problem.gamma, **arguments)
        if setting is not None:
            made.max_iter = MANY if kind != "PolicyIterationModified" else 10
        return made

    def solve(model: Any, setting: float | None) -> Any:
        import copy

        run = copy.copy(model)
        run.V = None if model.V is None else np.array(model.V)
        run.run()
        return run.V

    small = 2_000  # its checks are dense: half a minute and gigabytes at 10,000 states
    return Contender(
        f"pymdptoolbox {label}", "pymdptoolbox", load, solve,
        ladder=LADDER if kind != "PolicyIteration" else (),
        reload=True, suits=lambda problem: problem.n_states <= small,
    )  # fmt: skip


# ---- mdpsolver ---------------------------------------------------------------------------------


def mdpsolver(algorithm: str) -> Contender:
    """Enter one algorithm of ``mdpsolver.model``; it takes nested Python lists."""

    def load(problem: Problem, setting: float | None) -> Any:
        import mdpsolver as package

        n_states, n_actions, width = problem.n_states, problem.n_actions, problem.branching
        if width:
            shape = (n_states, n_actions, width)
            prob, columns = problem.prob.reshape(shape), problem.next_state.reshape(shape)
            lists = prob.tolist(), columns.tolist()
        else:
            lists = nested(problem, problem.prob), nested(problem, problem.next_state)
        model = package.model()
        model.mdp(
            discount=problem.gamma,
            rewards=problem.reward.reshape(n_states, n_actions).tolist(),
            tranMatProbs=lists[0],
            tranMatColumns=lists[1],
        )
        return model

    def solve(model: Any, setting: float | None) -> Any:
        import os

        parallel = int(os.environ.get("OMP_NUM_THREADS", "1")) > 1
        tolerance = {} if setting is None else {"tolerance": setting}
        model.solve(algorithm=algorithm, parallel=parallel, **tolerance)
        return model

    return Contender(f"mdpsolver {algorithm}", "mdpsolver", load, solve, parallel=True, fresh=True)


def nested(problem: Problem, values: Any) -> list[list[list[Any]]]:
    """Return ragged lists ``[s][a][j]``."""
    flat, ptr = values.tolist(), problem.row_ptr.tolist()
    rows = [flat[a:b] for a, b in itertools.pairwise(ptr)]
    step = problem.n_actions
    return [rows[k : k + step] for k in range(0, len(rows), step)]


# ---- mdplib ------------------------------------------------------------------------------------


def mdplib(kind: str) -> Contender:
    """Enter one method of ``mdp.MDP``; its public way in for arrays is a CSV file."""

    def load(problem: Problem, setting: float | None) -> Any:
        import tempfile
        from pathlib import Path

        from mdp import MDP

        row = np.repeat(np.arange(len(problem.reward)), np.diff(problem.row_ptr))
        s, a = np.divmod(row, problem.n_actions)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "transitions.csv"
            columns = (s, a, problem.next_state, problem.prob, problem.reward[row])
            with path.open("w") as out:
                out.write("sn,a,sn1,prob,reward\n")
                lists = (column.tolist() for column in columns)
                out.writelines(
                    f"{i},{j},{k},{p!r},{r!r}\n" for i, j, k, p, r in zip(*lists, strict=True)
                )
            states, actions = list(range(problem.n_states)), list(range(problem.n_actions))
            model = MDP(
                states, actions, None, None,
                build_transition_file=False, transition_file=str(path),
            )  # fmt: skip
        model.gamma_of_problem = problem.gamma
        return model

    def solve(model: Any, setting: float | None) -> Any:
        gamma = model.gamma_of_problem
        run = getattr(model, kind)
        if setting is None:  # tol has no default; the manual's example uses 1e-6
            return run(gamma, 1e-6, verbose=False).value
        return run(gamma, setting, max_iter=2**31 - 1, norm_type=1, verbose=False).value

    return Contender(
        f"mdplib {kind}", "mdplib", load, solve,
        suits=lambda problem: problem.n_transitions <= 2_000_000,
    )  # fmt: skip


# ---- stormpy -----------------------------------------------------------------------------------


def load_storm(problem: Problem, setting: float | None) -> Any:
    """Build a sparse MDP with a discounted total reward as the property."""
    import stormpy
    from stormpy.developer import storage

    n_states, n_rows = problem.n_states, len(problem.reward)
    builder = stormpy.datastructures.SparseMatrixBuilder[float](
        rows=n_rows, columns=n_states, entries=problem.n_transitions,
        has_custom_row_grouping=True, row_groups=n_states,
    )  # fmt: skip
    row = np.repeat(np.arange(n_rows), np.diff(problem.row_ptr))
    groups = list(range(0, n_rows, problem.n_actions))
    builder.add_next_values(
        row.tolist(), problem.next_state.tolist(), problem.prob.tolist(), groups
    )
    labels = storage.StateLabeling(n_states)
    labels.add_label("init")
    labels.add_label_to_state("init", 0)
    reward = stormpy.models.SparseRewardModel[float](
        optional_state_action_reward_vector=problem.reward.tolist()
    )
    parts = stormpy.models.SparseModelComponents[float](
        transition_matrix=builder.build(), state_labeling=labels, reward_models={"r": reward}
    )
    formula = f'R{{"r"}}max=? [ Cdiscount={problem.gamma} ]'
    return stormpy.models.SparseMdp[float](parts), stormpy.parse_properties(formula)[0]


def solve_storm(model: Any, setting: float | None) -> Any:
    """Check the property for all states, at an absolute precision if one is set."""
    import stormpy

    mdp, formula = model
    if setting is None:
        return stormpy.model_checking(mdp, formula).get_value_vector()
    environment = stormpy.environments.Environment()
    min_max = environment.solver().min_max()
    min_max.precision = stormpy.Rational(f"1/{round(1.0 / setting)}")
    min_max.relative_termination_criterion = False
    result = stormpy.model_checking(mdp, formula, environment=environment)
    return result.get_value_vector()


# ---- the list ----------------------------------------------------------------------------------


def as_value(result: Any) -> Floats:
    """Return the value array of whatever a contender's solve handed back."""
    if hasattr(result, "getValueVector"):
        result = result.getValueVector()
    return np.asarray(getattr(result, "v", result), dtype=np.float64)


def evidence(result: Any) -> dict[str, Any]:
    """Return the certified bound and the work of one of our solutions; nothing for a peer."""
    convergence = getattr(result, "convergence", None)
    if convergence is None:
        return {}
    bound = float(convergence.error_bound)
    return {
        "bound": bound if math.isfinite(bound) else None,
        "status": convergence.status.name,
        "iterations": int(convergence.iterations),
        "work": float(convergence.work),
    }


CONTENDERS: tuple[Contender, ...] = (
    ours("solve", parallel=True),
    ours("value_iteration", parallel=True),
    ours("modified_policy_iteration", parallel=True),
    ours("policy_iteration"),
    ours("linear_program", suits=lambda p: p.n_states * p.n_actions <= 10_000),
    quantecon("mpi", "mpi"),
    quantecon("mpi k=100", "mpi", k=100),
    quantecon("vi", "vi"),
    quantecon("pi", "pi"),
    toolbox("vi", "ValueIteration"),
    toolbox("mpi", "PolicyIterationModified"),
    toolbox("pi", "PolicyIteration"),
    mdpsolver("mpi"),
    mdpsolver("vi"),
    mdplib("VI"),
    mdplib("VIGS"),
    Contender(
        "stormpy", "stormpy", load_storm, solve_storm,
        suits=lambda problem: problem.n_transitions <= 20_000_000,
    ),
)  # fmt: skip

BY_NAME = {contender.name: contender for contender in CONTENDERS}
