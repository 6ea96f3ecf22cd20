"""Action ids and names out of labels on numbered choices."""

from collections.abc import Sequence

import numpy as np

from mdptheory._typing import IntArray
from mdptheory.errors import InvalidFileError


def name_choices(
    state: IntArray, choice: IntArray, labels: Sequence[str]
) -> tuple[IntArray, tuple[str, ...] | None]:
    """Return the action id of each line and the action names.

    Without any label, ids are choice numbers. Otherwise ids number the labels in order of first
    use; a choice without one is called ``choice<number>``, a second use in a state ``label#2``.

    Parameters
    ----------
    state, choice : array of int of shape (n,)
        State and choice number of each line.
    labels : sequence of str of length n
        Label of each line, empty where there is none.

    Returns
    -------
    tuple of array of shape (n,) and tuple of str or None
        Action ids, and names if there is a label.

    Raises
    ------
    InvalidFileError
        If one choice has two labels, or one state two choices of the same name.
    """
    if not any(labels):
        return choice, None
    keys = list(zip(state.tolist(), choice.tolist(), strict=True))
    label_of: dict[tuple[int, int], str] = {}
    for key, label in zip(keys, labels, strict=True):
        if label_of.setdefault(key, label) != label:
            raise InvalidFileError(
                f"choice {key[1]} of state {key[0]} is labelled {label_of[key]!r} and {label!r}"
            )
    ids: dict[str, int] = {}
    id_of: dict[tuple[int, int], int] = {}
    uses: dict[tuple[int, str], int] = {}
    taken: set[tuple[int, int]] = set()
    for key in sorted(label_of):
        s, c = key
        label = label_of[key] or f"choice{c}"
        uses[s, label] = uses.get((s, label), 0) + 1
        name = label if uses[s, label] == 1 else f"{label}#{uses[s, label]}"
        id_of[key] = ids.setdefault(name, len(ids))
        if (s, id_of[key]) in taken:
            raise InvalidFileError(f"two choices of state {s} would be called {name!r}")
        taken.add((s, id_of[key]))
    return np.array([id_of[key] for key in keys], dtype=np.int64), tuple(ids)
