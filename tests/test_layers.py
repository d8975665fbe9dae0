"""A lower layer never imports a higher one: who reads the house from the bottom needs nothing from above."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# From the bottom up; what stands in one row may import one another.
LAYERS = (
    ("_validate", "_spec", "_progress", "_memory", "_precision", "_threads", "_workdir", "_version"),
    ("data", "models"),
    ("shadow", "explain", "influence", "defend"),
    ("oracle",),
    ("attack", "monitor"),
    ("evaluate",),
    ("auditing", "records", "inversion", "hardening"),
    ("report",),
    ("experiments",),
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
FILES = [path for top in ("leakjax", "experiments") for path in sorted((ROOT / top).rglob("*.py"))]


def room_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "experiments" if parts[0] == "experiments" else parts[1]


def imported(path):
    """The modules of this project that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and not node.level and node.module:
            whole = node.module == "leakjax"
            yield from (f"leakjax.{alias.name}" if whole else node.module for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_every_room_has_its_layer():
    rooms = {room_of(path) for path in FILES if path != ROOT / "leakjax" / "__init__.py"}
    assert rooms <= LEVEL.keys()


@pytest.mark.parametrize("room", sorted({room_of(path) for path in FILES} & LEVEL.keys()))
def test_a_lower_layer_never_imports_a_higher_one(room):
    for path in FILES:
        if room_of(path) != room:
            continue
        for module in imported(path):
            other = module.partition(".")[2].partition(".")[0] if module.startswith("leakjax.") else ""
            assert LEVEL.get(other, 0) <= LEVEL[room], f"{path.relative_to(ROOT)} imports {module}"
