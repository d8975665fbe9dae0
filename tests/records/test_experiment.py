import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from absl import flags

from experiments import records
from leakjax._validate import UsageError
from tests.influence.conftest import task
from tests.records.fake_records import row
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


def test_a_run_leaves_a_report_with_every_figure(finished):
    folder, _, first = finished
    report = json.loads((folder / "run" / "report.json").read_text())
    draws = report["results"]["draws"]
    # 4 features and the bias; the last record shows only if the full model is unsure at the last point.
    assert draws["rank"]["mean"] == 5
    assert 4 <= draws["subspace"]["exact"]["found"]["mean"] <= 5
    assert draws["self_revealing"]["1"]["value"] <= draws["self_revealing"]["10"]["value"] <= 1
    assert report["results"]["defenses"]["no self"]["advantage"] == 0
    assert report["results"]["defenses"]["private prototypes"]["epsilon"] == 10
    assert {path.stem.split("_")[0] for path in (folder / "run" / "figures").iterdir()} == {
        f"figure{number}" for number in (6, 7, 9, 10, 15)
    }
    assert "An attacker who knows nothing recovers" in first.stdout


def test_the_page_is_whole_and_needs_nothing_else(finished):
    folder, _, _ = finished
    text = (folder / "run" / "report.html").read_text()
    reader = Reader(text)
    assert all(link.startswith("data:image/png;base64,") for link in reader.links)
    assert reader.tags.count("img") == 5
    report = json.loads((folder / "run" / "report.json").read_text())
    rows = next(rows for rows in reader.tables if rows[0][0] == "records revealed under")
    assert [row[0] for row in rows[1:]] == list(report["results"]["defenses"])


def test_the_same_command_resumes_and_another_is_refused(finished, root):
    folder, given, _ = finished
    log = folder / "run" / "metrics.jsonl"
    before = (folder / "run" / "report.json").read_text()
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[1:]) + lines[0][:40])  # the first draw lost, and a line cut short
    again = run(*given, "--parts=draws,defenses,sizes,sweep", cwd=root)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count(" s\n") == 1
    after = json.loads((folder / "run" / "report.json").read_text())
    assert after["results"] == json.loads(before)["results"]
    other = run(*given, "--parts=draws", "--l2=2", cwd=root)
    assert other.returncode == 2
    assert "holds a run with another parts, l2; choose another" in other.stderr


def test_a_network_of_a_run_is_in_its_results():
    network = {
        "records": 12,
        "l2": 1.0,
        "accuracy": 0.5,
        "discovered": {"descent": list(range(200)), "true": [1] * 200},
        "defenses": {"none": vars(row(most=1.0))},
    }
    found = records.network_of(network)
    assert (found.queries, found.records, found.defenses["none"].most) == ([100], 12, 1.0)
    assert found.discovered == {"descent": [99], "true": [1]}


def values(**changes):
    """The experiment's flags at their defaults, with changes."""
    own = flags.FLAGS.flags_by_module_dict()["experiments.records"]
    return SimpleNamespace(**{flag.name: flag.default for flag in own} | changes)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--nonsense=1"], "Unknown command line flag 'nonsense'"),
        (["stray"], "unexpected argument 'stray'"),
        (["--dataset=parkinsons"], "needs the folder that holds pd_speech.csv"),
    ],
)
def test_bad_input_is_one_line_and_status_2(given, message, tmp_path, root):
    result = run(*given, f"--workdir={tmp_path / 'run'}", cwd=root)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 3000}, "k=3000: must be at most points=2000"),
        ({"draws": 0}, "draws=0: must be at least 1"),
        ({"parts": ["draw"]}, "did you mean 'draws'"),
        ({"oracles": ["digits5"]}, "did you mean 'digits"),
        ({"loss": "hinge"}, "loss='hinge'"),
        ({"pair": ["5"]}, "pair='5': must be two classes"),
        ({"l2": -1.0}, "l2=-1.0: must be at least 0"),
    ],
)
def test_every_flag_is_checked_by_name(changes, message):
    with pytest.raises(UsageError, match=message):
        records.config_from(values(**changes))


def test_the_noise_that_algorithm_1_expects_follows_data_and_loss():
    assert records.config_from(values()).threshold == 1e-13
    assert records.config_from(values(loss="cross_entropy")).threshold == 1e-12
    assert records.config_from(values(loss="cross_entropy", threshold=1e-9)).threshold == 1e-9
    assert records.config_from(values(dataset="parkinsons")).threshold == 1e-14


def test_an_unknown_data_set_is_named():
    config = records.config_from(values(dataset="adlt", points=20))
    with pytest.raises(UsageError, match="did you mean 'adult'"):
        records.load_task(config, None, None, "zscore")


def test_a_task_of_many_classes_is_refused(tmp_path):
    np.savez(tmp_path / "points.npz", x=np.eye(6, dtype=np.float32), y=np.arange(6) % 3)
    config = records.config_from(values(dataset=f"npz:{tmp_path / 'points.npz'}"))
    with pytest.raises(UsageError, match="has 3 classes, a records audit needs 2"):
        records.load_task(config, None, None, "zscore")


def test_help_reads_well(root):
    result = run("--help", cwd=root)
    assert result.returncode == 0
    assert "python -m experiments.records --dataset=adult" in result.stdout
    assert "--l2" in result.stdout
