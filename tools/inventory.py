"""What users rely on, as one list: pages, commands, options, public names, address parameters.

    python -m tools.inventory [--out FILE] [--before FILE]

With --before, what an earlier list has and this one lacks is printed, and the exit code is 1 if
there is any that the table of renamed names in docs/renamed.md does not name.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import importlib
import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import xdnn_core
from tools.bench.__main__ import BENCHMARKS
from tools.training.__main__ import DATA_SETS
from xdnn_core.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
READERS = {
    "choice",
    "choose",
    "choices",
    "number",
    "read",
    "switch",
    "text",
}  # of the pages' address module


def pages() -> Iterator[str]:
    """The address of every page."""
    for call in _calls(ROOT / "app.py"):
        if ast.unparse(call.func) == "st.Page":
            options = {word.arg: word.value for word in call.keywords}
            path = options.get("url_path") or call.args[0]
            yield Path(ast.literal_eval(path)).stem


def commands() -> Iterator[str]:
    """Every command, and every option it takes."""
    tables = {"": COMMANDS, "bench ": BENCHMARKS, "train ": DATA_SETS}
    every = {prefix + name: row for prefix, table in tables.items() for name, row in table.items()}
    for name, (module, _) in every.items():
        yield name
        parser = argparse.ArgumentParser()
        importlib.import_module(module).add_arguments(parser)
        for option in _options(parser):
            yield f"{name} {option}"


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from (name, *(f"{name} {option}" for option in _options(inner)))
        else:
            yield from action.option_strings or [action.dest]


def public_names() -> Iterator[str]:
    """Every public name, its parameters, and what its results have."""
    for name in xdnn_core.__all__:
        yield name
        value = getattr(xdnn_core, name)
        is_error = inspect.isclass(value) and issubclass(value, Exception)
        members = set() if is_error else set(inspect.signature(value).parameters)
        if inspect.isclass(value):
            members |= {member for member in dir(value) if not member.startswith("_")}
            if dataclasses.is_dataclass(value):
                members |= {field.name for field in dataclasses.fields(value)}
        yield from (f"{name}.{member}" for member in members)


def address_parameters() -> Iterator[str]:
    """Every parameter that some page reads."""
    for file in sorted((ROOT / "pages").rglob("*.py")):
        tree = ast.parse(file.read_text())
        passing = set(READERS)  # and functions of the file that pass their own `key` on
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef) and any(
                arg.arg == "key" for arg in function.args.args
            ):
                passing.add(function.name)
        for call in _calls(file):
            function = ast.unparse(call.func).split(".")[-1]
            keys = call.args[:1] if function == "choose" else call.args
            if function in passing:
                yield from (
                    key.value
                    for key in keys
                    if isinstance(key, ast.Constant) and isinstance(key.value, str)
                )
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Subscript)
                and ast.unparse(node.value) == "st.query_params"
                and isinstance(node.slice, ast.Constant)
            ):
                yield str(node.slice.value)


def _calls(file: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            yield node


def inventory() -> dict[str, list[str]]:
    """The whole list."""
    kinds = (pages, commands, public_names, address_parameters)
    return {kind.__name__: sorted(set(kind())) for kind in kinds}


def main() -> int:
    """Print, store, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="store the list as JSON")
    parser.add_argument("--before", type=Path, help="an earlier list to compare with")
    args = parser.parse_args()
    now = inventory()
    for kind, names in now.items():
        print(f"{kind}: {len(names)}")
    if args.out:
        args.out.write_text(json.dumps(now, indent=1) + "\n")
    if args.before is None:
        return 0
    table = ROOT / "docs" / "renamed.md"
    renamed = table.read_text() if table.exists() else ""
    lost = []
    for kind, names in json.loads(args.before.read_text()).items():
        for name in sorted(set(names) - set(now[kind])):
            command = name.split()[0]  # with all its options
            listed = f"`{name}`" in renamed or (kind == "commands" and f"`{command}`" in renamed)
            print(f"  {kind}: {name} is gone{', as docs/renamed.md says' if listed else ''}")
            lost += [] if listed else [name]
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
