"""The room as its docstring shows it: what is exported is enough to attack a service and to run a study."""

import numpy as np

from leakjax import influence, records
from leakjax.report.records import publish
from tests.influence.conftest import task


def test_an_attacker_recovers_the_rank_of_a_service_and_some_records_reveal_themselves(key):
    service = influence.serve(*task(40, 4), l2=1.0)
    found = records.reconstruct(records.offer(service, records.RecordPart(k=1), key=key), key=key).found
    assert len(found) == np.linalg.matrix_rank(service.model.x) == 5
    own = records.self_explanations(service, records.RecordPart(k=5), key=key)
    expected = np.argsort(
        -np.abs(influence.influence(service, service.model.x[:, :-1], service.model.y)), axis=1
    )
    hits = [record in row for record, row in enumerate(expected[:, :5])]
    assert records.self_revealing(own, 5).tolist() == hits


def test_a_study_is_a_plan_its_units_and_a_report(tmp_path):
    x, y = task(90, 4)
    np.savez(tmp_path / "points.npz", x=x.astype(np.float32), y=y)
    plan = records.plan_for(f"npz:{tmp_path / 'points.npz'}", draws=2, points=30, queries=20, walks=2)
    units = records.units_of(plan, lambda scaling: records.load_task(plan, scaling=scaling))
    seen = []
    measured = records.run_units(units, tmp_path / "kept", tell=lambda share, name: seen.append(name))
    report = records.report_of(plan, measured, environment={})
    assert seen == ["", "draws 0", "draws 1"]
    assert report.config["draws"] == 2
    assert report.task.points == 30
    shares = report.results.draws.self_revealing
    assert shares["1"].value <= shares["5"].value <= shares["10"].value
    publish(report, measured, tmp_path / "run")
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "report.json",
        "tables",
        "report.html",
        "figures",
    }
