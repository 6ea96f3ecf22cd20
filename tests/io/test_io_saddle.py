"""Saddle certificates in files: every number back, hostile files refused."""

import dataclasses
import json
import zipfile

import numpy as np
import pytest

from mdptheory import io
from mdptheory.errors import InvalidFileError
from mdptheory.models import (
    BurgBall,
    ChiSquareBall,
    ContaminationSet,
    CVaRSet,
    Discounted,
    EVaRSet,
    FactorSet,
    FiniteHorizon,
    FiniteSet,
    IntervalSet,
    KLBall,
    L1Ball,
    L2Ball,
    LinfBall,
    SaddleCertificate,
    TabularMDP,
    TransportPlan,
    WassersteinBall,
    WeightedL1Ball,
)

P = np.array([[[0.1, 0.9], [1 / 3, 2 / 3]], [[0.5, 0.5], [1.0, 0.0]]])
KERNELS = np.stack([P, P[::-1]])
SETS = {
    "L1": L1Ball(1 / 3, "all", "s"),
    "L1, endless": L1Ball(np.inf, "nominal"),
    "L1, states": L1Ball(np.array([0.1, np.inf]), "nominal"),
    "weighted L1": WeightedL1Ball(np.full((2, 2), 0.1), np.array([1.0, 0.1]), "all"),
    "Linf": LinfBall(0.1, "nominal"),
    "L2": L2Ball(0.1, "all"),
    "KL": KLBall(0.1),
    "Burg": BurgBall(0.1, "all"),
    "chi-square": ChiSquareBall(0.1),
    "CVaR": CVaRSet(np.array([0.1, 0.9])),
    "EVaR": EVaRSet(0.5),
    "contamination": ContaminationSet(0.1, "all"),
    "intervals": IntervalSet(P * 0.5, np.minimum(P * 2, 1)),
    "intervals, rows": IntervalSet(np.zeros(7), np.ones(7), np.array([0, 2, 4, 6, 7])),
    "list": FiniteSet(KERNELS, coupled=False),
    "Wasserstein": WassersteinBall(0.1, 1 - np.eye(2)),
    "factors": FactorSet(P, np.eye(2), [CVaRSet(0.3), IntervalSet(np.zeros(2), np.ones(2))]),
}


def certificate(ambiguity, staged=False):
    names = {"state_names": ["ä", "b"], "action_names": ["left", "right"]}
    objective = FiniteHorizon(2, 0.9, [0.1, 0.2]) if staged else Discounted(0.9)
    kernel, r = (np.stack([P, P]), np.ones((2, 2, 2, 2)) / 3) if staged else (P, np.ones((2, 2)))
    worst = TabularMDP.from_dense(kernel, r, objective=objective, initial=[0.3, 0.7], **names)
    lead = (2,) if staged else ()
    bounds = np.arange(6.0).reshape(3, 2) / 7 if staged else np.array([1 / 7, -0.0])
    plan = factors = None
    size = worst.n_rows
    policy = np.zeros((*lead, 2), dtype=np.int64)
    if isinstance(ambiguity, WassersteinBall):
        plan = TransportPlan(
            np.arange(size + 1), np.zeros(size, int), np.ones(size, int), np.full(size, 1 / 3)
        )
    if isinstance(ambiguity, FactorSet):
        factors, size = np.full((*lead, 2, 2), 1 / 3), 2 * (2 if staged else 1)
    if getattr(ambiguity, "rectangularity", "sa") == "s":
        policy = np.full((*lead, 2, 2), 0.5)
    return SaddleCertificate(
        objective, ambiguity, bounds - 1, bounds, policy, worst, np.full(size, np.inf),
        np.arange(size) / 3, plan, factors, fixed=staged,
    )  # fmt: skip


def assert_same(a, b, path="certificate"):
    assert type(a) is type(b), path
    if isinstance(a, np.ndarray):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), path
        assert not b.flags.writeable, path
    elif isinstance(a, tuple):
        for x, y in zip(a, b, strict=True):
            assert_same(x, y, path)
    elif dataclasses.is_dataclass(a):
        for entry in dataclasses.fields(a):
            name = entry.name
            assert_same(getattr(a, name), getattr(b, name), f"{path}.{name}")
    else:
        assert a == b, path


@pytest.mark.parametrize("suffix", ["json", "npz"])
@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize("name", SETS)
def test_every_number_is_given_back(tmp_path, name, staged, suffix):
    claim = certificate(SETS[name], staged)
    path = tmp_path / f"c.{suffix}"
    io.write_certificate(claim, path)
    assert_same(claim, io.read_certificate(path))


def fields(tmp_path, name="L1"):
    path = tmp_path / "c.json"
    io.write_certificate(certificate(SETS[name]), path)
    return path, json.loads(path.read_text())


HOSTILE = {
    "unknown field": (lambda c: c.update(more=1), "has fields"),
    "missing field": (lambda c: c.pop("fixed"), "has fields"),
    "no arrays": (lambda c: c.pop("arrays"), "has no arrays"),
    "unknown array": (lambda c: c["arrays"].update(x=c["arrays"]["lower"]), "unknown entries"),
    "missing array": (lambda c: c["arrays"].pop("lower"), r"no \['lower'\]"),
    "fixed": (lambda c: c.update(fixed=1), "fixed is 1; expected true or false"),
    "objective": (lambda c: c.update(objective={"kind": "x"}), "objective kind is 'x'"),
    "set": (lambda c: c["ambiguity"].update(kind="os.system"), "expected one of"),
    "set field": (lambda c: c["ambiguity"].update(more=1), "L1Ball has fields"),
    "radius": (lambda c: c["ambiguity"].update(radius=-1.0), r"radius is -1\.0"),
    "radius type": (lambda c: c["ambiguity"].update(radius="x"), "radius"),
    "radius list": (lambda c: c["ambiguity"].update(radius=[0.1]), "radius is a list"),
    "radius array": (lambda c: c["ambiguity"].update(radius={"array": 3}), "stored array"),
    "support": (lambda c: c["ambiguity"].update(support="some"), "support is 'some'"),
    "prob": (lambda c: c["arrays"]["worst.prob"]["values"].__setitem__(0, 0.7), "sums to"),
    "successor": (lambda c: c["arrays"]["worst.next_state"]["values"].__setitem__(0, 9), "is 9"),
    "word": (lambda c: c["arrays"]["lower"]["values"].__setitem__(0, "x"), "lower holds 'x'"),
    "endless": (lambda c: c["arrays"]["lower"]["values"].__setitem__(0, "inf"), "finite"),
    "float id": (lambda c: c["arrays"]["worst.action"]["values"].__setitem__(0, 1.5), "holds 1.5"),
    "true": (lambda c: c["arrays"]["worst.action"]["values"].__setitem__(0, True), "holds True"),
    "large id": (lambda c: c["arrays"]["worst.row_ptr"]["values"].__setitem__(0, 10**30), "large"),
    "dtype": (lambda c: c["arrays"]["lower"].update(dtype="object"), "lower has dtype 'object'"),
    "shape": (lambda c: c["arrays"]["lower"].update(shape=[10**12]), "lower has shape"),
    "negative": (lambda c: c["arrays"]["lower"].update(shape=[-1, -2]), "lower has shape"),
    "other shape": (lambda c: c["arrays"]["lower"].update(shape=[1, 2]), r"shape \(1, 2\); expec"),
    "no array": (lambda c: c["arrays"].update(lower=[1, 2]), "lower is not an array"),
    "policy": (lambda c: c["arrays"]["policy"].update(shape=[4]), r"policy has shape \(4,\)"),
    "states": (lambda c: c["worst_case"].update(n_states=10**12), "choice_ptr"),
    "no states": (lambda c: c["worst_case"].update(n_states=True), "n_states is True"),
    "names": (lambda c: c["worst_case"].update(state_names="ab"), "not a list of strings"),
    "model": (lambda c: c.update(worst_case=[]), "worst_case lacks its fields"),
    "plan": (
        lambda c: c["arrays"].update({"plan.mass": c["arrays"]["lower"]}),
        "plan lacks some of its arrays",
    ),
    "unused": (lambda c: c["arrays"].update({"set.0": c["arrays"]["lower"]}), "no set uses"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_json(tmp_path, kind):
    change, text = HOSTILE[kind]
    path, content = fields(tmp_path)
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidFileError, match=text):
        io.read_certificate(path)


def test_a_number_that_is_none(tmp_path):
    path, content = fields(tmp_path)
    path.write_text(json.dumps(content).replace('"inf"', "NaN"))
    with pytest.raises(InvalidFileError, match="NaN"):
        io.read_certificate(path)


def test_factor_sets_do_not_nest(tmp_path):
    path, content = fields(tmp_path, "factors")
    content["ambiguity"]["sets"][0] = json.loads(json.dumps(content["ambiguity"]))
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidFileError, match="FactorSet"):
        io.read_certificate(path)


@pytest.mark.parametrize("suffix", ["json", "npz"])
def test_damaged_files(tmp_path, suffix):
    path = tmp_path / f"c.{suffix}"
    io.write_certificate(certificate(SETS["Wasserstein"]), path)
    data, rng = path.read_bytes(), np.random.default_rng(4)
    for k in range(150):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] = rng.integers(0, 256)
        path.write_bytes(bytes(damaged) if k % 2 else data[: rng.integers(len(data))])
        try:
            again = io.read_certificate(path)
        except InvalidFileError:
            continue
        assert again.lower.shape == (2,)


def test_objects_are_never_unpickled(tmp_path):
    path = tmp_path / "c.npz"
    io.write_certificate(certificate(SETS["KL"]), path)
    again = tmp_path / "d.npz"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(again, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            if entry.filename == "lower.npy":
                data = data.replace(b"'<f8'", b"'|O' ", 1)
            new.writestr(entry.filename, data)
    with pytest.raises(InvalidFileError, match="never unpickled"):
        io.read_certificate(again)


def test_other_things_are_no_certificates(tmp_path):
    with pytest.raises(TypeError, match=r"Bounds.*, a SaddleCertificate or an OfflineCertificate"):
        io.write_certificate({}, tmp_path / "c.json")
