"""The form of a robust claim: what can be refused without arithmetic."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray
from mdptheory._validation import ROW_SUM_TOLERANCE
from mdptheory.certificates._fitting import again, fitting, same_rows
from mdptheory.certificates._form import Place, bounds_array, policy_rows, require
from mdptheory.certificates._rows import Stage, stage_of
from mdptheory.errors import InvalidCertificateError
from mdptheory.models import (
    ContaminationSet,
    CVaRSet,
    EVaRSet,
    FactorSet,
    FiniteHorizon,
    L1Ball,
    L2Ball,
    LinfBall,
    SaddleCertificate,
    TabularMDP,
    TotalReward,
    TransportPlan,
    WassersteinBall,
)
from mdptheory.models.ambiguity import RowAmbiguity, is_s_rectangular


@dataclass(frozen=True, slots=True)
class Claim:
    """A certificate whose shapes fit, with a leading stage axis."""

    certificate: SaddleCertificate
    mdp: TabularMDP
    place: Place
    horizon: int  # 1 for a discounted objective
    lower: FloatArray  # (1, S), or (H + 1, S)
    upper: FloatArray
    weights: list[FloatArray]  # of the policy: one a row, one array a stage
    multiplier: FloatArray  # (stages, n_rows or r)
    level: FloatArray
    plan: TransportPlan | None
    factors: FloatArray | None  # (stages, r, S)

    def nominal(self, stage: int) -> Stage:
        """Return the model's rows of one stage."""
        return stage_of(self.mdp, stage)

    def worst(self, stage: int) -> Stage:
        """Return nature's rows of one stage."""
        return stage_of(self.certificate.worst_case, stage)

    def name(self, stage: int) -> Callable[[int], str]:
        """Return a function that names a row of a stage."""
        rows, mdp = self.nominal(stage), self.mdp
        lead = f" at stage {stage}" if isinstance(mdp.objective, FiniteHorizon) else ""

        def describe(row: int) -> str:
            state = int(np.searchsorted(rows.choice_ptr, row, side="right")) - 1
            action = mdp.action_label(int(rows.action[row]))
            return f"state {mdp.state_label(state)} and action {action}{lead}"

        return describe


def formed(certificate: SaddleCertificate, mdp: TabularMDP) -> Claim:
    """Refuse a claim on another model or of other shapes."""
    if certificate.objective != mdp.objective:
        raise InvalidCertificateError(
            f"the certificate is about {certificate.objective}; the model's objective is"
            f" {mdp.objective}"
        )
    if isinstance(mdp.objective, TotalReward):
        raise InvalidCertificateError(
            "the objective is TotalReward; robust claims are about Discounted or FiniteHorizon"
        )
    again("the model", mdp)
    ambiguity = again("ambiguity", certificate.ambiguity)
    horizon = mdp.objective.horizon if isinstance(mdp.objective, FiniteHorizon) else 1
    same_rows(again("worst_case", certificate.worst_case), mdp, horizon)
    fitting(ambiguity, mdp)
    place = Place(mdp, mdp.row_state())
    lead = (horizon,) if isinstance(mdp.objective, FiniteHorizon) else ()
    shape = (*(h + 1 for h in lead), mdp.n_states)
    lower = bounds_array("lower", certificate.lower, shape, place)
    upper = bounds_array("upper", certificate.upper, shape, place)
    for h in range(len(lower)):
        here = place.at(h) if lead else place
        require(lower[h] <= upper[h], "lower", lower[h], "more than upper,", upper[h], here)
    weights = _weights(certificate.policy, mdp, lead)
    multiplier, level = _variables(certificate, horizon)
    return Claim(
        certificate, mdp, place, horizon, lower, upper, weights, multiplier, level,
        _plan(certificate), _factors(certificate, mdp, lead),
    )  # fmt: skip


# ---- the policy, the dual variables, the evidence ---------------------------------------------


def _weights(given: Any, mdp: TabularMDP, lead: tuple[int, ...]) -> list[FloatArray]:
    """Return the policy's probability of each row, one array a stage."""
    policy = np.asarray(given)
    shape = (*lead, mdp.n_states)
    stages = [stage_of(mdp, h) for h in range(lead[0] if lead else 1)]
    if policy.dtype.kind in "iu":
        found = []
        for h, chosen in enumerate(policy_rows(policy, mdp, shape)):
            weight = np.zeros(len(stages[h].reward))
            first = int(mdp.choice_ptr[h * mdp.n_states]) if mdp.n_stages > 1 else 0
            weight[chosen - first] = 1.0
            found.append(weight)
        return found
    if policy.shape != (*shape, mdp.n_actions) or policy.dtype != np.float64:
        raise InvalidCertificateError(
            f"policy has shape {policy.shape} and dtype {policy.dtype}; expected action ids of"
            f" shape {shape} or probabilities of shape {(*shape, mdp.n_actions)}"
        )
    tables = policy.reshape(-1, mdp.n_states, mdp.n_actions)
    return [_distribution(table, stage, mdp) for table, stage in zip(tables, stages, strict=True)]


def _distribution(table: FloatArray, stage: Stage, mdp: TabularMDP) -> FloatArray:
    bad = ~(np.isfinite(table) & (table >= 0))
    bad[stage.states, stage.action] |= False
    rest = table.copy()
    rest[stage.states, stage.action] = 0.0
    bad |= rest != 0
    if bad.any():
        s, a = (int(k) for k in np.argwhere(bad)[0])
        why = "expected a probability"
        if not (stage.action[stage.choice_ptr[s] : stage.choice_ptr[s + 1]] == a).any():
            why = f"action {mdp.action_label(a)} is not available"
        raise InvalidCertificateError(
            f"policy[{mdp.state_label(s)}, {mdp.action_label(a)}] is {table[s, a]}: {why}"
        )
    off = np.abs(table.sum(axis=1) - 1.0)
    if (off > ROW_SUM_TOLERANCE).any():
        s = int(np.argmax(off))
        raise InvalidCertificateError(
            f"policy[{mdp.state_label(s)}] sums to {table[s].sum():.12g}; expected 1"
        )
    return table[stage.states, stage.action]


def _variables(certificate: SaddleCertificate, horizon: int) -> tuple[FloatArray, FloatArray]:
    """Return multipliers that are not negative and finite levels, with a leading stage axis."""
    ambiguity = certificate.ambiguity
    many = certificate.worst_case.n_rows
    if isinstance(ambiguity, FactorSet):
        many = len(ambiguity.factors) * horizon
    pair = []
    for name in ("multiplier", "level"):
        array = np.asarray(getattr(certificate, name))
        if array.dtype != np.float64 or array.size != many or array.ndim not in (1, 2):
            raise InvalidCertificateError(
                f"{name} has shape {array.shape} and dtype {array.dtype}; expected float64 of shape"
                f" ({many},)"
            )
        flat = array.ravel()
        fine = flat >= 0 if name == "multiplier" else np.isfinite(flat)  # inf: a price, with no row
        if not fine.all():
            k = int(np.argmin(fine))
            want = "a number of at least 0" if name == "multiplier" else "a finite number"
            raise InvalidCertificateError(f"{name}[{k}] is {flat[k]}; expected {want}")
        pair.append(_split(flat, certificate, horizon))
    return pair[0], pair[1]


def _split(flat: FloatArray, certificate: SaddleCertificate, horizon: int) -> Any:
    """Cut an array of all stages into one a stage."""
    if isinstance(certificate.ambiguity, FactorSet):
        return flat.reshape(horizon, -1)
    worst = certificate.worst_case
    ends = worst.choice_ptr[:: worst.n_states]
    return [flat[ends[h] : ends[h + 1]] for h in range(horizon)]


def _plan(certificate: SaddleCertificate) -> TransportPlan | None:
    """Return a plan whose moves are within range; only Wasserstein balls have one."""
    plan, ambiguity = certificate.plan, certificate.ambiguity
    sets: Any = ambiguity.sets if isinstance(ambiguity, FactorSet) else (ambiguity,)
    wanted = any(isinstance(one, WassersteinBall) for one in sets)
    if wanted != (plan is not None):
        raise InvalidCertificateError(
            "plan is missing: nothing shows what nature's rows cost"
            if wanted
            else f"plan is given, but {type(ambiguity).__name__} needs none"
        )
    if plan is None:
        return None
    if isinstance(ambiguity, FactorSet):
        raise InvalidCertificateError("a FactorSet of Wasserstein balls has no form of certificate")
    n, n_rows = certificate.worst_case.n_states, certificate.worst_case.n_rows
    ptr = _whole("plan.row_ptr", plan.row_ptr, n_rows + 1)
    moves = len(np.atleast_1d(np.asarray(plan.mass)))
    if ptr[0] != 0 or ptr[-1] != moves or (np.diff(ptr) < 0).any():
        raise InvalidCertificateError(
            f"plan.row_ptr runs from {ptr[0]} to {ptr[-1]}; expected to rise from 0 to {moves}"
        )
    source = _whole("plan.source", plan.source, moves, n)
    target = _whole("plan.target", plan.target, moves, n)
    mass = np.asarray(plan.mass)
    if mass.dtype != np.float64 or mass.shape != (moves,):
        raise InvalidCertificateError(
            f"plan.mass has shape {mass.shape} and dtype {mass.dtype}; expected float64"
        )
    bad = ~(np.isfinite(mass) & (mass >= 0))
    if bad.any():
        k = int(np.argmax(bad))
        raise InvalidCertificateError(f"plan.mass[{k}] is {mass[k]}; expected a mass of at least 0")
    return TransportPlan(ptr, source, target, mass)


def _whole(
    name: str, given: npt.ArrayLike, length: int, below: int | None = None
) -> npt.NDArray[np.int64]:
    array = np.asarray(given)
    if array.dtype.kind not in "iu" or array.shape != (length,):
        raise InvalidCertificateError(
            f"{name} has shape {array.shape} and dtype {array.dtype}; expected integers of shape"
            f" ({length},)"
        )
    whole = array.astype(np.int64)
    if below is not None:
        bad = (whole < 0) | (whole >= below)
        if bad.any():
            k = int(np.argmax(bad))
            raise InvalidCertificateError(
                f"{name}[{k}] is {whole[k]}; expected a state in [0, {below})"
            )
    return whole


def _factors(
    certificate: SaddleCertificate, mdp: TabularMDP, lead: tuple[int, ...]
) -> FloatArray | None:
    ambiguity, factors = certificate.ambiguity, certificate.factors
    if not isinstance(ambiguity, FactorSet):
        if factors is not None:
            raise InvalidCertificateError(
                f"factors are given, but the set is a {type(ambiguity).__name__}"
            )
        return None
    r = len(ambiguity.factors)
    array = np.asarray(factors) if factors is not None else np.zeros(0)
    if array.shape != (*lead, r, mdp.n_states) or array.dtype != np.float64:
        raise InvalidCertificateError(
            f"factors has shape {array.shape} and dtype {array.dtype}; expected float64 of shape"
            f" {(*lead, r, mdp.n_states)}"
        )
    array = array.reshape(-1, r, mdp.n_states)
    bad = ~(np.isfinite(array) & (array >= 0))
    if bad.any():
        where = tuple(int(k) for k in np.argwhere(bad)[0])
        raise InvalidCertificateError(
            f"factors{list(where)} is {array[where]}; expected a probability"
        )
    off = np.abs(array.sum(axis=2) - 1.0)
    if (off > ROW_SUM_TOLERANCE).any():
        where = tuple(int(k) for k in np.argwhere(off > ROW_SUM_TOLERANCE)[0])
        raise InvalidCertificateError(f"factors{list(where)} sums to {array[where].sum():.12g}")
    return array


def limits(ambiguity: RowAmbiguity, stage: Stage) -> FloatArray:
    """Return the radius (or alpha, or fraction) of each row, or of each state if shared.

    Radii that no two distributions are apart by are cut, which changes no set.
    """
    name = {CVaRSet: "alpha", EVaRSet: "alpha", ContaminationSet: "fraction"}.get(
        type(ambiguity), "radius"
    )
    value = getattr(ambiguity, name, None)
    if value is None:
        return np.zeros(0)
    array = np.asarray(value, dtype=np.float64)
    if isinstance(ambiguity, L1Ball | L2Ball | LinfBall) and not is_s_rectangular(ambiguity):
        array = np.minimum(array, 2.0)
    n = len(stage.choice_ptr) - 1
    if is_s_rectangular(ambiguity):
        return np.array(np.broadcast_to(array, (n,)))
    if array.ndim == 0:
        return np.full(len(stage.reward), float(array))
    return array[stage.states] if array.ndim == 1 else array[stage.states, stage.action]
