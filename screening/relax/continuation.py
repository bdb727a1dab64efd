"""One record of a relaxation that was carried on from where another one had ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from screening.schemas.relax import RelaxationDoc


def continued(first: RelaxationDoc, second: RelaxationDoc) -> RelaxationDoc:
    """Join the records of two relaxations, the second of which started where the first ended.

    Parameters
    ----------
    first, second
        The records.

    Returns
    -------
    RelaxationDoc
        The state of the second with the start of the first.
    """
    changes: dict[str, Any] = {
        "steps": first.steps + second.steps,
        "initial_energy_per_atom": first.initial_energy_per_atom,
        "symmetry_kept": False,  # it has more symmetry than at the start
    }
    if first.volume_change is not None and second.volume_change is not None:
        growth = (1 + first.volume_change) * (1 + second.volume_change)
        changes["volume_change"] = growth - 1
    if first.trajectory is not None and second.trajectory is not None:
        changes["trajectory"] = _joined(first.trajectory, second.trajectory, first.steps)
    return second.model_copy(update=changes)


def _joined(first: dict[str, Any], second: dict[str, Any], steps: int) -> dict[str, Any]:
    """Append the arrays of the second trajectory."""
    later = second | {"step": np.asarray(second["step"]) + steps}
    return {key: np.concatenate([first[key], later[key]]) for key in first}
