"""The page of a monitoring study."""

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

from leakjax.monitoring.alarms import ANY
from leakjax.monitoring.document import AttackRow, MonitorReport
from leakjax.monitoring.plan import RATES
from leakjax.monitoring.rows import LEADING
from leakjax.report import shell, tables, words

AIM = 0.9
CAPTIONS = {
    "caught": "Share of attacks on which any monitor of one account alarms, in every disguise, at thresholds that "
    "alarm on 1 % of benign accounts. Bars are 95 % intervals; the dotted line is what a monitor should reach.",
    "race": "How far an undisguised attack is when the alarm comes. Where the blue bar reaches the goal, the race is "
    "lost: the alarm comes too late, or not at all.",
}


def page(report: MonitorReport, images: Mapping[str, bytes]) -> str:
    """The study on a page of its own."""
    return shell.wrap(f"leakjax: a watched service, {report.task.dataset}", section(report, images, level=1))


def section(report: MonitorReport, images: Mapping[str, bytes], *, level: int) -> Markup:
    """What monitors of a live service catch, as an HTML fragment.

    Args:
      report: what a study found.
      images: PNGs by name, of `figures.images`.
      level: of its heading; those inside are one below.
    """
    return shell.render(
        "monitor.html",
        level=level,
        task=report.task,
        lead=lead(report),
        lost=lost(report),
        pictures={name: shell.picture(images, name, text) for name, text in CAPTIONS.items()},
        aims=_aims(report),
        caught=_caught(report),
        detectors=_by_detector(report),
        benign=_benign(report),
        actions=_actions(report),
        states=_table(
            ["detector", "state, bytes", "settings"],
            ([_spaced(row.detector), f"{row.state:,}", row.settings] for row in report.detectors),
            texts=(0, 2),
        ),
        speed=_table(
            ["detector", "updates a second on one core"],
            ([_spaced(row.detector), f"{row.updates:,.0f}"] for row in report.speed),
        ),
        features=report.speed[0].features if report.speed else 0,
    )


def lead(report: MonitorReport) -> str:
    """The finding in two sentences."""
    aimed = [one.attacker for one in report.attackers if one.aimed_at]
    found = [row for row in undisguised(report) if row.attacker in aimed]
    good = [row for row in found if row.tpr[LEADING].value >= AIM]
    won = [row for row in undisguised(report) if row.won[LEADING] >= 0.5]
    return (
        f"At 1 % false alarms, the monitors of an account catch at least {100 * AIM:.0f} % of {len(good)} of the "
        f"{len(found)} kinds of undisguised attacks without explanations. {len(won)} of all {len(report.attackers)} "
        f"kinds have what they want before the alarm, or without one{': ' + _listed(won) if won else ''}."
    )


def lost(report: MonitorReport) -> list[str]:
    """One sentence for every undisguised attack that wins the race in most cases."""
    found = []
    by_name = {one.attacker: one for one in report.attackers}
    for row in undisguised(report):
        if row.won[LEADING] < 0.5:
            continue
        one = by_name[row.attacker]
        alarm = (
            f"the alarm comes at query {row.delay[LEADING]:.0f}"
            if words.measured(row.delay[LEADING]) and row.tpr[LEADING].value >= 0.5
            else f"the alarm comes in {words.percent(row.tpr[LEADING].value)} of cases"
        )
        found.append(
            f"The attack by {_spaced(row.attacker)} reaches its goal ({one.counts} of {one.goal:g}) after "
            f"{one.queries_to_goal:.0f} queries; {alarm}. Only the release itself stops it."
        )
    return found


def undisguised(report: MonitorReport) -> list[AttackRow]:
    """The rows of undisguised attacks before any monitor of an account."""
    return [row for row in report.attacks if row.disguise == "none" and row.detector == ANY]


def _aims(report: MonitorReport) -> tables.Table:
    by_name = {one.attacker: one for one in report.attackers}
    rows = []
    for row in undisguised(report):
        one = by_name[row.attacker]
        met = "yes" if row.tpr[LEADING].value >= AIM else "no"
        rows.append(
            [
                _spaced(row.attacker),
                words.with_interval(row.tpr["0.001"], words.percent),
                words.with_interval(row.tpr[LEADING], words.percent),
                met if one.aimed_at else "no aim",
                number(row.delay[LEADING]),
                one.counts,
                number(row.reached[LEADING]),
                number(one.reached),
                words.percent(row.won[LEADING]),
            ]
        )
    head = [
        "attack",
        "caught at 0.1 %",
        "caught at 1 %",
        "90 % reached",
        "queries to the alarm",
        "what it is after",
        "reached by then",
        "unwatched",
        "wins",
    ]
    return _table(head, rows, texts=(0, 3, 5))


def _caught(report: MonitorReport) -> tables.Table:
    disguises = list(dict.fromkeys(row.disguise for row in report.attacks))
    rows = {(row.attacker, row.disguise): row for row in report.attacks if row.detector == ANY}
    chance = [next(row for row in rows.values() if row.disguise == how).chance[LEADING] for how in disguises]
    body = [
        [
            _spaced(one.attacker),
            *(words.percent(rows[one.attacker, how].tpr[LEADING].value) for how in disguises),
        ]
        for one in report.attackers
    ]
    body.append(["benign, as many accounts", *map(words.percent, chance)])
    return _table(["attack", *map(_spaced, disguises)], body)


def _by_detector(report: MonitorReport) -> list[tuple[str, tables.Table]]:
    detectors = list(dict.fromkeys(row.detector for row in report.attacks))
    found = []
    for how in dict.fromkeys(row.disguise for row in report.attacks):
        rows = {(row.attacker, row.detector): row for row in report.attacks if row.disguise == how}
        body = (
            [
                _spaced(one.attacker),
                *(words.percent(rows[one.attacker, name].tpr[LEADING].value) for name in detectors),
            ]
            for one in report.attackers
        )
        found.append((_spaced(how), _table(["attack", *map(_spaced, detectors)], body)))
    return found


def _benign(report: MonitorReport) -> tables.Table:
    kinds = list(dict.fromkeys(row.kind for row in report.benign))
    rows = {(row.detector, row.kind): row for row in report.benign}
    body = [
        [f"{_spaced(name)}, {words.false_alarms(rate)}"]
        + [words.percent(rows[name, kind].alarms[rate].value) for kind in kinds]
        for name in dict.fromkeys(row.detector for row in report.benign)
        for rate in RATES
    ]
    return _table(["detector, and what was allowed", *map(_spaced, kinds)], body)


def _actions(report: MonitorReport) -> tables.Table:
    actions = list(dict.fromkeys(row.action for row in report.actions))
    rows = {(row.attacker, row.action): row for row in report.actions}
    body = (
        [
            _spaced(one.attacker),
            number(one.reached),
            *(
                f"{number(rows[one.attacker, action].reached)} ({words.percent(rows[one.attacker, action].won)})"
                for action in actions
            ),
        ]
        for one in report.attackers
    )
    return _table(["attack", "unwatched", *(f"{action}: reached (wins)" for action in actions)], body)


def number(value: float) -> str:
    """A number in three digits; a dash where there is none."""
    return f"{value:.3g}" if words.measured(value) else "-"


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _listed(rows: Sequence[AttackRow]) -> str:
    return ", ".join(_spaced(row.attacker) for row in rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], texts: Sequence[int] = (0,)) -> tables.Table:
    styles = {name: tables.TEXT if place in texts else tables.NUMBER for place, name in enumerate(head)}
    return tables.table(styles, rows)
