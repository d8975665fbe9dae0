"""A report that looks like one of a real audit: 4 explainers, 3 defenses (one of them none)."""

from dataclasses import replace

import numpy as np

from leakjax.evaluate.document import (
    Attacked,
    Control,
    Curve,
    Estimate,
    Example,
    Explained,
    ExposedRow,
    GroupRow,
    LeakageRow,
    Margin,
    Report,
    SmallestMargin,
    Task,
    UtilityRow,
)

EXPLAINERS = {
    "gradient": "gradient",
    "input_x_gradient": "gradient",
    "smoothgrad": "gradient",
    "integrated_gradients": "path",
}
DEFENSES = ("none", "clip_norm", "clip_norm+gaussian_noise")
# What the explanation adds at 1 % false positives, by explainer and defense.
MARGINS = {
    "gradient": (0.031, 0.024, 0.001),
    "input_x_gradient": (0.018, 0.012, -0.001),
    "smoothgrad": (0.022, 0.015, 0.0),
    "integrated_gradients": (0.047, 0.029, 0.002),
}
ALONE = 0.083  # members caught by predictions alone at 1 % false positives


def estimate(value: float, spread: float) -> Estimate:
    return Estimate(value, value - spread, value + spread)


def explained(explainer="none", defense="none") -> Explained:
    if explainer == "none":
        return Explained()
    return Explained(
        explainer=explainer,
        family=EXPLAINERS.get(explainer, "custom"),
        output="logit",
        explained_class="predicted",
        defense=defense,
    )


def attacked(explainer="none", defense="none", view="prediction", attack="lira") -> Attacked:
    return Attacked(
        **vars(explained(explainer, defense)), release="vector", view=view, attack=attack, label_known=True
    )


def leakage_row(explainer, defense, view, tpr, margin=None, attack="lira") -> LeakageRow:
    return LeakageRow(
        **vars(attacked(explainer, defense, view, attack)),
        targets=64,
        nonmembers=898,
        false_positives_allowed={"0.001": 0, "0.01": 8},
        headline_fpr="0.01",
        auc=estimate(0.55 + tpr / 2, 0.006),
        tpr_at_fpr={"0.001": estimate(tpr / 4, 0.008), "0.01": estimate(tpr, 0.006)},
        margin=margin,
    )


def margin_of(added: float) -> Margin:
    return Margin(
        auc=estimate(added / 2, 0.003),
        tpr_at_fpr={"0.001": estimate(added / 4, 0.005), "0.01": estimate(added, 0.0045)},
    )


def same_everywhere(estimate: Estimate) -> Margin:
    return Margin(auc=estimate, tpr_at_fpr={"0.001": estimate, "0.01": estimate})


def leakage(margins=MARGINS) -> list[LeakageRow]:
    rows = [leakage_row("none", "none", "prediction", ALONE)]
    for explainer, added in margins.items():
        for defense, margin in zip(DEFENSES, added, strict=True):
            rows.append(leakage_row(explainer, defense, "explanation", 0.01 + 1.4 * abs(margin)))
            rows.append(leakage_row(explainer, defense, "both", ALONE + margin, margin_of(margin)))
    rows.append(leakage_row("none", "none", "prediction", 0.021, attack="loss_threshold"))
    rows += [leakage_row(name, "none", "explanation", 0.014, attack="norm_threshold") for name in margins]
    return rows


RELEASES = {
    "label": 1.0,
    "confidence(1)": 0.107,
    "vector": 0.0107,
}  # how much of a margin is left beside each


def released_leakage(margins=MARGINS, left=RELEASES) -> list[LeakageRow]:
    """Rows as of an audit of several releases; explanations alone stand beside all of them."""
    rows = []
    for release, share in left.items():
        smaller = {name: tuple(share * margin for margin in added) for name, added in margins.items()}
        rows += [replace(row, release=release) for row in leakage(smaller) if row.view != "explanation"]
    return rows + [replace(row, release="none") for row in leakage(margins) if row.view == "explanation"]


def curves() -> list[Curve]:
    fpr = np.geomspace(1e-3, 1.0, 61)
    rows = []
    for row in leakage():
        power = np.log(row.tpr_at_fpr["0.01"].value) / np.log(0.01)
        rows.append(Curve(**vars(row.about), fpr=fpr.tolist(), tpr=(fpr**power).tolist()))
    return rows


def utility() -> list[UtilityRow]:
    kept = {"none": 1.0, "clip_norm": 0.97, "clip_norm+gaussian_noise": 0.31}
    return [
        UtilityRow(
            **vars(explained(explainer, defense)),
            cosine=estimate(kept[defense], 0.01 * (defense != "none")),
            top_overlap=estimate(kept[defense] ** 0.5, 0.02 * (defense != "none")),
            relative_change=estimate(1.0 - kept[defense], 0.02 * (defense != "none")),
        )
        for explainer in MARGINS
        for defense in DEFENSES
    ]


def control(name, question, expected, value, spread, passed=True) -> Control:
    seen = estimate(value, spread)
    return Control(name=name, question=question, expected=expected, seen=seen, passed=passed)


def controls(placebo_passed: bool) -> list[Control]:
    return [
        control(
            "untrained",
            "Does the attack find members of models that never saw them? It must not.",
            "TPR of 0.0100 at a 1 % false-positive rate",
            0.0103,
            0.0012,
        ),
        control(
            "permuted_membership",
            "Does the attack find members after the list of members is shuffled? It must not.",
            "TPR of 0.0100 at a 1 % false-positive rate",
            0.0099,
            0.0011,
        ),
        control(
            "input_only",
            "Can members be told from the inputs alone? They must not.",
            "AUC of 0.5",
            0.501,
            0.004,
        ),
        control("score_sign", "Do higher scores mean members?", "AUC above 0.5", 0.613, 0.004),
        control(
            "placebo",
            "Do explanations of the wrong model add anything? They must not.",
            "margin of 0",
            0.0002 if placebo_passed else 0.021,
            0.003,
            placebo_passed,
        ),
        control(
            "planted",
            "Is a leak of known size found, and at its size?",
            "TPR of 0.0924 at a 1 % false-positive rate",
            0.0918,
            0.004,
        ),
    ]


def image_examples() -> list[Example]:
    draw = np.random.default_rng(0)
    examples = []
    for index in range(3):
        row, column = np.mgrid[0:8, 0:8]
        image = np.exp(-(((np.hypot(row - 3.5, column - 3.5) - 1.5 - index / 2) / 0.8) ** 2))[..., None]
        maps = {}
        for scale, explainer in enumerate(MARGINS, start=1):
            plain = scale * image * draw.normal(size=image.shape)
            clipped = plain * min(1.0, 3.0 / np.linalg.norm(plain))
            noisy = clipped + 0.6 * draw.normal(size=image.shape)
            maps[explainer] = dict(zip(DEFENSES, (plain, clipped, noisy), strict=True))
        examples.append(Example(id=17 * index + 4, input=image, label=index, maps=maps))
    return examples


def tabular_examples(features: int = 12) -> list[Example]:
    draw = np.random.default_rng(1)
    examples = []
    for index in range(2):
        maps = {}
        for explainer in MARGINS:
            plain = draw.normal(size=features)
            maps[explainer] = {
                "none": plain,
                "clip_norm": plain / 2,
                DEFENSES[2]: plain / 2 + draw.normal(size=features),
            }
        examples.append(Example(id=index, input=draw.uniform(size=features), label=index, maps=maps))
    return examples


def groups() -> list[GroupRow]:
    return [
        GroupRow(
            **vars(about),
            group="sex",
            level=level,
            points=points,
            share=points / 1797,
            tpr=estimate(tpr if about.view == "both" else tpr - 0.04, 0.012),
            fpr=estimate(0.009, 0.002),
        )
        for level, points, tpr in (("Female", 600, 0.15), ("Male", 1197, 0.11))
        for about in (attacked(), attacked("integrated_gradients", "none", "both"))
    ]


def fake_task(**changes) -> Task:
    facts = {
        "dataset": "digits",
        "points": 1797,
        "duplicates_removed": 0,
        "classes": 10,
        "models": 64,
        "diverged": [],
        "train_accuracy": estimate(0.998, 0.001),
        "test_accuracy": estimate(0.951, 0.002),
        "generalisation_gap": estimate(0.047, 0.002),
        "audited_points": 1797,
        "dropped_points": 0,
        "non_finite_attributions": 0,
    }
    return Task(**{**facts, **changes})


def fake_report(
    *, dataset="digits", tabular=False, with_groups=False, placebo_passed=True, **changes
) -> Report:
    exposed = [
        ExposedRow(
            **vars(attacked("integrated_gradients", "none", "both")),
            id=100 + 37 * rank,
            score=9.5 - 0.8 * rank,
            share_caught=0.97 - 0.03 * rank,
            times_member=31 + rank % 3,
        )
        for rank in range(8)
    ]
    parts = {
        "config": {
            "dataset": dataset,
            "models": 64,
            "seed": 0,
            "explainers": list(MARGINS),
            "defenses": list(DEFENSES),
        },
        "environment": {"jax": "0.10.2", "devices": "2 x cpu", "platform": "linux"},
        "timings": {"data": 0.4, "shadow": 17.2, "attribute": 12.6, "attack": 6.1, "evaluate": 8.0},
        "task": fake_task(dataset=dataset),
        "leakage": leakage(),
        "utility": utility(),
        "exposed": exposed,
        "groups": groups() if with_groups else [],
        "controls": controls(placebo_passed),
        "smallest_margin": SmallestMargin(fpr="0.01", value=0.0052),
        "curves": curves(),
        "examples": tabular_examples() if tabular else image_examples(),
        "feature_names": [f"feature {index}" for index in range(12)] if tabular else None,
    }
    return Report(**{**parts, **changes})
