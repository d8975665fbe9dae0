"""The document of a records study: report.json as frozen dataclasses."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, get_args

from leakjax._validate import UsageError
from leakjax.evaluate.document import SHARE, Estimate, described, document

RECORDS = "training records"

Length = Literal["1", "5", "10"]  # of an explanation, in records
LENGTHS: tuple[Length, ...] = get_args(Length)


@document()
class Spread:
    """A number over repeated draws of training points."""

    mean: float = described("the mean over draws")
    sd: float = described("the standard deviation of a draw; 0 for a single one")


@document()
class Share(Estimate):
    """A share of the records of all draws together, with its 95 % interval over draws."""

    points: int = described("how many points it is a share of, over all draws", "points")


@document()
class Graph:
    """The influence graph, where each record points at those that explain it."""

    components: Spread = described("connected components")
    singletons: Spread = described("components of one record")
    largest: Spread = described("size of the largest component", RECORDS)
    max_in_degree: Spread = described("the most records that one record explains", RECORDS)
    in_degree_zero: Spread = described("records that explain no other", RECORDS)


@document()
class Subspace:
    """Algorithm 1 against one oracle."""

    found: Spread = described("records that it measured", RECORDS)
    seen: Spread = described("records that any answer contained", RECORDS)
    queries: Spread = described("queries that it asked", "queries")
    theta_error: Spread = described("the largest error of a weight that it recovered")


@document()
class Draws:
    """What all draws of training points say together."""

    self_revealing: Mapping[Length, Share] = described(
        "records in their own explanation, by its length k", SHARE
    )
    groups: Mapping[str, Mapping[Length, Mapping[str, Share]]] = described(
        "the same by group column, by k and by group", SHARE
    )
    unconverged: int = described("leave-one-out models that did not converge", "models")
    graph: Graph = described("the influence graph")
    coverage: Spread = described("records that a walk from one record reveals, the mean over starts", RECORDS)
    queries: Mapping[str, Spread] = described("queries until a walk knows all it can, by strategy", "queries")
    rank: Spread = described("rank of the training points with the bias, the bound of Algorithm 1", RECORDS)
    subspace: Mapping[str, Subspace] = described("Algorithm 1, by oracle")
    static: Mapping[str, Mapping[Length, Spread]] = described(
        "records that a whole static batch revealed, by distribution and k", SHARE
    )
    auc_of_influence: Spread | None = described(
        "AUC of the leading influence as a score of membership; null without non-members", SHARE
    )
    auc_without_revealed: Spread | None = described("the same without records that reveal themselves", SHARE)

    def __post_init__(self) -> None:
        """Refuses groups that differ between lengths."""
        for column, by_length in self.groups.items():
            if len({tuple(groups) for groups in by_length.values()}) > 1:
                raise UsageError(f"groups.{column}: must name the same groups for every length")


@document()
class PaperRow:
    """A number that the paper states, beside ours."""

    what: str = described("what is counted")
    ours: float = described("the mean over draws")
    spread: float = described("the standard deviation of a draw, for shares half of the 95 % interval")
    paper: float = described("what the paper states")


@document()
class DefenseRow:
    """What each attack reveals under one defense, and what is left of the answer; null where it does not apply."""

    epsilon: float | None = described("differential privacy of one query, where the answer has any")
    advantage: float | None = described(
        "share of members that their own explanation reveals minus that of non-members", "-1 to 1"
    )
    advantage_nearby: float | None = described("the same when the attacker asks next to the point", "-1 to 1")
    static_uniform: float | None = described("revealed by a batch of uniform queries", RECORDS)
    static_marginal: float | None = described("revealed by a batch of queries from the marginals", RECORDS)
    static_true: float | None = described(
        "revealed by a batch of real points that were not trained on", RECORDS
    )
    walked: float | None = described("revealed by the median walk along the influence graph", RECORDS)
    descent: float | None = described("revealed by descent with the queries of one static batch", RECORDS)
    subspace: float | None = described("measured by Algorithm 1", RECORDS)
    seen: float | None = described("in any answer to Algorithm 1", RECORDS)
    subspace_queries: float | None = described("asked by Algorithm 1", "queries")
    most: float = described("the most records that one attack revealed", RECORDS)
    captured: float | None = described(
        "|influence| of the released records over that of those of the undefended answer", "ratio"
    )
    likeness: float | None = described(
        "1 when the records of the undefended answer are shown, 0 when random ones are"
    )
    values: float | None = described("correlation of the released values with the true influence", "-1 to 1")


def check_undefended(defenses: Mapping[str, DefenseRow]) -> None:
    """Raises UsageError unless defenses, if there are any, stand beside the answer without one."""
    if defenses and ("none" not in defenses or defenses["none"].captured is None):
        raise UsageError('defenses: must hold "none", with what it captured, beside the others')


@document()
class AgreementRow:
    """How well an approximation of influence agrees with exact leave-one-out training, the mean over queries."""

    correlation: float = described("Pearson's correlation", "-1 to 1")
    rank_correlation: float = described("Spearman's correlation", "-1 to 1")
    overlap: float = described("of the exact top records that are among the approximate ones", SHARE)
    first: float = described("queries whose most influential record is the same", SHARE)
    residual: float | None = described("the largest residual of the linear solver; null where there is none")


@document()
class Network:
    """Attacks on a model that is not linear."""

    queries: Sequence[int] = described("numbers of queries at which the attacks are compared", "queries")
    records: int = described("what it was trained on", RECORDS)
    accuracy: float = described("accuracy on them", SHARE)
    defenses: Mapping[str, DefenseRow] = described("attacks and utility, by defense")
    discovered: Mapping[str, Sequence[int]] = described("distinct records revealed, by attack", RECORDS)

    def __post_init__(self) -> None:
        """Refuses defenses without the undefended answer, and attacks of another number of queries."""
        if not self.defenses:
            raise UsageError("defenses: must not be empty")
        check_undefended(self.defenses)
        for attack, counts in self.discovered.items():
            if len(counts) != len(self.queries):
                raise UsageError(f"discovered.{attack}: must be as long as queries, {len(self.queries)}")


@document()
class RecordsTask:
    """What was attacked."""

    dataset: str = described("name of the data set")
    points: int = described("training points of a draw", "points")


@document()
class Results:
    """What was measured; empty where a part was not asked for."""

    draws: Draws = described("all attacks on repeated draws")
    beside_paper: Sequence[PaperRow] = described("the numbers that the paper states")
    defenses: Mapping[str, DefenseRow] = described("attacks and utility, by defense")
    sweep: Mapping[str, Mapping[str, float | None]] = described("key numbers, by setting and name")
    approximations: Mapping[str, AgreementRow] = described("approximate influence beside exact, by method")
    networks: Mapping[str, Network] = described("attacks on models that are not linear, by name")
    sizes: Sequence[Mapping[str, float]] = described("key numbers by name, for each size of the training set")

    def __post_init__(self) -> None:
        """Refuses defenses without the undefended answer."""
        check_undefended(self.defenses)


@document()
class RecordsReport:
    """What a records study found."""

    SCHEMA: ClassVar[str] = "leakjax.records/3"

    config: Mapping[str, Any] = described("every setting of the run that decides a number")
    environment: Mapping[str, Any] = described("versions, devices, platform")
    task: RecordsTask = described("what was attacked")
    results: Results = described("what was measured")
    timings: Mapping[str, float] = described("wall time of each part", "seconds")
