"""Every number that the C# side takes from a manifest is the manifest's own, whatever its value."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from foundation.files import file_digest, write_json
from jax_port.data.data_loader import prepare
from jax_port.export.manifest import (
    LAST_FLAT_BY,
    MANIFEST,
    MOST_CONTRACTS,
    MOST_MULTIPLE,
    describe,
    require_live_rules,
)
from jax_port.ppo.policy import save_policy
from jax_port.ppo.settings import NetworkSpec
from jax_port.runs.lineage import ALIKE, in_words, weakest
from markets import Contract, EnvConfig
from markets.advice.fusion import RULES, FusionSettings
from markets.synthetic.bars import synthetic_bars
from parity.export_chain.csharp import MISSING, available
from tests.jax_port.made_policy import MOST_LIVE, OTHER, make_policy
from tests.ninjatrader.compiled import compiled
from tests.sentences import refuses

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.Collections;
using System.Globalization;
using System.Reflection;
using RLTrader;

public static class Show
{
    private static void Fields(string prefix, object owner)
    {
        foreach (FieldInfo field in owner.GetType().GetFields())
            if (!field.IsStatic) Value(prefix + field.Name, field.GetValue(owner));
    }

    private static void Value(string name, object value)
    {
        FusionSettings fusion = value as FusionSettings;
        LayerShape[] layers = value as LayerShape[];
        double[] numbers = value as double[];
        if (fusion != null) Fields(name + ".", fusion);
        else if (layers != null)
            for (int i = 0; i < layers.Length; i++) Fields(name + "." + i + ".", layers[i]);
        else if (numbers != null)
            for (int i = 0; i < numbers.Length; i++) Value(name + "." + i, numbers[i]);
        else if (value is double || value is float)
            Line(name, Convert.ToDouble(value).ToString("R", CultureInfo.InvariantCulture));
        else Line(name, Convert.ToString(value, CultureInfo.InvariantCulture));
    }

    private static void Line(string name, string value) { Console.WriteLine(name + "=" + value); }

    public static void Main(string[] args)
    {
        if (args.Length == 0)
        {
            Line("Proofs", string.Join("|", Manifest.Proofs));
            Line("MostContracts", Manifest.MostContracts.ToString());
            Value("MostMultiple", Manifest.MostMultiple);
            Line("LastFlatBy", Manifest.LastFlatBy.ToString());
            return;
        }
        Manifest manifest = Manifest.Load(args[0]);
        Fields("", manifest);
        if (manifest.Fusion == null) return;
        for (int age = -1; age <= manifest.Fusion.MostAge + 2; age++)
            Value("Fresh." + age, manifest.Fusion.Freshness(age));
    }
}
"""

RULES_OF = (
    OTHER,
    {"window_size": 2, "max_episode_bars": 60, "floor_lock_dollars": 0.0, "contracts": 100},
)
CONTRACTS = (
    Contract("CL", "Crude", 0.01, 777, 3, 41),
    Contract("ZZ", "of odd cents", 1 / 32, 1, 0, 0),
)
FUSION = {
    "weight": 0.625,
    "threshold": 0.375,
    "most_losses": 9,
    "least_left": 0.125,
    "every": 11,
    "cooldown": 8,
    "at_entries": False,
    "fade": 0.25,
    "most_age": 17,
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("show"), PROGRAM)


def read(program: Path, *folder: Path) -> dict[str, str]:
    done = subprocess.run(["mono", program, *folder], capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def expected(told: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the fields by the names of C#, read from the manifest by names of its own."""
    config, contract, network = told["env_config"], told["contract"], told["network"]
    account, phase = config["account"], told["phase"]
    found = {
        "Folder": str(folder),
        "Symbol": contract["symbol"],
        "Certificate": told["certificate"] if told["certificate"] == "ungated" else "same by parts",
        "Proved": False,
        "PolicyDigest": told["files"]["policy.safetensors"],
        "Session": {"rth": "Regular", "all": "All"}[config["session"]],
        "Activation": {"relu": "Relu", "tanh": "Tanh"}[network["activation"]],
        "Phase": phase,
        "Size": told["observation"]["size"],
        "Window": config["window_size"],
        "PositionFeatures": len(told["observation"]["position"]),
        "Actions": len(told["actions"]),
        "Epsilon": told["normalizer"]["epsilon"],
        "Clip": told["normalizer"]["clip"],
        "ForbiddenLogit": told["masks"]["forbidden_logit"],
        "Normalised": True,
        "TickSize": contract["tick_size"],
        "TickValue": contract["tick_value_cents"] / 100,
        "Commission": contract["commission_cents"] / 100,
        "Slippage": contract["slippage_ticks"],
        "StopMultiple": config["sl_atr_mult"],
        "TargetRatio": config["tp_sl_ratio"],
        "TrailMultiple": config["trail_atr_mult"],
        "TrailingDrawdown": account["trailing_drawdown_dollars"],
        "FloorLock": account["floor_lock_dollars"],
        "Contracts": account["contracts"],
        "WarmupBars": config["warmup_bars"],
        "EntryOpen": config["entry_open_minute"],
        "EntryClose": config["entry_close_minute"],
        "FlatBy": config["flat_by_minute"],
        "MaxEpisodeBars": config["max_episode_bars"],
    }
    for field, name in (("Mean", "mean"), ("Var", "var")):
        found |= {f"{field}.{n}": value for n, value in enumerate(told["normalizer"][name])}
    for field, mlp in (("Policy", "policy"), ("Value", "value")):
        for n, layer in enumerate(network[mlp]):
            found |= {f"{field}.{n}.{part}": layer[part.lower()] for part in ("Name", "In", "Out")}
    if "fusion" not in told:
        return {**found, "Fusion": ""}
    names = {name: "".join(word.capitalize() for word in name.split("_")) for name in told["fusion"]}
    fusion = {f"Fusion.{names[name]}": value for name, value in told["fusion"].items()}
    left = [0.0, *FusionSettings.from_dict(told["fusion"]).freshness().tolist(), 0.0, 0.0]
    fusion |= {f"Fresh.{age}": value for age, value in enumerate(left, -1)}
    return {**found, **fusion, "Fusion.Rule": told["fusion"]["rule"].capitalize()}


@pytest.mark.parametrize("phase", [1, 2])
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("rule", [None, *RULES])
def test_each_field_is_what_the_manifest_says(
    program: Path, tmp_path: Path, phase: int, number: int, rule: str | None
) -> None:
    config = (EnvConfig.phase1() if phase == 1 else EnvConfig.phase2()).override(**RULES_OF[number])
    market = prepare(synthetic_bars("ES", days=2, seed=5), EnvConfig.phase1(max_episode_bars=60))
    spec = (NetworkSpec((5, 3), (4,), "tanh"), NetworkSpec((4,), (6, 2)))[number]
    policy = make_policy(market, config, seed=3, spec=spec)
    save_policy(tmp_path / "policy.safetensors", policy)
    told = describe(policy, CONTRACTS[number], {"file": "x", "sha256": "0"})
    if number:  # a proof that is not one whole one
        told["certificate"] = {"verdict": "same by parts"}
    if rule is not None:
        told["fusion"] = FusionSettings(rule=rule, **FUSION).to_dict()  # type: ignore[arg-type]
    digest = file_digest(tmp_path / "policy.safetensors")
    write_json(tmp_path / MANIFEST, {**told, "files": {"policy.safetensors": digest}})
    told = json.loads((tmp_path / MANIFEST).read_text())
    found, wanted = read(program, tmp_path), expected(told, tmp_path)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        if isinstance(value, float):
            assert float(found[name]) == pytest.approx(value, rel=1e-15, abs=0), name
        else:
            assert found[name] == str(value), name


def written(folder: Path, change: dict[str, Any], certificate: Any = "ungated") -> Path:
    """Write what the C# side reads of a bundle, with other rules."""
    config = EnvConfig.phase2(window_size=1).override(**change)
    market = prepare(synthetic_bars("ES", days=2, seed=5), EnvConfig.phase1(max_episode_bars=60))
    policy = make_policy(market, config, spec=NetworkSpec((2,), (2,)), certificate=certificate)
    folder.mkdir()
    save_policy(folder / "policy.safetensors", policy)
    digest = file_digest(folder / "policy.safetensors")
    told = describe(policy, CONTRACTS[0], {"file": "x", "sha256": "0"})
    write_json(folder / MANIFEST, {**told, "files": {"policy.safetensors": digest}})
    return folder


def test_both_sides_have_the_same_proofs_and_limits(program: Path) -> None:
    found = read(program)
    proofs = found["Proofs"].split("|")
    assert sorted(proofs) == sorted(ALIKE)
    assert (found["MostContracts"], found["MostMultiple"], found["LastFlatBy"]) == (
        str(MOST_CONTRACTS),
        f"{MOST_MULTIPLE:g}",
        str(LAST_FLAT_BY),
    )


@pytest.mark.parametrize(
    ("certificate", "shown", "proved"),
    [
        ({"verdict": "same"}, "same", True),
        ({"verdict": "same, minibatches by group"}, "same, minibatches by group", True),
        ({"verdict": "same, but under changed code"}, "same, but under changed code", True),
        ({"verdict": "same by parts"}, "same by parts", False),
        ({"verdict": "different"}, "different", False),
        ({"verdict": "Same"}, "Same", False),
        ("same", "same", False),
        ("ungated", "ungated", False),
    ],
    ids=lambda value: str(value),
)
def test_a_proof_is_what_the_lineage_counts_as_one(
    program: Path, tmp_path: Path, certificate: Any, shown: str, proved: bool
) -> None:
    found = read(program, written(tmp_path / "bundle", {}, certificate))
    assert (found["Certificate"], found["Proved"]) == (shown, str(proved))
    stretch = {"certificate": certificate, "code": "1"}
    assert (in_words(weakest([stretch])) in ALIKE) == proved


@pytest.mark.parametrize(("name", "most", "more"), MOST_LIVE)
def test_rules_that_the_strategy_refuses_are_not_exported(
    program: Path, tmp_path: Path, name: str, most: float, more: float
) -> None:
    require_live_rules(EnvConfig.phase1().override(**{name: most}))
    read(program, written(tmp_path / "most", {name: most}))
    with refuses():
        require_live_rules(EnvConfig.phase1().override(**{name: more}))
    with pytest.raises(subprocess.CalledProcessError) as error:
        read(program, written(tmp_path / "more", {name: more}))
    assert "BundleException" in error.value.stderr
