"""Phases under pressure: the stress that was asked for, enthalpies, transitions."""

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.filters import FrechetCellFilter
from ase.optimize import FIRE
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from screening.engines import Crystal, make_engine
from screening.engines.base import GPA_PER_EV_A3
from screening.errors import InputError
from screening.pressure.compression import Compression, compress, transitions
from screening.pressure.eos import EquationOfState
from screening.pressure.references import check_equations_of_state, reference_crystals
from screening.relax import RelaxOptions, relax_structures
from screening.schemas.relax import RelaxState, energy_source


def copper(**changes):
    return AseAtomsAdaptor.get_structure(bulk("Cu", cubic=True, **changes))


def test_ase_at_a_pressure_finds_the_same_crystal():
    start = copper()
    start.perturb(0.05, seed=3)
    options = RelaxOptions(fmax=1e-3, max_stress=1e-2, pressure=30.0)
    (result,) = relax_structures([start], options, engine="emt")
    atoms = AseAtomsAdaptor.get_atoms(start)
    atoms.calc = EMT()
    cell = FrechetCellFilter(atoms, scalar_pressure=30.0 / GPA_PER_EV_A3)
    FIRE(cell, logfile=None).run(fmax=1e-4, steps=2000)
    assert result.structure.volume == pytest.approx(atoms.get_volume(), rel=1e-4)
    enthalpy = atoms.get_potential_energy() + 30.0 / GPA_PER_EV_A3 * atoms.get_volume()
    assert result.relaxation.enthalpy_per_atom == pytest.approx(enthalpy / 4, abs=1e-5)


@pytest.mark.parametrize("pressure", [25.0, -2.0])
def test_chgnet_reaches_the_target_stress(pressure):
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(4.2), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    ).get_primitive_structure()
    options = RelaxOptions(fmax=0.02, max_stress=0.05, pressure=pressure, fix_symmetry=True)
    (result,) = relax_structures([salt], options)
    doc = result.relaxation
    assert doc.state == RelaxState.CONVERGED
    (found,) = make_engine("chgnet").evaluate([Crystal.from_structure(result.structure)])
    assert -np.trace(found.stress) / 3 == pytest.approx(pressure, abs=0.1)
    work = pressure * result.structure.volume / GPA_PER_EV_A3 / 2
    assert doc.enthalpy_per_atom == pytest.approx(doc.energy_per_atom + work, abs=1e-6)
    assert (doc.ranking_energy, doc.source) == (
        doc.enthalpy_per_atom,
        f"chgnet-0.3.0 at {pressure:g} GPa",
    )


def test_names_of_sources():
    assert energy_source("emt", 0.0) == "emt"
    assert energy_source("emt", 10.0) == "emt at 10 GPa"
    assert energy_source("emt", 2.5) == "emt at 2.5 GPa"
    assert energy_source("emt", 10.0000001) != energy_source("emt", 10.0)


@pytest.mark.parametrize("pressure", [1e4, -51.0, float("nan")])
def test_pressures_in_another_unit_are_refused(pressure):
    with pytest.raises(InputError, match="from -50 to 1000 GPa"):
        RelaxOptions(pressure=pressure)


def test_a_fixed_cell_has_no_pressure():
    with pytest.raises(InputError, match="needs a cell that moves"):
        RelaxOptions(pressure=5.0, relax_cell=False)


def phases(*equations, pressures=(0.0, 5.0, 10.0, 15.0, 20.0)):
    grid = np.array(pressures)
    volumes = np.array([[one.volume_at(p) for p in grid] for one in equations])
    energies = np.array([one.energy_at(v) for one, v in zip(equations, volumes, strict=True)])
    names = [f"phase {number}" for number in range(len(equations))]
    enthalpies = energies + grid * volumes / GPA_PER_EV_A3
    return Compression(grid, names, energies, enthalpies, volumes, {})


def test_a_transition_is_where_the_enthalpies_cross():
    loose, dense = EquationOfState(12.0, 60, 4, -5.0), EquationOfState(9.0, 200, 4, -4.8)
    (found,) = transitions(phases(loose, dense))
    assert (found.before, found.after) == ("phase 0", "phase 1")

    def enthalpy(one):
        volume = one.volume_at(found.pressure)
        return one.energy_at(volume) + found.pressure * volume / GPA_PER_EV_A3

    assert enthalpy(loose) == pytest.approx(enthalpy(dense), abs=1e-4)
    dv = dense.volume_at(found.pressure) / loose.volume_at(found.pressure) - 1
    assert found.volume_change == pytest.approx(dv, abs=1e-3)


def test_a_phase_that_fails_leaves_the_others():
    loose, dense = EquationOfState(12.0, 60, 4, -5.0), EquationOfState(9.0, 200, 4, -4.8)
    found = phases(loose, dense)
    found.enthalpies[0, 3:] = np.nan
    found.volumes[0, 3:] = np.nan
    assert [change.after for change in transitions(found)] == ["phase 1"]
    found.enthalpies[1] += 10
    assert transitions(phases(loose)) == []


def test_compress_follows_every_phase():
    other = Structure(Lattice.cubic(2.9), ["Cu", "Cu"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    found = compress({"fcc": copper(), "bcc": other}, [0, 20, 40], engine="emt")
    assert found.enthalpies.shape == (2, 3)
    assert (np.diff(found.volumes, axis=1) < 0).all()
    assert (np.diff(found.enthalpies, axis=1) > 0).all()
    slopes = np.diff(found.enthalpies[0]) / np.diff(found.pressures) * GPA_PER_EV_A3
    assert found.volumes[0, 2] < slopes[1] < found.volumes[0, 1] < slopes[0] < found.volumes[0, 0]
    with pytest.raises(InputError, match="ascending order"):
        compress({"fcc": copper()}, [10, 0], engine="emt")


def test_reference_crystals_have_their_measured_volumes():
    crystals = reference_crystals()
    assert len(crystals) >= 12
    for crystal in crystals:
        own = crystal.structure.volume / len(crystal.structure)
        assert own == pytest.approx(crystal.measured.volume, rel=2e-3), crystal.name
        assert crystal.structure.composition.reduced_formula == crystal.formula
        assert crystal.measured.volume_at(min(crystal.max_pressure, 100)) < own
        assert crystal.doi.startswith("10.")


def test_a_potential_is_compared_with_measurements():
    result = check_equations_of_state("emt", names=("copper",))
    (row,) = result["crystals"]
    assert row["bulk_modulus"] == pytest.approx(134, rel=0.05)  # EMT is fitted to it
    assert set(row["label_errors"]) == {"10", "30", "60", "100"}
    assert result["summary"]["n"] == 1
    assert result["summary"]["bulk_modulus_mape"] == abs(row["bulk_modulus_error"])
    with pytest.raises(InputError, match="no measured equation of state"):
        check_equations_of_state("emt", names=("unobtainium",))
