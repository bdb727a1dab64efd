"""From TaskDocs to our documents; the energies of the Materials Project."""

import pytest
from pymatgen.core import Lattice, Structure

from screening.schemas import RelaxState, StructureDoc, StructureStage
from screening.validation import mp2020, read_calculation, structure_from_runs


def hematite():
    sites = [[0, 0, 0.355], [0.306, 0, 0.25]]
    crystal = Structure.from_spacegroup("R-3c", Lattice.hexagonal(5.04, 13.75), ["Fe", "O"], sites)
    return crystal.get_primitive_structure()


def potcars(*symbols):
    return [{"titel": f"PAW_PBE {symbol} 01Jan2000", "hash": "0"} for symbol in symbols]


def task(structure, energy=-6.7, *, symbols=("Fe_pv", "O"), version="6.4.3", **fields):
    """What emmet keeps of a calculation, as far as it matters."""
    n = len(structure)
    step = {"e_0_energy": energy * n, "electronic_steps": [{}, {}, {}]}
    output = {"ionic_steps": [step, step], "outcar": {"total_magnetization": 20.0}}
    return {
        "state": "successful",
        "run_type": "PBE+U",
        "dir_name": "host:/somewhere",
        "input": {
            "incar": {"ENCUT": 520, "GGA": "Pe"},
            "kpoints": {"generation_style": "Gamma", "kpoints": [[4, 4, 4]]},
            "potcar_spec": [potcar | {"hash": None} for potcar in potcars(*symbols)],
            "hubbards": {"Fe": 5.3, "O": 0.0},
        },
        "orig_inputs": {"potcar_spec": potcars(*symbols)},
        "output": {
            "structure": structure.as_dict(),
            "energy_per_atom": energy,
            "forces": [[0.0, 0.003, 0.004]] * n,
            "stress": [[1.0, 0, 0], [0, -2.0, 0], [0, 0, 0]],
            "bandgap": 2.0,
        },
        "calcs_reversed": [{"vasp_version": version, "output": output}],
        "run_stats": {"overall": {"elapsed_time": 1800.0, "cores": 16}},
        "custodian": [{"corrections": [{"errors": ["zbrent"]}]}],
        **fields,
    }


def relaxed(settings="paper", *, last=None, **changes):
    structure = hematite()
    parent = StructureDoc.from_structure(structure, stage=StructureStage.RELAXED)
    runs = {name: (name[-1], task(structure, **changes)) for name in ("relax 1", "relax 2")}
    runs["static"] = ("s", last or task(structure, **changes))
    return structure_from_runs(parent, runs, settings=settings, estimated=3.0)


def test_a_calculation_keeps_what_makes_it_again():
    found = read_calculation("static", "uuid-1", task(hematite()))
    assert (found.uuid, found.vasp_version, found.run_type) == ("uuid-1", "6.4.3", "PBE+U")
    assert found.incar == {"ENCUT": 520, "GGA": "Pe"}
    assert found.potcars[0] == {"titel": "PAW_PBE Fe_pv 01Jan2000", "hash": "0"}
    assert found.fmax == pytest.approx(0.005)
    assert (found.ionic_steps, found.electronic_steps) == (2, 6)
    assert found.core_hours == pytest.approx(8.0)
    assert found.corrected_errors == ["zbrent"]


def test_the_structure_is_that_of_the_last_run():
    found = relaxed()
    assert found.stage == StructureStage.DFT
    assert found.relaxation.state == RelaxState.CONVERGED
    assert found.relaxation.energy_per_atom == -6.7
    assert found.relaxation.max_stress == pytest.approx(0.2)  # 2 kB
    assert found.dft.hubbards == {"Fe": 5.3, "O": 0.0}
    assert found.dft.band_gap == 2.0
    assert found.dft.magnetization == 20.0
    assert found.dft.core_hours == pytest.approx(24.0)
    assert not found.dft.emulated
    assert [one.name for one in found.dft.calculations] == ["relax 1", "relax 2", "static"]


def test_energies_with_and_without_u_are_different_sources():
    assert relaxed().relaxation.engine == "vasp-paper+u"
    assert relaxed(run_type="PBE").relaxation.engine == "vasp-paper"


def test_energies_with_the_settings_of_mp_are_corrected():
    found = relaxed("mp")
    assert found.relaxation.engine == "vasp-mp2020"
    assert found.dft.uncorrected_energy_per_atom == -6.7
    # 3 O of 5 atoms at -0.687 eV, 2 Fe at -2.256 eV: Wang et al. 2021, Table 1
    expected = (3 * -0.687 + 2 * -2.256) / 5
    assert sum(found.dft.corrections.values()) == pytest.approx(expected)
    assert found.relaxation.energy_per_atom == pytest.approx(-6.7 + expected)


def test_what_mp2020_does_not_know_is_a_failure_with_a_reason():
    found = relaxed("mp", symbols=("Fe", "O"))
    assert found.relaxation.state == RelaxState.FAILED
    assert found.relaxation.energy_per_atom is None
    assert "MP2020 has no corrections" in found.reason
    assert "Fe, O" in found.reason


def test_an_unconverged_relaxation_is_marked_and_an_unconverged_energy_not_used():
    assert relaxed(state="failed", last=task(hematite())).relaxation.state == (
        RelaxState.NOT_CONVERGED
    )
    found = relaxed(last=task(hematite(), state="failed"))
    assert found.relaxation.state == RelaxState.FAILED
    assert found.state == "failed"
    assert found.relaxation.energy_per_atom is None


@pytest.mark.parametrize(
    "changes", [{"version": "6.4.99-emulator"}, {"symbols": ("Fe_pv STUB", "O")}]
)
def test_an_emulator_is_recognised_and_is_a_source_of_its_own(changes):
    found = relaxed(**changes)
    assert found.dft.emulated
    assert found.relaxation.engine == "emulated-vasp-paper+u"


def test_run_types_by_both_names_are_corrected_alike():
    names = {"potcars": potcars("Fe_pv", "O"), "hubbards": {"Fe": 5.3, "O": 0.0}}
    assert mp2020(hematite(), -67.0, run_type="PBE+U", **names) == (
        mp2020(hematite(), -67.0, run_type="GGA+U", **names)
    )
