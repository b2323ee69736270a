"""A plugin of pytest: a :class:`parity.Pair` named ``test_...`` in a test module is one test an aspect.

An aspect is a field, a question of the contract, or what must have been seen; a failure names it::

    pytest_plugins = ["parity.command.pytest_plugin"]  # in conftest.py

    from my_pairs import pair as test_my_environment  # in a test module

The pair is verified once, when the first of its tests runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from foundation.errors import InputError


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options for the size of a verification."""
    group = parser.getgroup("envparity", "parity of environments and their ports")
    group.addoption(
        "--envparity-transitions", type=int, default=4000, help="steps from the same states"
    )
    group.addoption("--envparity-seed", type=int, default=0, help="seed of all choices")


def pytest_pycollect_makeitem(
    collector: pytest.Module | pytest.Class, name: str, obj: object
) -> pytest.Collector | None:
    """Collect a pair as its aspects."""
    # Modules without a pair must not pay for the import of what a pair needs.
    if name.startswith("test_") and type(obj).__name__ == "Pair":
        from parity.harness.pair import Pair

        if isinstance(obj, Pair):
            return PairTests.from_parent(collector, name=name, pair=obj)
    return None


class PairTests(pytest.Collector):
    """The aspects of one pair."""

    def __init__(self, *, pair: Any, **options: Any) -> None:
        super().__init__(**options)
        self.pair = pair
        self._report: Any = None

    def collect(self) -> Iterator[pytest.Item]:
        """Yield a test for every field, every question, and what must have been seen."""
        from parity.harness.questions import QUESTIONS
        from parity.harness.sides.side import OUTCOME

        shown = self.pair.reference.reset(np.arange(1))
        for field in (*shown.state, *shown.obs, *OUTCOME):
            yield AspectTest.from_parent(self, name=f"field {field}")
        for question in (*QUESTIONS, "coverage"):
            yield AspectTest.from_parent(self, name=question)

    def report(self) -> Any:
        """Verify the pair, once."""
        if self._report is None:
            from parity.harness.verify import verify

            options = self.config.option
            within = self.parent
            # In a class there is no place from which a command could load it.
            place = f"{within.obj.__name__}:{self.name}" if isinstance(within, pytest.Module) else ""
            self._report = verify(
                self.pair,
                transitions=options.envparity_transitions,
                seed=options.envparity_seed,
                place=place,
            )
        return self._report


class Differs(Exception):
    """An aspect in which the port is another environment."""


class AspectTest(pytest.Item):
    """One aspect of a pair."""

    def runtest(self) -> None:
        """Fail with what was found, or skip what could not be asked."""
        parent = self.parent
        assert isinstance(parent, PairTests)
        report = parent.report()
        aspects = dict(report.aspects())
        if self.name not in aspects:
            reasons = {one.question: one.text for one in report.answers}
            reasons |= {f"field {one.name}": one.sentence() for one in report.fields}
            pytest.skip(reasons.get(self.name, "not compared"))
        if aspects[self.name]:
            raise Differs(aspects[self.name])

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show the finding, or what cannot be compared, alone and without a traceback."""
        if isinstance(excinfo.value, Differs | InputError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Return where the pair is and the aspect's name."""
        return self.path, None, f"{self.parent.name if self.parent else ''}: {self.name}"
