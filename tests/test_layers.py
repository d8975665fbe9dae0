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
    ("auditing", "records", "inversion", "hardening", "monitoring"),
    ("report", "papers"),
    ("experiments",),
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
FILES = [path for top in ("leakjax", "experiments") for path in sorted((ROOT / top).rglob("*.py"))]


def level_of(module):
    """The layer of a module by its dotted name; None of other people's."""
    top, *rest = module.split(".")
    if top == "experiments":
        return LEVEL[top]
    if top != "leakjax" or not rest or rest[0] not in LEVEL:
        return None
    return LEVEL[rest[0]]


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return "experiments" if parts[0] == "experiments" else parts[1]


def imported(path):
    """The modules of this project that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and not node.level and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                place = ROOT.joinpath(*whole.split("."))
                yield whole if place.is_dir() or place.with_suffix(".py").exists() else node.module
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
            assert (level_of(module) or 0) <= level_of(name_of(path)), f"{name_of(path)} imports {module}"
