"""Relaxation of many crystals side by side: one call of the engine for all that still move.

Cell and positions move together, as with ASE's `FrechetCellFilter`: the cell's coordinates are the
logarithm of its deformation. Here each step deforms the *current* cell, so that the gradient is
just the virial, and the logarithm is scaled with ``sqrt(2 n)`` for n atoms (ASE: n), so that cells
of all sizes are about as stiff as an atom; large cells then need far fewer steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from screening.elements import column
from screening.engines.base import GPA_PER_EV_A3
from screening.engines.descent.fire import Fire
from screening.engines.descent.symmetry import SymmetryGroup, space_group
from screening.engines.neighbors import neighbors_of
from screening.schemas.relax import RelaxationDoc, RelaxState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from screening.engines import Crystal, Engine, Evaluation
    from screening.engines.descent.options import RelaxOptions

GUARD_CUTOFF, GUARD_SKIN = 6.0, 0.5
"""Neighbour list of the guards (Angstrom): that of CHGNet, so that there is only one."""
MOST_FRAMES = 12
"""Crystals that a trajectory keeps at most, the first and the last among them."""


@dataclass(frozen=True)
class Frame:
    """Where the atoms were at one step: positions ``(n, 3)`` and cell ``(3, 3)`` in Angstrom."""

    step: int
    positions: NDArray[np.float32]
    cell: NDArray[np.float32]


@dataclass
class Walker:
    """One crystal on its way down."""

    crystal: Crystal
    options: RelaxOptions
    state: RelaxState | None = None
    reason: str | None = None
    last: Evaluation | None = None
    fmax: float = np.nan
    max_stress: float = np.nan
    energies: list[float] = field(default_factory=list)
    forces: list[float] = field(default_factory=list)
    volumes: list[float] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stride = 1
        self.start_volume = np.nan
        self.start_group: int | None = None
        self.group: SymmetryGroup | None = None
        self.fire = Fire((len(self.crystal) + 3, 3))

    def guarded(self, step: Callable[..., None], *arguments: Any) -> None:
        """Take a step; what goes wrong in it is this crystal's own failure."""
        try:
            step(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever numpy, spglib or pymatgen raise
            self.stop(RelaxState.FAILED, f"{type(error).__name__}: {error}"[:300])

    def begin(self) -> None:
        """Look at the crystal, and symmetrise it where that is asked for."""
        options = self.options
        self.start_volume = self.crystal.volume
        self.start_group = space_group(self.crystal, options.symprec)
        if options.fix_symmetry:
            self.group = SymmetryGroup.find(self.crystal, options.symprec)
            if self.group is not None:
                self.group.symmetrise_crystal(self.crystal)
        self.check_geometry()

    def stop(self, state: RelaxState, reason: str | None) -> None:
        """End the relaxation."""
        self.state, self.reason = state, reason

    def check_geometry(self) -> None:
        """Stop when the crystal has collapsed or exploded, before the engine sees it."""
        options, crystal = self.options, self.crystal
        volume = crystal.volume
        if not np.isfinite(volume):
            self.stop(RelaxState.FAILED, "the cell is not finite")
        elif volume < options.min_volume_per_atom * len(crystal):
            self.stop(
                RelaxState.COLLAPSED, f"volume {volume / len(crystal):.2f} Angstrom^3 per atom"
            )
        elif volume * options.max_volume_change < self.start_volume:
            self.stop(RelaxState.COLLAPSED, f"volume fell {self.start_volume / volume:.1f}-fold")
        elif volume > options.max_volume_change * self.start_volume:
            self.stop(RelaxState.EXPLODED, f"volume rose {volume / self.start_volume:.1f}-fold")
        else:
            self._check_distances()

    def _check_distances(self) -> None:
        pairs = neighbors_of(self.crystal, GUARD_CUTOFF, GUARD_SKIN)
        if not len(pairs.first):
            return
        radii = np.nan_to_num(column("covalent_radius"), nan=0.0)[self.crystal.numbers]
        distances = np.linalg.norm(pairs.vectors(self.crystal), axis=1)
        ratios = distances / np.maximum(radii[pairs.first] + radii[pairs.second], 1e-3)
        worst = int(ratios.argmin())
        if ratios[worst] < self.options.min_distance_ratio:
            self.stop(
                RelaxState.COLLAPSED,
                f"atoms {pairs.first[worst]} and {pairs.second[worst]} are {distances[worst]:.2f} "
                f"Angstrom apart, {ratios[worst]:.2f} of the sum of their covalent radii",
            )

    def advance(self, result: Evaluation) -> None:
        """Take the engine's answer: judge it, then move or stop."""
        crystal, options = self.crystal, self.options
        if result.error is not None:
            self.stop(RelaxState.FAILED, result.error)
            return
        if not (np.isfinite(result.energy) and np.isfinite(result.forces).all()):
            self.stop(RelaxState.FAILED, "energy or forces are not finite")
            return
        forces, stress = result.forces, (result.stress + result.stress.T) / 2
        if self.group is not None:
            forces = self.group.symmetrise_vectors(crystal, forces)
            stress = self.group.symmetrise_tensor(crystal, stress)
        excess = stress + options.pressure * np.eye(3)
        self.last = result
        self.fmax = float(np.sqrt((forces**2).sum(axis=1).max()))
        self.max_stress = float(np.abs(excess).max())
        self.energies.append(result.energy)
        self.forces.append(self.fmax)
        self.volumes.append(crystal.volume)
        if options.keep_trajectory:
            self._keep_frame()
        if self.fmax > options.max_force:
            self.stop(RelaxState.EXPLODED, f"a force of {self.fmax:.0f} eV/Angstrom")
        elif self.fmax <= options.fmax and (
            not options.relax_cell or self.max_stress <= options.max_stress
        ):
            self.stop(RelaxState.CONVERGED, None)
        elif len(self.energies) >= options.max_steps:
            self.stop(RelaxState.NOT_CONVERGED, self._left_over())
        else:
            self._move(forces, excess)
            self.check_geometry()

    def _keep_frame(self) -> None:
        """Keep all steps at first, every second one when they are many, and so on; and the last."""
        step = len(self.energies) - 1
        if self.frames and self.frames[-1].step % self.stride:
            self.frames.pop()  # was the last one until now
        if len(self.frames) == MOST_FRAMES:
            self.stride *= 2
            self.frames = [frame for frame in self.frames if frame.step % self.stride == 0]
        positions, cell = self.crystal.positions, self.crystal.cell
        self.frames.append(Frame(step, positions.astype(np.float32), cell.astype(np.float32)))

    def _left_over(self) -> str:
        return (
            f"after {len(self.energies)} evaluations the force is {self.fmax:.3g} eV/Angstrom "
            f"(goal {self.options.fmax:g}) and the stress {self.max_stress:.3g} GPa "
            f"(goal {self.options.max_stress:g})"
        )

    def _move(self, forces: np.ndarray, excess: np.ndarray) -> None:
        """One step of FIRE for positions and cell."""
        crystal = self.crystal
        n = len(crystal)
        scale = np.sqrt(2 * n)
        generalised = np.zeros((n + 3, 3))
        generalised[:n] = forces
        if self.options.relax_cell:
            generalised[n:] = -crystal.volume * excess / GPA_PER_EV_A3 / scale
        step = self.fire.step(generalised)
        strain = (step[n:] + step[n:].T) / (2 * scale)
        values, vectors = np.linalg.eigh(strain)
        deformation = vectors * np.exp(values) @ vectors.T
        crystal.positions[:] = (crystal.positions + step[:n]) @ deformation
        crystal.cell[:] = crystal.cell @ deformation

    def document(self, engine: str) -> RelaxationDoc:
        """Describe how it went."""
        options, n = self.options, len(self.crystal)
        assert self.state is not None
        doc = RelaxationDoc(
            engine=engine,
            state=self.state,
            reason=self.reason,
            pressure=options.pressure,
            steps=len(self.energies),
        )
        if not self.energies or self.last is None:
            return doc
        doc.initial_energy_per_atom = self.energies[0] / n
        doc.energy = self.last.energy
        doc.energy_per_atom = self.last.energy / n
        work = options.pressure * self.volumes[-1] / GPA_PER_EV_A3
        doc.enthalpy_per_atom = (self.last.energy + work) / n
        doc.fmax, doc.max_stress = self.fmax, self.max_stress
        doc.volume_change = self.volumes[-1] / self.start_volume - 1
        if self.last.magmoms is not None:
            doc.magnetic_moments = [float(moment) for moment in self.last.magmoms]
        if self.state.usable:
            doc.symmetry_kept = space_group(self.crystal, options.symprec) == self.start_group
        if options.keep_trajectory:
            doc.trajectory = {
                "energy": np.array(self.energies, dtype=np.float32),
                "fmax": np.array(self.forces, dtype=np.float32),
                "volume": np.array(self.volumes, dtype=np.float32),
                "step": np.array([frame.step for frame in self.frames], dtype=np.int32),
                "positions": np.stack([frame.positions for frame in self.frames]),
                "cell": np.stack([frame.cell for frame in self.frames]),
            }
        return doc


def relax_batch(
    crystals: Sequence[Crystal], options: RelaxOptions, engine: Engine
) -> list[RelaxationDoc]:
    """Relax crystals in place, side by side; those that have finished leave the batch.

    Parameters
    ----------
    crystals
        Where to start; changed in place.
    options
        What to do.
    engine
        The energies.
    """
    walkers = [Walker(crystal, options) for crystal in crystals]
    for walker in walkers:
        walker.guarded(walker.begin)
    while moving := [walker for walker in walkers if walker.state is None]:
        results = engine.evaluate([walker.crystal for walker in moving])
        for walker, result in zip(moving, results, strict=True):
            walker.guarded(walker.advance, result)
    for walker in walkers:
        walker.crystal.memo.clear()
    return [walker.document(engine.name) for walker in walkers]
