"""Save an ensemble and load it again, whole and unchanged or not at all."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from orbax import checkpoint as orbax

from leakjax._validate import UsageError
from leakjax.models.model import Model
from leakjax.shadow.ensemble import Ensemble, History

_ARRAYS, _MANIFEST = "arrays", "manifest.json"


def save(path: str | Path, ensemble: Ensemble, fingerprint: Mapping[str, Any]) -> None:
    """Saves an ensemble as a directory that appears all at once, when everything is written.

    Args:
      path: of the directory; a checkpoint that is there already is replaced.
      ensemble: what to save.
      fingerprint: what the ensemble depends on (settings, data set, seed), as JSON can write it.
    """
    path = Path(path).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished, replaced = (path.with_name(f".{path.name}.{what}") for what in ("unfinished", "replaced"))
    for remains in (unfinished, replaced):  # of a killed run
        shutil.rmtree(remains, ignore_errors=True)
    unfinished.mkdir()
    _checkpointer().save(
        unfinished / _ARRAYS, args=orbax.args.StandardSave(_as_dicts(jax.device_get(ensemble)))
    )
    manifest = {"fingerprint": fingerprint, "sha256": _digests(unfinished / _ARRAYS)}
    (unfinished / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    if path.exists():
        os.replace(path, replaced)
    os.replace(unfinished, path)
    shutil.rmtree(replaced, ignore_errors=True)


def exists(path: str | Path) -> bool:
    """Whether a checkpoint was saved at `path` to its end."""
    return (Path(path) / _MANIFEST).is_file()


def load(path: str | Path, like: Ensemble, fingerprint: Mapping[str, Any]) -> Ensemble:
    """Loads the ensemble that `save` wrote, every byte checked.

    Args:
      path: of the checkpoint's directory.
      like: an ensemble of the same structure, shapes and types, as `abstract_ensemble` gives it.
      fingerprint: what the ensemble must depend on.

    Returns:
      The ensemble, in host memory.

    Raises:
      UsageError: no checkpoint, one of another fingerprint, or one that is damaged; each names the file.
    """
    path = Path(path).absolute()
    if not exists(path):
        raise UsageError(f"{path}: no finished checkpoint here")
    remedy = f"delete {path} to train anew"
    try:
        manifest = json.loads((path / _MANIFEST).read_text(encoding="utf-8"))
        saved, wanted = dict(manifest["fingerprint"]), dict(manifest["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path / _MANIFEST}: damaged; {remedy}") from error
    expected = json.loads(json.dumps(fingerprint))  # tuples are lists in the file
    for name in sorted(saved.keys() | expected.keys()):
        if saved.get(name) != expected.get(name):
            raise UsageError(f"{path}: saved with {name}={saved.get(name)!r}, not {expected.get(name)!r}")
    found = _digests(path / _ARRAYS)
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise UsageError(f"{path / _ARRAYS / name}: damaged, its sha256 is not the one saved; {remedy}")
    restored = _checkpointer().restore(path / _ARRAYS, args=orbax.args.StandardRestore(_as_dicts(like)))
    return Ensemble(**restored | {"history": History(**restored["history"])})


def abstract_ensemble(model: Model, x: np.ndarray, models: int, epochs: int) -> Ensemble:
    """Shapes and types of an ensemble, for `load`.

    Args:
      model: the network.
      x: features [points, ...].
      models: how many.
      epochs: of training.

    Returns:
      The ensemble, its leaves `jax.ShapeDtypeStruct`.
    """
    one = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct(x.shape[1:], x.dtype))
    leaf: Any = jax.ShapeDtypeStruct
    figure = leaf((models, epochs), np.float32)
    return Ensemble(
        variables=jax.tree.map(lambda part: leaf((models, *part.shape), part.dtype), one),
        membership=leaf((models, len(x)), bool),
        ids=leaf((models,), np.int32),
        history=History(figure, figure),
    )


def _digests(directory: Path) -> dict[str, str]:
    """The sha256 of each file under `directory`; before orbax reads one, which would load a flipped bit."""
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {path.relative_to(directory).as_posix(): _sha256(path) for path in files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _as_dicts(ensemble: Ensemble) -> dict[str, Any]:
    return ensemble._asdict() | {"history": ensemble.history._asdict()}


def _checkpointer() -> orbax.Checkpointer:
    # The synchronous one, without a manager: the directory's own rename decides what is a checkpoint.
    return orbax.Checkpointer(orbax.StandardCheckpointHandler())
