"""What an ONNX file computes, in a form in which two files can be compared; nothing of it is run.

Bytes of two exports of the same weights differ from machine to machine, since the exporter notes the
paths of its source files, and names are its own choice. What is compared is all that a runtime goes by:
operators with their attributes and operands in order, the weights, the types and shapes at both ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jax_port.export.checks.tensors import MOST_BYTES

OPERATORS = frozenset(
    (
        *("Cast", "Sub", "Div", "Sqrt", "Add", "Clip", "Gemm", "MatMul", "Transpose", "Relu", "Tanh"),
        *("ReduceLogSumExp", "Softmax", "Shape", "Expand", "Where", "ArgMax", "Constant", "Identity"),
    )
)
"""All that a policy's graph is made of. None of them repeats, branches, or reads another file."""
STANDARD = ("", "ai.onnx")
"""Names of ONNX's own set of operators; those of any other can be any code."""
MOST_NODES = 1000
"""Nodes of a graph; a policy has some twenty."""

Graph = tuple[Any, ...]


def read_graph(path: Path) -> Graph | None:
    """Return what a file computes, free of names and notes; equal graphs compute the same.

    None where it is no such graph: damaged, larger than a policy, with an operator outside of
    :data:`OPERATORS`, with a graph within a graph (a loop or a branch), functions of its own, weights
    in another file, or a value that is named twice or not at all.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        model = onnx.ModelProto.FromString(path.read_bytes())
    except (DecodeError, OSError, RecursionError):
        return None
    sets = [(one.domain, one.version) for one in model.opset_import]
    if any(domain not in STANDARD for domain, _ in sets) or model.functions or model.training_info:
        return None
    try:
        return (model.ir_version, tuple(sets), *_unnamed(onnx, model.graph))
    except _NoPolicy:
        return None


class _NoPolicy(Exception):
    """A graph has a part that no policy's graph has."""


def _unnamed(onnx: Any, graph: Any) -> Graph:
    """Return a graph's nodes, weights, inputs and outputs, values by their places."""
    _require(len(graph.node) <= MOST_NODES)
    _require(not graph.sparse_initializer and not graph.quantization_annotation)
    places: dict[str, tuple[str, int]] = {"": ("none", 0)}

    def place(kind: str, names: Iterable[str]) -> None:
        for number, name in enumerate(names):
            _require(name not in places)
            places[name] = (kind, number)

    # Weights go by the order in which nodes use them, since their own order says nothing.
    held = {tensor.name: tensor for tensor in graph.initializer}
    used = list(dict.fromkeys(one for node in graph.node for one in node.input if one in held))
    _require(len(held) == len(graph.initializer) and set(used) == set(held))
    place("input", (value.name for value in graph.input))
    place("weight", used)
    nodes = []
    for number, node in enumerate(graph.node):
        _require(node.op_type in OPERATORS and node.domain in STANDARD)
        _require(all(one in places for one in node.input))
        place(f"node {number}", node.output)
        operands = tuple(places[one] for one in node.input)
        nodes.append((node.op_type, node.overload, operands, len(node.output), _attributes(onnx, node)))
    _require(all(value.name in places for value in graph.output))
    weights = tuple(_plain(onnx, held[one]) for one in used)
    inputs = tuple((one.name, _bytes(one.type)) for one in graph.input)
    outputs = tuple((one.name, places[one.name], _bytes(one.type)) for one in graph.output)
    return (tuple(nodes), weights, inputs, outputs)


def _attributes(onnx: Any, node: Any) -> tuple[bytes, ...]:
    """Return a node's attributes as sorted bytes; a graph among them is refused."""
    kinds = onnx.AttributeProto
    attributes = []
    for attribute in node.attribute:
        numbers = (kinds.FLOAT, kinds.INT, kinds.STRING, kinds.TENSOR, kinds.FLOATS, kinds.INTS)
        _require(attribute.type in numbers and not attribute.ref_attr_name)
        _require(not attribute.HasField("g") and not attribute.graphs)
        copy = kinds()
        copy.CopyFrom(attribute)
        copy.doc_string = ""
        if attribute.type == kinds.TENSOR:
            copy.t.ParseFromString(_plain(onnx, attribute.t))
        attributes.append(_bytes(copy))
    return tuple(sorted(attributes))


def _plain(onnx: Any, tensor: Any) -> bytes:
    """Return a tensor's type, shape and numbers as bytes; one that lies in another file is refused."""
    _require(tensor.data_location == onnx.TensorProto.DEFAULT and not tensor.external_data)
    copy = onnx.TensorProto()
    copy.CopyFrom(tensor)
    copy.name = copy.doc_string = ""
    del copy.metadata_props[:]
    return _bytes(copy)


def _bytes(message: Any) -> bytes:
    made: bytes = message.SerializeToString(deterministic=True)
    return made


def _require(holds: bool) -> None:
    if not holds:
        raise _NoPolicy
