"""Factor sets: nature's factors as rows of their own, and how the model's rows are made of them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mdptheory._typing import FloatArray
from mdptheory.certificates._enclosure import Enclosure, Load
from mdptheory.certificates._nature import LOOSE
from mdptheory.certificates._rows import BLOCK, Board, Stage
from mdptheory.certificates._saddle_form import Claim, limits
from mdptheory.errors import InvalidCertificateError
from mdptheory.models import FactorSet


def factor_game(
    claim: Claim, ambiguity: FactorSet, nominal: Stage, stage: int, load: Load
) -> tuple[Enclosure, list[Board]]:
    """Return the weights of each row, divided by their sum, and one board a factor.

    The claim is about the kernel ``weights @ factors``; the model's rows and those of
    ``worst_case`` must agree with it but for rounding.
    """
    assert claim.factors is not None
    weights = ambiguity.weights[nominal.states, nominal.action]
    empty = weights.sum(axis=1) == 0
    if empty.any():
        row = int(np.argmax(empty))
        raise InvalidCertificateError(
            f"weights are zero for {claim.name(stage)(row)}, but the action is available"
        )
    name = claim.name(stage)
    chosen = claim.factors[stage]
    _require_made("the model", nominal, weights, ambiguity.factors, name)
    _require_made("worst_case", claim.worst(stage), weights, chosen, name)
    sums = load(weights.ravel()).sums(np.arange(0, weights.size + 1, weights.shape[1]))
    mixture = load(weights) / sums.reshape(-1, 1)
    sets: Any = ambiguity.sets
    boards = []
    for i, one in enumerate(sets):
        factor, other = _one_row(ambiguity.factors[i]), _one_row(chosen[i])
        boards.append(
            Board(
                one, factor, other, None, claim.mdp.n_states, load, _namer(i),
                np.zeros(1, dtype=np.int64), limits(one, factor),
            )
        )  # fmt: skip
    return mixture, boards


def _namer(factor: int) -> Callable[[int], str]:
    return lambda _: f"factor {factor}"


def _one_row(prob: FloatArray) -> Stage:
    n = len(prob)
    return Stage(
        np.array([0, 1]), np.zeros(1, dtype=np.int64), np.array([0, n]), np.arange(n), prob,
        np.zeros(1), None, 0,
    )  # fmt: skip


def _require_made(
    whose: str, rows: Stage, weights: FloatArray, factors: FloatArray, name: Any
) -> None:
    """Require rows that equal the mixtures of the factors within `LOOSE`."""
    n = factors.shape[1]
    step = max(1, BLOCK // n)
    for first in range(0, len(weights), step):
        made = weights[first : first + step] @ factors
        ptr = rows.row_ptr[first : first + len(made) + 1]
        some = slice(int(ptr[0]), int(ptr[-1]))
        local = np.repeat(np.arange(len(made)), np.diff(ptr))
        made[local, rows.next_state[some]] -= rows.prob[some]
        off = np.abs(made).max(axis=1)
        if (off > LOOSE).any():
            k = int(np.argmax(off))
            raise InvalidCertificateError(
                f"{whose}: the row of {name(first + k)} differs from weights @ factors by"
                f" {off[k]:.3g}; expected at most {LOOSE:g}"
            )
