"""Damaged policies, manifests and golden values: refused by name, or read as what they say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from jax_port.export.golden_file import read_golden
from jax_port.export.manifest import MANIFEST, contract_of, describe, read_manifest
from jax_port.export.sb3 import make_sb3
from jax_port.ppo.policy import Policy, load_policy, save_policy
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import FusionSettings
from tests.damage import damaged, damaged_bytes, refusal
from tests.jax_port.export.made_bundle import made_policy
from tests.sentences import refuses


def manifest() -> dict[str, Any]:
    policy = made_policy(2)
    made = describe(policy, contract_of(policy, "ES"), {"file": "p", "sha256": "0"})
    made["files"] = {"policy.safetensors": "0"}
    made["normalizer"] |= {"mean": [0.0, 1.0], "var": [1.0, 2.0]}
    return dict(json.loads(json.dumps(made)))


def test_a_manifest_with_one_value_damaged_is_refused_by_name_or_read(tmp_path: Path) -> None:
    path, refused = tmp_path / MANIFEST, 0
    for what, made in damaged(manifest()):
        path.write_text(json.dumps(made))
        sentence = refusal(lambda: read_manifest(tmp_path))
        if sentence is None:
            assert read_manifest(tmp_path) == made, what
        else:
            assert sentence.startswith(f"{path}: "), what
            refused += 1
    assert refused > 300
    path.write_text(json.dumps(manifest()))
    assert read_manifest(tmp_path) == manifest()


def test_a_manifest_of_damaged_bytes_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / MANIFEST
    for data in damaged_bytes(json.dumps(manifest()).encode()):
        path.write_bytes(data)
        sentence = refusal(lambda: read_manifest(tmp_path))
        assert sentence is None or sentence.startswith(f"{path}: ")


def golden() -> dict[str, Any]:
    size = made_policy(1).statistics["mean"].shape[0]
    decision = {"observation": [0.5] * size, "mask": [True] * 3, "logits": [0.0] * 3, "action": 0}
    prices = {name: [100.0, 100.25] for name in ("open", "high", "low", "close", "volume")}
    steps = [{"time": 60, "wanted": 1, "taken": 1, "entered": {"side": 1, "price": 100.0}}]
    steps.append({"time": 120, "wanted": 0, "taken": 0, "exited": True})
    ticks = {"stop_ticks": 4, "target_ticks": 8, "trail_ticks": 4}
    return {
        "about": "made",
        "source": "made",
        "bars": {"time": [60, 120], **prices},
        "features": [{"time": 60, "values": [0.0] * 11, **ticks}],
        "episodes": [steps],
        "cases": [{**decision, "episode": 0, "step": 1}],
        "far": [decision],
    }


def test_golden_values_with_one_value_damaged_are_refused_by_name_or_have_the_right_sizes(
    tmp_path: Path,
) -> None:
    path, policy, refused = tmp_path / "golden.json", made_policy(1), 0
    path.write_text(json.dumps(golden()))
    assert len(read_golden(tmp_path, policy).cases) == 1
    for what, made in damaged(golden()):
        path.write_text(json.dumps(made))
        sentence = refusal(lambda: read_golden(tmp_path, policy))
        if sentence is not None:
            assert sentence.startswith(f"{path}: "), what
            refused += 1
        else:
            found = read_golden(tmp_path, policy)
            columns = ("open", "high", "low", "close", "volume")
            lengths = {len(getattr(found.bars, name)) for name in columns}
            assert lengths == {len(found.bars.time)}, what
            assert np.isfinite([one.logits for one in found.cases]).all()
            steps = [step for episode in found.episodes for step in episode]
            assert {step.time for step in steps} <= set(found.bars.time), what
            chosen = [action for step in steps for action in (step.wanted, step.taken)]
            chosen += [one.action for one in (*found.cases, *found.far)]
            assert max(chosen) < 3, what
    assert refused > 300


@pytest.mark.parametrize(
    ("episode", "step", "there"),
    [(0, 0, True), (0, 1, True), (0, 2, False), (0, 60, False), (1, 0, False), (2, 1, False)],
)
def test_a_case_states_a_step_that_there_is(
    episode: int, step: int, there: bool, tmp_path: Path
) -> None:
    made, path = golden(), tmp_path / "golden.json"
    made["cases"][0] |= {"episode": episode, "step": step}
    path.write_text(json.dumps(made))
    sentence = refusal(lambda: read_golden(tmp_path, made_policy(1)))
    assert sentence is None if there else "cases[0]: there is no such step" in str(sentence)


LAST: dict[str, tuple[tuple[Any, ...], Any]] = {
    "bars.volume": (("bars", "volume"), [1.0]),
    "features[1]": (("features", 1, "time"), 61),
    "episodes[1][1]": (("episodes", 1, 1, "time"), 121),
    "episodes[1]: actions are 0 to 2": (("episodes", 1, 1, "taken"), 3),
    "episodes[0]: actions are 0 to 2": (("episodes", 0, 1, "wanted"), 3),
    "cases[2]: actions are 0 to 2": (("cases", 2, "action"), 3),
    "cases[2]: 225 numbers and 3 actions": (("cases", 2, "mask"), [True, False]),
    "far[1]: 225 numbers and 3 actions": (("far", 1, "logits"), [0.0] * 4),
    "far[0]: 225 numbers and 3 actions": (("far", 0, "observation"), [0.0] * 224),
    "far[1]: actions are 0 to 2": (("far", 1, "action"), 3),
    "cases: a step is stated twice": (("cases", 2, "step"), 1),
    "cases[1]: there is no such step": (("cases", 1, "episode"), 2),
    "cases[2]: there is no such step": (("cases", 2, "step"), 2),
}
"""What is said, and which value is damaged by which other one."""


@pytest.mark.parametrize("said", LAST)
def test_the_last_of_several_is_looked_at_like_the_first(said: str, tmp_path: Path) -> None:
    made, path = golden(), tmp_path / "golden.json"
    again = json.loads(json.dumps(made))
    made["features"] += again["features"]
    made["episodes"] += again["episodes"]
    made["far"] += again["far"]
    (case,) = made["cases"]
    made["cases"] = [case, {**case, "episode": 1, "step": 1}, {**case, "episode": 1, "step": 0}]
    made = json.loads(json.dumps(made))
    path.write_text(json.dumps(made))
    assert len(read_golden(tmp_path, made_policy(1)).cases) == 3
    (*places, last), value = LAST[said]
    within = made
    for place in places:
        within = within[place]
    within[last] = value
    path.write_text(json.dumps(made))
    assert said in str(refusal(lambda: read_golden(tmp_path, made_policy(1))))


def policy_file(folder: Path) -> Path:
    path = folder / "policy.safetensors"
    save_policy(path, made_policy(1))
    return path


def test_a_policy_with_any_byte_changed_is_refused_by_name(tmp_path: Path) -> None:
    path = policy_file(tmp_path)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    header = 8 + int.from_bytes(data[:8], "little")
    places = [*range(8), *rng.integers(8, header, 150), *rng.integers(header, len(data), 50)]
    for at in places:
        changed = bytearray(data)
        changed[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(changed))
        sentence = refusal(lambda: load_policy(path))
        if sentence is None:
            same(load_policy(path), made_policy(1))  # white space of the header, say
        else:
            assert str(path) in sentence
    path.write_bytes(data)
    same(load_policy(path), made_policy(1))


def same(one: Policy, other: Policy) -> None:
    assert one.config == other.config
    assert one.spec == other.spec
    assert dict(one.about) == dict(other.about)
    for layer, kinds in other.params["params"].items():
        for kind, value in kinds.items():
            np.testing.assert_array_equal(one.params["params"][layer][kind], value)


def rewrite(path: Path, about: object) -> None:
    text = about if isinstance(about, str) else json.dumps(about)
    path.write_bytes(save(load_file(path), metadata={"rltrader": text}))


def header_of(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    whole = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return dict(json.loads(whole["__metadata__"]["rltrader"]))


def test_a_policy_of_the_older_format_carries_no_checksum_and_is_read(tmp_path: Path) -> None:
    path = policy_file(tmp_path)
    about = header_of(path)
    del about["checksum"]
    rewrite(path, {**about, "format": 1})
    same(load_policy(path), made_policy(1))
    rewrite(path, {**about, "format": 2})
    with refuses():
        load_policy(path)
    rewrite(path, {**about, "format": 9})
    with refuses():
        load_policy(path)


def test_a_header_with_one_value_damaged_is_refused_by_name_or_read(tmp_path: Path) -> None:
    path, refused = policy_file(tmp_path), 0
    about = {**header_of(path), "format": 1}  # of which no checksum is asked
    for what, made in damaged(about):
        rewrite(path, made)
        sentence = refusal(lambda: load_policy(path))
        if sentence is not None:
            assert str(path) in sentence, what
            refused += 1
    assert refused > 300
    for text in ("", "[]", "[" * 100_000, '"\\ud800"', "9" * 5000):
        rewrite(path, text)
        with refuses():
            load_policy(path)


@pytest.mark.parametrize(
    "settings",
    [[1], "x", {"learning_rate": [[1, 2], 1]}, {"seed": {}}, {"seed": "2025-01-13"}, {"gamma": 1e308}],
    ids=str,
)
def test_settings_that_sb3_could_not_use_are_refused(settings: object) -> None:
    policy = made_policy(1)
    changed = Policy(
        policy.spec, policy.params, policy.statistics, policy.config, {"settings": settings}
    )
    with refuses():
        make_sb3(changed)


USE = AdviceUse("prior", FusionSettings(), "chat", "m", "1", "", "never")


@pytest.mark.parametrize(
    "made",
    [
        made_policy(1),
        replace(made_policy(1), statistics=None),
        replace(made_policy(1), advice=USE),
    ],
    ids=["normalised", "raw", "advised"],
)
def test_one_weight_that_is_another_is_refused_in_every_format(tmp_path: Path, made: Policy) -> None:
    path = tmp_path / "policy.safetensors"
    save_policy(path, made)
    same(load_policy(path, advised=True), made)
    about, arrays = header_of(path), load_file(path)
    arrays["action_head.bias"][0] += 1
    path.write_bytes(save(arrays, metadata={"rltrader": json.dumps(about)}))
    with refuses():
        load_policy(path, advised=True)
