"""Going on with a relaxation that was interrupted: its trajectory has every finished step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

TRAJECTORY = "gpaw.traj"
"""Trajectory of a relaxation, one frame per finished step."""
REFINED = 0.02
"""Atoms that differ less (Angstrom) are the same start."""


def resume(atoms: Atoms, folder: Path, earlier: str | Path | None = None) -> int:
    """Move atoms to the last finished step of an earlier relaxation of the same crystal.

    The trajectory in `folder` then holds the finished steps, and can be appended to. A step that
    was being written when the power went off is dropped.

    Parameters
    ----------
    atoms
        The crystal that is to be relaxed now; it is changed if there was such a relaxation.
    folder
        Where this relaxation runs, and where an interrupted one may have run.
    earlier
        Where else one may have run; a host name before a colon is ignored.

    Returns
    -------
    How many steps there were; 0 if there was no relaxation of these atoms.
    """
    elsewhere = [Path(str(earlier).rpartition(":")[2])] if earlier is not None else []
    for place in (folder, *elsewhere):
        frames = _frames(place / TRAJECTORY)
        if frames and _same(frames[0], atoms):
            _write(frames, folder / TRAJECTORY)
            atoms.set_cell(frames[-1].cell)
            atoms.set_positions(frames[-1].positions)
            return len(frames)
    return 0


def _same(first: Atoms, atoms: Atoms) -> bool:
    """Tell whether a trajectory started from these atoms; symmetry may have been refined first."""
    return (
        np.array_equal(first.numbers, atoms.numbers)
        and np.allclose(first.cell.array, atoms.cell.array, atol=REFINED)
        and np.allclose(first.positions, atoms.positions, atol=REFINED)
    )


def _frames(path: Path) -> list[Atoms]:
    """Read all whole frames."""
    from ase.io import Trajectory

    frames: list[Atoms] = []
    if not path.is_file() or not path.stat().st_size:
        return frames
    try:
        with Trajectory(str(path)) as trajectory:
            for index in range(len(trajectory)):
                frames.append(trajectory[index])  # noqa: PERF401 - those before a torn one count
    except Exception:  # noqa: BLE001 - a torn file has many ways to say so
        return frames
    return frames


def _write(frames: list[Atoms], path: Path) -> None:
    """Replace a trajectory by whole frames."""
    from ase.io import write

    new = path.with_suffix(".new.traj")
    write(str(new), frames)
    new.replace(path)
