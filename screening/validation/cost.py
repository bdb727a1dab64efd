"""What a VASP calculation will cost: a simple model by electrons, k-points and plane waves.

One electronic step costs, for each k-point and spin, the application of the Hamiltonian to the
bands by FFTs, ``16 N_b (5 N_g log2 N_g)``, and the linear algebra of the bands,
``48 N_b^2 N_pw + 100 N_b^3`` floating-point operations (Kresse and Furthmueller 1996,
doi:10.1103/PhysRevB.54.11169, Sec. II). `N_pw` is the number of plane waves below the cutoff, `N_g`
the points of the FFT grid that holds twice their radius, `N_b` VASP's default number of bands. The
number of steps, and what a core does in a second, are typical values, not measurements: expect the
right order of magnitude. Every document keeps what was estimated and what was used, so that
`gflops_per_core` can be set to one's own machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2, pi
from typing import TYPE_CHECKING

from screening.elements import atomic_number
from screening.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymatgen.core import Structure

HARTREE_TERM = 3.80998
"""hbar^2 / 2m (eV Angstrom^2)."""
SEMICORE = {"_pv": 6, "_sv": 8, "_d": 10}
"""Electrons that a POTCAR with this suffix has beside those of the outer shells."""
_NOBLE = (0, 2, 10, 18, 36, 54, 86)
_MAGNETIC = frozenset([*range(23, 29), *range(58, 71), *range(90, 97)])
"""V to Ni, Ce to Yb, Th to Cm: phonons of the others are computed without spin."""


@dataclass(frozen=True)
class CostModel:
    """The constants of the model.

    Attributes
    ----------
    gflops_per_core
        Sustained speed of a core (1e9 operations/s).
    electronic_steps
        Electronic steps of a first ionic step; later ones take half.
    relax_steps
        Ionic steps of the first and the second relaxation.
    """

    gflops_per_core: float = 4.0
    electronic_steps: int = 16
    relax_steps: tuple[int, int] = (15, 5)


@dataclass(frozen=True)
class RunSize:
    """The size of one calculation.

    Attributes
    ----------
    n_electrons, n_bands, n_kpoints, n_plane_waves, n_spins
        As VASP would have them; irreducible k-points.
    """

    n_electrons: int
    n_bands: int
    n_kpoints: int
    n_plane_waves: int
    n_spins: int

    def core_hours(self, model: CostModel, electronic_steps: float) -> float:
        """Core hours of that many electronic steps."""
        grid = 8 * 6 / pi * self.n_plane_waves
        fft = 16 * self.n_bands * 5 * grid * log2(grid)
        algebra = 48 * self.n_bands**2 * self.n_plane_waves + 100 * self.n_bands**3
        operations = self.n_kpoints * self.n_spins * (fft + algebra) * electronic_steps
        return operations / (model.gflops_per_core * 1e9) / 3600


@dataclass(frozen=True)
class Estimate:
    """What the validation of one crystal will cost.

    Attributes
    ----------
    cell
        Size of the calculations of the cell.
    relax, static, phonons
        Core hours.
    n_displacements, nsites_supercell
        Of the phonons; 0 without.
    """

    cell: RunSize
    relax: float
    static: float
    phonons: float = 0.0
    n_displacements: int = 0
    nsites_supercell: int = 0

    @property
    def core_hours(self) -> float:
        """All of it."""
        return self.relax + self.static + self.phonons


def valence_electrons(potcar: str) -> int:
    """Count the electrons of a POTCAR from its name, such as ``Na_pv``.

    Raises
    ------
    InputError
        If it does not begin with an element.
    """
    symbol, _, suffix = potcar.partition("_")
    number = atomic_number(symbol)
    core = max(noble for noble in _NOBLE if noble < number)
    outer = number - core
    if core >= 54 and outer > 16:  # the 4f shell is closed
        outer -= 14
    if core >= 18 and outer > 12:  # the d shell is closed
        outer -= 10
    if suffix.isdigit():  # lanthanides with f electrons in the core: Gd_3, Eu_2
        return int(suffix) + 6
    extra = SEMICORE.get(f"_{suffix}", 0)
    return min(outer + extra, number)


def estimate_run(
    structure: Structure, potcars: Mapping[str, str], encut: float, density: float, *, spin: bool
) -> RunSize:
    """Find the size of a calculation.

    Parameters
    ----------
    structure
        An ordered structure.
    potcars
        POTCAR of each element.
    encut
        Plane-wave cutoff (eV).
    density
        K-points per reciprocal volume (1/Angstrom^3), Gamma-centred.
    spin
        Whether it is spin-polarised.

    Raises
    ------
    InputError
        If an element has no POTCAR.
    """
    from pymatgen.io.vasp import Kpoints
    from spglib import get_ir_reciprocal_mesh

    missing = {site.specie.symbol for site in structure} - potcars.keys()
    if missing:
        raise InputError(f"there is no POTCAR for {sorted(missing)}: these cannot be computed")
    electrons = sum(valence_electrons(potcars[site.specie.symbol]) for site in structure)
    bands = max((electrons + 2) // 2 + max(len(structure) // 2, 3), int(0.6 * electrons))
    mesh = Kpoints.automatic_density_by_vol(structure, density, force_gamma=True).kpts[0]
    cell = (
        structure.lattice.matrix,
        structure.frac_coords,
        [site.specie.Z for site in structure],
    )
    mapping, _ = get_ir_reciprocal_mesh(mesh, cell, is_shift=[0, 0, 0])
    waves = structure.volume * (encut / HARTREE_TERM) ** 1.5 / (6 * pi**2)
    return RunSize(electrons, bands, len(set(mapping)), round(waves), 2 if spin else 1)


def is_magnetic(structure: Structure) -> bool:
    """Tell whether moments are likely, by the elements."""
    return any(site.specie.Z in _MAGNETIC for site in structure)


def relaxation_hours(size: RunSize, model: CostModel) -> tuple[float, float]:
    """Core hours of the double relaxation, and of the static calculation."""
    first = size.core_hours(model, model.electronic_steps)
    ionic = sum(1 + (steps - 1) / 2 for steps in model.relax_steps)
    return first * ionic, first


def phonon_hours(
    cell: RunSize, supercell: RunSize, n_displacements: int, model: CostModel
) -> float:
    """Core hours of phonons: a tight double relaxation, then the displaced supercells."""
    tight = cell.core_hours(model, 2 * model.electronic_steps * model.relax_steps[1])
    return tight + n_displacements * supercell.core_hours(model, 1.5 * model.electronic_steps)
