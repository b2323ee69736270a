"""``--config FILE``: a command's options from a TOML file, in the names of the command line.

An option's value comes from the command line, else from the environment (``RLTRADER_TRAIN_STEPS``),
else from the file, else it is the option's default. A ``[set]`` table holds what ``--set`` says, which
goes before it rule by rule, and ``[contract.X]`` tables describe contracts of one's own, as the file
of ``--contracts`` does.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from foundation.errors import InputError
from foundation.json_reading import Artifact, json_or_text
from foundation.toml_files import key, line, read_toml, toml
from rltrader.lazy_group import name_of

FILE = Artifact("configuration", "it holds options of the command line, such as steps = 2000000")
OPTION = "config_file"
OWN = {
    *(OPTION, "schema", "out", "resume", "ungated", "certificate", "least", "require_key"),
    *("storage", "study", "lease"),
    *("distributed", "coordinator", "processes", "process_id"),
}
"""Parameters that say where and whether to run, not what; a written configuration leaves them out."""
TABLE = "set"
"""The table whose NAME = VALUE lines are those of ``--set``."""
SEARCH = "search"
"""The table of ``rltrader sweep``, which other commands pass over."""
CONTRACT = "contract"
"""The tables of the user's own contracts."""


def config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--config FILE`` to a command."""
    return config_option_without()(command)


def config_option_without(*passed_over: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add ``--config FILE``, of which options of a training that this command sets itself are left out.

    Args:
        passed_over: their names in a file, so that a run's ``run.toml`` can be given.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        return click.option(
            "--config",
            OPTION,
            type=click.Path(path_type=Path),
            is_eager=True,
            expose_value=False,
            callback=partial(_read, passed_over=passed_over),
            help="TOML file with options of this command; the command line goes before it.",
        )(command)

    return decorate


def path_of(context: click.Context) -> Path | None:
    """Return the file that ``--config`` named, or None."""
    path: Path | None = context.meta.get(SEARCH, (None, None))[0]
    return path


def _read(
    context: click.Context,
    _: click.Parameter,
    path: Path | None,
    passed_over: Sequence[str] = (),
) -> None:
    if path is None:
        return
    values = _by_option(read_toml(path, dict[str, Any], FILE), path)
    values = {name: value for name, value in values.items() if name not in passed_over}
    context.meta[SEARCH] = path, values.get(SEARCH)
    if isinstance(contracts := values.get(CONTRACT), Mapping):
        from markets.contracts_file import register_table

        register_table(path, contracts)
    context.default_map = {**(context.default_map or {}), **defaults(context.command, values, path)}


def _by_option(values: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return what a file holds by the options' own names: ``n-steps`` and ``n_steps`` are one.

    Raises:
        InputError: a file has both.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        plain = name.replace("-", "_")
        if plain in found:
            raise InputError(
                f"{path}: {plain} stands here twice, with a dash and without; leave one out"
            )
        found[plain] = value
    return found


def search_table(context: click.Context) -> tuple[Path, dict[str, Any]]:
    """Return the file that ``--config`` named, and its ``[search]`` table.

    Raises:
        InputError: there is none.
    """
    path, table = context.meta.get(SEARCH, (None, None))
    if not isinstance(table, dict):
        where = "no --config" if path is None else f"{path}: no [search] table"
        raise InputError(
            f"{where}; give a file with a table [search] and lines such as "
            "learning_rate = { low = 1e-5, high = 1e-2, log = true }"
        )
    return path, table


def defaults(command: click.Command, values: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return a file's values by the command's parameter names.

    Args:
        command: whose options they are.
        values: what the file holds, by names without dashes.
        path: the file, for messages.

    Raises:
        InputError: a name is no option's, or a value cannot be one.
    """
    known = names(command)
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name == TABLE and isinstance(value, Mapping):
            found["overrides"] = [_rule(path, *one) for one in value.items()]
            continue
        if name in (SEARCH, CONTRACT) and isinstance(value, Mapping):
            continue
        param = known.get(name)
        if param is None:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else "`--help` lists the options"
            raise InputError(f"{path}: {name} is no option of {command.name}; {hint}")
        assert param.name is not None
        found[param.name] = _value(param, name, value, path)
    return found


def names(command: click.Command) -> dict[str, click.Option]:
    """Return a command's options by the name that a file gives them: ``--n-steps`` is ``n_steps``."""
    return {
        name_of(param): param
        for param in command.params
        if isinstance(param, click.Option) and param.name not in (OPTION, "help", "schema")
    }


def _value(param: click.Option, name: str, value: Any, path: Path) -> Any:
    """Return a TOML value as what click takes for an option."""
    place = f"{path}: {name}"
    if param.is_flag:
        if not isinstance(value, bool):
            raise InputError(f"{place} is {toml(value)}; give true or false")
        return value
    if param.multiple:
        each = value if isinstance(value, list) else [value]
        return [_word(place, param, one) for one in each]
    if isinstance(value, list):  # sizes, such as pi = [256, 256]
        return ",".join(str(_word(place, param, one)) for one in value)
    return _word(place, param, value)


def _rule(path: Path, name: str, value: Any) -> str:
    """Return a line of ``[set]`` as ``--set`` takes it."""
    try:
        return f"{name}={json.dumps(value)}"
    except TypeError:  # JSON has no dates
        raise InputError(f"{path}: [set] {name} is {toml(value)}; give a number or a text") from None


def _word(place: str, param: click.Option, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InputError(f"{place} is {toml(value)}; give a number or a text")
    counts = isinstance(param.type, click.types.IntParamType)
    if counts and isinstance(value, float) and not value.is_integer():  # click would cut it off
        raise InputError(f"{place} is {toml(value)}; give a whole number")
    return value


def given(context: click.Context) -> dict[str, Any]:
    """Return the options that were given anywhere, by parameter name, but :data:`OWN`."""
    default = click.core.ParameterSource.DEFAULT
    return {
        name: value
        for name, value in context.params.items()
        if name not in OWN and context.get_parameter_source(name) is not default
    }


def to_toml(
    context: click.Context,
    searched: Mapping[str, Any] | None = None,
    found: Mapping[str, Any] | None = None,
) -> str:
    """Return the options that were given, and what is searched, as a file that ``--config`` reads.

    Contracts of the user's own that ``--symbol`` names are written into it, and paths are absolute: it
    asks for the same from every folder.

    Args:
        context: of the command.
        searched: the table ``[search]``.
        found: options by their names in a file that were not given but found, which go before.
    """
    values, table = {}, {}
    params = {param.name: param for param in names(context.command).values()}
    for name, value in given(context).items():
        if name == "overrides":
            table = dict(_named(text) for text in value)
            continue
        values[name_of(params[name])] = _absolute(value)
    return text_of({**values, **(found or {})}, table, searched or {})


def _absolute(value: Any) -> Any:
    """Return an option's value with absolute paths."""
    if isinstance(value, tuple):
        return tuple(map(_absolute, value))
    return value.absolute() if isinstance(value, Path) else value


def text_of(
    values: Mapping[str, Any], rules: Mapping[str, Any], searched: Mapping[str, Any] | None = None
) -> str:
    """Return a configuration file.

    Args:
        values: of options, by their names in a file.
        rules: of the environment, the table ``[set]``.
        searched: the table ``[search]``.

    Raises:
        InputError: a name of a file is no text.
    """
    from markets.contracts_file import own_contracts

    symbols = values.get("symbol") or ()
    own = own_contracts([symbols] if isinstance(symbols, str) else symbols)
    tables: dict[str, Mapping[str, Any]] = {TABLE: rules, SEARCH: searched or {}}
    tables |= {f"{CONTRACT}.{key(symbol)}": contract for symbol, contract in own.items()}
    lines = [line(name, value) for name, value in values.items()]
    for name, under in tables.items():
        lines += ["", f"[{name}]", *(line(*one) for one in under.items())] if under else []
    return "\n".join([*lines, ""])


def _named(text: str) -> tuple[str, Any]:
    """Return the NAME=VALUE of ``--set`` as a name and a value."""
    name, _, value = text.partition("=")
    return name, json_or_text(value)


def schema(command: click.Command) -> dict[str, Any]:
    """Return a JSON schema of a command's configuration file, for editors."""
    properties: dict[str, Any] = {}
    for name, param in sorted(names(command).items()):
        if param.name in OWN:
            continue
        properties[name] = {**_schema_of(param), "description": param.help or ""}
    properties[TABLE] = {"type": "object", "description": "Settings of the environment, as --set."}
    properties[SEARCH] = {"type": "object", "description": "What `rltrader sweep` searches."}
    properties[CONTRACT] = {"type": "object", "description": "Contracts of your own, by symbol."}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"rltrader {command.name} --config",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


def print_schema(context: click.Context, _: click.Parameter, asked: bool) -> None:
    """Print the schema of a command's configuration file and end, where ``--schema`` asks for it."""
    if asked:
        click.echo(json.dumps(schema(context.command), indent=2))
        context.exit()


def _schema_of(param: click.Option) -> dict[str, Any]:
    kind = param.type
    if isinstance(kind, click.types.BoolParamType) or param.is_flag:
        return {"type": "boolean"}
    if isinstance(kind, click.Choice):
        one: dict[str, Any] = {"enum": list(kind.choices)}
    elif isinstance(kind, click.types.IntParamType):
        one = {"type": "integer"}
    elif isinstance(kind, click.types.FloatParamType):
        one = {"type": "number"}
    elif param.name in ("pi", "vf"):
        one = {"type": ["string", "array"], "items": {"type": "integer"}}
    else:
        one = {"type": "string"}
    return {"anyOf": [one, {"type": "array", "items": one}]} if param.multiple else one
