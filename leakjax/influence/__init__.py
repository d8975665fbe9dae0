"""The maths of record-based explanations: which training records an answer rests on."""
