"""Which thresholds, people and limits the fair commands are about, read from options."""

import dataclasses
import inspect
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_type_hints

import numpy as np
import typer

from mdptheory._typing import FloatArray
from mdptheory._validation import check_number
from mdptheory.cli.failures import CommandError
from mdptheory.errors import FitWarning, GuaranteeWarning, InfeasibleWarning
from mdptheory.models import (
    DemographicParity,
    EqualOpportunity,
    FairConstraint,
    LinearResidual,
    ServiceRate,
    ThresholdLoop,
)

COLUMNS = ("score", "label", "favourable", "group", "delimiter")


class Desk(NamedTuple):
    """What the options describe.

    Attributes
    ----------
    env : ThresholdLoop
        The closed loop.
    limits : tuple of FairConstraint
        What a threshold must satisfy.
    title : str
        Where it comes from.
    notes : list of str
        What should be said of it.
    """

    env: ThresholdLoop
    limits: tuple[FairConstraint, ...]
    title: str
    notes: list[str]


@dataclasses.dataclass(frozen=True, slots=True)
class DeskOptions:
    """The options that all fair commands share; `with_desk` adds them to a command."""

    preset: Annotated[
        str | None, typer.Option(help="synthetic, german, compas or compas_decile.")
    ] = None
    csv: Annotated[
        Path | None, typer.Option(help="Own data instead: one person a row, with a header.")
    ] = None
    score: Annotated[
        str | None, typer.Option(help="Column of --csv, score if absent: larger is better.")
    ] = None
    label: Annotated[
        str | None, typer.Option(help="Column of --csv, label if absent: 1 is favourable, 0 not.")
    ] = None
    favourable: Annotated[
        str | None, typer.Option(help="The favourable label of --csv, where labels are words.")
    ] = None
    group: Annotated[
        str | None, typer.Option(help="Column of --csv, group if absent: two groups.")
    ] = None
    delimiter: Annotated[
        str | None, typer.Option(help="What separates the fields of --csv: a comma if absent.")
    ] = None
    grid: Annotated[
        str | None,
        typer.Option(metavar="LOW,HIGH,N", help="Thresholds for --csv: 0,1,21 if absent."),
    ] = None
    cost: Annotated[
        float | None,
        typer.Option(help="Cost of accepting someone with label 0; accepting label 1 earns 1."),
    ] = None
    batch: Annotated[
        int | None, typer.Option(help="Applicants of each group that a round shows.")
    ] = None
    eps: Annotated[
        float | None,
        typer.Option(help="Limit: acceptance rates of the groups differ by at most this."),
    ] = None
    service: Annotated[
        float | None, typer.Option(help="Limit: at least this share of all is accepted.")
    ] = None
    equal_opportunity: Annotated[
        float | None,
        typer.Option(help="Limit: acceptance rates among label 1 differ by at most this."),
    ] = None
    feedback: Annotated[
        float, typer.Option(help="Strength of the feedback on applicants; 0 for none.")
    ] = 1.0
    group_thresholds: Annotated[
        bool, typer.Option("--group-thresholds", help="One threshold a group, all pairs.")
    ] = False
    every: Annotated[
        int, typer.Option(help="With --group-thresholds: take each such threshold only.")
    ] = 1

    def load(self) -> Desk:
        """Return what the options describe, or refuse options that do not go together."""
        if (self.preset is None) == (self.csv is None):
            raise CommandError("expected one of --preset NAME and --csv FILE")
        with noted() as notes:
            env, limits, title = self._preset() if self.csv is None else self._table(self.csv)
        env = self._changed(env)
        chosen = {type(limit): limit for limit in limits}
        for kind, option, level in (
            (DemographicParity, "--eps", self.eps), (ServiceRate, "--service", self.service),
            (EqualOpportunity, "--equal-opportunity", self.equal_opportunity),
        ):  # fmt: skip
            if level is not None:
                chosen[kind] = kind(check_number(option, level, low=0.0, high=1.0))
        limits = tuple(chosen.values())
        if not limits:
            notes.append("no limit was given (--eps, --service, --equal-opportunity)")
        return Desk(env, limits, title, notes)

    def _preset(self) -> tuple[ThresholdLoop, tuple[FairConstraint, ...], str]:
        from mdptheory.environments import PRESETS, threshold_preset

        for name in (*COLUMNS, "grid"):
            if getattr(self, name) is not None:
                raise CommandError(f"--{name} goes with --csv, not with --preset")
        if self.preset not in PRESETS:
            raise CommandError(
                f"--preset {self.preset} is unknown; expected one of {', '.join(PRESETS)}"
            )
        env, limits = threshold_preset(self.preset)
        return env, limits, self.preset

    def _table(self, path: Path) -> tuple[ThresholdLoop, tuple[FairConstraint, ...], str]:
        from mdptheory.environments import threshold_loop_from_csv

        if not path.exists():
            raise CommandError(f"--csv {path}: no such file")
        given = {name: getattr(self, name) for name in COLUMNS if getattr(self, name) is not None}
        env = threshold_loop_from_csv(path, thresholds=_thresholds(self.grid), **given)
        return env, (), str(path)

    def _changed(self, env: ThresholdLoop) -> ThresholdLoop:
        """Return the loop with the cost, the batch, the feedback and the arms that were asked."""
        if self.cost is not None:
            env = dataclasses.replace(env, cost=self.cost)
        if self.batch is not None:
            env = dataclasses.replace(env, batch=self.batch)
        check_number("--feedback", self.feedback, low=0.0, open_high=True)
        if self.feedback == 0.0:
            env = env.open()
        elif self.feedback != 1.0:
            strengths = {c: self.feedback * getattr(env.dynamics, c) for c in ("c1", "c0", "c_p")}
            env = dataclasses.replace(env, dynamics=dataclasses.replace(env.dynamics, **strengths))
        if self.every != 1 and not self.group_thresholds:
            raise CommandError("--every goes with --group-thresholds")
        return env.with_group_thresholds(self.every) if self.group_thresholds else env


def _thresholds(grid: str | None) -> FloatArray | None:
    """Return what --grid describes."""
    if grid is None:
        return None
    try:
        low, high, n = (float(word) for word in grid.split(","))
        if not (low < high and n >= 2 and n == int(n)):
            raise ValueError
        return np.linspace(low, high, int(n))
    except (ValueError, OverflowError):
        raise CommandError(
            f"--grid is {grid!r}; expected LOW,HIGH,N as 300,850,23: two or more thresholds"
        ) from None


@contextmanager
def noted() -> Iterator[list[str]]:
    """Collect what mdptheory warns of as sentences, each once."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        for kind in (FitWarning, GuaranteeWarning, InfeasibleWarning):
            warnings.simplefilter("always", kind)
        yield notes
    notes += dict.fromkeys(str(one.message) for one in caught)


def with_desk(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the shared options; it is called with what they describe, and its own."""
    fields = dataclasses.fields(DeskOptions)
    hints = get_type_hints(DeskOptions, include_extras=True)
    shared = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in fields
    ]
    _, *own = inspect.signature(command).parameters.values()
    own = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]

    def called(**words: Any) -> None:
        desk = DeskOptions(**{field.name: words.pop(field.name) for field in fields}).load()
        command(desk, **words)

    paragraphs = (command.__doc__ or "").split("\n\n")  # the terminal wraps them, not the source
    called.__doc__ = "\n\n".join(" ".join(text.split()) for text in paragraphs)
    called.__name__ = command.__name__
    called.__annotations__ = {p.name: p.annotation for p in (*shared, *own)}
    # typer reads it; functions have no such attribute of their own
    called.__signature__ = inspect.Signature([*shared, *own])  # type: ignore[attr-defined]
    return called


def limit_text(limits: Sequence[FairConstraint]) -> str:
    """Return limits as words."""
    return " and ".join(_words(limit) for limit in limits)


def _words(limit: FairConstraint) -> str:
    match limit:
        case DemographicParity(tol):
            return f"the groups' acceptance rates differ by at most {tol:g}"
        case EqualOpportunity(tol):
            return f"the groups' acceptance rates among label 1 differ by at most {tol:g}"
        case ServiceRate(min_rate):
            return f"at least {min_rate:g} of all are accepted"
        case LinearResidual():
            return str(limit)
