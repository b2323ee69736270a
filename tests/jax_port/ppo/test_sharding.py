"""One run on one device, on eight, and in two processes: the same numbers but for rounding."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh, NamedSharding, PartitionSpec

from jax_port.ppo.fast.program import shares_of
from jax_port.ppo.fast.scale_out import AXIS
from jax_port.ppo.minibatches import ONE_DEVICE
from jax_port.ppo.policy import load_policy
from jax_port.ppo.settings import TrainSettings
from jax_port.ppo.sharding import (
    agent_shardings,
    check_split,
    everywhere,
    make_layout,
    make_mesh,
    spread,
    to_host,
)
from jax_port.ppo.train_ppo_jax import init_agents
from jax_port.runs import run as runs
from jax_port.runs.logs.training_log import read_log
from jax_port.runs.plan import Plan
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig
from tests.jax_port.ppo.fast.made_transitions import make_world
from tests.sentences import refuses

SETTINGS = TrainSettings(
    n_envs=16, n_steps=8, batch_size=48, n_epochs=2, total_timesteps=128 * 6
).override(pi=(16,), vf=(16,))
DATA = TrainingData((Source("ES", kind="synthetic", days=3, seed=0),))
PLAN = Plan(
    SETTINGS, DATA, EnvConfig.phase1(max_episode_bars=6), checkpoint_every=3, certificate="ungated"
)

CHILD = """
import sys
from pathlib import Path
import jax
folder, processes, index, port, devices, stop_at = sys.argv[1], *map(int, sys.argv[2:])
if processes > 1:
    jax.distributed.initialize(f"127.0.0.1:{port}", processes, index)
from jax_port.runs import run as runs
from jax_port.runs.plan import Plan, read_plan
assert jax.device_count() == devices, jax.devices()
seen = []
def tell(updates, records):
    seen.append(updates)
runs.run(read_plan(Path(folder)), Path(folder), tell, lambda: seen[-1] == stop_at)
"""


def _run(folder: Path, processes: int, devices_each: int, stop_at: int = -1) -> None:
    """Go on with a run in some processes with some host devices each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = os.environ.get("XLA_FLAGS", "")
    flags = f"{own} --xla_force_host_platform_device_count={devices_each}".strip()
    env = {**os.environ, "XLA_FLAGS": flags}
    rest = (str(port), str(processes * devices_each), str(stop_at))
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder), str(processes), str(index), *rest], env=env
        )
        for index in range(processes)
    ]
    assert [child.wait(timeout=300) for child in children] == [0] * processes


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    runs.start(PLAN, folder)
    _run(folder, 1, 1)
    return folder


def _distance(one: Path, other: Path) -> float:
    """Return the largest difference of a weight, relative to the largest weight of its layer."""
    ours, theirs = (load_policy(p / "policy-0.safetensors").params["params"] for p in (one, other))
    return max(
        float(np.abs(ours[layer][kind] - value).max() / max(np.abs(value).max(), 1e-3))
        for layer, kinds in theirs.items()
        for kind, value in kinds.items()
    )


def _same(folder: Path, alone: Path) -> None:
    ours, theirs = read_log(folder), read_log(alone)
    assert [r["update"] for r in ours] == [r["update"] for r in theirs] == [1, 2, 3, 4, 5, 6]
    for name in ("episodes", "trades", "ended_by", "action_share", "minibatches"):
        assert [r[name] for r in ours] == [r[name] for r in theirs], name
    statistics = [load_policy(p / "policy-0.safetensors").statistics for p in (folder, alone)]
    np.testing.assert_allclose(statistics[0]["mean"], statistics[1]["mean"], rtol=1e-12)
    assert _distance(folder, alone) < 2e-5


@pytest.mark.costly
def test_the_runs_are_worth_comparing(alone: Path) -> None:
    records = read_log(alone)
    assert sum(r["episodes"] for r in records) > 50
    assert sum(r["ended_by"]["bar_limit"] for r in records) > 50  # truncation's value is at work


@pytest.mark.costly
def test_eight_devices(alone: Path, tmp_path: Path) -> None:
    runs.start(PLAN, tmp_path)
    _run(tmp_path, 1, 8)
    _same(tmp_path, alone)


@pytest.mark.slow
def test_two_processes_cut_off_and_gone_on(alone: Path, tmp_path: Path) -> None:
    runs.start(PLAN, tmp_path)
    _run(tmp_path, 2, 1, stop_at=2)
    assert len(read_log(tmp_path)) == 2
    _run(tmp_path, 2, 1)
    _same(tmp_path, alone)


@pytest.mark.slow
def test_a_run_may_go_on_with_other_devices(alone: Path, tmp_path: Path) -> None:
    runs.start(PLAN, tmp_path)
    _run(tmp_path, 1, 8, stop_at=2)
    _run(tmp_path, 1, 1)
    _same(tmp_path, alone)


def test_environments_must_divide() -> None:
    check_split(make_mesh(), 17)  # one device here

    class Three:
        size = 3

    with refuses():
        check_split(Three(), 16)  # type: ignore[arg-type]


def test_groups_of_orders_must_divide_too() -> None:
    """As many as the devices, or a multiple; one order of all is always right, and here any number."""
    four: Any = AbstractMesh((4,), (AXIS,))
    for groups in (1, 4, 8):
        check_split(four, 24, groups)
    check_split(AbstractMesh((1,), (AXIS,)), 24, 3)  # type: ignore[arg-type]
    for groups in (2, 3, 6):
        with refuses():
            check_split(four, 24, groups)


@pytest.mark.parametrize("devices", [1, 2, 3, 8])
def test_a_layout_divides_from_two_devices_on(devices: int) -> None:
    mesh: Any = AbstractMesh((devices,), (AXIS,))
    layout = make_layout(mesh)
    assert (layout is ONE_DEVICE) == (devices == 1)
    assert devices == 1 or layout.mesh is mesh


def test_devices_with_orders_of_their_own_have_equal_shares_of_a_minibatch() -> None:
    layout = make_layout(AbstractMesh((4,), (AXIS,)))  # type: ignore[arg-type]
    settings = SETTINGS.override(order_groups=4)
    shares = shares_of(settings, layout)
    assert (shares.batch_size, type(shares.batch_size)) == (12, int)
    assert (shares.axis, shares.mesh, shares.layout) == (AXIS, layout.mesh, ONE_DEVICE)
    for whole in (shares_of(SETTINGS, layout), shares_of(settings, ONE_DEVICE)):
        assert (whole.batch_size, whole.mesh, whole.axis) == (48, None, None)


def test_environments_alone_are_divided() -> None:
    """Of every leaf of an agent: what is an environment's own, and what each device holds all of."""
    agents = jax.eval_shape(lambda: init_agents(jnp.arange(2), make_world(), SETTINGS))
    places = agent_shardings(AbstractMesh((4,), (AXIS,)), agents)  # type: ignore[arg-type]
    assert jax.tree.structure(places) == jax.tree.structure(agents)
    whole, divided = PartitionSpec(), PartitionSpec(None, AXIS)
    found = {
        jax.tree_util.keystr(path): (place.spec, leaf.shape)
        for (path, place), leaf in zip(
            jax.tree_util.tree_flatten_with_path(places)[0], jax.tree.leaves(agents), strict=True
        )
    }
    split = {name for name, (spec, _) in found.items() if spec == divided}
    assert {spec for name, (spec, _) in found.items() if name not in split} == {whole}
    own = {".actor.rewards.returns", ".actor.episode_start", ".actor.episode_reward"}
    of_state = {name for name in found if name.startswith(".actor.env_state.")}
    assert len(of_state) == 15
    assert split == own | of_state
    assert all(found[name][1] == (2, SETTINGS.n_envs) for name in split)


PLACED = """
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jax_port.ppo.fast.scale_out import (
    AXIS, BY_ENVIRONMENT, EVERYWHERE, devices_of, mean_over, on_each_device, sum_over
)
from jax_port.ppo.sharding import everywhere, make_layout, make_mesh, spread, to_host

mesh = make_mesh()
assert (mesh.size, mesh.axis_names) == (4, ("env",))
layout = make_layout(mesh)
assert layout.mesh is mesh


def held(x):
    return [np.asarray(part.data).tolist() for part in x.addressable_shards]


def numbers(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


rows = numbers(8, 3)
assert held(jax.jit(layout.split)(rows)) == [rows[n : n + 2].tolist() for n in range(0, 8, 2)]
for few in (numbers(6, 3), numbers(2, 3)):  # what they can't share evenly each holds all of
    assert held(jax.jit(layout.split)(few)) == [few.tolist()] * 4
assert held(jax.jit(layout.whole)(rows)) == [rows.tolist()] * 4

fine = 1 + np.arange(16, dtype=np.float64).reshape(2, 8) * 1e-12
tree = {"mean": fine, "place": np.arange(16, dtype=np.int32).reshape(2, 8), "count": np.float64(1e-4)}
whole, by_env = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(None, AXIS))
there = spread(tree, {"mean": by_env, "place": by_env, "count": whole})
for name in ("mean", "place"):
    assert there[name].dtype == tree[name].dtype
    assert held(there[name]) == [tree[name][:, n : n + 2].tolist() for n in range(0, 8, 2)]
assert held(there["count"]) == [1e-4] * 4
for name, value in everywhere(mesh, tree).items():
    assert held(value) == [tree[name].tolist()] * 4
for name, value in to_host(mesh, there).items():
    assert type(value) is np.ndarray and value.dtype == tree[name].dtype
    assert np.array_equal(value, tree[name])


def each(x, factor):
    mine = jnp.sum(x) * factor
    pair = {"sum": mine, "one": factor}
    assert devices_of(AXIS) == 4 and devices_of(None) == 1
    assert sum_over(pair, None) is pair and mean_over(pair, None) is pair
    return x * 2, (sum_over(pair, AXIS), mean_over(pair, AXIS))


x, given, returned = numbers(3, 8), (BY_ENVIRONMENT, EVERYWHERE), (BY_ENVIRONMENT, EVERYWHERE)
twice, (sums, means) = jax.jit(on_each_device(each, mesh, given, returned))(x, jnp.float32(0.5))
assert held(twice) == [(2 * x[:, n : n + 2]).tolist() for n in range(0, 8, 2)]
assert (sums["sum"], sums["one"], means["sum"], means["one"]) == (138.0, 2.0, 34.5, 0.5)
assert on_each_device(each, None, given, returned) is each
print("as it must be")
"""


@pytest.mark.costly
def test_four_devices_hold_what_is_theirs() -> None:
    own = os.environ.get("XLA_FLAGS", "")
    flags = f"{own} --xla_force_host_platform_device_count=4".strip()
    told = subprocess.run(
        [sys.executable, "-c", PLACED],
        env={**os.environ, "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert told.stdout == "as it must be\n", told.stderr[-2000:]


def test_what_devices_cannot_share_evenly_each_holds_all_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told by how a layout constrains arrays, of which nothing is computed."""
    monkeypatch.setattr(jax.lax, "with_sharding_constraint", lambda x, place: (x.shape, place))
    mesh: Any = AbstractMesh((4,), (AXIS,))
    layout = make_layout(mesh)
    for rows, spec in ((4, PartitionSpec(AXIS)), (8, PartitionSpec(AXIS)), (6, PartitionSpec())):
        shape, place = layout.split(np.zeros((rows, 3)))
        assert (shape, place.spec, place.mesh) == ((rows, 3), spec, mesh)
        shape, place = layout.whole(np.zeros((rows, 3)))
        assert (shape, place.spec, place.mesh) == ((rows, 3), PartitionSpec(), mesh)


def test_a_tree_goes_to_the_devices_and_comes_back_as_it_was() -> None:
    """Numbers of 64 bits whole, as NumPy's own arrays, which no later update overwrites."""
    mesh = make_mesh()
    fine = 1 + np.arange(6, dtype=np.float64).reshape(2, 3) * 1e-12
    tree = {"mean": fine, "count": np.float64(1e-4), "place": np.arange(3, dtype=np.int32)}
    whole = NamedSharding(mesh, PartitionSpec())
    for there in (everywhere(mesh, tree), spread(tree, jax.tree.map(lambda _: whole, tree))):
        assert all(isinstance(value, jax.Array) for value in there.values())
        back = to_host(mesh, there)
        assert back.keys() == tree.keys()
        for name, value in back.items():
            assert isinstance(value, np.ndarray | np.generic), name
            assert value.dtype == tree[name].dtype
            np.testing.assert_array_equal(value, tree[name])
