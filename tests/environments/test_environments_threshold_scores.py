"""Closed loops from a user's own scores: against counting one by one, and what is refused."""

import numpy as np
import pytest
from threshold_oracle import steady

from mdptheory.environments import _csv_columns as reader
from mdptheory.environments import (
    survival_from_scores,
    threshold_loop_from_csv,
    threshold_loop_from_scores,
)
from mdptheory.errors import FitWarning, InvalidFileError, InvalidModelError
from mdptheory.models import LoopDynamics

SCORES = [0.2, 0.6, 0.6, 0.9, 0.4, 0.1]
LABELS = [0, 1, 0, 1, 0, 1]
GROUPS = ["b", "a", "a", "b", "a", "b"]


def people(seed, n=200):
    rng = np.random.default_rng(seed)
    groups = rng.choice(["x", "y"], n)
    labels = rng.integers(0, 2, n)
    scores = np.round(rng.random(n), 2)  # ties with the thresholds
    return scores, labels, groups


@pytest.mark.parametrize("seed", range(3))
def test_survival_counts_people(seed):
    scores, labels, groups = people(seed)
    grid = [0.0, 0.25, 0.5, 0.51, 1.0]
    survival, p0, q0 = survival_from_scores(
        scores, labels, sensitive_features=groups, thresholds=grid
    )
    for g, name in enumerate(("x", "y")):
        for y in (0, 1):
            cell = [
                s
                for s, label, a in zip(scores, labels, groups, strict=True)
                if (label, a) == (y, name)
            ]
            for k, tau in enumerate(grid):
                assert survival[g, y, k] == sum(s >= tau for s in cell) / len(cell)
        mine = [label for label, a in zip(labels, groups, strict=True) if a == name]
        assert q0[g] == sum(mine) / len(mine)
    assert p0 == (groups == "x").mean()


def test_the_default_grid_and_groups_of_any_type():
    for groups in (GROUPS, np.array(GROUPS), [7, 3, 3, 7, 3, 7], {"sex": GROUPS}):
        survival, p0, _ = survival_from_scores(SCORES, LABELS, sensitive_features=groups)
        assert survival.shape == (2, 2, 21)
        assert p0 == 0.5
        assert survival[1, 1].tolist() == [1.0] * 3 + [0.5] * 16 + [0.0] * 2
    loop = threshold_loop_from_scores(
        SCORES, np.array(LABELS, dtype=bool), sensitive_features=[7, 3, 3, 7, 3, 7]
    )
    assert loop.groups == ("3", "7")
    assert np.array_equal(loop.thresholds, np.linspace(0, 1, 21))


def test_pandas_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"s": SCORES, "y": LABELS, "g": GROUPS}, index=list("uvwxyz"))
    loop = threshold_loop_from_scores(frame.s, frame.y, sensitive_features=frame.g)
    plain = threshold_loop_from_scores(SCORES, LABELS, sensitive_features=GROUPS)
    assert np.array_equal(loop.survival, plain.survival)
    whole = threshold_loop_from_scores(frame.s, frame.y, sensitive_features=frame[["g"]])
    assert whole.groups == ("a", "b")


def test_options_reach_the_loop():
    still = LoopDynamics.none()
    loop = threshold_loop_from_scores(
        SCORES,
        LABELS,
        sensitive_features=GROUPS,
        thresholds=[0, 0.5],
        cost=3.0,
        dynamics=still,
        batch=7,
        stratified=False,
    )
    assert (loop.cost, loop.batch, loop.stratified, loop.dynamics) == (3.0, 7, False, still)
    assert steady(loop, 1).state == tuple(loop.start_state)
    with pytest.raises(TypeError, match="unexpected keyword argument 'costs'"):
        threshold_loop_from_scores(SCORES, LABELS, sensitive_features=GROUPS, costs=1.0)


def test_renaming_the_groups_mirrors_the_loop():
    scores, labels, groups = people(5)
    one = threshold_loop_from_scores(scores, labels, sensitive_features=groups)
    two = threshold_loop_from_scores(
        scores, labels, sensitive_features=np.where(groups == "x", "z", groups)
    )
    for k in (3, 10):
        a, b = steady(one, k), steady(two, k)
        assert (b.reward, b.service) == pytest.approx((a.reward, a.service), abs=1e-12)
        assert b.gap == pytest.approx(-a.gap, abs=1e-12)
        assert b.state == pytest.approx((1 - a.state[0], a.state[2], a.state[1]), abs=1e-12)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"scores": [0.2, np.nan, 0.6, 0.9, 0.4, 0.1]}, r"scores\[1\] is nan; expected a finite"),
        ({"scores": [0.2, np.inf, 0.6, 0.9, 0.4, 0.1]}, r"scores\[1\] is inf"),
        ({"scores": SCORES[:-1]}, "labels has 6 entries and scores has 5"),
        ({"scores": []}, "scores is empty"),
        ({"scores": [SCORES]}, r"scores has shape \(1, 6\); expected \(any\)"),
        ({"labels": [0, 1, 0, 2, 0, 1]}, r"labels\[3\] is 2; expected 0 or 1, .*\(1 of 6 entries"),
        ({"labels": [0, 1, 0, -1, 0, 1]}, r"labels\[3\] is -1"),
        ({"labels": [0, 1, 0, 0.5, 0, 1]}, r"labels\[3\] is 0.5"),
        ({"labels": [0, 1, 0, np.nan, 0, 1]}, r"labels\[3\] is nan"),
        ({"labels": LABELS[:-1]}, "labels has 5 entries and scores has 6"),
        ({"sensitive_features": GROUPS[:-1]}, "sensitive_features has 5 entries and scores has 6"),
        ({"sensitive_features": ["a"] * 6}, r"sensitive_features has 1 group \(a\); expected two"),
        ({"sensitive_features": list("abcabc")}, r"has 3 groups \(a, b, c\); expected two"),
        ({"sensitive_features": list("abcdef")}, r"has 6 groups \(a, b, c, d, e, \.\.\.\)"),
        ({"sensitive_features": [*GROUPS[:5], None]}, r"sensitive_features\[5\] is None"),
        (
            {"labels": [0, 1, 1, 1, 1, 1]},
            r"group a has no label-0 rows; cannot estimate P\(score>=tau \| a,0\)",
        ),
        (
            {"labels": [0, 1, 0, 0, 0, 0]},
            r"group b has no label-1 rows; cannot estimate P\(score>=tau \| b,1\)",
        ),
        ({"thresholds": [0.5, 0.5]}, r"thresholds\[1\] is 0.5, not above thresholds\[0\] = 0.5"),
        ({"thresholds": [0.5, np.nan]}, r"thresholds\[1\] is nan"),
        ({"thresholds": []}, r"thresholds has shape \(0,\)"),
        ({"thresholds": [[0.1, 0.2]]}, r"thresholds has shape \(1, 2\); expected \(any\)"),
    ],
)
def test_refusals(changes, match):
    given = {"scores": SCORES, "labels": LABELS, "sensitive_features": GROUPS} | changes
    with pytest.raises(InvalidModelError, match=match):
        survival_from_scores(given.pop("scores"), given.pop("labels"), **given)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"scores": list("abcdef")}, "scores has dtype <U1; expected real numbers"),
        ({"labels": ["yes"] * 6}, "labels has dtype <U3"),
        ({"sensitive_features": [1, 1, 1, "a", "a", "a"]}, "sensitive_features has entries of the"),
        ({"sensitive_features": "ab"}, "sensitive_features is of type str"),
    ],
)
def test_types_refused(changes, match):
    given = {"scores": SCORES, "labels": LABELS, "sensitive_features": GROUPS} | changes
    with pytest.raises(TypeError, match=match):
        survival_from_scores(given.pop("scores"), given.pop("labels"), **given)


def test_thresholds_that_tell_nobody_apart_are_warned_of():
    with pytest.warns(FitWarning, match=r"accepts everybody or nobody: scores lie in \[0.5, 0.5\]"):
        survival_from_scores([0.5] * 6, LABELS, sensitive_features=GROUPS)
    percent = [100 * s for s in SCORES]
    with pytest.warns(
        FitWarning, match=r"scores lie in \[10, 90\], thresholds in \[0, 1\]"
    ) as seen:
        threshold_loop_from_scores(percent, LABELS, sensitive_features=GROUPS)
    assert seen[0].filename == __file__
    survival_from_scores(percent, LABELS, sensitive_features=GROUPS, thresholds=[0, 50])


def written(tmp_path, text, name="people.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


ROWS = list(zip(SCORES, LABELS, GROUPS, strict=True))
PLAIN = "score,label,group\n" + "".join(f"{s},{y},{g}\n" for s, y, g in ROWS)


def test_csv_gives_the_loop_of_its_columns(tmp_path):
    plain = threshold_loop_from_scores(SCORES, LABELS, sensitive_features=GROUPS, cost=2.0)
    words = "".join(f'"o, o";{g}; {"good" if y else "bad"} ;{s}\n\n' for s, y, g in ROWS)
    for text, options in (
        (PLAIN, {}),
        (b"\xef\xbb\xbf" + PLAIN.encode(), {}),
        (PLAIN.replace("\n", "\r\n"), {}),
        (PLAIN.replace(",1,", ",1.0,").replace(",0,", ",False,"), {}),
        (
            "name;g;outcome;s\n" + words,
            {
                "score": "s",
                "label": "outcome",
                "group": "g",
                "favourable": "good",
                "delimiter": ";",
            },
        ),
    ):
        loop = threshold_loop_from_csv(written(tmp_path, text), cost=2.0, **options)
        assert np.array_equal(loop.survival, plain.survival)
        assert (loop.p0, loop.cost, loop.groups) == (plain.p0, 2.0, ("a", "b"))
        assert np.array_equal(loop.q0, plain.q0)
    grid = threshold_loop_from_csv(str(written(tmp_path, PLAIN)), thresholds=[0.0, 0.5], batch=9)
    assert (grid.n_arms, grid.batch) == (2, 9)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (PLAIN.replace("0.9", "nan"), r"people\.csv, line 5: score is 'nan'; expected a finite"),
        (PLAIN.replace("0.9", "inf"), "line 5: score is 'inf'"),
        (PLAIN.replace("0.9", "1_0"), "line 5: score is '1_0'"),
        (PLAIN.replace("0.9", ""), "line 5: score is ''"),
        (PLAIN.replace("0.9,1", "0.9,2"), "line 5: label is '2'; expected 0 or 1, or favour"),
        (PLAIN.replace("0.9,1", "0.9, "), "line 5: label is empty"),
        (PLAIN.replace("0.9,1,b", "0.9,1,"), "line 5: group is empty"),
        (PLAIN.replace("0.9,1,b", "0.9,1"), "line 5: 2 fields; expected 3, as in the header"),
        (PLAIN.replace("0.9,1,b", "0.9,1,b,x"), "line 5: 4 fields; expected 3"),
        (PLAIN.replace(",", ";"), "is score;label;group; delimiter says where to split"),
        (PLAIN + "0.5,1,c\n", r"people\.csv: group has 3 groups \(a, b, c\); expected two"),
        (
            PLAIN.replace("score", "points"),
            "no column 'score'; its header.*is points, label, group",
        ),
        ("score,label,group,score\n", "has 2 columns 'score'; expected one"),
        ("score,label,group\n", "people.csv has no rows"),
        ("", "its header, split at ',', is empty"),
        (PLAIN + '0.5,1,"a', "line 8: unexpected end of data"),
        (PLAIN + "0.5,1," + "a" * 200_000, "line 8: field larger than field limit"),
        (b"\xff\xfe" + PLAIN.encode("utf-16-le"), "is not UTF-8 text"),
        (PLAIN.replace("0.9", "0.9\0"), r"line 5: (line contains NUL|score is '0\.9\\x00')"),
        (b"\0" * 5000, r"(line contains NUL|no column 'score')"),
    ],
)
def test_csv_refusals(tmp_path, text, match):
    with pytest.raises(InvalidFileError, match=match):
        threshold_loop_from_csv(written(tmp_path, text))


def test_words_for_labels(tmp_path):
    text = "score,label,group\n" + "".join(f"{s},{'ny'[y]},{g}\n" for s, y, g in ROWS)
    path = written(tmp_path, text)
    assert threshold_loop_from_csv(path, favourable="y").q0.tolist() == [1 / 3, 2 / 3]
    assert threshold_loop_from_csv(path, favourable="n").q0.tolist() == [2 / 3, 1 / 3]
    with pytest.raises(InvalidFileError, match="line 3: label is 'y'; expected 'yes' or 'n'"):
        threshold_loop_from_csv(path, favourable="yes")
    with pytest.raises(InvalidFileError, match="no label is 'yes', the favourable label"):
        threshold_loop_from_csv(written(tmp_path, text.replace(",y,", ",n,")), favourable="yes")


def test_csv_arguments_refused(tmp_path, monkeypatch):
    path = written(tmp_path, PLAIN)
    with pytest.raises(InvalidModelError, match="score is 'group', label is 'label' and group is"):
        threshold_loop_from_csv(path, score="group")
    for delimiter in ("", "::", '"', "\n", 3):
        with pytest.raises(InvalidModelError, match=r"delimiter is .*; expected one character"):
            threshold_loop_from_csv(path, delimiter=delimiter)
    with pytest.raises(InvalidFileError, match=r"cannot read .*nowhere: No such file"):
        threshold_loop_from_csv(tmp_path / "nowhere")
    with pytest.raises(InvalidFileError, match="not a plain file"):
        threshold_loop_from_csv(tmp_path)
    with pytest.raises(InvalidModelError, match="has 1 group"):
        threshold_loop_from_csv(written(tmp_path, PLAIN.replace(",b", ",a")))
    monkeypatch.setattr(reader.check_file, "__defaults__", (20,))
    with pytest.raises(InvalidFileError, match=r"has \d+ bytes; expected at most 20"):
        threshold_loop_from_csv(path)
