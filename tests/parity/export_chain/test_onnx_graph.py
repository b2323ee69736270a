"""Two files of ONNX are the same where they compute the same, and what is no policy's graph is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from jax_port.export.programs import ONNX
from parity.export_chain.onnx_graph import read_graph
from parity.export_chain.sides import onnx_session
from tests.jax_port.export.made_bundle import bundle


def changed(path: Path, change: Callable[[Any], object]) -> Path:
    """Write a bundle's graph with a change, and return the file."""
    model = onnx.load(bundle(1) / ONNX)
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


def endless(graph: Any, turns: int = 1 << 62) -> None:
    """Let the logits pass through a loop of so many turns, as any runtime would run it."""
    inner = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["on_"]),
            helper.make_node("Identity", ["x"], ["x_"]),
        ],
        "inner",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on_", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x_", TensorProto.FLOAT, None),
        ],
    )
    graph.initializer.append(helper.make_tensor("turns", TensorProto.INT64, [], [turns]))
    graph.initializer.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
    (head,) = [node for node in graph.node if node.output[0] == "logits"]
    head.output[0] = "before"
    place = list(graph.node).index(head)
    graph.node.insert(
        place + 1, helper.make_node("Loop", ["turns", "yes", "before"], ["logits"], body=inner)
    )


def rename(model: Any) -> None:
    """Give all that has a name within the graph another, and add notes."""
    graph = model.graph
    ends = {value.name for value in (*graph.input, *graph.output)}
    for node in graph.node:
        node.name, node.doc_string = f"{node.name}-x", "a note"
        del node.metadata_props[:]
        for values in (node.input, node.output):
            values[:] = [one if one in ends or not one else f"{one}-x" for one in values]
    for tensor in graph.initializer:
        tensor.name += "-x"
    held = list(graph.initializer)
    del graph.initializer[:]
    graph.initializer.extend(reversed(held))
    del graph.value_info[:]
    model.producer_name = "somebody else"


def test_names_notes_and_the_order_of_weights_do_not_count(tmp_path: Path) -> None:
    own = read_graph(bundle(1) / ONNX)
    assert own is not None
    path = changed(tmp_path / "renamed.onnx", rename)
    onnx.checker.check_model(onnx.load(path))
    assert path.read_bytes() != (bundle(1) / ONNX).read_bytes()
    assert read_graph(path) == own


def flip(model: Any) -> None:
    weight = model.graph.initializer[0]
    weight.raw_data = bytes([weight.raw_data[0] ^ 1]) + weight.raw_data[1:]


def swap(model: Any) -> None:
    next(node for node in model.graph.node if node.op_type == "Relu").op_type = "Tanh"


def reach(model: Any) -> None:
    next(node for node in model.graph.node if node.op_type == "Gemm").attribute[0].f = 2.0


def cross(model: Any) -> None:
    node = next(node for node in model.graph.node if node.op_type == "Where")
    node.input[1], node.input[2] = node.input[2], node.input[1]


def shape(model: Any) -> None:
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT


def older(model: Any) -> None:
    model.opset_import[0].version -= 1


def other_form(model: Any) -> None:
    model.ir_version -= 1


@pytest.mark.parametrize("change", [flip, swap, reach, cross, shape, older, other_form])
def test_another_computation_is_another_graph(change: Callable[[Any], None], tmp_path: Path) -> None:
    found = read_graph(changed(tmp_path / "x.onnx", change))
    assert found is not None
    assert found != read_graph(bundle(1) / ONNX)


def elsewhere(model: Any) -> None:
    weight = model.graph.initializer[0]
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="/etc/passwd")


def foreign(model: Any) -> None:
    model.graph.node[0].domain = "com.example"


def known_domain(model: Any) -> None:
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def function(model: Any) -> None:
    model.functions.append(
        helper.make_function("", "Relu", ["x"], ["y"], [], [helper.make_opsetid("", 20)])
    )


def many(model: Any) -> None:
    model.graph.node.extend([model.graph.node[0]] * 1000)


def twice(model: Any) -> None:
    model.graph.node[1].output[0] = model.graph.node[0].output[0]


def unknown(model: Any) -> None:
    model.graph.node[1].input[0] = "nobody"


def unused(model: Any) -> None:
    model.graph.initializer.append(helper.make_tensor("more", TensorProto.FLOAT, [1], [0.0]))


REFUSED = [elsewhere, foreign, known_domain, function, many, twice, unknown, unused]


@pytest.mark.parametrize("change", [*REFUSED, lambda model: endless(model.graph)])
def test_what_no_policy_has_is_refused(change: Callable[[Any], None], tmp_path: Path) -> None:
    assert read_graph(changed(tmp_path / "x.onnx", change)) is None


def test_the_loop_that_is_planted_is_one_that_a_runtime_would_run(tmp_path: Path) -> None:
    changed(tmp_path / ONNX, lambda model: endless(model.graph, turns=3))
    obs, masks = np.zeros((2, 225), np.float32), np.ones((2, 3), bool)
    found = onnx_session(tmp_path).run(None, {"obs": obs, "masks": masks})
    assert np.array_equal(found[1], onnx_session(bundle(1)).run(None, {"obs": obs, "masks": masks})[1])


@pytest.mark.parametrize("data", [b"\xff" * 50, b"PK\3\4", b"\x3a\xff\xff\xff\xff\x07"])
def test_a_damaged_file_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(data)
    assert read_graph(tmp_path / "x.onnx") is None
    assert read_graph(tmp_path / "gone.onnx") is None
