"""Group metrics: the numbers of fairlearn, by another route, and what is refused or warned of."""

import fairlearn.metrics as other
import numpy as np
import pandas as pd
import pytest

from mdptheory import metrics
from mdptheory.errors import GroupWarning, InvalidModelError

RATES = ("selection_rate", "true_positive_rate", "false_positive_rate")
PARITY = [n for n in metrics.__all__ if n.endswith(("_difference", "_ratio"))]
ABC = np.array(["a", "b", "c", "d"])


def crowd(seed, n_groups):
    """Labels, decisions and groups in which every cell is filled, and weights."""
    rng = np.random.default_rng(seed)
    cells = np.stack(np.meshgrid([0, 1], [0, 1], range(n_groups)), axis=-1).reshape(-1, 3)
    more = rng.integers(0, [2, 2, n_groups], size=(rng.integers(0, 60), 3))
    rows = rng.permutation(np.concatenate([cells, more]))
    return rows[:, 0], rows[:, 1], rows[:, 2], rng.uniform(0.1, 3.0, len(rows))


@pytest.mark.parametrize("name", PARITY)
@pytest.mark.parametrize("method", ["between_groups", "to_overall"])
@pytest.mark.parametrize("seed", range(6))
def test_one_number_agrees_with_fairlearn(name, method, seed):
    y_true, y_pred, code, weight = crowd(seed, 2 + seed % 3)
    for aggregate in ("worst_case", "mean") if "odds" in name else (None,):
        words = {} if aggregate is None else {"agg": aggregate}
        words |= {"sensitive_features": ABC[code], "method": method}
        for sample_weight in (None, weight):
            words["sample_weight"] = sample_weight
            ours = getattr(metrics, name)(y_true, y_pred, **words)
            assert ours == pytest.approx(getattr(other, name)(y_true, y_pred, **words), abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_a_report_agrees_with_a_metric_frame(seed):
    y_true, y_pred, code, weight = crowd(seed, 4)
    words = {"sensitive_features": ABC[code]}
    frame = other.MetricFrame(
        metrics={rate: getattr(other, rate) for rate in RATES},
        y_true=y_true, y_pred=y_pred, **words,
        sample_params={rate: {"sample_weight": weight} for rate in RATES},
    )  # fmt: skip
    report = metrics.GroupReport(y_true, y_pred, **words, sample_weight=weight)
    assert list(report.by_group) == list(frame.by_group.index)
    for rate in RATES:
        ours = [report.by_group[g][rate] for g in report.by_group]
        np.testing.assert_allclose(ours, frame.by_group[rate], atol=1e-12)
        assert report.overall[rate] == pytest.approx(frame.overall[rate], abs=1e-12)
        assert report.group_min(rate) == pytest.approx(frame.group_min()[rate], abs=1e-12)
        assert report.group_max(rate) == pytest.approx(frame.group_max()[rate], abs=1e-12)
        for method in ("between_groups", "to_overall"):
            theirs = frame.difference(method=method)[rate], frame.ratio(method=method)[rate]
            ours = report.difference(rate, method), report.ratio(rate, method)
            np.testing.assert_allclose(ours, theirs, atol=1e-12)
        alone = getattr(metrics, rate)(y_true, y_pred, sample_weight=weight)
        assert alone == report.overall[rate]


@pytest.mark.parametrize("seed", range(3))
def test_intersections_agree_however_they_are_given(seed):
    y_true, y_pred, code, weight = crowd(seed, 4)
    table = pd.DataFrame({"sex": ABC[code // 2], "old": code % 2})
    forms = [
        table,
        {"sex": list(table["sex"]), "old": table["old"].to_numpy()},
        [[sex, old] for sex, old in zip(table["sex"], table["old"], strict=True)],
        np.column_stack([table["sex"].to_numpy(object), table["old"].to_numpy(object)]),
    ]
    for name in PARITY:
        theirs = getattr(other, name)(
            y_true, y_pred, sensitive_features=table, sample_weight=weight
        )
        for form in forms:
            ours = getattr(metrics, name)(
                pd.Series(y_true), list(y_pred), sensitive_features=form, sample_weight=weight
            )
            assert ours == pytest.approx(theirs, abs=1e-12)
    report = metrics.GroupReport(y_true, y_pred, sensitive_features=table)
    assert list(report.by_group) == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]


def test_kinds_of_columns_make_the_same_groups():
    y_true, y_pred = [1, 0, 1, 0], [1, 1, 0, 0]
    for column in (
        list("bbaa"), np.array(list("bbaa")), tuple("bbaa"), pd.Series(list("bbaa")),
        pd.Series(list("bbaa"), dtype="category"), [["b"], ["b"], ["a"], ["a"]],
        {"group": list("bbaa")},
    ):  # fmt: skip
        report = metrics.GroupReport(y_true, y_pred, sensitive_features=column)
        assert list(report.by_group) == ["a", "b"]
        assert report.difference("true_positive_rate") == 1.0
    assert (
        metrics.demographic_parity_difference(y_true, y_pred, sensitive_features=[2, 2, 1, 1])
        == 1.0
    )
    flags = np.array([True, True, False, False])
    assert metrics.selection_rate(flags, flags) == 0.5
    assert list(metrics.GroupReport(y_true, y_pred, sensitive_features=flags).by_group) == [
        False,
        True,
    ]


def test_other_labels_agree_with_fairlearn():
    words = np.array(["no", "yes", "yes", "no", "yes"]), np.array(["yes", "yes", "no", "no", "yes"])
    signs = np.where(words[0] == "yes", 1, -1), np.where(words[1] == "yes", 1, -1)
    for rate in ("true_positive_rate", "false_positive_rate"):
        ours, theirs = getattr(metrics, rate), getattr(other, rate)
        assert ours(*signs) == theirs(*signs)
        expected = theirs(*words, pos_label="yes")
        assert ours(list(words[0]), list(words[1]), pos_label="yes") == expected
        assert ours(*words, None, "no") == theirs(*words, None, "no")
    assert metrics.selection_rate(*words, pos_label="yes") == 0.6
    report = metrics.GroupReport(*words, sensitive_features=list("aabbb"), pos_label="yes")
    assert report.overall["selection_rate"] == 0.6
    assert metrics.selection_rate([1, 2], [1, 2]) == 0.5  # 1 is good and 2 is bad


def test_decisions_make_a_metric_frame():
    rng = np.random.default_rng(0)
    score, group = rng.random(200), ABC[rng.integers(0, 2, 200)]
    label = (rng.random(200) < score).astype(int)
    y_pred = metrics.decisions(score, 0.4)
    np.testing.assert_array_equal(y_pred, score >= 0.4)
    frame = other.MetricFrame(
        metrics=other.selection_rate, y_true=label, y_pred=y_pred, sensitive_features=group
    )
    ours = metrics.demographic_parity_difference(label, y_pred, sensitive_features=group)
    assert frame.difference() == pytest.approx(ours, abs=1e-12)
    apart = metrics.decisions(pd.Series(score), {"a": 0.3, "b": 0.6}, groups=group)
    np.testing.assert_array_equal(apart, score >= np.where(group == "a", 0.3, 0.6))
    assert metrics.decisions([0.3, 0.29], 0.3).tolist() == [1, 0]  # a score at the threshold


def test_a_rate_of_nobody_is_not_zero():
    y_true, y_pred, group = [1, 0, 0, 0], [1, 0, 1, 0], list("aabb")
    with pytest.warns(GroupWarning, match="true_positive_rate of 'b' is nan: the group has no"):
        found = metrics.equal_opportunity_difference(y_true, y_pred, sensitive_features=group)
    assert np.isnan(found)
    assert other.equal_opportunity_difference(y_true, y_pred, sensitive_features=group) == 1.0
    with pytest.warns(GroupWarning, match=r"favourable labels \(1 of 2 groups\)"):
        report = metrics.GroupReport(y_true, y_pred, sensitive_features=group)
    assert np.isnan(report.by_group["b"]["true_positive_rate"])
    assert report.difference("selection_rate") == 0.0
    with pytest.warns(GroupWarning, match="selection_rate of 'b' is nan: the group has no weight"):
        metrics.demographic_parity_ratio(
            y_true, y_pred, sensitive_features=group, sample_weight=[1, 1, 0, 0]
        )
    with pytest.warns(GroupWarning, match="true_positive_rate of 'everyone' is nan"):
        assert np.isnan(metrics.true_positive_rate([0, 0], [0, 1]))


def test_two_rates_of_zero_have_no_ratio():
    words = [1, 1, 0], [0, 0, 0]
    for method in ("between_groups", "to_overall"):
        with pytest.warns(GroupWarning, match="are both 0"):
            found = metrics.demographic_parity_ratio(
                *words, sensitive_features=list("aab"), method=method
            )
        assert np.isnan(found)


def test_one_group_has_nothing_to_be_compared_with():
    with pytest.warns(GroupWarning, match="has one group"):
        assert (
            metrics.demographic_parity_difference([1, 0], [1, 0], sensitive_features=["a", "a"])
            == 0
        )
    with pytest.warns(GroupWarning, match="has one group"):
        assert metrics.demographic_parity_ratio([1, 0], [1, 0], sensitive_features=["a", "a"]) == 1


def parity(y_true=(1, 0, 1), y_pred=(1, 0, 0), sensitive_features=("a", "b", "b"), **words):
    return metrics.equalized_odds_difference(
        y_true, y_pred, sensitive_features=sensitive_features, **words
    )


@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        ({"sensitive_features": ["a", "b"]}, InvalidModelError,
         "sensitive_features has 2 entries and y_true has 3"),
        ({"sensitive_features": {"a": [1, 2, 2], "b": [1, 2]}}, InvalidModelError,
         r"sensitive_features\['b'\] has 2 entries and sensitive_features\['a'\] has 3"),
        ({"sensitive_features": {}}, InvalidModelError, "has no column"),
        ({"sensitive_features": None}, TypeError, "sensitive_features is None"),
        ({"sensitive_features": "aab"}, TypeError, "of type str; expected a list or an array"),
        ({"sensitive_features": ["a", None, "b"]}, InvalidModelError,
         r"sensitive_features\[1\] is None; expected a value \(1 of 3"),
        ({"sensitive_features": ["a", 1, "b"]}, TypeError, "of the types int, str"),
        ({"sensitive_features": pd.Series([1.0, np.nan, 2.0])}, InvalidModelError,
         r"sensitive_features\[1\] is nan"),
        ({"sensitive_features": pd.Series([1, None, 2], dtype="Int64")}, InvalidModelError,
         r"sensitive_features\[1\] is (<NA>|nan)"),
        ({"y_true": [1, 0]}, InvalidModelError, "y_pred has 3 entries and y_true has 2"),
        ({"y_true": [1, np.nan, 0]}, InvalidModelError, r"y_true\[1\] is nan"),
        ({"y_true": [1, 0, 2]}, InvalidModelError, r"y_true\[2\] is 2; expected labels 0 and 1"),
        ({"y_pred": [0.7, 0, 1]}, InvalidModelError, r"y_pred\[0\] is 0.7; expected labels"),
        ({"y_true": [1, -1, 0]}, InvalidModelError, "expected labels 0 and 1, or -1 and 1"),
        ({"y_true": [[1, 0], [0, 1], [1, 1]]}, InvalidModelError, "one entry a person"),
        ({"y_pred": []}, InvalidModelError, "y_pred is empty"),
        ({"y_pred": 1}, TypeError, "y_pred is of type int"),
        ({"sample_weight": [1, 1]}, InvalidModelError, r"sample_weight has shape \(2,\)"),
        ({"sample_weight": [1, -1, 1]}, InvalidModelError, r"sample_weight\[1\] is -1"),
        ({"sample_weight": [1, np.nan, 1]}, InvalidModelError, r"sample_weight\[1\] is nan"),
        ({"sample_weight": [0, 0, 0]}, InvalidModelError, "0 everywhere"),
        ({"agg": "max"}, InvalidModelError, "agg is 'max'; expected worst_case or mean"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(words, error, sentence):
    with pytest.raises(error, match=sentence):
        parity(**words)


def test_other_bad_input_is_refused():
    with pytest.raises(InvalidModelError, match="method is 'max'; expected between_groups or"):
        metrics.demographic_parity_ratio([1, 0], [1, 0], sensitive_features=[1, 2], method="max")
    with pytest.raises(InvalidModelError, match=r"y_pred\[1\] is 0.2, and.*expected binary"):
        metrics.selection_rate([1, 0, 1], [0.7, 0.2, 0.4])
    with pytest.raises(InvalidModelError, match="pos_label is 'good'; expected one of the labels"):
        metrics.true_positive_rate(["yes", "no"], ["yes", "no"], pos_label="good")
    with pytest.raises(InvalidModelError, match="metric is 'accuracy'; expected one of selection"):
        metrics.GroupReport([1, 0], [1, 0], sensitive_features=[1, 1], pos_label=1).ratio(
            "accuracy"
        )
    with pytest.raises(TypeError, match="sensitive_features is None"):
        metrics.GroupReport([1, 0], [1, 0], sensitive_features=None)


@pytest.mark.parametrize(
    ("words", "error", "sentence"),
    [
        (([0.1, np.nan], 0.5), InvalidModelError, r"scores\[1\] is nan"),
        (([0.1, np.inf], 0.5), InvalidModelError, r"scores\[1\] is inf"),
        ((["a", "b"], 0.5), TypeError, "scores has dtype"),
        (([0.1, 0.2], np.nan), InvalidModelError, "threshold is nan"),
        (([0.1, 0.2], [0.1, 0.2]), TypeError, "threshold is "),
        (([0.1, 0.2], {"a": 0.5}), InvalidModelError, "expected groups as well"),
        (
            ([0.1, 0.2], {"a": 0.5}, ["a"]),
            InvalidModelError,
            "groups has 1 entries and scores has 2",
        ),
        (([0.1, 0.2], {"a": 0.5}, ["a", "b"]), InvalidModelError, "has values for 'a' only"),
        (([0.1, 0.2], {"a": 0.5, "b": "x"}, ["a", "b"]), TypeError, "threshold\\['b'\\] is 'x'"),
    ],
)
def test_decisions_refuse(words, error, sentence):
    scores, threshold, *groups = words
    with pytest.raises(error, match=sentence):
        metrics.decisions(scores, threshold, groups=groups[0] if groups else None)


def test_a_wrong_convention_would_be_caught():
    """The comparison with fairlearn has teeth: swapped methods differ on the same crowds."""
    y_true, y_pred, code, _ = crowd(0, 3)
    words = {"sensitive_features": ABC[code]}
    ours = metrics.demographic_parity_difference(y_true, y_pred, **words, method="to_overall")
    assert abs(ours - other.demographic_parity_difference(y_true, y_pred, **words)) > 1e-3
