"""Versions, machine and devices, as artifacts state them."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import pytest

from foundation import provenance
from foundation.provenance import KNOWN_XLA_FLAGS, unreadable_xla_flags
from tests.sentences import check_process


def test_a_package_that_is_missing_is_stated_and_no_error() -> None:
    found = provenance.versions(("numpy", "no-such-package"))
    assert list(found) == ["python", "numpy", "no-such-package"]
    assert found["numpy"] == version("numpy")
    assert found["no-such-package"] == provenance.ABSENT


def test_devices_in_words_and_as_values() -> None:
    devices = jax.devices()
    words = provenance.device_name(devices)
    assert words == f"{len(devices)} x {devices[0].platform} ({devices[0].device_kind})"
    assert provenance.device_info(devices)["count"] == len(devices)


@dataclass(frozen=True)
class Card:
    """A device whose platform and name are not the same word."""

    platform: str = "gpu"
    device_kind: str = "Card 200"


def test_a_device_is_told_by_its_platform_and_its_name() -> None:
    two = [Card(), Card(device_kind="another")]
    assert provenance.device_info(two) == {"platform": "gpu", "kind": "Card 200", "count": 2}
    assert provenance.device_name(two) == "2 x gpu (Card 200)"
    made = provenance.made_with(("numpy",), two[:1])
    assert made == {"versions": provenance.versions(("numpy",)), "device": "1 x gpu (Card 200)"}


def test_what_a_speed_depends_on_is_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--b --a")
    found = provenance.machine_info(("numpy",), [Card()], jax.config)
    stamp, load = datetime.fromisoformat(found.pop("time")), found.pop("load_average")
    assert stamp.utcoffset() == UTC.utcoffset(None)
    assert abs((datetime.now(UTC) - stamp).total_seconds()) < 3600
    assert len(load) == 3
    told = re.search(r"^model name\s*:\s*(.*\S)", _cpuinfo(), re.MULTILINE)
    assert found == {
        "python": platform.python_version(),
        "versions": {"numpy": version("numpy")},
        "platform": platform.platform(),
        "cpu": told[1] if told else platform.processor() or platform.machine(),
        "cores": provenance.cores(),
        "device": {"platform": "gpu", "kind": "Card 200", "count": 1},
        "flags": {
            "XLA_FLAGS": "--b --a",
            "jax_enable_x64": False,
            "jax_default_matmul_precision": jax.config.jax_default_matmul_precision,
        },
    }


def test_the_time_is_in_utc_wherever_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        stamp = provenance.now()
        assert time.localtime().tm_gmtoff == 9 * 3600
    finally:
        monkeypatch.undo()
        time.tzset()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", stamp)


def _cpuinfo() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def test_machine_info_has_the_flags_of_jax() -> None:
    found = provenance.machine_info(("numpy",), jax.devices(), jax.config)
    assert found["versions"] == {"numpy": version("numpy")}
    assert found["flags"]["jax_enable_x64"] is False
    assert found["cores"] >= 1
    assert found["cpu"]


def test_cores_are_those_that_this_process_may_run_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {1, 3, 4, 7, 8}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert provenance.cores() == 5
    monkeypatch.delattr(os, "sched_getaffinity")
    assert provenance.cores() == 64


@pytest.mark.parametrize(
    ("given", "said"),
    [("", ""), ("--b=1 --a=2", "--a=2 --b=1"), ("  --a=2\n --b=1 ", "--a=2 --b=1"), ("--c", "--c")],
)
def test_flags_are_told_alike_in_any_order(
    monkeypatch: pytest.MonkeyPatch, given: str, said: str
) -> None:
    class Config:
        jax_enable_x64 = True
        jax_default_matmul_precision: str | None = None

    monkeypatch.setenv("XLA_FLAGS", given)
    found = provenance.jax_flags(Config)
    assert found == {"jax_enable_x64": "True", "jax_default_matmul_precision": "", "XLA_FLAGS": said}
    Config.jax_enable_x64, Config.jax_default_matmul_precision = False, "highest"
    found = provenance.jax_flags(Config)
    assert found == {"jax_enable_x64": "", "jax_default_matmul_precision": "highest", "XLA_FLAGS": said}


def test_importing_foundation_imports_nothing_heavy() -> None:
    code = (
        "import sys, foundation.files, foundation.provenance, foundation.import_closure, "
        "foundation.errors, foundation.json_reading\n"
        "print(sorted({'jax', 'torch', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        ("--xla_made_up=1", "Unknown flag in XLA_FLAGS: --xla_made_up=1"),
        ("--xla_backend_optimization_level=much", "much"),
        ("xla_backend_optimization_level", "Could not open file"),
    ],
)
def test_flags_that_xla_cannot_read_are_named(
    flags: str, names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XLA_FLAGS", flags)
    sentence = unreadable_xla_flags()
    assert names in sentence
    assert "\n" not in sentence
    assert sentence.endswith("or unset XLA_FLAGS")
    assert os.environ.get(KNOWN_XLA_FLAGS) != flags


def test_flags_are_asked_about_on_the_cpu_wherever_work_will_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", "no_such_platform")
    monkeypatch.setenv("XLA_FLAGS", "--xla_made_up=1")
    assert "Unknown flag in XLA_FLAGS: --xla_made_up=1" in unreadable_xla_flags()


def test_flags_that_xla_reads_are_asked_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0")
    monkeypatch.delenv(KNOWN_XLA_FLAGS, raising=False)
    assert unreadable_xla_flags() == ""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")  # a second question would raise
    assert unreadable_xla_flags() == ""
    monkeypatch.delenv(KNOWN_XLA_FLAGS)


def test_a_command_ends_with_the_sentence() -> None:
    environment = {**os.environ, "XLA_FLAGS": "--xla_made_up=1"}
    command = [sys.executable, "-m", "rltrader", "data", "contracts"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    check_process(done, r"(?<=read \().*(?=\);)")


def test_only_what_xla_says_of_flags_when_it_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "E0101 00:00 1 parse.cc:9] Unknown flag in XLA_FLAGS: --x=1. \nE0101 other] no more\n"
    asked: list[dict[str, str]] = []

    def run(command: list[str], **options: Any) -> Any:
        asked.append(options["env"])
        return SimpleNamespace(returncode=code, stderr=said)

    monkeypatch.setattr(provenance.subprocess, "run", run)
    monkeypatch.setenv("XLA_FLAGS", "--x=1")
    monkeypatch.setenv(KNOWN_XLA_FLAGS, "--y=1")
    monkeypatch.setenv("JAX_PLATFORMS", "tpu")
    code = 134
    assert unreadable_xla_flags() == (
        "the environment variable XLA_FLAGS is '--x=1', which this version of XLA can't read "
        "(Unknown flag in XLA_FLAGS: --x=1); take out what it names, or unset XLA_FLAGS"
    )
    assert unreadable_xla_flags() != ""  # and is asked again
    assert [one["JAX_PLATFORMS"] for one in asked] == ["cpu", "cpu"]
    code = 0
    assert unreadable_xla_flags() == ""
    assert os.environ[KNOWN_XLA_FLAGS] == "--x=1"
    assert (unreadable_xla_flags(), len(asked)) == ("", 3)
    for empty in ("", " \n"):
        monkeypatch.setenv("XLA_FLAGS", empty)
        assert (unreadable_xla_flags(), len(asked)) == ("", 3)


def test_what_a_measured_speed_depends_on_is_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {1, 3, 4}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "getloadavg", lambda: (1.5, 2.5, 3.5))
    found = provenance.machine_info(("numpy", "no-such-package"), jax.devices(), jax.config)
    assert (found["cores"], found["load_average"]) == (3, [1.5, 2.5, 3.5])
    assert found["versions"] == {"numpy": version("numpy"), "no-such-package": provenance.ABSENT}
    monkeypatch.delattr(os, "getloadavg")
    assert provenance.machine_info((), jax.devices(), jax.config)["load_average"] is None
