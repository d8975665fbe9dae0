"""One of several processes that audit together: python -m tests.auditing.hosts_worker COORDINATOR PROCESSES PROCESS."""

import json
import sys

import jax

from leakjax.shadow import hosts

if __name__ == "__main__":
    coordinator, processes, process = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if processes > 1:
        hosts.join(coordinator=coordinator, processes=processes, process=process, in_step=True)
    import leakjax
    from leakjax.evaluate.document import to_json
    from tests.auditing.world import CLIP, gradient, logits_fn, make_ensemble, make_points

    points = make_points()
    report = leakjax.audit(
        logits_fn,
        make_ensemble(points),
        points,
        explainers={"gradient": gradient},
        defenses=["none", CLIP],
        attacks=["stacked", "threshold(signal='map_log_l1')"],
        key=jax.random.key(0),
    )
    rows = [to_json(row) for row in (*report.leakage, *report.controls)]
    print(json.dumps({"devices": jax.device_count(), "local": jax.local_device_count(), "rows": rows}))
    assert jax.process_index() == process
