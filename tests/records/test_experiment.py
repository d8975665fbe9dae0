import copy
import json
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
from absl import flags

from experiments import records
from leakjax._validate import UsageError
from leakjax.records.plan import plan_for
from leakjax.records.units import Unit
from tests.influence.conftest import task
from tests.report.reader import Reader

FLAGS = [
    "--draws=2",
    "--points=30",
    "--queries=20",
    "--walks=3",
    "--network_points=10",
    "--oracles=exact,digits2",
]


def run(*given, cwd):
    command = [sys.executable, "-m", "experiments.records", *given]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=300, check=False)


@pytest.fixture(scope="module")
def root(request):
    return request.config.rootpath


@pytest.fixture(scope="module")
def finished(tmp_path_factory, root):
    folder = tmp_path_factory.mktemp("records")
    x, y = task(90, 4)
    np.savez(folder / "points.npz", x=x.astype(np.float32), y=y)
    given = [f"--dataset=npz:{folder / 'points.npz'}", f"--workdir={folder / 'run'}", *FLAGS]
    first = run(*given, "--parts=draws,defenses,sizes,sweep", cwd=root)
    assert first.returncode == 0, first.stderr
    return folder, given, first


@pytest.mark.slow
def test_a_run_leaves_a_report_with_every_figure(finished):
    folder, _, first = finished
    report = json.loads((folder / "run" / "report.json").read_text())
    draws = report["results"]["draws"]
    # 4 features and the bias; the last record shows only if the full model is unsure at the last point.
    assert draws["rank"]["mean"] == 5
    ((column, shares),) = draws["groups"].items()
    assert column == "distance to other records"
    # A tenth of the 30 records of each of two draws.
    assert {name: one["points"] for name, one in shares["5"].items()} == {"others": 54, "farthest tenth": 6}
    assert 4 <= draws["subspace"]["exact"]["found"]["mean"] <= 5
    assert draws["self_revealing"]["1"]["value"] <= draws["self_revealing"]["10"]["value"] <= 1
    assert report["results"]["defenses"]["no self"]["advantage"] == 0
    assert report["results"]["defenses"]["private prototypes"]["epsilon"] == 10
    assert {path.stem.split("_")[0] for path in (folder / "run" / "figures").iterdir()} == {
        f"figure{number}" for number in (6, 7, 9, 10, 15)
    }
    assert "An attacker who knows nothing recovers" in first.stdout
    assert "points.npz: 30 units" in first.stderr  # the stage; how far it is follows now and then


@pytest.mark.slow
def test_the_page_is_whole_and_needs_nothing_else(finished):
    folder, _, _ = finished
    text = (folder / "run" / "report.html").read_text()
    reader = Reader(text)
    assert all(link.startswith("data:image/png;base64,") for link in reader.links)
    assert reader.tags.count("img") == 5
    report = json.loads((folder / "run" / "report.json").read_text())
    rows = next(rows for rows in reader.tables if rows[0][0] == "records revealed under")
    assert [row[0] for row in rows[1:]] == list(report["results"]["defenses"])


@pytest.mark.slow
def test_a_run_goes_on_and_a_changed_flag_measures_only_what_it_changes(finished, root):
    folder, given, _ = finished
    stages, before = folder / "run" / "stages", (folder / "run" / "report.json").read_text()
    names = {path.name for path in stages.iterdir()}
    next(stages.glob("draws_0*")).unlink()
    again = run(*given, "--parts=draws,defenses,sizes,sweep", cwd=root)
    assert again.returncode == 0, again.stderr
    assert {path.name for path in stages.iterdir()} == names
    after = json.loads((folder / "run" / "report.json").read_text())
    assert after["results"] == json.loads(before)["results"]
    other = run(*given, "--parts=draws", "--draws=3", cwd=root)
    assert other.returncode == 0, other.stderr
    assert len({path.name for path in stages.iterdir()} - names) == 1


def values(*given):
    """The experiment's flags as parsed from a command line."""
    own = flags.FlagValues()
    for flag in flags.FLAGS.flags_by_module_dict()["experiments.records"]:
        own[flag.name] = copy.deepcopy(flag)
    own(["records", *given])
    return own


def test_flags_left_alone_are_the_plan_of_the_data_set():
    assert records.plan_from(values()) == plan_for("adult")
    given = values("--dataset=fashion_mnist", "--oracles=digits2", "--pair=0,3", "--l2=2.0")
    expected = plan_for("fashion_mnist", oracles=("digits2",), pair=(0, 3), l2=2.0)
    assert records.plan_from(given) == expected


def test_quick_is_three_draws_where_no_flag_says_otherwise():
    assert records.plan_from(values("--quick")) == plan_for("adult", draws=3, parts=("draws",))
    given = values("--quick", "--draws=2", "--parts=draws,sizes")
    assert records.plan_from(given) == plan_for("adult", draws=2, parts=("draws", "sizes"))


def test_a_plan_counts_units_by_the_time_of_one_draw(capsys):
    made = []
    unit = lambda part, effort: Unit(part, 0, effort, lambda: made.append(part) or {}, part, "")
    units = (unit("draws", 1), unit("draws", 1), unit("defenses", 25))
    with mock.patch.object(records.time, "perf_counter", side_effect=[10.0, 12.0]):
        records.print_plan(units)
    assert made == ["draws", "draws"]
    rows = [line.split("│")[1:4] for line in capsys.readouterr().out.splitlines() if "│" in line]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["draws", "2", "4"],
        ["defenses", "1", "50"],
        ["total", "3", "54"],
    ]


@pytest.mark.parametrize("pair", ["5", "5,x", "1,2,3"])
def test_a_pair_that_is_not_two_classes_is_named(pair):
    with pytest.raises(UsageError, match=f"pair='{pair}': must be two classes"):
        records.plan_from(values(f"--pair={pair}"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--nonsense=1"], "Unknown command line flag 'nonsense'"),
        (["stray"], "there are flags alone"),
        (["--dataset=parkinsons"], "needs the folder that holds pd_speech.csv"),
    ],
)
def test_bad_input_is_one_line_and_status_2(given, message, tmp_path, root):
    result = run(*given, f"--workdir={tmp_path / 'run'}", cwd=root)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_help_reads_well(root):
    result = run("--help", cwd=root)
    assert result.returncode == 0
    assert "python -m experiments.records --dataset=adult" in result.stdout
    assert "--l2" in result.stdout
