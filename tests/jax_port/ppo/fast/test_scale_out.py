"""Devices with their own orders, against the same orders on one device."""

import json
import os
import socket
import subprocess
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.envs.state import EnvParams
from jax_port.ppo.fast.scale_out import AXIS, on_each_device
from jax_port.ppo.minibatches import group_orders, in_turn, permutations
from jax_port.ppo.rollout import Rollout
from jax_port.ppo.settings import TrainSettings
from jax_port.ppo.sharding import check_split
from tests.jax_port.ppo.fast.made_transitions import QUICK, SETTINGS, Given, learnt, made_up, make_world
from tests.sentences import refuses

CHILD = """
import json, sys
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType

form, fault = sys.argv[1:3]
agents, processes, index, port = map(int, sys.argv[3:])
if processes > 1:
    jax.distributed.initialize(f"127.0.0.1:{port}", processes, index)

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.registry import PHASES
from jax_port.ppo.fast.scale_out import AXIS, on_each_device
from jax_port.ppo.settings import TrainSettings, hyper_params
from jax_port.ppo.sharding import agent_shardings, everywhere, make_layout, spread, to_host
from jax_port.ppo.train_ppo_jax import init_agents, make_train
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

config = EnvConfig.phase1(max_episode_bars=6)
params = PHASES[1].make_params(stack([prepare(synthetic_bars("ES", days=3, seed=0), config)]), config)
settings = TrainSettings(
    n_envs=16, n_steps=8, batch_size=48, n_epochs=2, order_groups=8, total_timesteps=512
).override(pi=(16,), vf=(16,))
given = jax.device_get(jax.jit(init_agents, static_argnums=2)(jnp.arange(agents), params, settings))
numbers = jax.tree.map(lambda x: np.broadcast_to(x, agents), hyper_params(clip_range_vf=0.2))


def end(devices):
    mesh = jax.make_mesh((len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)
    places = agent_shardings(mesh, given)
    train = make_train(settings, 4, agents, make_layout(mesh), places, form)
    hyper, world = everywhere(mesh, numbers), everywhere(mesh, params)
    agent, metrics = train(spread(given, places), hyper, world)
    return to_host(mesh, (agent, metrics))


reference = end(jax.local_devices()[:1])
if fault:
    module, name = fault.rsplit(".", 1)
    with mock.patch(f"jax_port.ppo.{module}.{name}", lambda tree, axis: tree):
        divided = end(jax.devices())
else:
    divided = end(jax.devices())


def distance(one, other):
    if other.dtype.kind != "f":  # a key, a bar, a count: the same, or infinitely far
        return 0.0 if np.array_equal(one, other) else float("inf")
    largest = max(np.abs(other).max(), 1e-3)
    return float(np.abs(np.float64(one) - np.float64(other)).max() / largest)


assert jax.tree.map(lambda x: (x.shape, x.dtype), divided) == jax.tree.map(
    lambda x: (x.shape, x.dtype), reference
)
places, _ = jax.tree_util.tree_flatten_with_path(jax.tree.map(distance, divided, reference))
print(json.dumps({
    "devices": jax.device_count(),
    "apart": {jax.tree_util.keystr(path): far for path, far in places},
    "truncated": int(reference[1].ends.reasons[..., 3:].sum()),
    "minibatches": int(reference[1].minibatches.sum()),
}))
"""


def compared(form: str, fault: str = "", agents: int = 1, processes: int = 1) -> dict[str, Any]:
    """Train on eight host devices and on one, and return how far apart they end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    devices = f"--xla_force_host_platform_device_count={8 // processes}"
    flags = f"{devices} --xla_backend_optimization_level=0"  # soon compiled
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CHILD, form, fault, *map(str, (agents, processes, index, port))],
            env={**os.environ, "XLA_FLAGS": flags},
            stdout=subprocess.PIPE,
            text=True,
        )
        for index in range(processes)
    ]
    told = [child.communicate(timeout=600)[0] for child in children]
    assert [child.returncode for child in children] == [0] * processes
    found: dict[str, Any] = json.loads(told[0].splitlines()[-1])
    return found


def is_the_same(found: dict[str, Any], updates: int = 4) -> bool:
    assert found["devices"] == 8
    assert found["truncated"] >= 20 * updates
    assert found["minibatches"] % (updates * 2 * 3) == 0  # the partial one among them
    apart = found["apart"]
    limits = {name: 1e-6 if ".moments" in name or ".returns" in name else 5e-5 for name in apart}
    assert {"[0].learner.params['params']['action_head']['bias']", "[0].key"} <= apart.keys()
    return not any(far > limits[name] for name, far in apart.items())


@pytest.mark.costly
@pytest.mark.parametrize("form", ["gpu", "cpu"])
def test_eight_devices_end_where_one_does(form: str) -> None:
    """In every array of the agent and of what each update says of itself."""
    assert is_the_same(compared(form))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "agents", "processes"), [("cpu", 2, 1), ("gpu", 2, 1), ("gpu", 1, 2), ("cpu", 1, 2)]
)
def test_so_do_several_agents_and_processes(form: str, agents: int, processes: int) -> None:
    assert is_the_same(compared(form, "", agents, processes))


@pytest.mark.slow
def test_a_sum_over_devices_that_is_left_out_is_found() -> None:
    assert not is_the_same(compared("gpu", "fast.gpu_update.sum_over"))


SHARES = 4


@pytest.fixture(scope="module")
def params() -> EnvParams:
    return make_world()


def shares_apart(form: str, params: EnvParams) -> float:
    """Return how far devices, played by a mapped axis, end from one device with all transitions."""
    given, size = made_up(params), SETTINGS.batch_size

    def every(params: EnvParams, given: Given) -> Any:
        return learnt(form, params, given, size, None)

    whole = jax.jit(every, compiler_options=QUICK)(params, given)

    def own(params: EnvParams, rollout: Rollout, *rest: jax.Array) -> Any:
        return learnt(form, params, Given(rollout, *rest), size // SHARES, AXIS)

    def parted(x: jax.Array) -> jax.Array:
        return x.reshape(x.shape[0], SHARES, -1, *x.shape[2:])

    parts = jax.tree.map(parted, given._replace(rollout=given.rollout._replace(scales=None)))  # type: ignore[arg-type]
    rollout = parts.rollout._replace(scales=given.rollout.scales)
    axes: Any = Rollout(*[1] * (len(Rollout._fields) - 1), None)  # type: ignore[arg-type]
    mapped = jax.vmap(own, in_axes=(None, axes, 1, 1, 1), axis_name=AXIS)
    divided = jax.jit(mapped, compiler_options=QUICK)(params, rollout, *parts[1:])

    def distance(mine: jax.Array, its: jax.Array) -> float:
        return float(jnp.max(jnp.abs(mine - its[None])) / jnp.max(jnp.abs(its)))

    return max(jax.tree.leaves(jax.tree.map(distance, divided, whole)))


@pytest.mark.costly
@pytest.mark.parametrize(
    ("form", "fault"), [("gpu", "fast.gpu_update.sum_over"), ("cpu", "gae.sum_over")]
)
def test_shares_learn_what_one_device_does_and_a_sum_left_out_is_found(
    form: str, fault: str, params: EnvParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shares_apart(form, params) < 1e-5
    monkeypatch.setattr(f"jax_port.ppo.{fault}", lambda tree, axis: tree)
    assert shares_apart(form, params) > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("form", "fault"),
    [
        ("gpu", "fast.gpu_update.mean_over"),
        ("cpu", "fast.cpu_gradients.mean_over"),
        ("cpu", "gae.mean_over"),
    ],
)
def test_any_sum_left_out_is_found(
    form: str, fault: str, params: EnvParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shares_apart(form, params) < 1e-5
    monkeypatch.setattr(f"jax_port.ppo.{fault}", lambda tree, axis: tree)
    assert shares_apart(form, params) > 1e-4


def settings_of(**sizes: int) -> TrainSettings:
    return TrainSettings(total_timesteps=1000).override(**sizes)


@pytest.mark.parametrize(("batch_size", "rest"), [(48, 32), (32, 0), (256, 128)])
def test_every_minibatch_has_as_many_of_each_group(batch_size: int, rest: int) -> None:
    settings = settings_of(n_envs=16, n_steps=8, batch_size=batch_size, n_epochs=3, order_groups=4)
    orders = np.asarray(permutations(jax.random.key(0), settings))
    assert orders.shape == (3, 128)
    assert (np.sort(orders, axis=1) == np.arange(128)).all()
    for order in orders:
        parts = [order[n : n + batch_size] for n in range(0, 128, batch_size)]
        assert len(parts[-1]) == (rest or batch_size)
        for part in parts:
            groups = np.bincount(part // 32, minlength=4)  # of environments that follow each other
            assert (groups == len(part) // 4).all()
    assert len({tuple(order[order < 32].tolist()) for order in orders}) == 3
    own = np.asarray(group_orders(jax.random.key(0), settings))
    assert len({tuple(order.tolist()) for order in own.reshape(12, 32)}) == 12


def test_one_group_is_the_order_of_all() -> None:
    settings = settings_of(n_envs=4, n_steps=8, batch_size=8)
    own = group_orders(jax.random.key(3), settings)
    assert own.shape == (4, 1, 32)
    np.testing.assert_array_equal(in_turn(own, 8), own[:, 0])
    np.testing.assert_array_equal(
        jnp.argsort(jax.random.bits(jax.random.key(3), (4, 32)), axis=1), own[:, 0]
    )


@pytest.mark.parametrize(
    "sizes",
    [
        {"n_envs": 12, "batch_size": 16, "order_groups": 8},
        {"n_envs": 16, "batch_size": 20, "order_groups": 8},
        {"order_groups": 0},
    ],
    ids=str,
)
def test_groups_that_do_not_divide_are_refused(sizes: dict[str, int]) -> None:
    with refuses():
        settings_of(**sizes)


def test_groups_must_be_shared_evenly_by_devices() -> None:
    class Three:
        size = 3

    check_split(Three(), 12)  # type: ignore[arg-type]
    check_split(Three(), 12, 6)  # type: ignore[arg-type]
    with refuses():
        check_split(Three(), 12, 4)  # type: ignore[arg-type]


def test_a_function_on_each_device_is_divided_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums over devices are those that it writes out alone."""
    asked: list[Any] = []

    def mapped(function: Any, **given: Any) -> str:
        asked.append((function, given))
        return "on each"

    monkeypatch.setattr(jax, "shard_map", mapped)
    mesh: Any = "mesh"
    assert on_each_device(len, mesh, ("given",), ("returned",)) == "on each"
    specs = {"in_specs": ("given",), "out_specs": ("returned",), "check_vma": False}
    assert asked == [(len, {"mesh": "mesh", **specs})]
    assert on_each_device(len, None, "given", "returned") is len
