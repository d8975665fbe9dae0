"""What a service lets out of a model, and the oracle through which an attacker asks it."""

from leakjax.oracle.answer import ACTIONS, ANSWERED, REFUSED, Answer, Predicted, Question
from leakjax.oracle.asked import Oracle
from leakjax.oracle.gate import Gate, Stateless, Watches, stateless
from leakjax.oracle.offer import oracle, replay
from leakjax.oracle.release import ExplanationPart, PredictionPart, Release, prediction_part
from leakjax.oracle.service import Service
from leakjax.oracle.transcript import Replayed, Transcript

__all__ = [
    "ACTIONS",
    "ANSWERED",
    "REFUSED",
    "Answer",
    "ExplanationPart",
    "Gate",
    "Oracle",
    "Predicted",
    "PredictionPart",
    "Question",
    "Release",
    "Replayed",
    "Service",
    "Stateless",
    "Transcript",
    "Watches",
    "oracle",
    "prediction_part",
    "replay",
    "stateless",
]
