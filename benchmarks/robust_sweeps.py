"""Count the sweeps that each robust planner needs under two stopping rules; nothing is timed."""

from collections.abc import Callable
from typing import Any

from benchmarks.contenders import TARGET
from benchmarks.planning import say
from benchmarks.robust_cases import BY_NAME, Case
from mdptheory import TabularMDP
from mdptheory.operators.dispatch import game
from mdptheory.solvers._robust_planning import Improve, RobustPlanner, Schedule, contract
from mdptheory.solvers.robust_automatic import _Adaptive
from mdptheory.solvers.robust_modified_policy_iteration import _sweep
from mdptheory.solvers.robust_policy_iteration import _evaluate
from mdptheory.solvers.robust_value_iteration import _step

CASES = ("riverswim20", "machine10", "inventory21", "l1-200")
GAMMAS = (0.9, 0.99, 0.999)
STEPS: dict[str, tuple[Callable[[], Improve], int]] = {  # with the limit on greedy sweeps
    "robust_solve": (lambda: _Adaptive().improve, 1_000),
    "rcpi": (lambda: contract, 1_000),
    "partial_policy_iteration": (lambda: Schedule().evaluate, 1_000),
    "robust_modified_policy_iteration": (lambda: _sweep, 1_000),
    "robust_policy_iteration": (lambda: _evaluate, 1_000),
    "robust_value_iteration": (lambda: _step, 100_000),
}
ORDER = ("rcpi", "partial_policy_iteration", "robust_value_iteration")  # claimed, plain stop


class Calls:
    """A function that counts its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.count = function, 0

    def __call__(self, *arguments: Any) -> Any:
        """Count one and pass on."""
        self.count += 1
        return self.function(*arguments)


def trace(mdp: TabularMDP, case: Case, improve: Improve, limit: int) -> dict[str, Any]:
    """Count greedy sweeps, and all work in sweeps, until each stop lets one run end.

    A step that is taken back, as in `rcpi`, costs its greedy sweep all the same.

    The plain stop wants ``gamma/(1-gamma) max |L v - v|`` within the target, the span stop half of
    the span of ``L v - v`` instead of its maximum; both prove the error.
    """
    with game(mdp, case.ambiguity, threads=1) as board:
        planner = RobustPlanner(mdp, case.ambiguity, board, improve, TARGET, None)
        found: dict[str, Any] = {}
        calls = Calls(board.greedy)
        board.greedy = calls  # type: ignore[method-assign, assignment]
        for i in range(limit):
            planner.advance(i)
            stops = {"plain": planner.discount * planner.residual, "span": planner.gap}
            for stop, bound in stops.items():
                if stop not in found and bound <= TARGET:
                    found[stop] = {"greedy": calls.count, "work": board.work}
            if len(found) == 2:
                break
    return found


def ordered(counts: dict[str, dict[str, Any]]) -> bool | None:
    """Tell whether RCPI <= PPI <= RVI in greedy sweeps, plain stop; None if one has no count."""
    sweeps = [counts[name].get("plain", {}).get("greedy") for name in ORDER]
    if None in sweeps:
        return None
    return sweeps == sorted(sweeps)


def measure(names: tuple[str, ...] = CASES, *, quick: bool) -> list[dict[str, Any]]:
    """Count for every case and discount."""
    lines = []
    for name in names:
        case = BY_NAME[name]
        for gamma in GAMMAS[:1] if quick else GAMMAS:
            say(f"sweeps {name} gamma={gamma:g}")
            mdp = case.make(quick, gamma)
            counts = {
                step: trace(mdp, case, make(), limit) for step, (make, limit) in STEPS.items()
            }
            lines.append(
                {
                    "about": case.about, "gamma": gamma, "counts": counts,
                    "ordered": ordered(counts),
                }
            )  # fmt: skip
    return lines
