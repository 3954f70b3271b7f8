"""Arrows run one way: app → pages → their parts → what pages share → core, and no circles in it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOUSES = ("xdnn_core", "pages", "tools")


def imports() -> Iterator[tuple[str, str]]:
    """Every import, also those within functions: (module that imports, what it names)."""
    files = [file for house in HOUSES for file in sorted((ROOT / house).rglob("*.py"))]
    for file in [ROOT / "app.py", *files]:
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not node.level, f"{module} imports relatively"
                yield from ((module, f"{node.module}.{name.name}") for name in node.names)
            elif isinstance(node, ast.Import):
                yield from ((module, name.name) for name in node.names)


IMPORTS = list(imports())


def package(module: str) -> str:
    """The package in its house, or the module that lies in none."""
    return ".".join(module.split(".")[:2])


def test_the_core_knows_no_screen() -> None:
    above = ("streamlit", "pages", "tools", "tests", "app")
    wrong = [
        (module, name)
        for module, name in IMPORTS
        if module.startswith("xdnn_core.") and name.split(".")[0] in above
    ]
    assert not wrong


def test_no_circle_between_packages_of_the_core() -> None:
    arrows: dict[str, set[str]] = {}
    for module, name in IMPORTS:
        if module.startswith("xdnn_core.") and name.startswith("xdnn_core."):
            source, target = package(module), package(name)
            if source != target:
                arrows.setdefault(source, set()).add(target)
    assert len(list(TopologicalSorter(arrows).static_order())) > 10


def test_parts_of_a_page_belong_to_it() -> None:
    wrong = [
        (module, name)
        for module, name in IMPORTS
        if name.startswith("pages.")
        and package(module) != package(name)
        and not (
            package(name) == "pages.common"
            or (module.count(".") == 1 and module.startswith(package(name).removesuffix("_parts")))
        )
    ]
    assert not wrong


def test_tools_are_used_by_tools_and_tests_only() -> None:
    assert not [
        (module, name)
        for module, name in IMPORTS
        if name.startswith("tools.") and not module.startswith("tools.")
    ]
