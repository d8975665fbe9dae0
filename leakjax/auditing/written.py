"""What the models of a stored ensemble answer, written for `leakjax.score` a chunk at a time."""

import functools
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from leakjax import shadow
from leakjax._validate import same_shape
from leakjax._workdir import files
from leakjax.auditing import explainers as methods
from leakjax.auditing.chunks import chunk_size, compiled
from leakjax.auditing.explanations import EXPLAIN, key_of
from leakjax.data import Points
from leakjax.models import Model
from leakjax.shadow import store

_Part = TypeVar("_Part")


def write_answers(
    path: str | Path,
    directory: str | Path,
    model: Model,
    points: Points,
    *,
    explainers: Sequence[str],
    background: np.ndarray | None = None,
    models: int | Sequence[int] | np.ndarray | None = None,
    gap: float | None = None,
    key: jax.Array,
    writer: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> list[int]:
    """Asks each model for its logits and the explanations of its predicted class, and writes them down.

    Blocks are read one after the other and models asked one after the other, some hundred points at a time: no array
    of models x points x features is ever held.

    Args:
      path: of the file, which is there whole or not at all: `member`, `labels`, `x`, `logits`, and
        `attributions_NAME` for each explainer.
      directory: of the ensemble, which `leakjax.shadow.train_blocks` trained on these points.
      model: the network that all share.
      points: the training pool.
      explainers: texts as of `leakjax.audit`.
      background: features [rows, ...] for those that need it.
      models: which, as of `leakjax.shadow.load`; those that diverged are left out.
      gap: as of `leakjax.shadow.load`.
      key: of explainers that draw; an audit with this key explains alike.
      writer: the index of this process among those that share the folder.
      say: called with a line for each method of a list that does not apply.

    Returns:
      The ids of the models, in their order in the file.

    Raises:
      UsageError: models that are not there, explainers that do not apply, a disk that is full.
    """
    held = shadow.contents(directory)
    blocks = functools.partial(store.blocks, directory, models, gap=gap, without=held.diverged)
    asked = [(block.ids, block.membership) for block in blocks()]
    ids, member = (np.concatenate(part) for part in zip(*asked, strict=True))
    same_shape("points", points.x.shape[:1], member.shape[1:], "the points that the models were trained on")
    example, number = points.x[0], np.int32(0)
    variables = jax.eval_shape(model.init, jax.random.key(0), example)
    chosen = methods.choose(explainers, model.logits_fn, variables, example, background, say, points.columns)

    def logits(own: Any, model_id: Any, x: Any, point_id: Any) -> jax.Array:
        return model.logits_fn(own, x)

    answers = {"logits": logits}
    for named in chosen.methods:
        explain = named.make(model.logits_fn, example.shape, background)

        def attribution(own: Any, model_id: Any, x: Any, point_id: Any, explain: Any = explain) -> jax.Array:
            shown = model.logits_fn(own, x).argmax()
            return explain(own, x, shown, key=key_of(key, model_id, point_id, EXPLAIN))

        answers[f"attributions_{named.name}"] = attribution
    with (
        files.replacing(Path(path).expanduser(), writer=writer) as file,
        zipfile.ZipFile(file, "w") as archive,
    ):
        for name, array in (("member", member), ("labels", points.y), ("x", points.x)):
            _write(archive, name, array.dtype, array.shape, [array])
        for name, answer in answers.items():
            shape = jax.eval_shape(answer, variables, number, example, number).shape
            parts = _asked(answer, blocks(), points)
            _write(archive, name, np.dtype(np.float32), (*member.shape, *shape), parts)
    return ids.tolist()


def _asked(
    answer: Callable[..., jax.Array], blocks: Iterator[shadow.Ensemble], points: Points
) -> Iterator[Any]:
    """The answers of each model in turn, each chunk of points by itself; the next is computed meanwhile."""
    # This process's own, whoever else shares the folder: none waits for another.
    mesh = jax.sharding.Mesh(np.array(jax.local_devices()), ("points",))
    size = -(-min(chunk_size(1, int(np.prod(points.x.shape[1:]))), len(points.x)) // mesh.size) * mesh.size
    program = compiled(jax.vmap(answer, (None, None, 0, 0)), (None, None, 0, 0), 0, mesh)
    chunks = []
    for start in range(0, len(points.x), size):
        rows = np.arange(start, start + size) % len(points.x)
        chunks.append((jnp.asarray(points.x[rows]), jnp.asarray(points.ids[rows]), len(points.x) - start))

    def parts() -> Iterator[jax.Array]:
        for block in blocks:
            for place, model_id in enumerate(block.ids):
                own = jax.device_put(jax.tree.map(lambda leaf, place=place: leaf[place], block.variables))
                for x, ids, left in chunks:
                    yield program(own, model_id, x, ids)[:left]

    return _ahead(parts())


def _ahead(parts: Iterator[_Part]) -> Iterator[_Part]:
    """The same, each part begun before the one in front of it is looked at."""
    before = next(parts)
    for part in parts:
        yield before
        before = part
    yield before


def _write(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], parts: Iterable[Any]
) -> None:
    """An array as `numpy.savez` writes it, its parts one after the other."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype).data)
