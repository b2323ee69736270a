"""The patches that the how-to pages show apply to the code as it is, and the gate passes with them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Page, pages

PATCHED = [page for page in pages() if any(block.language == "diff" for block in page.blocks)]
COPIED = (
    "foundation",
    "markets",
    "legacy_torch",
    "jax_port",
    "parity",
    "rltrader",
    "ninjatrader",
    "docs",
)
GATE = ("parity", "run", "--episodes", "4", "--cases", "200", "--days", "5", "--symbols", "ES")


def patch_of(page: Page) -> str:
    """Return all patches of a page as one."""
    joined = "".join(block.code for block in page.blocks if block.language == "diff")
    # Without a line that begins a file, git counts the next file's first lines to the hunk before it.
    return re.sub(r"^--- a/(\S+)\n", r"diff --git a/\1 b/\1\n--- a/\1\n", joined, flags=re.MULTILINE)


def apply(patch: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = ["git", "apply", "--unidiff-zero", "--recount", *options, "-"]
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent)}
    return subprocess.run(
        command, cwd=folder, input=patch, text=True, capture_output=True, env=environment
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the code."""
    for name in COPIED:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("page", PATCHED, ids=lambda page: page.name)
def test_patches_apply(page: Page, copy: Path) -> None:
    done = apply(patch_of(page), copy)
    assert done.returncode == 0, f"{page.name}: {done.stderr}"


def test_a_patch_of_other_code_is_refused(copy: Path) -> None:
    patch = patch_of(PATCHED[0])
    changed = next(line for line in patch.splitlines() if line.startswith(" "))
    assert apply(patch.replace(changed, " nothing like it", 1), copy).returncode != 0


@pytest.mark.patched_gate
@pytest.mark.slow
@pytest.mark.parametrize("name", ["docs/how-to/add-a-feature.md", "docs/how-to/change-the-reward.md"])
def test_the_gate_passes_with_a_page_s_patches(name: str, copy: Path) -> None:
    (page,) = (page for page in PATCHED if page.name == name)
    assert apply(patch_of(page), copy).returncode == 0
    done = subprocess.run(
        [sys.executable, "-m", "rltrader", *GATE, "--out", "gate"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
