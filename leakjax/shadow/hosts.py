"""Many hosts: each process finds out which part of an ensemble is its own; none waits for another in training."""

from typing import NamedTuple

import jax

from leakjax._validate import UsageError, fail


class Share(NamedTuple):
    """Which part of a run is this process's: blocks `process`, `process + processes`, and so on."""

    process: int = 0
    processes: int = 1


ALL = Share()


def join(
    *,
    distributed: bool = False,
    coordinator: str | None = None,
    processes: int = 1,
    process: int = 0,
    in_step: bool = False,
) -> Share:
    """Joins the processes of a run; to be called before anything is computed.

    Training needs no collective operation, and a process that dies does not take the others with it
    (`jax_enable_recoverability`), unless it is process 0, which the others watch: then they are aborted, and the same
    command goes on from their checkpoints. Without a coordinator, where processes have only the directory in common,
    none depends on any other.

    Args:
      distributed: whether jax finds the other processes by itself, on TPU pods and under Slurm.
      coordinator: address host:port of process 0, where it does not.
      processes: how many there are; with a coordinator, or without one where they have only the directory
        in common.
      process: which of them this is, from 0.
      in_step: whether the processes compute together, as an audit does and training does not: then all end where one
        dies, and none ends before the others.

    Returns:
      The share of this process.

    Raises:
      UsageError: numbers that make no sense, or processes that cannot be reached.
    """
    if not 0 <= process < max(processes, 1):
        raise fail("process", process, f"must be from 0 to processes - 1 = {processes - 1}")
    if not (distributed or coordinator):
        return Share(process, max(processes, 1))
    jax.config.update("jax_enable_recoverability", not in_step)
    try:
        if coordinator:
            jax.distributed.initialize(coordinator, processes, process)
        else:
            jax.distributed.initialize()
    except (RuntimeError, ValueError) as error:
        text = " ".join(str(error).split())
        raise UsageError(f"the other processes cannot be reached ({text[:200]})") from None
    return Share(jax.process_index(), jax.process_count())
