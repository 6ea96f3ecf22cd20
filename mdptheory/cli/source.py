"""Where a model comes from: a file, a Gymnasium environment or one of mdptheory's own."""

from pathlib import Path

from mdptheory.cli.failures import CommandError
from mdptheory.models import Discounted, FiniteHorizon, Objective, TabularMDP, TotalReward


def objective_of(gamma: float | None, horizon: int | None, total_reward: bool) -> Objective | None:
    """Return the objective that the options name, or None for the source's own."""
    if total_reward:
        if gamma is not None or horizon is not None:
            raise CommandError("--total-reward goes neither with --gamma nor with --horizon")
        return TotalReward()
    if horizon is not None:
        return FiniteHorizon(horizon, 1.0 if gamma is None else gamma)
    return None if gamma is None else Discounted(gamma)


def load_model(source: str, objective: Objective | None = None) -> TabularMDP:
    """Load ``FILE``, ``gym:NAME`` or ``env:NAME``."""
    kind, _, name = source.partition(":")
    if kind == "env":
        return _environment(name, objective)
    if kind != "gym" and not Path(source).exists():
        raise CommandError(f"{source}: no such file; expected a file, gym:NAME or env:NAME")
    from mdptheory import io

    if isinstance(objective, Discounted):
        return io.load(source, gamma=objective.gamma)
    return io.load(source, objective=objective)


def _environment(name: str, objective: Objective | None) -> TabularMDP:
    from mdptheory import environments

    if name not in environments.CATALOGUE:
        known = ", ".join(sorted(environments.CATALOGUE))
        raise CommandError(f"env:{name} is unknown; expected one of {known}")
    mdp: TabularMDP = environments.CATALOGUE[name]()
    return mdp if objective is None else mdp.with_objective(objective)
