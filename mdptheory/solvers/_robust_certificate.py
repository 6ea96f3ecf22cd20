"""From nature's reply to a saddle certificate."""

from dataclasses import replace

import numpy as np

from mdptheory._typing import FloatArray, IntArray
from mdptheory.models import (
    AmbiguitySet,
    FactorSet,
    L2Ball,
    SaddleCertificate,
    TabularMDP,
    TransportPlan,
)
from mdptheory.models.ambiguity import is_s_rectangular
from mdptheory.operators.game import Game, Reply


def nature_model(mdp: TabularMDP, replies: list[Reply]) -> TabularMDP:
    """Return the model with nature's rows: one reply, or one a stage of a finite horizon."""
    size = np.cumsum([0] + [len(reply.prob) for reply in replies])
    row_ptr = np.concatenate(
        [[0]] + [reply.row_ptr[1:] + start for reply, start in zip(replies, size, strict=False)]
    )
    next_state = np.concatenate([reply.next_state for reply in replies])
    prob = np.concatenate([reply.prob for reply in replies])
    stacked = _stages(mdp, len(replies))
    paid = None if mdp.transition_reward is None else _paid(stacked, row_ptr, next_state)
    reward = stacked.reward if paid is None else np.add.reduceat(prob * paid, row_ptr[:-1])
    return replace(
        stacked,
        row_ptr=row_ptr,
        next_state=next_state.astype(mdp.next_state.dtype),
        prob=prob,
        reward=reward,
        transition_reward=paid,
        validate=False,
    )


def _stages(mdp: TabularMDP, count: int) -> TabularMDP:
    """Return the model with ``count`` stages of rows, repeated if they were stationary."""
    if mdp.n_stages == count:
        return mdp
    steps = np.concatenate([[0]] + [mdp.choice_ptr[1:] + k * mdp.n_rows for k in range(count)])
    ptr = np.concatenate([[0]] + [mdp.row_ptr[1:] + k * mdp.n_transitions for k in range(count)])
    paid = mdp.transition_reward
    return replace(
        mdp,
        choice_ptr=steps,
        row_ptr=ptr,
        action=np.tile(mdp.action, count),
        next_state=np.tile(mdp.next_state, count),
        prob=np.tile(mdp.prob, count),
        reward=np.tile(mdp.reward, count),
        transition_reward=None if paid is None else np.tile(paid, count),
        validate=False,
    )


def _paid(mdp: TabularMDP, row_ptr: IntArray, next_state: IntArray) -> FloatArray:
    """Look up what the model pays for nature's transitions."""
    rows = np.arange(mdp.n_rows)
    known = np.repeat(rows, np.diff(mdp.row_ptr)) * mdp.n_states + mdp.next_state
    asked = np.repeat(rows, np.diff(row_ptr)) * mdp.n_states + next_state
    assert mdp.transition_reward is not None
    return mdp.transition_reward[np.searchsorted(known, asked)]


def places(mdp: TabularMDP, stage: int) -> tuple[IntArray, IntArray]:
    """Return the state and the action of each row of a stage."""
    first = mdp._first_block(stage)
    choice = mdp.choice_ptr[first : first + mdp.n_states + 1]
    states = np.repeat(np.arange(mdp.n_states), np.diff(choice))
    return states, mdp.action[int(choice[0]) : int(choice[-1])]


def duals(
    game: Game,
    ambiguity: AmbiguitySet,
    reply: Reply,
    lower: FloatArray,
    shift: float,
    stage: int = 0,
) -> tuple[FloatArray, FloatArray]:
    """Return dual variables that prove one step from ``lower``, given those at ``v``.

    The successors' worths at ``lower`` are those at ``v`` plus ``shift`` or more. A dual function
    at fixed variables rises with the worths and moves with a constant once the level moves along,
    so shifted levels do. For the Euclidean ball that fails: its reply is computed again.
    """
    sets = ambiguity.each() if isinstance(ambiguity, FactorSet) else (ambiguity,)
    if any(isinstance(one, L2Ball) for one in sets):
        again = game.reply(lower)
        return again.multiplier, again.level
    policy = game.policy()
    if is_s_rectangular(ambiguity):  # the worths are weighted with the policy's probabilities
        return reply.multiplier, reply.level + shift * policy[places(game.mdp, stage)]
    return reply.multiplier, reply.level + shift


def saddle(
    mdp: TabularMDP,
    ambiguity: AmbiguitySet,
    bounds: tuple[FloatArray, FloatArray],
    policy: IntArray | FloatArray,
    replies: list[Reply],
    variables: list[tuple[FloatArray, FloatArray]],
    *,
    fixed: bool = False,
) -> SaddleCertificate:
    """Assemble the certificate; one reply and one pair of dual variables a stage."""
    plans = [reply.plan for reply in replies]
    factors = [reply.factors for reply in replies if reply.factors is not None]
    lower, upper = bounds
    return SaddleCertificate(
        objective=mdp.objective,
        ambiguity=ambiguity,
        lower=lower,
        upper=upper,
        policy=policy,
        worst_case=nature_model(mdp, replies),
        multiplier=np.concatenate([pair[0] for pair in variables]),
        level=np.concatenate([pair[1] for pair in variables]),
        plan=_joined([plan for plan in plans if plan is not None]),
        factors=None if not factors else (factors[0] if lower.ndim == 1 else np.stack(factors)),
        fixed=fixed,
    )


def _joined(plans: list[TransportPlan]) -> TransportPlan | None:
    """Put the plans of all stages one after the other."""
    if not plans:
        return None
    size = np.cumsum([0] + [len(plan.mass) for plan in plans])
    return TransportPlan(
        row_ptr=np.concatenate(
            [[0]] + [plan.row_ptr[1:] + start for plan, start in zip(plans, size, strict=False)]
        ),
        source=np.concatenate([plan.source for plan in plans]),
        target=np.concatenate([plan.target for plan in plans]),
        mass=np.concatenate([plan.mass for plan in plans]),
    )
