"""Record-based explanations: influence, self-revealing points, reconstruction.

What a service that explains by training records gives away, for logistic regression exactly:

    service = serve(x, y, l2=1.0)                            # the model, and itself without each record
    values = influence(service, queries, labels)             # [queries, records]
    shown = explain(values, queries, service.model.x[:, :-1], RecordPart(k=5), key=key)
    asked = oracle(service, RecordPart(k=1), key=key)           # what an attacker may see
    found = reconstruct(asked, key=key).found                # Algorithm 1

and for networks by influence functions, TracIn and retraining. `study` puts all attacks together for one draw.
The names live in the modules of this package.
"""
