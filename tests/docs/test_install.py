"""What pages, metadata and continuous integration say of Python's and torch's versions is one thing."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.docs.pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
SUPPORTED = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))


def pinned(package: str) -> str:
    (version,) = re.findall(
        rf"^{package}==(\S+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE
    )
    return str(version)


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_pages_name_the_pythons_of_the_metadata(page: str) -> None:
    first, *_, last = SUPPORTED
    minor = int(last.partition(".")[2])
    assert PROJECT["requires-python"] == f">={first},<3.{minor + 1}"
    *others, newest = SUPPORTED
    assert f"Python {', '.join(others)} or {newest}" in (ROOT / page).read_text("utf-8")


def test_continuous_integration_runs_every_python_of_the_metadata() -> None:
    text = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    assert re.findall(r"python: \[(.+)\]", text) == [", ".join(f'"{one}"' for one in SUPPORTED)]


def test_pages_install_the_torch_that_is_pinned() -> None:
    pages = {page: page.read_text("utf-8") for page in (ROOT / "docs").rglob("*.md")}
    named = {
        page.name: re.findall(r'pip install "torch==([^"]+)"', text) for page, text in pages.items()
    }
    found = {name: versions for name, versions in named.items() if versions}
    assert {"tutorial.md", "install.md"} <= set(found)
    assert {version for versions in found.values() for version in versions} == {pinned("torch")}
