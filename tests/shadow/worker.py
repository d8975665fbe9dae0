"""A run in a process of its own, which the tests kill: python -m tests.shadow.worker DIRECTORY MODELS [hosts]."""

import sys
import time

from leakjax.shadow import hosts


def main(directory, models, coordinator=None, processes=1, process=0):
    """Trains slowly enough to be killed in the middle; a line for every epoch."""
    share = hosts.join(coordinator=coordinator or None, processes=int(processes), process=int(process))
    from tests.shadow.small import (
        train,
    )  # it computes a key, and hosts are joined before anything is computed

    def on_epoch(now):
        print(f"block {now.block} epoch {now.epoch}", flush=True)
        time.sleep(0.03)

    train(directory, range(int(models)), block=2, save_every=0, share=share, on_epoch=on_epoch)
    print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
