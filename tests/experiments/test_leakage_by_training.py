import dataclasses

from experiments.leakage_by_epsilon import row, table
from leakjax.evaluate import headline
from leakjax.evaluate.document import PrivateTraining
from tests.report.fake_report import fake_report, fake_task


def test_a_row_holds_the_headline_attack_beside_epsilon():
    promised = PrivateTraining(epsilon=3.0, delta=1e-5, noise_multiplier=1.0, clip_norm=1.0)
    report = fake_report(task=fake_task(private=promised))
    found = row(report)
    rate = headline.rate(report.leakage)
    first = headline.explainers(report.leakage)[0]
    assert found["epsilon"] == 3.0
    assert found["accuracy"] == report.task.test_accuracy.value
    for view, names in (("prediction", ()), ("explanation", (first,)), ("both", (first,))):
        assert found[view] == headline.row(report.leakage, view, *names).tpr_at_fpr[rate].value
    plain = row(dataclasses.replace(report, task=fake_task()))
    assert plain["epsilon"] is None
    assert table([plain, found]).row_count == 2
