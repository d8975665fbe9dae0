"""The state of a guard on disk: whole or not there, and read by the same monitors alone."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp

from leakjax._validate import fail
from leakjax._workdir import files, stages
from leakjax._workdir.fingerprint import fingerprint
from leakjax.monitor.accounts import Accounts, Answered
from leakjax.monitor.monitor import State

_NAME = "guard"


def value_of(accounts: Accounts, shared: State) -> dict[str, Any]:
    """All that is kept: of every account its name, state, alarm and answered queries; and the shared states."""
    return {
        "accounts": [
            {
                "name": name,
                "state": _leaves(account.state),
                "alarmed": account.alarmed,
                "answered": [one.x for one in account.answered],
            }
            for name, account in accounts.items()
        ],
        "shared": _leaves(shared),
    }


def restored(value: dict[str, Any], begun: State, shared: State, accounts: Accounts) -> State:
    """Puts what was kept into a table of accounts, in place of what it holds.

    Args:
      value: of `value_of`.
      begun: a state of one account, whose form that of all has.
      shared: a state of all accounts, for its form.
      accounts: the table.

    Returns:
      The shared state.
    """
    accounts.clear()
    for one in value["accounts"]:
        account = accounts.made(_tree(begun, one["state"]), one["alarmed"])
        account.answered.extend(Answered(x) for x in one["answered"])
        accounts.put(one["name"], account)
    return _tree(shared, value["shared"])


def write(folder: str | os.PathLike[str], monitors: Sequence[str], value: dict[str, Any]) -> None:
    """Writes a value.

    Args:
      folder: where to; made if need be.
      monitors: names of the monitors whose state it is.
      value: of `value_of`.

    Raises:
      UsageError: it cannot be written.
    """
    stages.write(_address(folder, monitors), value, writer=os.getpid(), say=files.quiet)


def read(folder: str | os.PathLike[str], monitors: Sequence[str]) -> dict[str, Any] | None:
    """The value that `write` wrote for these monitors; None where nothing was written.

    Args:
      folder: as in `write`.
      monitors: as in `write`.

    Raises:
      UsageError: it is damaged, or the folder holds the state of other monitors alone.
    """
    address = _address(folder, monitors)
    try:
        return stages.read(address)
    except FileNotFoundError:
        if address.of_name():
            rule = f"holds the state of other monitors than {', '.join(monitors)}; use another folder"
            raise fail("folder", str(folder), rule) from None
        return None
    except stages.Damaged as damage:
        raise fail(
            "folder", str(folder), f"{address.path.name} {damage}; move it away to begin anew"
        ) from None


def _address(folder: str | os.PathLike[str], monitors: Sequence[str]) -> stages.Address:
    return stages.Address(Path(folder).expanduser(), _NAME, fingerprint(monitors=list(monitors)))


def _leaves(state: State) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves(state)]


def _tree(like: State, leaves: list[np.ndarray]) -> State:
    return jax.tree.unflatten(jax.tree.structure(like), [jnp.asarray(leaf) for leaf in leaves])
