import dataclasses

import pytest

from experiments import audit_flags
from experiments.leakage_by_training import DEFAULT, configs
from leakjax import _spec
from leakjax._validate import UsageError
from leakjax.evaluate import headline
from leakjax.evaluate.document import PrivateTraining
from leakjax.report import trainings
from tests.experiments.own_flags import own_flags
from tests.report.fake_report import fake_report, fake_task


def test_a_row_holds_the_headline_attack_beside_each_release():
    promised = PrivateTraining(epsilon=3.0, delta=1e-5, noise_multiplier=1.0, clip_norm=1.0)
    report = fake_report(task=fake_task(private=promised))
    found = trainings.rows("strong", report)
    rate, first = headline.rate(report.leakage), headline.explainers(report.leakage)[0]
    assert [row.release for row in found] == headline.releases(report.leakage)
    for row in found:
        assert (row.training, row.epsilon, row.fpr) == ("strong", 3.0, rate)
        assert row.accuracy == report.task.test_accuracy.value
        of = lambda view, *names, row=row: headline.row(report.leakage, view, *names, release=row.release)
        assert row.prediction == of("prediction").tpr_at_fpr[rate]
        assert row.explanation == of("explanation", first).tpr_at_fpr[rate]
        assert row.margin == of("both", first).margin.tpr_at_fpr[rate]
    plain = trainings.rows("plain", dataclasses.replace(report, task=fake_task()))
    assert {row.epsilon for row in plain} == {None}
    lines = trainings.table([*plain, *found]).splitlines()
    assert len(lines) == 2 + len(plain) + len(found)
    assert "not private" in lines[2]
    assert "| 3 |" in lines[-1]
    assert trainings.image([*plain, *found]).startswith(b"\x89PNG")


def test_each_training_is_the_audit_with_other_fields_of_training():
    with own_flags(audit_flags.define_flags) as values:
        values(["audit", "--epochs=3"])
        config = audit_flags.read_config(values)
    found = configs(config, _spec.split("trainings", DEFAULT))
    assert found["plain"] == config
    assert found["early"] == dataclasses.replace(config, epochs=10)
    assert found["dropout"].model == "mlp(dropout=0.5)"
    assert found["decay"].training == dataclasses.replace(config.training, weight_decay=1e-4)
    for texts, said in (
        (["plain", "plain"], "trainings"),
        (["a(models=3)"], "models"),
        (["a(0.1)"], "by name alone"),
        (["a(label_smoothing=2.0)"], "label_smoothing"),
    ):
        with pytest.raises(UsageError, match=said):
            configs(config, texts)
