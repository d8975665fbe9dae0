"""The models that an audit attacks, where they were trained before."""

from pathlib import Path
from typing import Any

import jax

from leakjax import data, shadow
from leakjax._validate import fail
from leakjax._workdir.fingerprint import fingerprint
from leakjax.models import Model


def stored(
    directory: Path,
    model: Model,
    points: data.Points,
    *,
    models: int,
    key: jax.Array,
    gap: float | None = None,
) -> tuple[shadow.Ensemble, Any]:
    """Loads models that `leakjax.shadow.train_blocks` trained on these points.

    Args:
      directory: where they are stored.
      model: the network that all share.
      points: the training pool.
      models: how many, those with the lowest ids.
      key: of the untrained models.
      gap: the generalisation gap at which the models are wanted, as of `leakjax.shadow.load`.

    Returns:
      The ensemble, and variables of models that were not trained.

    Raises:
      UsageError: there are fewer, they are damaged, or they are of other points or another network.
    """
    held = shadow.contents(directory)
    for name, array in (("features", points.x), ("labels", points.y)):
        if held.recipe[name] != fingerprint(array=array):
            rule = f"was trained on other {name}; give the data flags that it was trained with"
            raise fail("ensemble", str(directory), rule)
    ensemble = shadow.load(directory, models, gap=gap)
    _, training_key = jax.random.split(key)
    start = shadow.init_ensemble(
        model, points.x, key=training_key, membership=ensemble.membership, ids=ensemble.ids
    )
    forms = (
        {
            jax.tree_util.keystr(path): leaf.shape
            for path, leaf in jax.tree_util.tree_leaves_with_path(dict(tree))
        }
        for tree in (ensemble.variables, start.variables)
    )
    if next(forms) != next(forms):
        rule = f"holds models of --model={held.recipe.get('model')}, not of the network given"
        raise fail("ensemble", str(directory), rule)
    return ensemble, start.variables
