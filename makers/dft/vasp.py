"""atomate2's VASP makers with the settings of the papers or of the Materials Project.

The makers are atomate2's own; what is set here are their input sets, and what custodian does.
atomate2's defaults are PBEsol at 680 eV, and its EDIFF is a total energy: both are set here.

`paper`: PBE (doi:10.1103/PhysRevLett.77.3865), PAW (PBE.54), 400 eV, 1e-5 eV/atom, forces below
0.01 eV/Angstrom, Gamma-centred Monkhorst-Pack meshes; AlphaCrystal (doi:10.1021/acsami.2c16991).
`mp`: pymatgen's MPRelaxSet and MPStaticSet (PBE and PBE+U, 520 eV, 5e-5 eV/atom), whose energies
fit the Materials Project's after MaterialsProject2020Compatibility.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from atomate2.vasp.flows.core import DoubleRelaxMaker
from atomate2.vasp.flows.mp import MPGGADoubleRelaxMaker
from atomate2.vasp.flows.phonons import PhononMaker as VaspPhononMaker
from atomate2.vasp.jobs.base import BaseVaspMaker
from atomate2.vasp.jobs.core import DielectricMaker, RelaxMaker, StaticMaker, TightRelaxMaker
from atomate2.vasp.jobs.mp import MPGGARelaxMaker, MPGGAStaticMaker
from atomate2.vasp.jobs.phonons import PhononDisplacementMaker
from atomate2.vasp.powerups import update_user_incar_settings
from atomate2.vasp.sets.core import RelaxSetGenerator, StaticSetGenerator
from pymatgen.io.vasp.sets import MPRelaxSet, MPStaticSet

from makers.dft.code import PHONON_DENSITY

if TYPE_CHECKING:
    from atomate2.vasp.jobs.base import BaseVaspMaker
    from pymatgen.core import Structure

Settings = Literal["paper", "mp"]
ENCUT = {"paper": 400.0, "mp": 520.0}
"""Plane-wave cutoff (eV)."""
FAMILY = {"paper": "PBE_54", "mp": "PBE"}
"""POTCAR family, as pymatgen names it."""
_TIGHT = {"EDIFF": 1e-7, "LREAL": False, "ALGO": "Normal", "LCHARG": False, "LWAVE": False}


def _paper(structure: Structure) -> dict[str, Any]:
    """INCAR of the papers; EDIFF is a total energy."""
    return {"GGA": "PE", "ENCUT": ENCUT["paper"], "EDIFF": 1e-5 * len(structure)}


@dataclass
class PaperRelaxSet(RelaxSetGenerator):
    """atomate2's relaxation with the papers' cutoff and convergence."""

    @property
    def incar_updates(self) -> dict[str, Any]:
        """INCAR tags that differ from atomate2's base set."""
        return {**super().incar_updates, **_paper(self.structure), "EDIFFG": -0.01}


@dataclass
class PaperStaticSet(StaticSetGenerator):
    """atomate2's static calculation with the papers' cutoff and convergence."""

    @property
    def incar_updates(self) -> dict[str, Any]:
        """INCAR tags that differ from atomate2's base set."""
        return {**super().incar_updates, **_paper(self.structure)}


@dataclass(frozen=True)
class VaspOptions:
    """What decides the calculations.

    Attributes
    ----------
    settings
        ``paper`` or ``mp``.
    hubbard_u
        Whether +U is applied where atomate2 does (some metals in oxides and fluorides).
    poll_seconds
        How often custodian looks at a running VASP.
    wall_time_hours
        custodian stops a calculation in time before this; None for never.
    """

    settings: Settings = "paper"
    hubbard_u: bool = True
    poll_seconds: float = 10.0
    wall_time_hours: float | None = None


def relax_maker(options: VaspOptions) -> DoubleRelaxMaker:
    """Return atomate2's double relaxation."""
    if options.settings == "mp":
        maker: DoubleRelaxMaker = MPGGADoubleRelaxMaker()
        maker.relax_maker2.copy_vasp_kwargs = {}  # MPRelaxSet leaves no WAVECAR: LWAVE is false
    else:
        relax = RelaxMaker(input_set_generator=PaperRelaxSet())
        maker = DoubleRelaxMaker.from_relax_maker(relax)
    for part in (maker.relax_maker1, maker.relax_maker2):
        part.stop_children_kwargs = {"handle_unsuccessful": False}  # the document says it
    return _configured(maker, options)


def static_maker(options: VaspOptions) -> BaseVaspMaker:
    """Return atomate2's static calculation."""
    if options.settings == "mp":
        maker: BaseVaspMaker = MPGGAStaticMaker()
    else:
        maker = StaticMaker(input_set_generator=PaperStaticSet())
    maker.stop_children_kwargs = {"handle_unsuccessful": False}
    return _configured(maker, options)


def phonon_maker(options: VaspOptions, *, displacement: float, born: bool) -> VaspPhononMaker:
    """Return atomate2's phonon flow: tight double relaxation, displacements, Born charges.

    Parameters
    ----------
    options
        As for the relaxations.
    displacement
        Finite displacement (Angstrom).
    born
        Whether Born charges are computed; only insulators have them.
    """
    if options.settings == "mp":
        common: dict[str, Any] = {"force_gamma": True, "auto_metal_kpoints": True}
        tight = MPGGARelaxMaker(
            name="tight relax",
            input_set_generator=MPRelaxSet(
                user_incar_settings={**_TIGHT, "EDIFFG": -0.001}, inherit_incar=False, **common
            ),
        )
        displaced: BaseVaspMaker = MPGGAStaticMaker(
            name="phonon static",
            input_set_generator=MPStaticSet(
                user_incar_settings={**_TIGHT, "LAECHG": False},
                user_kpoints_settings={"reciprocal_density": PHONON_DENSITY},
                inherit_incar=False,
                **common,
            ),
        )
    else:
        tight, displaced = TightRelaxMaker(), PhononDisplacementMaker()
    tight.stop_children_kwargs = {"handle_unsuccessful": False}
    charges = DielectricMaker()
    charges.input_set_generator.user_potcar_functional = FAMILY[options.settings]
    maker = VaspPhononMaker(
        displacement=displacement,
        create_thermal_displacements=False,
        store_force_constants=True,
        generate_frequencies_eigenvectors_kwargs={"npoints_band": 51, "kpoint_density_dos": 1000},
        bulk_relax_maker=DoubleRelaxMaker.from_relax_maker(tight),
        static_energy_maker=None,
        born_maker=charges if born else None,
        phonon_displacement_maker=displaced,
    )
    incar = {"GGA": "PE", "ENCUT": ENCUT[options.settings]}
    return _configured(update_user_incar_settings(maker, incar), options)


def _configured(maker: Any, options: VaspOptions) -> Any:
    """Tell every VASP job in a maker how custodian works, and whether there is +U."""
    run: dict[str, Any] = {"custodian_kwargs": {"polling_time_step": options.poll_seconds}}
    if options.wall_time_hours is not None:
        run["wall_time"] = round(options.wall_time_hours * 3600)
    maker = maker.update_kwargs({"run_vasp_kwargs": run}, class_filter=BaseVaspMaker)
    return maker if options.hubbard_u else update_user_incar_settings(maker, {"LDAU": False})


def potcars(settings: Settings) -> dict[str, str]:
    """Return the POTCAR of each element."""
    generator = MPRelaxSet() if settings == "mp" else PaperRelaxSet()
    chosen: dict[str, str] = generator.config_dict["POTCAR"]
    return dict(chosen)
