"""What is proved of learning thresholds, in numbers and in words."""

import math
from typing import Any, NamedTuple

import numpy as np

from mdptheory.cli import report
from mdptheory.cli.fair_report import bound_text, print_head, worst_round
from mdptheory.cli.fair_source import Desk
from mdptheory.models import LoopConstants, residual_rows

STATE = ("share of {0}", "favourable labels in {0}", "favourable labels in {1}")


class Claims(NamedTuple):
    """What a run of some length can lose, with a probability.

    Attributes
    ----------
    method : str
        Of whose runs this holds: ``ofs``, or ``ofs-epochs`` where there is feedback.
    rounds : int
        Length of the run.
    delta : float
        Probability with which the claim may fail.
    regret, violation : float or None
        Bounds of the sums; None where no formula applies.
    most_regret, most_violation : float
        What any learner's sums stay below.
    reason : str
        Why there is no bound, or empty.
    """

    method: str
    rounds: int
    delta: float
    regret: float | None
    violation: float | None
    most_regret: float
    most_violation: float
    reason: str


def claims(desk: Desk, constants: LoopConstants, rounds: int, delta: float) -> Claims:
    """Return what the bounds say of runs of a length; they are derived in mdptheory."""
    from mdptheory.algorithms import fair_bounds

    env, channels = desk.env, desk.env.channels
    rows = residual_rows(desk.limits, channels)
    used = (rows.matrix != 0).any(axis=0)
    used[0] = True
    reach, cap = worst_round(desk)
    method = "ofs" if constants.is_open else "ofs-epochs"
    most = (rounds * reach, rounds * cap)
    reason = _reason(desk, used, constants)
    if reason:
        return Claims(method, rounds, delta, None, None, *most, reason)
    scales = (channels[0].scale, float(fair_bounds.row_scales(rows, channels).max(initial=0.0)))
    n_channels = int(used.sum())
    if constants.is_open:
        log = fair_bounds.log_term(env.n_arms, n_channels, rounds, delta)
        found = [
            fair_bounds.stationary_bound(env.n_arms, rounds, log, scale=scale, worst=worst)
            for scale, worst in zip(scales, (reach, cap), strict=True)
        ]
        return Claims(method, rounds, delta, found[0], found[1], *most, "")
    epochs = fair_bounds.Epochs(rounds, kappa=constants.kappa)
    log = fair_bounds.epoch_log_term(env.n_arms, n_channels, epochs, delta)
    memory = constants.diameter / (1.0 - constants.kappa)
    slopes = (constants.lipschitz[0], (np.abs(rows.matrix) @ constants.lipschitz).max(initial=0.0))
    found = [
        fair_bounds.closed_loop_bound(
            env.n_arms, log, scale=scale, worst=worst, drift=float(slope) * memory, epochs=epochs
        )
        for scale, worst, slope in zip(scales, (reach, cap), slopes, strict=True)
    ]
    return Claims(method, rounds, delta, found[0], found[1], *most, "")


def _reason(desk: Desk, used: Any, constants: LoopConstants) -> str:
    """Say why no formula applies, or nothing."""
    if any(
        channel.trials for channel, is_used in zip(desk.env.channels, used, strict=True) if is_used
    ):
        return "a limit reads rates of counted people, for which a run's own certificate is needed"
    if desk.env.dynamics.stochastic and not constants.is_open:
        return "the feedback follows what is drawn and not its mean"
    return ""


def print_constants(
    desk: Desk, constants: LoopConstants, claimed: Claims, *, as_json: bool
) -> None:
    """Print how the loop moves and what follows."""
    if as_json:
        report.print_json(fields(desk, constants, claimed))
        return
    print_head(desk)
    if constants.is_open:
        print("nothing moves: what a threshold does today it does for ever")
    else:
        for line in _motion(desk, constants):
            print(line)
    print(_claim_text(claimed))
    for note in desk.notes:
        print(f"note: {note}")


def half_life(kappa: float) -> int:
    """Return how many rounds it takes to forget half of a difference."""
    return 1 if kappa <= 0.5 else math.ceil(math.log(0.5) / math.log(kappa))


def _motion(desk: Desk, constants: LoopConstants) -> list[str]:
    slopes = {c.name: constants.lipschitz[i] for i, c in enumerate(desk.env.channels)}
    names = [name.format(*desk.env.groups) for name in STATE]
    ranges = ", ".join(
        f"{name} in [{low:.3f}, {high:.3f}]"
        for name, (low, high) in zip(names, constants.box, strict=True)
    )
    felt = ", ".join(
        f"{name} {report.rounded_up(float(slopes[name]))}"
        for name in ("reward", "gap", "service")
        if name in slopes
    )
    return [
        f"the applicants forget: under a fixed threshold two histories come closer by a factor of"
        f" {report.rounded_up(constants.kappa)} or less a round, half of any difference is gone in"
        f" {half_life(constants.kappa)} rounds",
        f"whatever is decided, {ranges}: {report.rounded_up(constants.diameter)} or less from where"
        " a threshold leads",
        f"what a threshold shows moves by at most so much a unit of that: {felt}",
    ]


def _claim_text(claimed: Claims) -> str:
    runs = f"{claimed.rounds} rounds of {claimed.method}"
    if claimed.regret is None or claimed.violation is None:
        return f"no formula bounds {runs} in advance: {claimed.reason}"
    sure = f"with probability {1.0 - claimed.delta:.10g}"
    regret, violation = (
        bound_text(bound, claimed.rounds, most / claimed.rounds)
        for bound, most in (
            (claimed.regret, claimed.most_regret),
            (claimed.violation, claimed.most_violation),
        )
    )
    return (
        f"certificate: {sure}, if some threshold is feasible, {runs} lose at most {regret} of"
        f" reward to the best one and violate the limits by at most {violation} in sum"
    )


def fields(desk: Desk, constants: LoopConstants, claimed: Claims) -> dict[str, Any]:
    """Return everything as plain fields."""
    return {
        "source": desk.title,
        "certified": True,
        "open_loop": constants.is_open,
        "kappa": constants.kappa,
        "diameter": constants.diameter,
        "half_life": None if constants.is_open else half_life(constants.kappa),
        "lipschitz": {
            channel.name: constants.lipschitz[c] for c, channel in enumerate(desk.env.channels)
        },
        "box": constants.box,
        **claimed._asdict(),
        "notes": desk.notes,
    }


def print_refusal(desk: Desk, reason: str, *, as_json: bool) -> None:
    """Say why nothing is proved."""
    if as_json:
        report.print_json({"source": desk.title, "certified": False, "reason": reason})
        return
    print_head(desk)
    print(f"no certificate: {reason}")
    print("thresholds can still be learned, without a guarantee: mdptheory fair run")
