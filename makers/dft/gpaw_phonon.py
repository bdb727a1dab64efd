"""Phonons by finite displacements with forces by GPAW, through atomate2's flow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from atomate2.common.flows.phonons import BasePhononMaker

from makers.dft.gpaw import GpawRelaxMaker, GpawStaticMaker


@dataclass
class GpawPhononMaker(BasePhononMaker):
    """atomate2's phonon flow with forces by GPAW.

    There are no Born charges, so the longitudinal optical modes of polar crystals are too low near
    Gamma. Give a small `supercell_matrix` to `make`: the time grows with the cube of the atoms.

    Attributes
    ----------
    bulk_relax_maker, static_energy_maker, phonon_displacement_maker
        The makers; give all of them the same cutoff.
    min_length, displacement, symprec
        As in atomate2.
    """

    name: str = "GPAW phonon"
    code: str = "ase"
    store_force_constants: bool = True
    create_thermal_displacements: bool = False
    generate_frequencies_eigenvectors_kwargs: dict[str, Any] = field(
        default_factory=lambda: {"npoints_band": 51, "kpoint_density_dos": 1000}
    )
    bulk_relax_maker: GpawRelaxMaker | None = field(
        default_factory=lambda: GpawRelaxMaker(fmax=0.001, density_tolerance=1e-6)
    )
    static_energy_maker: GpawStaticMaker | None = field(default_factory=GpawStaticMaker)
    phonon_displacement_maker: GpawStaticMaker = field(
        default_factory=lambda: GpawStaticMaker(density_tolerance=1e-6)
    )
    born_maker: None = None

    @property
    def prev_calc_dir_argname(self) -> None:
        """No calculation reads the files of another one."""
        return None
