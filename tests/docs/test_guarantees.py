"""Each promise names tests that exist, and every fault test proves one."""

from __future__ import annotations

import ast
import re

from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "explanation" / "guarantees.md"


def functions_of(name: str) -> set[str]:
    """The test functions of a file."""
    tree = ast.parse((ROOT / name).read_text("utf-8"))
    return {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def named() -> set[tuple[str, str]]:
    return set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text("utf-8")))


def test_the_tests_that_are_named_exist() -> None:
    missing = [f"{file}::{test}" for file, test in named() if test not in functions_of(file)]
    assert not missing


def test_every_promise_has_a_test() -> None:
    text = PAGE.read_text("utf-8")
    promises = re.findall(r"^## [1-4]\. .*?(?=^## )", text, re.MULTILINE | re.DOTALL)
    assert len(promises) == 4
    assert all("::test_" in one for one in promises)


def test_the_page_names_every_fault_of_the_first_promises() -> None:
    """A fault test that nobody reads of proves nothing to anybody."""
    unnamed = {
        f"{file.name}::{test}"
        for file in (ROOT / "tests" / "faults").glob("test_*.py")
        for test in functions_of(str(file.relative_to(ROOT)))
        if (f"tests/faults/{file.name}", test) not in named()
    }
    assert not unnamed
