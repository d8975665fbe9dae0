import socket

import pytest

from leakjax import shadow
from tests.shadow.kills import finish, start, trial, wait_for_epoch
from tests.shadow.small import assert_same_bits

pytestmark = pytest.mark.slow


def test_a_run_killed_at_random_times_ends_with_the_same_models(tmp_path):
    assert trial(tmp_path, kills=2, seed=0) >= 1


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def outlived(directory, dying, survivor):
    """Kills one process in its training and lets the other end well; the ids of the models that are stored then."""
    try:
        assert wait_for_epoch(dying)
        dying.kill()
        said = survivor.communicate(timeout=120)[0]
    finally:
        for process in (survivor, dying):
            process.kill()
            process.communicate()
    assert survivor.returncode == 0, said
    return set(shadow.contents(directory).ids.tolist())


def test_of_two_hosts_one_dies_and_the_other_finishes(tmp_path):
    hosts = f"127.0.0.1:{free_port()}", 2
    survivor, dying = (start(tmp_path / "both", *hosts, process) for process in range(2))
    stored = outlived(tmp_path / "both", dying, survivor)
    assert stored >= {0, 1, 4, 5}  # blocks 0 and 2
    assert not stored >= {2, 3, 6, 7}  # those of the dead one wait for it
    # It is started again, alone: its share needs nobody else.
    finish(tmp_path / "both", "", 2, 1)
    finish(tmp_path / "whole")
    assert_same_bits(shadow.load(tmp_path / "both"), shadow.load(tmp_path / "whole"))


def test_where_processes_share_a_directory_alone_the_others_outlive_process_0(tmp_path):
    dying, survivor = (start(tmp_path / "both", "", 2, process) for process in range(2))
    stored = outlived(tmp_path / "both", dying, survivor)
    assert stored >= {2, 3, 6, 7}  # blocks 1 and 3
    assert not stored >= {0, 1, 4, 5}
    finish(tmp_path / "both", "", 2, 0)
    finish(tmp_path / "whole")
    assert_same_bits(shadow.load(tmp_path / "both"), shadow.load(tmp_path / "whole"))
