"""One indent in all docstrings: sections stand two spaces in, what goes on in a further line two more."""

import ast
import itertools
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields):")


def docstrings(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield getattr(node, "name", path.stem), ast.get_docstring(node) or ""


def indents(docstring):
    """By how much the first line under the header of each section is indented."""
    for header, below in itertools.pairwise(docstring.splitlines()):
        if SECTION.fullmatch(header):
            yield len(below) - len(below.lstrip())


def test_sections_of_docstrings_are_indented_by_two():
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for top in ("leakjax", "experiments")
        for path in sorted((ROOT / top).rglob("*.py"))
        for name, docstring in docstrings(path)
        if set(indents(docstring)) - {2}
    ]
    assert not wrong
