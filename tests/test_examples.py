"""The examples of the public names, run as they are printed."""

import doctest
import sys

import pytest

import xdnn_core

NAMES = xdnn_core.__all__


@pytest.mark.parametrize("name", NAMES)
def test_the_example_gives_what_it_says(name: str) -> None:
    value = getattr(xdnn_core, name)
    scope = {**vars(sys.modules[value.__module__]), "__name__": "__main__"}
    examples = doctest.DocTestFinder(recurse=False).find(value, name, module=False, globs=scope)
    assert sum(len(found.examples) for found in examples), f"{name} has no example"
    runner = doctest.DocTestRunner()
    for example in examples:
        runner.run(example)
    assert runner.summarize(verbose=False).failed == 0
