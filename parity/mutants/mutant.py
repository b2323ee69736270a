"""A mutant: one small fault of the port, as a change of its text."""

from __future__ import annotations

import ast
import threading
from dataclasses import dataclass
from pathlib import Path

from markets import InputError

_PARSING = threading.Lock()
"""Python 3.11 loses count of its recursion where two threads make syntax trees at once."""


LEARNER = "learner "
"""What the sentence of a fault of the learner begins with, before its section."""


@dataclass(frozen=True)
class Mutant:
    """One fault that the gate must find.

    Attributes:
        id: short name, unique in the catalogue.
        file: path of the file relative to the folder that holds the packages.
        old: exact text that occurs once in the file.
        new: text in its place.
        violates: the sentence of ``docs/environment.md`` it breaks, with its section; or of
            ``docs/learner.md``, and then it begins with :data:`LEARNER`.
        phase: whose scenarios it is tried on first.
    """

    id: str
    file: str
    old: str
    new: str
    violates: str
    phase: int = 1

    @property
    def learner(self) -> bool:
        """Whether it is tried on the learner's recordings first."""
        return self.violates.startswith(LEARNER)

    def apply(self, text: str) -> str:
        """Return a file's text with the fault in it.

        Raises:
            InputError: the snippet does not occur exactly once, or the result is no Python.
        """
        occurrences = text.count(self.old)
        if occurrences != 1:
            raise InputError(
                f"mutant {self.id}: its snippet occurs {occurrences} times in {self.file}, not once; "
                "mend the mutant in parity/mutants"
            )
        changed = text.replace(self.old, self.new)
        try:
            with _PARSING:
                same = ast.dump(ast.parse(changed)) == ast.dump(ast.parse(text))
        except SyntaxError as error:
            raise InputError(f"mutant {self.id}: {self.file} would not parse ({error.msg})") from None
        if same:
            raise InputError(f"mutant {self.id}: it does not change the code of {self.file}")
        return changed

    def check(self, root: Path) -> None:
        """Refuse a mutant that does not apply to the sources under ``root``.

        Raises:
            InputError: the file is not there, or as for :meth:`apply`.
        """
        file = root / self.file
        if not file.is_file():
            raise InputError(f"mutant {self.id}: no file {self.file}")
        self.apply(file.read_text(encoding="utf-8"))
