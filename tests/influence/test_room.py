import ast
from pathlib import Path

from leakjax import influence


def test_the_maths_of_influence_imports_nothing_above_it():
    for path in Path(influence.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
            ours = [name for name in names if name and name.split(".")[0] == "leakjax"]
            assert all(name.startswith(("leakjax._", "leakjax.influence")) for name in ours), path.name
