"""The binary: what it writes, what a second run reuses, its exit codes and its one-line errors."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments import _main, audit, audit_flags
from leakjax.evaluate.document import dumps
from leakjax.report import Report, from_json
from tests.experiments.own_flags import ended, own_flags
from tests.records.fake_records import fake_records
from tests.report.reader import Reader

ROOT = Path(__file__).parents[2]
MODELS, EPOCHS = 16, 3
SMALL = [
    "--dataset=synthetic",
    "--points=200",
    "--features=5",
    f"--models={MODELS}",
    f"--epochs={EPOCHS}",
    "--widths=8",
    "--explainers=gradient",
]


@pytest.fixture(scope="module")
def values():
    """The binary's flags, defined apart from those of other tests."""
    with own_flags(audit_flags.define_flags) as own:
        yield own


@pytest.fixture
def call(values, capsys):
    """Runs `main` as a shell would: (exit code, lines on standard error)."""

    def call(*arguments):
        code = ended(audit.main, values, arguments, "audit")
        return code, capsys.readouterr().err.splitlines()

    return call


def test_every_field_of_the_config_is_a_flag(values):
    values(["audit"])
    config = audit_flags.read_config(values)
    assert config.dataset == "digits"
    assert config.widths is None
    assert config.model == "mlp"
    assert config.targets is None
    assert config.explainers[0] == "gradient"
    assert config.defenses[0] == "none"
    assert json.loads(json.dumps(config.as_json())) == config.as_json()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dataset=digitz"], ["dataset='digitz'", "adult", "'digits'"]),
        (["--explainers=gradient,gradiant"], ["explainers='gradiant'", "smoothgrad", "'gradient'"]),
        (["--explainers=saliency"], ["explainers='saliency'", "mean 'gradient'"]),
        (["--explainers=gradcam"], ["layer=None", "finds no map"]),
        (["--explainers=lime(grid=400)"], ["cells=(400,)", "must be between 1 and the sides"]),
        (["--explainers=smoothgrad(samples=4000000000)"], ["4,000,000,000 runs", "are allowed"]),
        (["--explainers=gradient(steps=2)"], ["explainers='gradient(steps=2)'", "steps"]),
        (["--defenses=clip_nom(1)"], ["defense='clip_nom'", "keep_top_k", "'clip_norm'"]),
        (["--defenses=coarsen(3)"], ["window=3", "must divide the attribution's axes", "(5,)"]),
        (["--defenses=keep_top_k(9)"], ["k=9", "must be at most 5"]),
        (["--defenses=laplace_mechanism(1)"], ["laplace_mechanism(1.0)", "unbounded: put clip_norm(1.0)"]),
        (["--defenses=clip_norm(-1)"], ["clip_norm(-1)", "radius=-1", "must be"]),
        (["--attacks=lyra"], ["attacks='lyra'", "threshold", "stacked", "mean 'lira'"]),
        (["--attacks=stacked,lira(onlin=False)"], ["takes no option 'onlin'", "mean 'online'"]),
        (["--attacks=loss"], ["attacks='loss'", "mean 'threshold'"]),
        (["--attacks=lira,lira"], ["attacks='lira'", "is given twice"]),
        (["--model=mpl"], ["model='mpl'", "logistic", "'mlp'"]),
        (["--optimizer=adamm"], ["optimizer='adamm'", "sgd", "'adam'"]),
        (["--models=3"], ["models=3", "at least 4"]),
        (["--epochs=0"], ["epochs=0", "at least 1"]),
        (["--points=0"], ["points=0", "at least 30"]),
        (["--points=40", "--background=20"], ["points=20", "at least 30"]),
        (["--points=1e12"], ["--points=1e12"]),
        (["--points=1000000000000"], ["points=1000000000000", "whole number"]),
        (["--points=4000000000"], ["points=4000000000", "GiB of memory", "are free"]),
        (["--models=1000000000"], ["models=1000000000", "GiB of memory", "are free"]),
        (["--batch_size=1000000000"], ["models=16", "GiB of memory", "are free"]),
        (["--widths=1000000000"], ["weights", "GiB of memory", "are free"]),
        (["--model=mlp(widths=(1000000000,))", "--plan"], ["widths is given twice"]),
        (["--model=logistic"], ["logistic takes no option 'widths'", "logistic()"]),
        (["--model=mlp(width=3)"], ["'width'", "mean 'widths'"]),
        (["--dataset=synthetic(featurs=3)"], ["'featurs'", "mean 'features'"]),
        (["--dataset=synthetic(points=2.5)"], ["points is given twice"]),
        (["--dear_points=5"], ["--dear_points is now --costly_points"]),
        (["--audit_points=0"], ["audit_points=0", "at least 30"]),
        (["--audit_points=1"], ["audit_points=1", "at least 30"]),
        (["--costly_points=1"], ["costly_points=1", "at least 30"]),
        (["--seed=-1"], ["seed=-1", "0..4294967295"]),
        (["--seed=4294967296"], ["seed=4294967296", "0..4294967295"]),
        (["--seed=99999999999999999999"], ["seed=99999999999999999999", "0..4294967295"]),
        (["--data_seed=-1"], ["seed=-1"]),
        (["--defenses=none,none"], ["defenses='none'", "twice"]),
        (["--widths=0"], ["widths=0", "at least 1"]),
        (["--widths=a"], ["widths='a'", "whole numbers"]),
        (["--batch_size=0"], ["batch_size=0", "at least 1"]),
        (["--learning_rate=0"], ["learning_rate=0", "above 0"]),
        (["--targets=16"], ["targets=[16]", "0 to 15"]),
        (["--targets="], ["targets=[]", "0 to 15"]),
        (["--targets=1,1"], ["targets=[1, 1]", "different"]),
        (["--releases="], ["releases=()", "at least one"]),
        (["--ensemble=/nowhere"], ["/nowhere", "no ensemble was trained here"]),
        (["--gap=0.1"], ["gap=0.1", "is of an --ensemble, which must be named"]),
        (["--targets=x"], ["targets='x'", "whole numbers"]),
        (["--group=race"], ["group='race'"]),
        (["--with=/nowhere"], ["with='/nowhere'", "holds no report.json", "No such file"]),
        (["--records=/nowhere"], ["--records is now --with"]),
        (["--audit_points=201"], ["audit_points=201", "200 points"]),
        (["--models=many"], ["--models=many"]),
        (["--modles=16"], ["modles", "models"]),
        (["extra"], ["extra", "--help"]),
        (["--dataset=npz:/nowhere.npz"], ["/nowhere.npz", "no such file"]),
    ],
    ids=lambda part: part[-1] if part[0].startswith("-") or part == ["extra"] else "",
)
def test_bad_usage_is_one_line_that_says_what_is_allowed(call, tmp_path, arguments, words):
    plain = SMALL[:1] if "--dataset" not in arguments[0] else []
    others = [] if "npz:" in arguments[0] else SMALL[1:]
    code, lines = call(f"--workdir={tmp_path / 'work'}", *plain, *others, *arguments)
    assert code == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    for word in words:
        assert word in lines[0]
    assert not (tmp_path / "work").exists()


def test_a_workdir_is_not_taken_by_a_command_that_was_bad_usage(call, tmp_path):
    work = tmp_path / "work"
    assert call(f"--workdir={work}", *SMALL, "--dataset=synthetc")[0] == 2
    assert not (work / "config.json").exists()


def npz(path, **arrays):
    np.savez(path, **arrays)
    return f"--dataset=npz:{path}"


def test_a_users_file_that_cannot_be_audited_is_named(call, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    broken = np.where(np.arange(40)[:, None] == 7, np.nan, x)
    for arguments, words in (
        (npz(tmp_path / "keys.npz", features=x, y=y), ["keys.npz", "features", "must have x, y"]),
        (npz(tmp_path / "nan.npz", x=broken, y=y), ["nan.npz", "NaN or infinite", "row 7"]),
        (npz(tmp_path / "labels.npz", x=x, y=y + 1), ["labels.npz", "0..classes-1"]),
        (npz(tmp_path / "objects.npz", x=x, y=y.astype(object)), ["objects.npz", "objects"]),
    ):
        code, lines = call(f"--workdir={tmp_path / Path(arguments).stem}", arguments)
        assert code == 2
        assert len(lines) == 1
        for word in words:
            assert word in lines[0]


def test_a_workdir_that_cannot_be_written_is_named(call, tmp_path):
    (tmp_path / "file").write_text("")
    for work in (tmp_path / "file" / "below", tmp_path / "file"):
        code, lines = call(f"--workdir={work}", *SMALL)
        assert (code, len(lines)) == (2, 1)
        assert f"workdir='{work}'" in lines[0]
        assert "cannot be written" in lines[0]


def test_a_plan_prints_the_stages_and_writes_nothing(capsys, values, tmp_path):
    values(["audit"])
    argv = ["audit", *SMALL, "--plan", "--seeds=3", "--neighbours=2", f"--workdir={tmp_path / 'work'}"]
    assert _main.call(audit.main, _main.parse(argv)) == 0
    for name in ("plan", "seeds", "neighbours"):
        values[name].unparse()
    shown = capsys.readouterr().out
    for stage in ("train", "predict", "explain gradient", "controls", "evaluate", "total", "memory: about"):
        assert stage in shown
    assert f"{MODELS * EPOCHS * 100:,}" in shown  # half of 200 points, every model and epoch
    assert f"{MODELS * 200:,}" in shown
    assert f"{3 * MODELS * 200:,}" in shown  # the points and two neighbours of each
    one, three = (
        [float(cell.replace(",", "")) for cell in re.findall(r"[\d,.]+(?= *│)", line)]
        for line in shown.splitlines()
        if " total" in line
    )
    assert three[-2] == 3 * one[-2]
    assert three[-1] == pytest.approx(3 * one[-1], abs=0.2)
    assert not (tmp_path / "work").exists()


def shell(*arguments, cwd, cache):
    return subprocess.run(
        [sys.executable, "-m", "experiments.audit", *arguments],
        cwd=cwd,
        env={
            "PYTHONPATH": str(ROOT),
            "XDG_CACHE_HOME": str(cache),
            "PATH": "",
            "JAX_PLATFORMS": "cpu",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same command twice, the second with a limit that no margin can keep and findings on records."""
    place = tmp_path_factory.mktemp("binary")
    cache = place / "cache"
    first = shell(*SMALL, cwd=place, cache=cache)
    work = place / "runs" / "audit-synthetic"
    kept = {name: (work / name).read_bytes() for name in ("report.json", "metrics.jsonl")}
    (place / "records").mkdir()
    (place / "records" / "report.json").write_text(dumps(fake_records()))
    second = shell(*SMALL, "--fail_above=-1", "--with=records", cwd=place, cache=cache)
    return work, kept, first, second


@pytest.mark.slow
def test_a_run_leaves_its_files_in_the_default_workdir(runs):
    work, kept, first, _ = runs
    assert first.returncode == 0, first.stderr
    assert "Traceback" not in first.stderr
    report = from_json(Report, json.loads(kept["report.json"]))
    assert report.config == json.loads((work / "config.json").read_text())
    assert report.config["models"] == report.task.models == MODELS
    lines = [json.loads(line) for line in kept["metrics.jsonl"].splitlines()]
    assert [(line["epoch"], line["model"]) for line in lines] == [
        (epoch, model) for epoch in range(EPOCHS) for model in range(MODELS)
    ]
    assert (work / "report.html").read_text().lower().startswith("<!doctype html>")
    images = list((work / "figures").glob("*.png"))
    assert len(images) >= 3
    assert all(image.read_bytes().startswith(b"\x89PNG") for image in images)
    kept = {path.name.partition(".")[0] for path in (work / "stages").iterdir()}
    assert kept >= {"train", "explain_gradient", "controls"}
    assert "report.html" in first.stdout


@pytest.mark.slow
def test_the_same_command_reuses_what_is_there_and_gives_the_same_numbers(runs):
    work, kept, _, second = runs
    assert (work / "metrics.jsonl").read_bytes() == kept["metrics.jsonl"]
    before, after = (json.loads(text) for text in (kept["report.json"], (work / "report.json").read_bytes()))
    for document in (before, after):
        del document["environment"], document["timings"]
    assert after == before
    assert "orbax" not in second.stderr
    assert second.stderr.count("\n") < 10


@pytest.mark.slow
def test_findings_on_records_are_a_section_of_the_page_and_no_part_of_the_config(runs):
    work, *_ = runs
    reader = Reader((work / "report.html").read_text())
    assert reader.tags.count("section") == 1
    assert "What explanations by training records give away: <adult>" in reader.text
    assert "records" not in json.loads((work / "config.json").read_text())


@pytest.mark.slow
def test_a_margin_above_the_limit_ends_with_3(runs):
    *_, second = runs
    assert second.returncode == 3
    assert "is above -1.0" in second.stderr.splitlines()[-1]


def test_bad_usage_ends_a_real_process_with_2(tmp_path):
    done = shell("--models=3", cwd=tmp_path, cache=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["error: models=3: must be at least 4"]
    assert done.stdout == ""
    assert not (tmp_path / "runs").exists()


def test_help_lists_the_flags():
    done = subprocess.run(
        [sys.executable, "-m", "experiments.audit", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    shown = done.stdout
    assert done.returncode == 0
    for choice in ("smoothgrad(samples=50, sigma=0.15", "clip_norm(radius, norm=2)", "mlp(widths=(128,))"):
        assert choice in shown
    for choice in (
        "synthetic(points=20000, features=100, classes=2, seed=0)",
        "digits(points)",
        "npz:<path>",
    ):
        assert choice in shown
    for flag in ("--dataset", "--explainers", "--fail_above", "--[no]plan"):
        assert flag in shown


def test_the_flags_of_training_are_those_of_train_shadows(values):
    values.unparse_flags()
    for name in values:
        values[name].unparse()
    given = ["--optimizer=sgd", "--momentum=0.9", "--schedule=cosine", "--label_smoothing=0.1", "--flip"]
    values(["audit", *given, "--shift=2", "--stop_at_gap=0.05,0.1", "--model=mlp(widths=(8,))"])
    training = audit_flags.read_config(values).training
    assert training.momentum == 0.9
    assert (training.schedule, training.flip, training.shift) == ("cosine", True, 2)
    assert training.stop_at_gap == (0.05, 0.1)
    assert training.label_smoothing == 0.1


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--stop_at_gap=often", "stop_at_gap='often': must be numbers"),
        ("--schedule=sine", "schedule='sine'"),
        ("--delta=0", "delta=0.0"),
    ],
)
def test_a_wrong_flag_of_training_is_one_line(call, argument, words):
    code, lines = call(argument)
    assert code == _main.BAD_USAGE
    assert len(lines) == 1
    assert words in lines[0]
