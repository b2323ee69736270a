"""Files of tensors are taken as they are, or refused in one sentence; never half of one, never run."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from jax_port.export.bundle import STATE
from jax_port.export.checks import tensors as module
from jax_port.export.checks.tensors import CONVERTED, as_float32, decode_tensors, read_tensors
from jax_port.export.importing import read_policy
from jax_port.export.layers import same_bits
from jax_port.export.manifest import MANIFEST
from parity.export_chain.sides import pytorch
from rltrader.import_ import import_
from tests.jax_port.export.made_bundle import bundle, made_policy
from tests.sentences import refuses
from tests.snapshots import Snapshot

NAME = "policy_0.weight"


def saved(values: object) -> bytes:
    stream = io.BytesIO()
    torch.save(values, stream)
    return stream.getvalue()


def packed(data: bytes) -> bytes:
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
        new.close()
    return made.getvalue()


def test_plain_tensors_come_in_as_they_are() -> None:
    given = {
        "one": torch.arange(6.0).reshape(2, 3),
        "turned": torch.arange(6.0).reshape(2, 3).T,  # as of a kernel that was turned round
        "wide": torch.tensor([1.5, 2.5], dtype=torch.float64),
        "count": torch.tensor(3.0),
        "weight": torch.nn.Parameter(torch.ones(2)),
    }
    found = decode_tensors(saved(given), "x", "mend it")
    assert all(torch.equal(found[name], value) for name, value in given.items())
    assert all(value.is_contiguous() and not value.requires_grad for value in found.values())
    narrow, converted = as_float32(found, "x", "mend it")
    assert converted == "float64"
    half = {**found, "last": torch.ones(2, dtype=torch.float16)}
    assert as_float32(half, "x", "mend it")[1] == "float16 and float64"
    assert as_float32({"one": found["one"]}, "x", "mend it")[1] == ""
    assert {value.dtype for value in narrow.values()} == {np.dtype(np.float32)}


REFUSED: dict[str, Callable[[], Any]] = {
    "sparse": lambda: torch.eye(3).to_sparse(),
    "CSR": lambda: torch.eye(3).to_sparse_csr(),
    "quantised": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
    "without data": lambda: torch.ones(3, device="meta"),
    "bfloat16": lambda: torch.ones(3, dtype=torch.bfloat16),
    "integers": lambda: torch.ones(3, dtype=torch.int64),
    "complex": lambda: torch.ones(3, dtype=torch.complex64),
    "NaN": lambda: torch.tensor([1.0, float("nan")]),
    "infinity": lambda: torch.tensor([1.0, float("inf")]),
    "repeated": lambda: torch.zeros(1).expand(1 << 34),
    "repeated a little": lambda: torch.ones(2).expand(4, 2),
    "a list": lambda: [1.0],
    "nothing": lambda: None,
}


@pytest.mark.filterwarnings("ignore")  # torch warns of such tensors
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_dense_finite_float_is_refused(kind: str) -> None:
    with refuses():
        decode_tensors(saved({"other": torch.ones(2), NAME: REFUSED[kind]()}), "x", "mend it")


def test_one_tensor_under_many_names_is_more_than_the_file_holds() -> None:
    one = torch.ones(100_000)
    with refuses():
        decode_tensors(saved({f"{n}.weight": one for n in range(50)}), "x", "mend it")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\3\4",
        saved({NAME: torch.ones(4)})[:-300],
        packed(saved({NAME: torch.zeros(1 << 16)})),
        saved([torch.ones(2)]),
        saved({1: torch.ones(2)}),
        saved({str(n): torch.ones(1) for n in range(1001)}),
        saved({NAME: Path("x")}),
    ],
    ids=["empty", "no zip", "cut off", "packed", "list", "numbers", "many", "object"],
)
def test_what_is_no_mapping_of_tensors_is_refused(data: bytes) -> None:
    with refuses():
        decode_tensors(data, "x", "mend it")


def test_no_file_and_numbers_too_large_are_refused(tmp_path: Path) -> None:
    with refuses():
        read_tensors(tmp_path / "gone.pt", "mend it")
    with refuses():
        as_float32({NAME: torch.tensor([1e39], dtype=torch.float64)}, "x", "mend it")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A copy of a bundle's policy.pt beside its manifest."""
    for name in (STATE, MANIFEST):
        shutil.copy(bundle(1) / name, tmp_path)
    return tmp_path / STATE


@pytest.mark.costly
def test_weights_of_another_type_are_converted_and_it_is_said(
    state: Path, tmp_path: Path, snapshot: Snapshot
) -> None:
    weights = torch.load(state, weights_only=True)
    torch.save({name: value.double() for name, value in weights.items()}, state)
    policy = read_policy(state)
    assert same_bits(policy, made_policy(1)) == []
    assert policy.about["imported"][CONVERTED] == "float64"
    done = CliRunner().invoke(import_, [str(state), "--to", str(tmp_path / "made.safetensors")])
    assert "weights converted from float64 to float32" in done.output
    snapshot("made", tmp_path / "made.safetensors")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (NAME, torch.full((16, 225), float("nan"))),
        (NAME, torch.eye(16, 225).to_sparse()),
        (NAME, torch.zeros(1).expand(1 << 34)),
        ("statistics.var", -torch.ones(225, dtype=torch.float64)),
        ("statistics.var", torch.ones(3, dtype=torch.float64)),
    ],
)
def test_a_damaged_state_is_refused_wherever_it_is_read(
    state: Path, name: str, value: torch.Tensor
) -> None:
    torch.save({**torch.load(state, weights_only=True), name: value}, state)
    with refuses():
        read_policy(state)
    if not name.startswith("statistics"):
        with refuses():
            pytorch(state.parent, torch.float32)


def test_a_state_without_statistics_is_refused(state: Path) -> None:
    weights = torch.load(state, weights_only=True)
    del weights["statistics.mean"]
    torch.save(weights, state)
    with refuses():
        read_policy(state)
    manifest = json.loads((state.parent / MANIFEST).read_text())
    manifest["network"]["policy"] = manifest["network"]["policy"][1:]
    (state.parent / MANIFEST).write_text(json.dumps(manifest))
    torch.save(torch.load(bundle(1) / STATE, weights_only=True), state)
    with refuses():
        read_policy(state)


def test_a_file_as_large_as_is_allowed_is_read_and_a_larger_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the file's bytes, wherever they come from, and by the number of its tensors."""
    data = saved({str(n): torch.full((2,), float(n)) for n in range(3)})
    (tmp_path / "x.pt").write_bytes(data)
    for most, tensors, taken in (
        (len(data), 3, True),
        (len(data) - 1, 3, False),
        (len(data), 2, False),
    ):
        monkeypatch.setattr(module, "MOST_BYTES", most)
        monkeypatch.setattr(module, "MOST_TENSORS", tensors)
        for read in (
            lambda: read_tensors(tmp_path / "x.pt", "mend it"),
            lambda: decode_tensors(data, "x", "mend it"),
        ):
            if taken:
                assert {name: x.tolist() for name, x in read().items()} == {
                    str(n): [n, n] for n in range(3)
                }
            else:
                with refuses(*([r"[\d.,]+(?= KiB)"] if tensors == 3 else [])):
                    read()


def test_all_numbers_that_float32_has_are_taken_and_none_beyond() -> None:
    most = torch.finfo(torch.float32).max
    for wide in (most, -most, most * (1 + 2.0**-26)):
        made, said = as_float32({NAME: torch.tensor([wide], dtype=torch.float64)}, "x", "mend it")
        assert (abs(float(made[NAME][0])), said) == (most, "float64")
    for wide in (2 * most, -2 * most):
        with refuses():
            as_float32({NAME: torch.tensor([0.0, wide], dtype=torch.float64)}, "x", "mend it")
