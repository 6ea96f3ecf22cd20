"""Which class of sweeps serves which ambiguity set."""

from mdptheory.errors import InvalidModelError
from mdptheory.models import AmbiguitySet, FactorSet, FiniteSet, SignedLpBall, TabularMDP
from mdptheory.models.ambiguity import is_ambiguity_set, is_s_rectangular
from mdptheory.operators.factor_backup import FactorBackup
from mdptheory.operators.game import Game
from mdptheory.operators.robust_backup import RobustBackup
from mdptheory.operators.state_backup import StateBackup


def game(
    mdp: TabularMDP, ambiguity: AmbiguitySet, *, stage: int = 0, threads: int | None = None
) -> Game:
    """Return the sweeps of one stage for this ambiguity set.

    Parameters
    ----------
    mdp : TabularMDP
        The nominal model.
    ambiguity : AmbiguitySet
        Where nature picks her rows from.
    stage : int
        Which stage's rows, for stage-dependent data.
    threads : int, optional
        Threads to share a sweep over a large model; all that Numba may use if absent.

    Returns
    -------
    Game
        An object with the sweeps, the policy and nature's reply.

    Raises
    ------
    InvalidModelError
        If the set does not fit the model, or its rows are coupled across states.
    TypeError
        If ``ambiguity`` is no ambiguity set.
    """
    if isinstance(ambiguity, FactorSet):
        return FactorBackup(mdp, ambiguity, stage=stage, threads=threads)
    if isinstance(ambiguity, SignedLpBall):
        raise InvalidModelError(
            "ambiguity is a SignedLpBall, whose rows may be negative: its operator need not"
            " contract, so that no planner takes it (mdptheory.operators.signed_lp_bellman applies"
            " it once)"
        )
    if not is_ambiguity_set(ambiguity):
        kind = type(ambiguity).__name__
        raise TypeError(f"ambiguity is of type {kind}; expected an ambiguity set")
    if isinstance(ambiguity, FiniteSet) and ambiguity.coupled:
        raise InvalidModelError(
            "ambiguity couples its kernels across states (coupled=True): no dynamic programme"
            " solves that; mdptheory.algorithms.iwocs brackets it, coupled=False is its"
            " rectangular hull"
        )
    if is_s_rectangular(ambiguity):
        return StateBackup(mdp, ambiguity, stage=stage, threads=threads)
    return RobustBackup(mdp, ambiguity, stage=stage, threads=threads)
