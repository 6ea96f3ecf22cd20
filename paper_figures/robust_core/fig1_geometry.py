"""Ambiguity sets on the simplex, each with its worst row.

Every point of a triangle is a distribution over three outcomes, which are worth z = (4, 1, 3): a
corner is certainty. The grey lines are level lines of the mean q·z, with their levels on the left
edge. In blue, the rows that nature may choose around the nominal row (white dot), drawn from the
formula below the panel; the red dot is the row that `worst_case` returns, and the dashed line its
level, which touches the set. In the last row of panels the nominal row gives the worst outcome
no chance: some sets must then keep to the edge, and for others it has to be said whether they do.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mdptheory import worst_case
from mdptheory._typing import FloatArray
from paper_figures._runner import Progress
from paper_figures.robust_core._balls import ROWS, Ball, balls

CORNERS = np.array([[0.5, np.sqrt(0.75)], [0.0, 0.0], [1.0, 0.0]])  # outcomes 1, 2, 3
SET, WORST, INK = "#0072B2", "#C1272D", "#333333"


@dataclass(frozen=True, slots=True)
class Config:
    """What to draw.

    Attributes
    ----------
    nominal : tuple of float
        The nominal row of the first three rows of panels.
    edge : tuple of float
        The nominal row of the last row of panels; no chance for outcome 2.
    worth : tuple of float
        What each outcome is worth; outcome 2 the least, outcome 1 the most.
    rays : int
        Directions in which the rim of a set is searched.
    """

    nominal: tuple[float, float, float] = (0.2, 0.3, 0.5)
    edge: tuple[float, float, float] = (0.4, 0.0, 0.6)
    worth: tuple[float, float, float] = (4.0, 1.0, 3.0)
    rays: int = 1440

    @classmethod
    def quick(cls) -> Self:
        """Search the rim in fewer directions."""
        return cls(rays=360)


def compute(config: Config, rng: np.random.Generator, progress: Progress) -> dict[str, Any]:
    """Find each set's rim from its distance, and its worst row from the operator."""
    panels = balls()
    z = np.array(config.worth)
    data: dict[str, Any] = {
        "title": np.array([ball.title for ball in panels]),
        "formula": np.array([ball.formula for ball in panels]),
        "worth": z,
        "rows": np.array(ROWS),
    }
    nominal = [config.edge if ball.edge else config.nominal for ball in panels]
    data["nominal"] = np.array(nominal)
    replies = [worst_case(p, z, ball.ambiguity) for p, ball in zip(nominal, panels, strict=True)]
    data["worst"] = np.array([reply.row for reply in replies])
    data["value"] = np.array([reply.value for reply in replies])
    for k, ball in enumerate(panels):
        progress(ball.title, k, len(panels))
        data[f"rim_{k}"] = rim(ball, data["nominal"][k], config.rays)
    return data


def rim(ball: Ball, p: FloatArray, rays: int) -> FloatArray:
    """Return the last row of the set in each direction from ``p``, by bisection; (rays, 3)."""
    angle = np.linspace(0.0, 2.0 * np.pi, rays, endpoint=False)[:, None]
    step = np.cos(angle) * [1.0, 0.0, -1.0] + np.sin(angle) * [-1.0, 2.0, -1.0] / np.sqrt(3.0)
    step[np.abs(step) < 1e-12] = 0.0  # along an edge, exactly
    room = np.divide(p, -step, where=step < 0, out=np.full_like(step, np.inf))
    high = room.min(axis=1, keepdims=True)  # where the ray leaves the simplex
    low = np.zeros_like(high)
    for _ in range(60):
        middle = (low + high) / 2
        q = np.maximum(p + middle * step, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside = (ball.distance(q, p) <= ball.radius)[:, None]
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return p + low * step


def plot(data: dict[str, Any], fig: Any) -> None:
    """One triangle a set."""
    n = len(data["title"])
    fig.set_size_inches(11.2, 2.95 * -(-n // 4) + 0.4)
    axes = fig.subplots(-(-n // 4), 4, squeeze=False).ravel()
    for k, ax in enumerate(axes):
        _triangle(ax, data["worth"])
        _set(ax, data, k)
        _rows(ax, data, k)
    _legend(fig)


def _flat(q: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return where a row lies in the plane."""
    place = np.asarray(q) @ CORNERS
    return place[..., 0], place[..., 1]


def _triangle(ax: Any, worth: FloatArray) -> None:
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_xlim(-0.14, 1.14)
    ax.set_ylim(-0.27, 0.97)
    levels = np.arange(np.ceil(2 * worth[1]) / 2, worth[0] + 1e-9, 0.5)
    for level in levels[1:-1]:
        ends = _level(worth, float(level))
        ax.plot(*_flat(ends), color="#D2D2D2", linewidth=0.7, zorder=1)
        x, y = _flat(ends[0])
        ax.text(x - 0.03, y + 0.01, f"{level:g}", fontsize=6.5, color="#888888", ha="right")
    ax.fill(*_flat(np.eye(3)), facecolor="#FAFAFA", edgecolor="#777777", linewidth=0.9, zorder=0)
    for i, (dx, dy, ha, va) in enumerate(
        [
            (0, 0.03, "center", "bottom"),
            (-0.02, -0.03, "center", "top"),
            (0.02, -0.03, "center", "top"),
        ]
    ):
        text = f"{i + 1}: z = {worth[i]:g}"
        ax.text(CORNERS[i, 0] + dx, CORNERS[i, 1] + dy, text, ha=ha, va=va, fontsize=7.5, color=INK)


def _level(worth: FloatArray, level: float) -> FloatArray:
    """Return both ends of a level line in the triangle; the first on the edge from 2 to 1."""
    ends = [_mix(worth, 1, 0, level)]
    ends.append(_mix(worth, 1, 2, level) if level <= worth[2] else _mix(worth, 2, 0, level))
    return np.array(ends)


def _mix(worth: FloatArray, i: int, j: int, level: float) -> FloatArray:
    share = (level - worth[i]) / (worth[j] - worth[i])
    q = np.zeros(3)
    q[i], q[j] = 1.0 - share, share
    return q


def _set(ax: Any, data: dict[str, Any], k: int) -> None:
    outline = data[f"rim_{k}"]
    if str(data["title"][k]) == "finite":
        ax.fill(*_flat(outline), color=SET, alpha=0.10, linewidth=0, zorder=2)
        ax.plot(*_flat(data["rows"]), "s", color=SET, markersize=4.5, zorder=3)
        return
    ax.fill(*_flat(outline), color=SET, alpha=0.22, linewidth=0, zorder=2)
    closed = np.vstack([outline, outline[:1]])
    ax.plot(*_flat(closed), color=SET, linewidth=1.5, solid_joinstyle="round", zorder=3)


def _rows(ax: Any, data: dict[str, Any], k: int) -> None:
    p, q, value = data["nominal"][k], data["worst"][k], float(data["value"][k])
    ends = _level(data["worth"], value)
    ax.plot(*_flat(ends), color=WORST, linewidth=1.1, linestyle=(0, (4, 2)), zorder=4)
    ax.annotate(
        "",
        _flat(q),
        _flat(p),
        arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 0.9, "shrinkA": 3, "shrinkB": 3},
        zorder=5,
    )
    ax.plot(*_flat(p), "o", markerfacecolor="white", markeredgecolor=INK, markersize=5.5, zorder=6)
    ax.plot(*_flat(q), "o", color=WORST, markersize=5.5, zorder=7, clip_on=False)
    ax.set_title(str(data["title"][k]), loc="center", pad=2)
    middle = 0.5
    ax.text(middle, -0.115, str(data["formula"][k]), ha="center", va="top", fontsize=8, color=SET)
    worst = ", ".join(_short(x) for x in q)
    text = f"worst q = ({worst}), q·z = {value:.3g}"
    ax.text(middle, -0.2, text, ha="center", va="top", fontsize=7.5, color=WORST)


def _short(x: float) -> str:
    text = f"{x:.2f}".rstrip("0").rstrip(".")
    return text.removeprefix("0") if text.startswith("0.") else text


def _legend(fig: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Line2D([], [], marker="o", linestyle="", markerfacecolor="white", markeredgecolor=INK,
               markersize=5.5, label="nominal row p"),
        Patch(facecolor=SET, alpha=0.25, edgecolor=SET, label="rows nature may choose"),
        Line2D([], [], marker="o", linestyle="", color=WORST, markersize=5.5, label="worst row"),
        Line2D([], [], color=WORST, linewidth=1.1, linestyle=(0, (4, 2)), label="its level of q·z"),
        Line2D([], [], color="#D2D2D2", linewidth=0.9, label="levels of q·z"),
    ]  # fmt: skip
    fig.legend(handles=handles, loc="outside lower center", ncols=len(handles), columnspacing=1.8)
