"""A missing package of an extra is answered with the line that installs it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from foundation import extras
from foundation.extras import DISTRIBUTION, extra_of, how_to_install
from tests.sentences import check_process

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PIP = re.compile(r"pip install [^`\n]*?['\"]?(?:(\w[\w.-]*)\[\w+\]|(rltrader)\b)")
OURS_AND_KNOWN = {DISTRIBUTION, "jax"}


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("torch", "reference"),
        ("sb3_contrib.ppo_mask", "reference"),
        ("flax.linen", "trader"),
        ("tensorboardX", "trader"),
        ("onnxscript", "export"),
        ("numpy", None),
        ("parity", None),
        ("", None),
    ],
)
def test_the_extra_of_a_module(module: str, extra: str | None) -> None:
    assert extra_of(module) == extra
    if extra is None:
        assert how_to_install(module) is None


def test_a_command_names_the_line_that_installs_what_is_missing() -> None:
    program = (
        "import sys\nsys.modules['torch'] = None\n"
        "from foundation.errors import run_command\nrun_command(lambda: __import__('torch.nn'))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    check_process(done)


def test_no_text_tells_anyone_to_install_a_package_that_is_not_ours() -> None:
    assert PROJECT["name"] == DISTRIBUTION
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    endings = {".md", ".py", ".yml", ".toml", ".cs"}
    names = [name for name in listed.stdout.splitlines() if Path(name).suffix in endings]
    assert "README.md" in names
    wrong = [
        f"{name}: {match[0]}"
        for name in names
        for match in PIP.finditer((ROOT / name).read_text(encoding="utf-8"))
        if (match[1] or match[2]) not in OURS_AND_KNOWN and not name.endswith("test_extras.py")
    ]
    assert not wrong


@pytest.mark.parametrize("text", ['python -m pip install "rltrader[export]"', "pip install rltrader"])
def test_the_check_of_texts_sees_a_wrong_one(text: str) -> None:
    match = PIP.search(text)
    assert match is not None
    assert (match[1] or match[2]) not in OURS_AND_KNOWN


def test_packages_are_told_by_the_extra_that_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of the metadata; an extra of extras and what no extra needs add none."""
    declared = [
        "numpy>=2",
        "Flax_NNX.ext>=0.1 ; extra == 'one'",
        'torch ; python_version > "3" and extra == "two"',
        "rich[jupyter]~=13.0 ; extra=='one'",
        "EnvParity[one,two] ; extra == 'all'",
        "flax-nnx-ext ; extra == 'two'",
    ]
    monkeypatch.setattr(extras, "requires", lambda name: declared if name == "envparity" else None)
    assert extras.packages_of_extras() == {
        "one": ("Flax_NNX.ext", "rich"),
        "two": ("torch", "flax-nnx-ext"),
    }
    names = ("flax_nnx_ext", "FLAX-nnx_ext.linen", "torch.nn", "rich", "envparity")
    assert [extra_of(name) for name in names] == ["one", "one", "two", "one", None]
    assert extra_of("numpy") is None
    assert how_to_install("torch.nn.functional") == (
        "torch is not installed, and this needs it: python -m pip install 'envparity[two]'"
    )
    monkeypatch.setattr(extras, "requires", lambda name: None)
    assert extras.packages_of_extras() == {}

    def absent(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(extras, "requires", absent)
    assert (extras.packages_of_extras(), extra_of("torch")) == ({}, None)


def test_what_is_installed_is_known_by_its_name_on_the_index() -> None:
    assert [extras.is_installed(name) for name in ("numpy", "no-such-package")] == [True, False]


def test_sources_say_what_their_extras_bring(tmp_path: Path) -> None:
    declared = PROJECT["optional-dependencies"]
    found = extras.packages_in_sources()
    assert set(found) <= set(declared)
    assert {"coverage", "sb3-contrib", "stable-baselines3", "torch"} == set(found["reference"])
    assert "six" in found["trader"]
    assert found["sign"] == ("securesystemslib",)
    assert extras.packages_in_sources(tmp_path) == {}
    for text in ("[project]\nname = 'other'", "no = toml = ", "[tool]"):
        (tmp_path / "pyproject.toml").write_text(text)
        assert extras.packages_in_sources(tmp_path) == {}
    text = f"[project]\nname = '{DISTRIBUTION}'\n[project.optional-dependencies]\n"
    (tmp_path / "pyproject.toml").write_text(f"{text}all = ['{DISTRIBUTION}[one]']\none = ['a.b>=1']")
    assert extras.packages_in_sources(tmp_path) == {"one": ("a.b",)}
