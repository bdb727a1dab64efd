"""What a phonon calculation does: literal defaults, part of the identity of its results."""

from __future__ import annotations

from dataclasses import dataclass

from screening.errors import InputError


@dataclass(frozen=True)
class PhononOptions:
    """How phonons are computed and judged.

    The displacement: potentials are rough on a small scale. CHGNet has a kink where short bonds
    meet at exactly 180 degrees, as in rock salt and fcc metals, which the usual 0.01 Angstrom still
    feels: NaCl and Al then look unstable. From 0.03 Angstrom on they do not, and of 40 crystals on
    the Materials Project's hull 8 change their verdict from 0.01 to 0.03 Angstrom, but 2 from 0.03
    to 0.05.

    The tolerances: rounding plays no part (in single and double precision the frequencies agree
    within 0.001 THz, and symmetrised force constants make the acoustic modes vanish at Gamma). But
    shallow dips come and go with the displacement: two of the 40 crystals had a lowest mode between
    -0.25 and -0.1 THz at one displacement and none at the others. Hence a marginal zone from 0.1 to
    0.5 THz; what is below is clearly imaginary for the potential.

    Attributes
    ----------
    min_length
        Shortest distance between an atom and its copy in the next supercell (Angstrom).
    max_atoms
        Most atoms in the supercell.
    displacement
        Finite displacement (Angstrom).
    tolerance
        Imaginary frequencies up to this are noise (THz) ...
    marginal_tolerance
        ... and up to this are marginal (THz).
    max_residual_force
        A structure with larger forces than this is not relaxed: its phonons are not computed
        (eV/Angstrom).
    symprec
        Distance tolerance for the symmetry (Angstrom).
    mesh_length
        Density of the mesh for the density of states: about this divided by the lattice vector
        is the number of points along each reciprocal vector (Angstrom).
    band_spacing
        Distance of the q-points on the band path (1/Angstrom, without 2 pi).
    """

    min_length: float = 10.0
    max_atoms: int = 400
    displacement: float = 0.03
    tolerance: float = 0.1
    marginal_tolerance: float = 0.5
    max_residual_force: float = 0.05
    symprec: float = 0.01
    mesh_length: float = 40.0
    band_spacing: float = 0.005

    def __post_init__(self) -> None:
        positive = ("min_length", "displacement", "max_residual_force", "symprec", "mesh_length")
        for name in (*positive, "band_spacing"):
            if not getattr(self, name) > 0:
                raise InputError(f"PhononOptions: {name}={getattr(self, name)} must be above 0")
        if self.max_atoms < 1:
            raise InputError(f"PhononOptions: max_atoms={self.max_atoms} must be at least 1")
        if not 0 <= self.tolerance <= self.marginal_tolerance:
            raise InputError(
                f"PhononOptions: tolerance={self.tolerance} must be between 0 and "
                f"marginal_tolerance={self.marginal_tolerance}"
            )
