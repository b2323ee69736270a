"""Read the text of scheduled HLO: computations, instructions, shapes and the source line of each.

The grammar is that of XLA's ``HloModule::ToString``; what is read is only what a count of kernels
needs. Attributes are left as text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

COMMENT = re.compile(r"/\*.*?\*/")
ARRAY = re.compile(r"\b([a-z]+[0-9]*(?:e[0-9]m[0-9]\w*)?|pred|token|opaque)\[([0-9,<=]*)\]")
NAME = re.compile(r"%([\w.\-]+)")
HEADER = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\) -> .*\{$")
TABLE_ROW = re.compile(r"^(\d+) (?:\"(.*)\"|\{(.*)\})$")
TABLES = ("FileNames", "FunctionNames", "FileLocations", "StackFrames")
BITS = {"pred": 8, "bf16": 16, "token": 0, "opaque": 0, "c64": 64, "c128": 128, "s4": 4, "u4": 4}


@dataclass(frozen=True)
class Array:
    """The type of one array: XLA's name of its numbers, such as "f32", and its sizes."""

    dtype: str
    dims: tuple[int, ...]

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return prod(self.dims)

    @property
    def bytes(self) -> int:
        """Bytes it takes."""
        digits = re.search(r"\d+", self.dtype)
        bits = BITS.get(self.dtype, int(digits.group()) if digits else 0)
        return self.size * bits // 8


@dataclass(frozen=True)
class Instruction:
    """One instruction of a computation.

    Attributes:
        name, opcode: as written, without the percent sign.
        arrays: of its result, those of a tuple in order.
        operands: names of instructions of the same computation.
        arguments: the text between its parentheses; a parameter's number, a constant's value.
        attributes: the text after them.
        is_root: whether it is its computation's result.
    """

    name: str
    opcode: str
    arrays: tuple[Array, ...]
    operands: tuple[str, ...]
    arguments: str
    attributes: str
    is_root: bool

    @property
    def bytes(self) -> int:
        """Bytes of its result."""
        return sum(array.bytes for array in self.arrays)

    def called(self, kind: str) -> str | None:
        """Return the computation that an attribute such as ``calls`` or ``body`` names."""
        match = re.search(rf"\b{kind}=%?([\w.\-]+)", self.attributes)
        return match.group(1) if match else None

    @cached_property
    def branches(self) -> tuple[str, ...]:
        """The computations that a conditional chooses from."""
        match = re.search(r"branch_computations=\{([^}]*)\}", self.attributes)
        if match:
            return tuple(NAME.findall(match.group(1)))
        two = (self.called("true_computation"), self.called("false_computation"))
        return tuple(name for name in two if name)

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """Its ``backend_config``, empty where there is none."""
        at = self.attributes.find("backend_config={")
        if at < 0:
            return {}
        try:
            value, _ = json.JSONDecoder().raw_decode(self.attributes[at + len("backend_config=") :])
        except ValueError:  # a kernel of our own has its program there
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def trips(self) -> int | None:
        """How often a loop's body runs, None where the compiler does not know."""
        known = self.config.get("known_trip_count", {}).get("n")
        return None if known is None else int(known)


@dataclass
class Computation:
    """Instructions in the order in which they run."""

    name: str
    is_entry: bool
    instructions: dict[str, Instruction] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Instruction]:
        return iter(self.instructions.values())

    def __getitem__(self, name: str) -> Instruction:
        return self.instructions[name]

    @property
    def root(self) -> Instruction:
        """The instruction that is its result."""
        last = None
        for last in self:
            if last.is_root:
                return last
        assert last is not None, self.name
        return last

    def users(self, name: str) -> list[Instruction]:
        """Return the instructions that read another's result."""
        return [one for one in self if name in one.operands]

    def parameter(self, number: int) -> Instruction | None:
        """Return a parameter by its number, None where nothing reads it."""
        for one in self:
            if one.opcode == "parameter" and one.arguments.strip() == str(number):
                return one
        return None


@dataclass(frozen=True)
class Line:
    """A place in source text: file, line and the function around it."""

    file: str
    line: int
    function: str = ""


@dataclass
class Module:
    """A whole program.

    Attributes:
        computations: by name.
        frames: by number, a call stack's innermost place and the number of the frame around it, 0 for
            none.
    """

    computations: dict[str, Computation] = field(default_factory=dict)
    frames: dict[int, tuple[Line, int]] = field(default_factory=dict)

    @property
    def entry(self) -> Computation:
        """The computation that runs first."""
        return next(one for one in self.computations.values() if one.is_entry)

    def stack(self, one: Instruction) -> list[Line]:
        """Return the places in source text that an instruction came from, innermost first."""
        match = re.search(r"stack_frame_id=(\d+)", one.attributes)
        if not match:
            file = re.search(r'source_file="([^"]*)"', one.attributes)
            line = re.search(r"source_line=(\d+)", one.attributes)
            return [Line(file.group(1), int(line.group(1)))] if file and line else []
        places: list[Line] = []
        at = int(match.group(1))
        while at in self.frames and len(places) < 200:
            place, at = self.frames[at]
            places.append(place)
        return places


def parse(text: str) -> Module:
    """Return the program that a text of scheduled HLO holds.

    Raises:
        ValueError: an instruction can't be read, or there is no entry computation.
    """
    module, inside, table = Module(), None, ""
    tables: dict[str, dict[int, str]] = {name: {} for name in TABLES}
    for raw in text.splitlines():
        line = COMMENT.sub("", raw).rstrip()
        if not line.strip():
            continue
        if line in TABLES:
            table = line
        elif inside is None and table and (row := TABLE_ROW.match(line)):
            tables[table][int(row.group(1))] = next(
                text for text in row.groups()[1:] if text is not None
            )
        elif inside is None and (header := HEADER.match(line)):
            inside = Computation(header.group(2), bool(header.group(1)))
            module.computations[inside.name] = inside
        elif inside is not None and line.startswith("}"):
            inside = None
        elif inside is not None:
            one = _instruction(line.strip())
            inside.instructions[one.name] = one
    if not any(one.is_entry for one in module.computations.values()):
        raise ValueError("no ENTRY computation: this is no text of an HLO module")
    module.frames = _frames(tables)
    return module


def _instruction(line: str) -> Instruction:
    """Read one line of a computation."""
    is_root = line.startswith("ROOT ")
    name, equals, rest = line.removeprefix("ROOT ").partition(" = ")
    if not equals:
        raise ValueError(f"no instruction of HLO: {line[:120]!r}")
    shape_end = _closing(rest, 0) if rest.startswith("(") else rest.index(" ")
    shape, rest = rest[:shape_end], rest[shape_end:].lstrip()
    opening = rest.index("(")
    closing = _closing(rest, opening)
    arguments = rest[opening + 1 : closing - 1]
    arrays = tuple(
        Array(dtype, tuple(int(n.strip("<=")) for n in dims.split(",") if n))
        for dtype, dims in ARRAY.findall(re.sub(r"\{[^}]*\}", "", shape))
    )
    return Instruction(
        name=name.lstrip("%"),
        opcode=rest[:opening],
        arrays=arrays,
        operands=() if rest.startswith("constant(") else tuple(NAME.findall(arguments)),
        arguments=arguments,
        attributes=rest[closing:],
        is_root=is_root,
    )


def _closing(text: str, opening: int) -> int:
    """Return the place after the parenthesis that closes the one at ``opening``; quotes hide theirs."""
    depth, at, quoted = 0, opening, False
    while at < len(text):
        character = text[at]
        if quoted:
            at += character == "\\"
            quoted = character != '"'
        elif character == '"':
            quoted = True
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    raise ValueError(f"unbalanced parentheses: {text[:120]!r}")


def _frames(tables: Mapping[str, Mapping[int, str]]) -> dict[int, tuple[Line, int]]:
    """Return the call stack's frames; a parent is written one above its number, and 1 is none."""

    def numbers(text: str) -> dict[str, int]:
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", text)}

    files, functions = tables["FileNames"], tables["FunctionNames"]
    places = {}
    for number, text in tables["FileLocations"].items():
        row = numbers(text)
        function = functions.get(row.get("function_name_id", 0), "")
        file = files.get(row.get("file_name_id", 0), "")
        places[number] = Line(file, row.get("line", 0), function)
    frames = {}
    for number, text in tables["StackFrames"].items():
        row = numbers(text)
        parent = row.get("parent_frame_id", 1) - 1
        place = places.get(row.get("file_location_id", 0), Line("", 0))
        frames[number] = (place, parent if parent < number else 0)
    return frames
