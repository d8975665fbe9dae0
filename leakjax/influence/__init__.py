"""The maths of record-based explanations: which training records an answer of a model rests on.

The influence of a record on a query is the change of the query's loss when the record leaves the training set,
positive where the record helps. For a logistic regression it is exact, by one Newton for all leave-one-out models:

    service = serve(x, y, l2=1.0)                    # the model, and itself without each record
    values = influence(service, queries, labels)     # [queries, records]

For a network it is exact by retraining under one fixed regime (`retrain`), and approximated by influence functions
(`influence_functions`, through the whole network or one `layer`) and TracIn (`tracin`); `agreement` says how well.
The exact part runs on the host in float64, the rest in JAX in the precision of what it is given.
"""

from leakjax.influence.agreement import Agreement, agreement
from leakjax.influence.exact import LOSSES, Service, influence, influence_chunks, predictions, serve, top_k
from leakjax.influence.influence_functions import (
    Approximation,
    LossFn,
    cross_entropy,
    influence_functions,
    layer,
    probability_loss,
)
from leakjax.influence.leave_one_out import LeaveOneOut, leave_one_out
from leakjax.influence.logistic import Logistic, fit
from leakjax.influence.retrain import Retrained, retrain
from leakjax.influence.tracin import tracin

__all__ = [
    "LOSSES",
    "Agreement",
    "Approximation",
    "LeaveOneOut",
    "Logistic",
    "LossFn",
    "Retrained",
    "Service",
    "agreement",
    "cross_entropy",
    "fit",
    "influence",
    "influence_chunks",
    "influence_functions",
    "layer",
    "leave_one_out",
    "predictions",
    "probability_loss",
    "retrain",
    "serve",
    "top_k",
    "tracin",
]
