"""Rows of a report, written by hand."""

from leakjax.evaluate.document import Estimate
from leakjax.inversion.document import AttackRow, Claim, InversionReport, InversionTask, LeftOut


def estimate(value, spread=0.05):
    return Estimate(value, value - spread, value + spread)


def attack_row(attack="re-identification", *, found=0.9, baseline=0.4, **changes):
    given = {
        "setting": "gradient and confidence(2)",
        "guard": "none",
        "measure": "the subject is named first, share",
        "control": None,
        "ceiling": None,
        "explained": 1100.0,
        "plain": 3072030.0,
        "models": 4,
        "targets": 400,
    }
    base = None if baseline is None else estimate(baseline)
    margin = None if baseline is None else estimate(found - baseline)
    return AttackRow(
        attack=attack, found=estimate(found), baseline=base, margin=margin, **{**given, **changes}
    )


def report(rows=None, claims=()):
    rows = [attack_row(), attack_row(guard="sign<b>", found=0.5)] if rows is None else rows
    return InversionReport(
        config={"dataset": "digits"},
        environment={"jax": "0"},
        task=InversionTask(dataset="<script>digits", points=1258, auxiliary=539, model="mlp", accuracy=0.96),
        knows={row.attack: "answers & candidates" for row in rows},
        attacks=rows,
        left_out=[LeftOut(attack="re-identification", guard="dropout", why="not <here>")],
        claims=list(claims),
        timings={"reidentify": 3.0},
    )


def claim(text="Noise helps.", verdict="refuted", why="it does not"):
    return Claim(claim=text, verdict=verdict, why=why)
