"""Find what a command line names as MODULE:NAME."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from foundation.errors import InputError
from parity.harness.pair import Pair


def find_here() -> None:
    """Have modules of the current folder be found, before all others of their names."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def load(place: str, what: str) -> Any:
    """Import MODULE and return its NAME; modules of the current folder are found too.

    Raises:
        InputError: there is no such module or name, importing it fails, or it lies elsewhere though the
            current folder has one of its name.
    """
    module, colon, name = place.partition(":")
    if not colon or not module or not name:
        raise InputError(f"{place!r} names no {what}; write MODULE:NAME, such as my_pairs:pair")
    find_here()
    try:
        loaded = importlib.import_module(module)
    except InputError:
        raise
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
            raise InputError(
                f"there is no module {module}; run it in the folder that holds it"
            ) from None
        raise InputError(f"{module} imports {error.name}, which is not installed; install it") from None
    except Exception as error:
        raise InputError(f"importing {module} raises {type(error).__name__}: {error}") from None
    _require_here(module, loaded)
    if not hasattr(loaded, name):
        raise InputError(f"{module} has no {name}; it has {', '.join(_names(loaded)) or 'nothing'}")
    return getattr(loaded, name)


def _require_here(module: str, loaded: Any) -> None:
    """Refuse a module of another folder where the current one holds one of that name."""
    origin = getattr(loaded, "__file__", None)
    base = Path.cwd().joinpath(*module.split("."))
    for file in (base / "__init__.py", base.with_name(f"{base.name}.py")):
        if file.is_file() and origin is not None and Path(origin).resolve() != file.resolve():
            raise InputError(
                f"{module} is {origin}, and the current folder has another one, {file}; rename one of "
                "them"
            )


def load_pair(place: str) -> Pair:
    """Return the pair that MODULE:NAME is, or that a function of that name makes.

    Raises:
        InputError: it is none.
    """
    named = load(place, "pair")
    if callable(named) and not isinstance(named, Pair):
        try:
            named = named()
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"{place} is called to make a pair and raises {type(error).__name__}: {error}; name a "
                "Pair, or a function without arguments that returns one"
            ) from None
    if not isinstance(named, Pair):
        raise InputError(f"{place} is of type {type(named).__name__}; it must be a Pair")
    return named


def _names(module: Any) -> list[str]:
    pairs = [name for name, value in vars(module).items() if isinstance(value, Pair)]
    return pairs or [name for name in vars(module) if not name.startswith("_")][:8]
