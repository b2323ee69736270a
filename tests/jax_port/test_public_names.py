"""The names that a user imports from ``jax_port``."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import jax_port
from jax_port import data
from jax_port.envs import env_phase1_jax as phase1
from jax_port.envs.phase import Transition
from jax_port.envs.registry import PHASES
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars

README = Path(__file__).parents[2] / "README.md"


def test_importing_the_package_imports_nothing_of_it() -> None:
    code = (
        "import sys, jax_port; print(sorted(m for m in sys.modules if m.startswith(('jax', 'torch'))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['jax_port']"


def test_every_public_name_is_there_and_says_what_it_is() -> None:
    assert sorted(jax_port._PLACES) == jax_port.__all__
    assert set(jax_port.__all__) <= set(dir(jax_port))
    for name in jax_port.__all__:
        value = getattr(jax_port, name)
        assert value.__doc__, name
    assert data.__name__ == "jax_port.data"  # the rooms are not hidden by names
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = jax_port.lode


def test_the_names_for_type_checkers_are_those_that_are_imported() -> None:
    source = Path(jax_port.__file__).read_text(encoding="utf-8")
    block = source.partition("if TYPE_CHECKING:\n")[2].partition("\n\n")[0]
    found = {}
    for module, names in re.findall(r"from (\S+) import (.+)", block):
        for name in names.split(", "):
            attribute, _, alias = name.partition(" as ")
            found[alias or attribute] = f"{module}:{attribute}"
    assert found == jax_port._PLACES


@pytest.mark.parametrize("number", [1, 2])
def test_environments_are_stepped_by_the_rules_of_their_own_phase(number: int) -> None:
    config = EnvConfig.phase1() if number == 1 else EnvConfig.phase2()
    market = data.data_loader.prepare(synthetic_bars("ES", days=3, seed=1), config)
    params = jax_port.make_params(jax_port.stack([market]), config)
    phase = PHASES[number]

    def play(reset: Any, masks_of: Any, step: Any) -> Any:
        obs, state = reset(jax.random.key(0), params, 8)
        masks = masks_of(state, params)
        return obs, masks, step(jax.random.key(1), state, masks[:, 1].astype("int32"), params)

    ours = (jax_port.batch_reset, jax_port.batch_action_masks, jax_port.batch_step)
    named = (phase1.batch_reset, phase1.batch_action_masks, phase1.batch_step)
    out = jax.jit(lambda: play(*ours))()
    wanted = jax.jit(lambda: play(*(partial(one, phase=phase) for one in named)))()
    assert out[1].shape == (8, phase.num_actions)
    for got, want in zip(jax.tree.leaves(out), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_array_equal(got, want)


def test_the_block_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert "from jax_port import" in block
    write_bars(synthetic_bars("ES", days=3, seed=1), tmp_path / "ES_1min.csv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RLTRADER_CACHE", str(tmp_path / "cache"))
    names: dict[str, object] = {}
    exec(block.replace("10_000", "64"), names)
    out = names["out"]
    assert isinstance(out, Transition)
    assert out.obs.shape == (64, 225)
