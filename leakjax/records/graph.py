"""The influence graph, in which each record points to those that explain it, and walks along it."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components

from leakjax._validate import one_of


class Graph(NamedTuple):
    """Key numbers of an influence graph, as in the paper's table 4.

    Attributes:
      components: Strongly connected components.
      singletons: Components of one record.
      largest: Records in the largest component.
      max_in_degree: The most explanations that one record is part of, its own among them.
      in_degree_zero: Records that are part of no explanation.
    """

    components: int
    singletons: int
    largest: int
    max_in_degree: int
    in_degree_zero: int


def adjacency(neighbours: np.ndarray) -> csr_matrix:
    """The graph of edges from each record to those of its explanation, int [records, k]; -1 is none."""
    records, k = neighbours.shape
    source, target = np.repeat(np.arange(records), k), neighbours.ravel()
    edge = target >= 0
    return csr_matrix((np.ones(edge.sum()), (source[edge], target[edge])), shape=(records, records))


def summarise(neighbours: np.ndarray) -> Graph:
    """The key numbers of the graph of explanations int [records, k]."""
    graph = adjacency(neighbours)
    count, label = connected_components(graph, connection="strong")
    sizes = np.bincount(label, minlength=count)
    in_degree = np.asarray(graph.sum(axis=0)).ravel()
    return Graph(
        int(count),
        int((sizes == 1).sum()),
        int(sizes.max()),
        int(in_degree.max()),
        int((in_degree == 0).sum()),
    )


def coverage(neighbours: np.ndarray) -> np.ndarray:
    """How many records are known after every reachable one was queried: int [records], by the start."""
    graph = adjacency(neighbours)
    return np.array(
        [
            len(breadth_first_order(graph, start, return_predecessors=False))
            for start in range(len(neighbours))
        ]
    )


class Traversal(NamedTuple):
    """One attacker's walk.

    Attributes:
      known: Records known at the end, the start among them.
      queries: Queries that were asked until the last of them was known.
    """

    known: int
    queries: int


class _Walk(NamedTuple):
    """What an attacker knows: the records not yet queried, in the order of discovery, and what was shown."""

    waiting: list[int]
    shown: np.ndarray  # how often each record was part of an answer
    last: list[int]  # the neighbours that the last query showed


def _breadth_first(walk: _Walk, rng: np.random.Generator) -> int:
    return walk.waiting[0]


def _depth_first(walk: _Walk, rng: np.random.Generator) -> int:
    return walk.waiting[-1]


def _random_walk(walk: _Walk, rng: np.random.Generator) -> int:
    # A neighbour of the last query; where all are known already, any that waits.
    waiting = set(walk.waiting)
    options = [record for record in walk.last if record in waiting] or walk.waiting
    return options[rng.integers(len(options))]


def _greedy(walk: _Walk, rng: np.random.Generator) -> int:
    # What is rarely shown lies off the beaten track: its own explanation is the least likely to be known.
    return min(walk.waiting, key=lambda record: walk.shown[record])


STRATEGIES: Mapping = {
    "breadth_first": _breadth_first,
    "depth_first": _depth_first,
    "random_walk": _random_walk,
    "greedy": _greedy,
}


def traverse(neighbours: np.ndarray, start: int, strategy: str, *, key: jax.Array) -> Traversal:
    """Walks the influence graph from one known record, querying what was revealed.

    Args:
      neighbours: int [records, k], what the service releases for each record.
      start: The record that the attacker knows.
      strategy: One of STRATEGIES, or "omniscient": knows the graph and queries the known record that shows
        the most unknown ones (the paper's benchmark).
      key: For the random walk.

    Returns:
      The coverage and the queries used.

    Source: Shokri, Strobel and Zick, sections 5.2.1 and 5.3.3.
    """
    one_of("strategy", strategy, [*STRATEGIES, "omniscient"])
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    walk = _Walk([start], np.zeros(len(neighbours), int), [])
    known = {start}
    queries = useful = 0
    while walk.waiting:
        if strategy == "omniscient":
            record = max(walk.waiting, key=lambda each: len(set(neighbours[each].tolist()) - known))
        else:
            record = STRATEGIES[strategy](walk, rng)
        walk.waiting.remove(record)
        queries += 1
        walk.last[:] = [each for each in neighbours[record].tolist() if each >= 0]
        for each in walk.last:
            walk.shown[each] += 1
            if each not in known:
                known.add(each)
                walk.waiting.append(each)
                useful = queries
    return Traversal(len(known), useful)
