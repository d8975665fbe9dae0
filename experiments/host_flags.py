"""The flags of a run on many hosts, and how a process joins the others."""

from absl import flags

from leakjax.shadow import hosts


def define_flags() -> None:
    """Defines the flags; they are read in `joined` alone."""
    flags.DEFINE_bool("distributed", False, "Find the other processes: on TPU pods and under Slurm.")
    flags.DEFINE_string("coordinator", None, "Address host:port of process 0, where they are not found.")
    flags.DEFINE_integer("processes", 1, "How many processes share the work.")
    flags.DEFINE_integer("process", 0, "Which of them this is, from 0.")


def joined(values: flags.FlagValues, *, in_step: bool = False) -> hosts.Share:
    """Joins the processes that the flags name, before anything is computed. Args: in_step: as of `hosts.join`."""
    return hosts.join(
        distributed=values.distributed,
        coordinator=values.coordinator,
        processes=values.processes,
        process=values.process,
        in_step=in_step,
    )
