"""Writing PRISM's explicit files; `mdptheory.io.prism` describes them."""

from pathlib import Path

import numpy as np

from mdptheory.io._common import expand, write_text
from mdptheory.io.csv_files import names_to_csv, replace_beside, to_csv
from mdptheory.io.prism import STATE_REWARDS, TRANSITION_REWARDS
from mdptheory.models import TabularMDP


def write_prism(mdp: TabularMDP, path: Path) -> None:
    """Write ``.tra``, ``.lab`` and ``.trew``, and names where they are; remove stale files."""
    transitions = expand(mdp, ".tra files")
    row = np.repeat(np.arange(mdp.n_rows), np.diff(mdp.row_ptr))
    choice = row - mdp.choice_ptr[transitions.state]
    apart = _names_apart(mdp)
    labels = _labels(mdp, apart)
    where = list(
        zip(
            transitions.state.tolist(),
            choice.tolist(),
            transitions.next_state.tolist(),
            strict=True,
        )
    )
    lines = [f"{mdp.n_states} {mdp.n_rows} {mdp.n_transitions}"]
    for (s, c, t), p, a in zip(
        where, transitions.prob.tolist(), transitions.action.tolist(), strict=True
    ):
        lines.append(f"{s} {c} {t} {p!r}{labels[a]}")
    write_text(path, "\n".join(lines) + "\n")

    for suffix in (*TRANSITION_REWARDS, *STATE_REWARDS, ".sta"):
        path.with_name(path.stem + suffix).unlink(missing_ok=True)
    reward = transitions.reward
    listed = np.flatnonzero((reward != 0) | np.signbit(reward))  # -0.0 keeps its bit
    lines = [f"{mdp.n_states} {mdp.n_rows} {len(listed)}"]
    for k in listed.tolist():
        s, c, t = where[k]
        lines.append(f"{s} {c} {t} {float(reward[k])!r}")
    write_text(path.with_suffix(".trew"), "\n".join(lines) + "\n")

    _write_initial(mdp, path)
    replace_beside(path, "names", _names_text(mdp) if apart else None)
    if mdp.state_names is not None and not apart:
        text = "".join(f"{s}:({name})\n" for s, name in enumerate(mdp.state_names))
        write_text(path.with_suffix(".sta"), "(name)\n" + text)


def _names_text(mdp: TabularMDP) -> str:
    return names_to_csv(mdp.state_names, mdp.action_names) or to_csv(("kind", "id", "name"), [])


def _names_apart(mdp: TabularMDP) -> bool:
    """Tell whether labels and states file cannot give back names and action ids."""
    if any("\n" in name or "\r" in name for name in mdp.state_names or ()):
        return True
    if mdp.action_names is None:
        first = np.repeat(mdp.choice_ptr[:-1], np.diff(mdp.choice_ptr))
        return not np.array_equal(mdp.action, np.arange(mdp.n_rows) - first)
    used, where = np.unique(mdp.action, return_index=True)
    in_order = np.array_equal(used, np.arange(mdp.n_actions)) and bool((np.diff(where) > 0).all())
    return not in_order or any(name.split() != [name] for name in mdp.action_names)


def _labels(mdp: TabularMDP, apart: bool) -> dict[int, str]:
    """Return what ends the lines of each action."""
    ids = [int(a) for a in np.unique(mdp.action)]
    if apart:
        return {a: f" a{a}" for a in ids}
    names = mdp.action_names
    return {a: f" {names[a]}" if names else "" for a in ids}


def _write_initial(mdp: TabularMDP, path: Path) -> None:
    """Label the states where the model starts; other distributions than one state lie beside."""
    text = '0="init" 1="deadlock"\n'
    apart = None
    if mdp.initial is not None:
        support = np.flatnonzero(mdp.initial)
        text += "".join(f"{s}: 0\n" for s in support.tolist())
        if len(support) != 1 or mdp.initial[support[0]] != 1.0:
            apart = to_csv(("idstate", "probability"), enumerate(mdp.initial.tolist()))
    write_text(path.with_suffix(".lab"), text)
    replace_beside(path, "initial", apart)
