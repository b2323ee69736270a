"""The C# reader of arrays, given what is none: one sentence, never an exception of its own."""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.Collections.Generic;
using System.Globalization;
using RLTrader;

public static class Show
{
    public static int Main(string[] args)
    {
        try
        {
            foreach (KeyValuePair<string, Tensor> entry in Safetensors.Read(args[0]))
            {
                Console.Write(entry.Key + " [" + string.Join(",", entry.Value.Shape) + "]");
                foreach (double x in entry.Value.Values)
                    Console.Write(" " + x.ToString("R", CultureInfo.InvariantCulture));
                Console.WriteLine();
            }
            return 0;
        }
        catch (BundleException error)
        {
            Console.WriteLine(error.Message);
            return 2;
        }
    }
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("show"), PROGRAM)


def read(program: Path, folder: Path, content: bytes) -> tuple[int, str]:
    """Return the exit code and what is printed."""
    path = folder / "made.safetensors"
    path.write_bytes(content)
    command = ["mono", str(program), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.replace(str(path), "FILE").strip()


def packed(header: object, numbers: bytes = bytes(16)) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + numbers


def test_numbers_come_as_they_are(program: Path, tmp_path: Path) -> None:
    arrays = {"a": np.array([[0.5, -2], [3, 4]], np.float32), "b": np.array(0.1), "c": np.zeros((0, 2))}
    code, said = read(program, tmp_path, save(arrays))
    assert code == 0
    assert sorted(said.splitlines()) == ["a [2,2] 0.5 -2 3 4", "b [] 0.1", "c [0,2]"]


def test_arrays_lie_where_the_header_says_whatever_its_order(program: Path, tmp_path: Path) -> None:
    header = {
        "b": {"dtype": "F64", "shape": [1], "data_offsets": [8, 16]},
        "__metadata__": {"format": "of no matter"},
        "a": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]},
    }
    content = packed(header, struct.pack("<ffd", 0.5, -3, 0.1))
    assert read(program, tmp_path, content) == (0, "b [1] 0.1\na [2,1] 0.5 -3")
    less = read(program, tmp_path, content[:-1])
    assert less == (2, "FILE: b does not fit its place; copy the file again")


@pytest.mark.parametrize("kind", ["F16", "BF16", "I64", "f32"])
def test_numbers_of_another_kind_are_refused_by_name(program: Path, tmp_path: Path, kind: str) -> None:
    content = packed({"one.kernel": {"dtype": kind, "shape": [2], "data_offsets": [0, 8]}})
    words = f"FILE: one.kernel is {kind}; only F32 and F64 are known, so export the policy anew"
    assert read(program, tmp_path, content) == (2, words)


@pytest.mark.parametrize("length", range(8))
def test_a_file_too_short_for_its_length_is_refused(program: Path, tmp_path: Path, length: int) -> None:
    said = read(program, tmp_path, b"\xff" * length)
    assert said == (2, "FILE: not a .safetensors file; copy it again")


@pytest.mark.parametrize(
    "content", [struct.pack("<Q", 1), struct.pack("<Q", 2**64 - 1) + b"{}", packed([1]), packed(None)]
)
def test_a_file_without_a_header_is_refused(program: Path, tmp_path: Path, content: bytes) -> None:
    said = read(program, tmp_path, content)
    assert said == (2, "FILE: not a .safetensors file; copy it again")


@pytest.mark.parametrize(
    ("shape", "place"),
    [
        ([2], [0]),
        ([2], [0, 8, 16]),
        ([2], []),
        ([-2], [8, 0]),
        ([-1, -2], [0, 8]),
        ([2.5], [0, 10]),
        ([2], [0.5, 8.5]),
        ([2], [-8, 0]),
        ([4], [8, 24]),
        ([65536, 65536], [0, 0]),
        ([2], [0, 16]),
    ],
)
def test_an_array_that_does_not_fit_its_place_is_refused(
    program: Path, tmp_path: Path, shape: list[float], place: list[float]
) -> None:
    content = packed({"a": {"dtype": "F32", "shape": shape, "data_offsets": place}})
    said = read(program, tmp_path, content)
    assert said == (2, "FILE: a does not fit its place; copy the file again")
