"""A small network by hand from its two files to logits, value and action, and files that don't fit."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from foundation.files import file_digest
from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled
from tests.ninjatrader.policy.test_manifest_refusals import WHOLE, write

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.Globalization;
using System.Linq;
using RLTrader;

public static class Show
{
    // Of each folder what it makes of one observation under several masks, and what it refuses.
    public static void Main(string[] args)
    {
        foreach (string folder in args)
            try
            {
                PolicyRunner runner = new PolicyRunner(folder);
                string told = "";
                foreach (string mask in new[] { "111", "011", "001", "100" })
                {
                    int action = runner.Decide(Observation(27), mask.Select(x => x == '1').ToArray());
                    if (told == "") told = string.Join(" ", runner.Logits.Select(Words)) + " | "
                        + Words(runner.Value()) + " |";
                    told += " " + action;
                }
                told += "; " + Refused(() => runner.Decide(Observation(27), new bool[3]));
                bool[] all = { true, true, true };
                told += "; " + Refused(() => runner.Decide(Observation(26), all));
                told += "; " + Refused(() => runner.Decide(Observation(27), new[] { true, true }));
                float[] none = Observation(27);
                none[26] = float.NaN;
                told += "; " + Refused(() => runner.Decide(none, all));
                Console.WriteLine(told);
            }
            catch (BundleException error) { Console.WriteLine(error.Message); }
    }

    private static float[] Observation(int size)
    {
        return Enumerable.Range(0, size).Select(n => (float)(n == 3 ? 60 : n / 4.0 - 2)).ToArray();
    }

    private static string Refused(Action work)
    {
        try { work(); }
        catch (ArgumentException error) { return error.Message; }
        return "nothing";
    }

    private static string Words(double x) { return x.ToString("G17", CultureInfo.InvariantCulture); }
}
"""
Arrays = dict[str, np.ndarray]
OBSERVATION = np.array([60.0 if n == 3 else n / 4 - 2 for n in range(27)])
MEAN, VAR = np.linspace(-1, 1, 27), np.linspace(0.5, 3, 27)
NETWORK = {
    "policy": [{"name": "p0", "in": 27, "out": 30}, {"name": "p1", "in": 30, "out": 3}],
    "value": [
        {"name": "v0", "in": 27, "out": 2},
        {"name": "v1", "in": 2, "out": 40},
        {"name": "v2", "in": 40, "out": 1},
    ],
}


def arrays(statistics: bool = True) -> Arrays:
    rng, made = np.random.default_rng(3), {}
    for layers in NETWORK.values():
        for layer in layers:
            shape = (layer["in"], layer["out"])
            made[f"{layer['name']}.kernel"] = rng.normal(size=shape, scale=0.3).astype(np.float32)
            made[f"{layer['name']}.bias"] = rng.normal(size=shape[1]).astype(np.float32)
    return made | ({"statistics.mean": MEAN, "statistics.var": VAR} if statistics else {})


def bundle(folder: Path, change: dict[str, Any], tensors: Arrays) -> str:
    normalizer = {"epsilon": 0.25, "clip": 7.5, "mean": MEAN.tolist(), "var": VAR.tolist()}
    network = {**WHOLE["network"], **NETWORK}
    write(folder, {"network": network, "normalizer": normalizer, **change})
    path = folder / "policy.safetensors"
    save_file(tensors, path)
    folder.joinpath("manifest.json").write_text(
        folder.joinpath("manifest.json")
        .read_text()
        .replace(WHOLE["files"]["policy.safetensors"], file_digest(path))
    )
    return str(folder)


def worked(tensors: Arrays, seen: np.ndarray, between: Callable[[Any], Any]) -> tuple[Any, float]:
    """Return logits and value, worked out in float64."""
    found = []
    for layers in NETWORK.values():
        x = seen
        for number, layer in enumerate(layers):
            kernel, bias = (
                tensors[f"{layer['name']}.{kind}"].astype(np.float64) for kind in ("kernel", "bias")
            )
            x = (between(x) if number else x) @ kernel + bias
        found.append(x)
    return found[0], float(found[1][0])


def relu(x: Any) -> Any:
    return np.maximum(x, 0)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("runner"), PROGRAM)


def told(program: Path, folders: list[str]) -> list[str]:
    command = ["mono", str(program), *folders]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_logits_value_and_action_are_those_that_are_worked_out(program: Path, tmp_path: Path) -> None:
    standardised = np.clip((OBSERVATION - MEAN) / np.sqrt(VAR + 0.25), -7.5, 7.5)
    assert np.abs(standardised).max() == 7.5  # of the number that lies far out
    cases: list[tuple[dict[str, Any], bool, Any, Callable[[Any], Any]]] = [
        ({}, True, standardised, relu),
        ({"network.activation": "tanh"}, True, standardised, np.tanh),
        ({"normalizer": None}, False, OBSERVATION, relu),
    ]
    folders = [
        bundle(tmp_path / str(number), change, arrays(statistics))
        for number, (change, statistics, *_) in enumerate(cases)
    ]
    sizes = "an observation has 27 numbers and a mask 3"
    for line, (_, statistics, seen, between) in zip(told(program, folders), cases, strict=True):
        numbers, *refused = line.split("; ")
        logits, value, actions = (part.split() for part in numbers.split("|"))
        wanted, worth = worked(arrays(statistics), seen, between)
        np.testing.assert_allclose([float(x) for x in logits], wanted, rtol=1e-12)
        assert float(value[0]) == pytest.approx(worth, rel=1e-12)
        assert [int(x) for x in actions] == [wanted.argmax(), 1 + wanted[1:].argmax(), 2, 0]
        assert refused == [
            *("the mask forbids every action", sizes, sizes),
            "number 26 of the observation is not finite",
        ]


def test_files_that_do_not_fit_each_other_are_refused(program: Path, tmp_path: Path) -> None:
    def other(**changed: Any) -> Arrays:
        names = {name.replace(".", "_"): name for name in arrays()}
        return arrays() | {names[name]: value for name, value in changed.items()}

    def without(name: str) -> Arrays:
        return {key: value for key, value in arrays().items() if key != name}

    layer = "layer {} has another shape than the manifest says"
    stated = "{} is not what the manifest says"
    last = arrays()["v2.bias"]
    cases = [
        (without("p1.bias"), "no p1.bias"),
        (without("v0.kernel"), "no v0.kernel"),
        (without("statistics.mean"), "no statistics.mean"),
        (without("statistics.var"), "no statistics.var"),
        (other(p0_kernel=np.zeros((30, 27), np.float32)), layer.format("p0")),
        (other(p0_kernel=np.zeros((27 * 30,), np.float32)), layer.format("p0")),
        (other(p1_bias=np.zeros(4, np.float32)), layer.format("p1")),
        (other(v2_bias=np.append(last, last)), layer.format("v2")),
        (other(statistics_mean=MEAN * (1 + 1e-14)), stated.format("statistics.mean")),
        (other(statistics_var=np.append(VAR[:-1], VAR[-1] + 1e-12)), stated.format("statistics.var")),
        (other(statistics_mean=MEAN[:-1]), stated.format("statistics.mean")),
    ]
    folders = [bundle(tmp_path / str(n), {}, tensors) for n, (tensors, _) in enumerate(cases)]
    folders.append(bundle(tmp_path / "raw", {"normalizer": None}, arrays()))
    raw = "holds statistics, and the manifest says that observations are not normalised"
    assert told(program, folders) == [
        f"{folder}/policy.safetensors: {why}; export the policy anew"
        for folder, why in zip(folders, [*(why for _, why in cases), raw], strict=True)
    ]
