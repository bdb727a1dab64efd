"""Lattice constants of GPAW's PBE against published ones, and how long a relaxation takes."""

from __future__ import annotations

import tempfile
import time
from contextlib import chdir
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.harness import MissingPeerError, Report
from benchmarks.output import say

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from makers.dft.gpaw import GpawTaskDoc

CUTOFFS = (400.0, 700.0)
"""Plane-wave cutoffs (eV): that of the VASP calculations, and the default."""
TOLERANCE = 0.005
"""Largest relative deviation from the published lattice constant at the larger cutoff: the codes'
potentials differ by some tenths of a percent."""
OFF = 1.015
"""Every relaxation starts this much too large."""
LIMIT = 300.0
"""What the 4-atom cell may take (processor seconds)."""


@dataclass(frozen=True)
class Solid:
    """A cubic crystal and its published lattice constant with PBE (Angstrom).

    All are of VASP with hard potentials: Harl, Schimka, Kresse 2010,
    doi:10.1103/PhysRevB.81.115126.
    """

    formula: str
    kind: str
    lattice_constant: float

    def structure(self, factor: float = 1.0) -> Structure:
        """Return the primitive cell, with the lattice constant times `factor`."""
        from ase.build import bulk
        from pymatgen.io.ase import AseAtomsAdaptor

        atoms = bulk(self.formula, self.kind, a=self.lattice_constant * factor)
        return AseAtomsAdaptor.get_structure(atoms)


SOLIDS = (
    Solid("Si", "diamond", 5.466),
    Solid("NaCl", "rocksalt", 5.697),
    Solid("Al", "fcc", 4.035),
    Solid("MgO", "rocksalt", 4.259),
    Solid("GaAs", "zincblende", 5.749),
    Solid("LiF", "rocksalt", 4.069),
)


def run(items: int, seed: int, repeats: int) -> Report:  # noqa: ARG001 - as of all benchmarks
    """Relax the first `items` crystals, and a 4-atom cell, at each cutoff."""
    from screening.gpaw import fault

    if reason := fault():
        raise MissingPeerError(f"GPAW cannot be used: {reason}")
    report = Report(
        "GPAW, plane waves, PBE, k-points at 64 per 1/Angstrom^3: cell and positions relaxed below "
        f"0.01 eV/Angstrom with their symmetry, from lattices {OFF - 1:.1%} too large",
        packages=("gpaw", "gpaw-data", "ase"),
    )
    with tempfile.TemporaryDirectory() as folder:
        for solid in SOLIDS[:items]:
            for cutoff in CUTOFFS:
                _compare(report, solid, cutoff, folder)
        for cutoff in CUTOFFS:
            _four_atoms(report, cutoff, folder)
    return report


def _compare(report: Report, solid: Solid, cutoff: float, folder: str) -> None:
    document, seconds = _relax(solid.structure(OFF), cutoff, folder)
    found = (document.structure.volume / solid.structure().volume) ** (1 / 3)
    label = f"{solid.formula}, {cutoff:g} eV"
    report.figures[label] = (
        f"{found * solid.lattice_constant:.4f} A, published {solid.lattice_constant} A "
        f"({found - 1:+.2%}), {document.gpaw.steps} steps, {seconds:.0f} processor seconds"
    )
    say(f"  {label}: {report.figures[label]}")
    if cutoff == CUTOFFS[-1]:
        report.check(
            label,
            f"{found - 1:+.2%} of the published lattice constant (allowed {TOLERANCE:.1%})",
            passed=document.gpaw.converged and abs(found - 1) <= TOLERANCE,
        )


def _four_atoms(report: Report, cutoff: float, folder: str) -> None:
    """Relax wurtzite AlN: four atoms, two lattice parameters, one of the positions."""
    from ase.build import bulk
    from pymatgen.io.ase import AseAtomsAdaptor

    atoms = bulk("AlN", "wurtzite", a=3.11 * OFF, c=4.98 * OFF, u=0.375)
    document, seconds = _relax(AseAtomsAdaptor.get_structure(atoms), cutoff, folder)
    a, _, c = document.structure.lattice.abc
    label = f"wurtzite AlN, 4 atoms, {cutoff:g} eV"
    report.figures[label] = (
        f"a {a:.3f} A, c {c:.3f} A, {document.gpaw.n_kpoints} k-points, {document.gpaw.steps} "
        f"steps, {seconds:.0f} processor seconds"
    )
    passed = document.gpaw.converged and seconds <= LIMIT
    report.check(label, f"{seconds:.0f} processor seconds (allowed {LIMIT:.0f})", passed=passed)


def _relax(structure: Structure, cutoff: float, folder: str) -> tuple[GpawTaskDoc, float]:
    """Relax in a folder of its own; return the document and the processor's seconds."""
    from makers.dft.gpaw import GpawRelaxMaker

    place = tempfile.mkdtemp(dir=folder)
    with chdir(place):
        start = time.process_time()
        document = GpawRelaxMaker(cutoff=cutoff).compute(structure)
        seconds = time.process_time() - start
    return document, seconds
