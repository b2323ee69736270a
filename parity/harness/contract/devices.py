"""One device against many: the port's step here, and shared out over several devices elsewhere: in a
process to which the processor looks like several.

``python -P -m parity.harness.contract.devices PLACE DEVICES CASES RESULT`` is that process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np

from parity.harness.cases import Cases
from parity.harness.contract.forms import FORM_ULPS, apart_words, form_distance
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.sides.functional import FunctionalSide, is_x64
from parity.harness.trees import Fields

QUESTION = "one device against many"
ROWS = 32
"""Cases of each device."""
PATIENCE_S = 600


def ask_devices(judge: Judge, cases: Cases, place: str, devices: int) -> Answer:
    """Ask whether the port's step gives the same when a batch is shared out over several devices.

    Args:
        judge: of the pair.
        cases: visited ones.
        place: "module:name" of the pair, from which another process loads it; empty for none.
        devices: how many; below 2, the question is not asked.
    """
    if not isinstance(judge.pair.port, FunctionalSide):
        return Answer(QUESTION, "not asked", "the port is no pure function")
    if devices < 2 or not place:
        text = "it takes another process, which `envparity check MODULE:PAIR --devices 4` starts"
        return Answer(QUESTION, "not asked", text)
    port = judge.pair.port
    few = cases.rows(np.linspace(0, len(cases) - 1, ROWS * devices).astype(int))
    fields, ready = port.inputs(judge.states(few, False), few.action, False)
    given = {f"state {name}": value for name, value in fields.items()}
    given |= {f"action {name}": value for name, value in ready.items()}
    try:
        many = _in_process(place, devices, given)
        if jax.default_backend() == "cpu":
            one = port.transition(fields, few.action, np.arange(len(few))).fields
        else:  # other devices than processors round in another way
            one = _in_process(place, 1, given)
    except subprocess.TimeoutExpired:
        return Answer(QUESTION, "not asked", f"no answer within {PATIENCE_S} s")
    except _RaisedError as error:
        return Answer(QUESTION, "different", str(error))
    distances = {name: form_distance(value, many[name]) for name, value in one.items()}
    worst = max(distances, key=lambda name: distances[name])
    largest = distances[worst]
    if largest > FORM_ULPS:
        text = f"{worst} differs {apart_words(largest)} on {devices} devices"
        return Answer(QUESTION, "different", text)
    words = "to the bit" if largest == 0 else f"but for rounding (up to {largest:.1f} ulps, {worst})"
    return Answer(
        QUESTION, "same", f"the port gives the same {words} on {devices} devices, {len(few)} cases"
    )


class _RaisedError(Exception):
    """A step that another process can't carry out."""


def _in_process(place: str, devices: int, given: Fields) -> Fields:
    """Return the fields after a step in a process with so many devices.

    Raises:
        _RaisedError: the process ended with an error.
        TimeoutExpired: it did not end.
    """
    with tempfile.TemporaryDirectory(prefix="envparity-") as folder:
        cases, result = Path(folder, "cases.npz"), Path(folder, "result.npz")
        np.savez(cases, allow_pickle=False, **given)
        done = subprocess.run(
            [sys.executable, "-P", "-m", __name__, place, str(devices), str(cases), str(result)],
            env=_environment(devices),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        if done.returncode or not result.is_file():
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            on = "one device" if devices == 1 else f"{devices} devices"
            raise _RaisedError(f"on {on} it raises {last[:200]}")
        with np.load(result) as held:
            return {name: held[name] for name in held.files}


def _environment(devices: int) -> dict[str, str]:
    flags = os.environ.get("XLA_FLAGS", "")
    here = [str(Path(path).resolve()) for path in sys.path if path]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(here),
        "JAX_PLATFORMS": "cpu",
        "JAX_ENABLE_X64": str(int(is_x64())),
        "XLA_FLAGS": f"{flags} --xla_force_host_platform_device_count={devices}".strip(),
    }


def step_on_devices(side: FunctionalSide, given: Fields, devices: int) -> Fields:
    """Return the fields after a step whose batch is shared out over several devices.

    Args:
        side: the port.
        given: "state NAME" and "action NAME" (N, ...), N a multiple of ``devices``.
        devices: how many; this process has as many.

    Raises:
        RuntimeError: the batch is not shared out over all of them.
    """
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:devices]), ("lanes",))
    shared = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("lanes"))
    fields = {name[6:]: value for name, value in given.items() if name.startswith("state ")}
    actions = {name[7:]: value for name, value in given.items() if name.startswith("action ")}
    seeds = np.arange(len(next(iter(given.values()))), dtype=np.uint32)
    inputs = jax.device_put((fields, side.nested(actions, slice(None)), seeds), shared)
    held = {device for leaf in jax.tree.leaves(inputs) for device in leaf.sharding.device_set}
    if len(held) != devices:
        raise RuntimeError(f"the batch lies on {len(held)} of {devices} devices")
    return side.steps_of(jax.tree.map(np.asarray, side.functions(False).transition(*inputs))).fields


def main() -> None:
    """Load a pair, step its port on many devices, write what came of it."""
    from parity.harness.places import load_pair

    place, devices, cases, result = sys.argv[1:]
    port = load_pair(place).port
    assert isinstance(port, FunctionalSide)
    with np.load(cases) as held:
        given = {name: held[name] for name in held.files}
    np.savez(result, allow_pickle=False, **step_on_devices(port, given, int(devices)))


if __name__ == "__main__":
    main()
