"""Work whose rate the machine sets does what its amount says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.baselines import machine_rates
from benchmarks.baselines.machine_rates import MachineWorkload
from jax_port.data.data_loader import prepare
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars


def test_work_is_made_and_done_once_before_it_is_measured() -> None:
    done: list[str] = []

    def make() -> Any:
        done.append("made")
        return lambda: done.append("done")

    workload = MachineWorkload("a copy", make, 77)
    assert workload.prepare() >= 0
    assert done == ["made", "done"]
    assert (workload.run(), workload.name, workload.envs) == (77, "a copy", 1)
    assert done == ["made", "done", "done"]
    workload.close()
    with pytest.raises(AttributeError):
        workload.run()


def test_windows_that_are_copied_are_those_before_random_bars(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market = prepare(synthetic_bars("ES", days=2, seed=0), EnvConfig.phase1())
    first = int(market.starts.min()) if market.starts.ndim == 1 else int(market.starts[0, 0])
    held: Any = SimpleNamespace(features=market.features, starts=np.array([[first, 0]]))
    params: Any = SimpleNamespace(window_size=7, market=held)
    rows = machine_rates._some_bars(params, 50)
    assert (rows.shape, rows.dtype, rows.min() >= first) == ((50,), np.int32, True)
    assert rows.max() < len(market.features) - 1
    assert len(set(rows.tolist())) > 20
    copied: list[Any] = []
    empty = np.empty
    monkeypatch.setattr(
        machine_rates.np, "empty", lambda *given: copied.append(empty(*given)) or copied[-1]
    )
    machine_rates.numpy_gather(market, params, 50)()()
    target = copied[-1]
    wanted = np.stack([market.features[row - 7 : row].ravel() for row in rows])
    np.testing.assert_array_equal(target, wanted)


def test_a_copy_is_of_as_many_bytes_as_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[Any] = []
    monkeypatch.setattr(
        machine_rates.np, "copyto", lambda target, source: copies.append((target, source))
    )
    machine_rates.numpy_copy(4000)()()
    ((target, source),) = copies
    assert (source.nbytes, target.nbytes, target is source) == (4000, 4000, False)


def test_the_fastest_of_all_products_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    took = {"xla": iter([5.0, 0.5, 2.0]), "torch": iter([1.0, 3.0, 0.25])}
    clock = [0.0]

    def make(library: str) -> Any:
        def multiply() -> None:
            clock[0] += next(took[library])

        return multiply

    monkeypatch.setattr(machine_rates, "make_product", make)
    monkeypatch.setattr(machine_rates, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    flops = 2 * 8192 * 256 * 256
    assert machine_rates.product_rates(3) == {"xla": flops / 0.5, "torch": flops / 0.25}
