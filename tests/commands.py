"""All commands of a program of click's, and what stands for their parts in tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from parity.export_chain.verify import Request


def commands_of(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Yield a command and all below it, groups as well, each with the words that call it."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands_of(below, f"{path} {name}".strip())


class Parts:
    """Stands for parts of a command, each of which is told apart by what it answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch, self.told = monkeypatch, {}  # type: ignore[var-annotated]

    def stand_for(self, answers: dict[str, Any]) -> None:
        """Let each place answer so, or what its function answers; remember what each was told."""
        for place, answer in answers.items():
            self.monkeypatch.setattr(place, self._part(place.rpartition(".")[2], answer))

    def _part(self, name: str, answer: Any) -> Any:
        def called(*given: Any, **named: Any) -> Any:
            self.told.setdefault(name, []).append((*given, named) if named else given)
            return answer(*given) if callable(answer) else answer

        return called


def telling_bar(told: list[tuple[Any, dict[str, Any]]]) -> type:
    """Return what stands for a progress bar, and notes what is told of each task by its name."""

    class Bar:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def add_task(self, name: str, **fields: Any) -> str:
            told.append((name, fields))
            return f"task {name}"

        def update(self, task: str, **fields: Any) -> None:
            told.append((task, fields))

    return Bar


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    return Parts(monkeypatch)


@contextmanager
def proving_here() -> Iterator[Callable[[Path, Request], Any]]:
    """Export and verify at once, where the chain of exports does it in another process."""
    from rltrader.export_parity import _prove

    yield lambda run, request: partial(dict, _prove(run, request))
