"""Phonons of crystals whose stability is known."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from screening.engines import Crystal, make_engine
from screening.errors import EngineError
from screening.identity import content_hash
from screening.phonon import PhononOptions, phonons
from screening.progress import listen
from screening.schemas import PhononVerdict

# lattice constants relaxed with the engine of the test
COPPER = Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.5902), ["Cu"], [[0] * 3])
SIMPLE = Structure(Lattice.cubic(2.39), ["Cu"], [[0] * 3])
ROCK = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6956), ["Na", "Cl"], [[0] * 3, [0.5] * 3])
TITANATE = Structure.from_spacegroup(
    "Pm-3m", Lattice.cubic(4.036), ["Ba", "Ti", "O"], [[0] * 3, [0.5] * 3, [0.5, 0.5, 0]]
)
SMALL = PhononOptions(min_length=6.0)


def compute(structure, options=SMALL, engine="emt"):
    return phonons(structure, options, structure_id="str-1", engine=engine)


@pytest.fixture(scope="module")
def copper():
    return compute(COPPER)


@pytest.fixture(scope="module")
def salt():
    return compute(ROCK, PhononOptions(min_length=8.0), "chgnet")


def test_copper_is_stable(copper):
    assert copper.verdict == PhononVerdict.STABLE
    assert copper.structure_id == "str-1"
    assert copper.engine.startswith("emt-ase-")
    assert copper.residual_force < 1e-8
    assert copper.min_frequency == pytest.approx(0, abs=1e-4)
    assert 5 < copper.bands["frequencies"].max() < 9  # experiment: 7.2 THz
    assert (copper.tolerance, copper.marginal_tolerance, copper.displacement) == (0.1, 0.5, 0.03)


def test_the_document_is_complete(copper):
    n = 1
    cells = abs(round(np.linalg.det(copper.supercell)))
    assert copper.nsites_supercell == n * cells
    assert copper.n_displacements == 1
    assert copper.force_constants.shape == (n, n * cells, 3, 3)
    assert copper.force_constants.dtype == np.float32
    np.testing.assert_allclose(copper.force_constants.sum(axis=1), 0, atol=1e-4)
    bands = copper.bands
    assert bands["frequencies"].shape == (len(bands["qpoints"]), 3 * n)
    assert len(bands["distances"]) == len(bands["qpoints"])
    assert Structure.from_dict(copper.primitive).composition.formula == "Cu1"
    assert len(copper.mesh) == 3


def test_the_density_of_states_counts_all_modes(copper):
    dos = copper.dos
    step = np.diff(dos["frequencies"]).mean()
    assert dos["densities"].sum() * step == pytest.approx(3, rel=0.02)


def test_the_free_energy_is_that_of_the_density_of_states(copper):
    frequencies, densities = (np.array(copper.dos[k], float) for k in ("frequencies", "densities"))
    keep = frequencies > 0.05
    h, kt = 4.135667696e-3, 8.617333262e-5 * 300  # eV/THz, eV
    energy = h * frequencies[keep]
    per_mode = energy / 2 + kt * np.log(1 - np.exp(-energy / kt))
    total = (per_mode * densities[keep]).sum() * np.diff(frequencies).mean()
    assert copper.free_energy_300k == pytest.approx(total, abs=2e-3)


def test_the_force_constants_give_the_bands_back(copper):
    primitive = Structure.from_dict(copper.primitive)
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    again = Phonopy(
        PhonopyAtoms(["Cu"], cell=primitive.lattice.matrix, scaled_positions=primitive.frac_coords),
        supercell_matrix=np.array(copper.supercell).T,
        primitive_matrix=np.eye(3),
    )
    again.force_constants = copper.force_constants.astype(float)
    again.run_qpoints(copper.bands["qpoints"].astype(float))
    ours, theirs = copper.bands["frequencies"], np.sort(again.qpoints.frequencies, axis=1)
    away = np.abs(theirs) > 0.3  # float32 shifts the square of a frequency
    np.testing.assert_allclose(ours[away], theirs[away], atol=2e-3)


def test_simple_cubic_copper_is_not():
    found = compute(SIMPLE)
    assert found.verdict == PhononVerdict.UNSTABLE
    assert found.min_frequency < -0.5
    assert "imaginary mode" in found.reason
    assert found.free_energy_300k is None
    assert found.dos is not None


def test_any_cell_of_the_crystal_gives_the_same(copper):
    turned = COPPER.get_primitive_structure() * (1, 2, 1)
    turned.translate_sites(range(2), [0.1, 0.2, 0.3])
    found = compute(turned)
    assert found.min_frequency == pytest.approx(copper.min_frequency, abs=1e-4)
    np.testing.assert_allclose(found.bands["frequencies"], copper.bands["frequencies"], atol=2e-3)


def test_repeats_bit_for_bit(salt):
    assert content_hash(compute(ROCK, PhononOptions(min_length=8.0), "chgnet")) == content_hash(
        salt
    )


def test_salt_is_stable_with_chgnet(salt):
    assert salt.verdict == PhononVerdict.STABLE
    assert salt.nsites_supercell == 16
    assert salt.n_displacements == 2
    at_gamma = np.sort(np.abs(salt.bands["frequencies"][0]))
    np.testing.assert_allclose(at_gamma[:3], 0, atol=1e-4)
    assert np.ptp(at_gamma[3:]) < 1e-3  # no splitting without Born charges
    assert 3.5 < salt.bands["frequencies"].max() < 7


def test_equals_phonons_with_chgnets_own_forces(salt):
    slow = {
        "@module": "chgnet.model.dynamics",
        "@callable": "CHGNetCalculator",
        "kwargs": {"use_device": "cpu"},
    }
    found = compute(ROCK, PhononOptions(min_length=8.0), slow)
    assert found.engine.startswith("CHGNetCalculator-chgnet-")
    np.testing.assert_allclose(found.bands["frequencies"], salt.bands["frequencies"], atol=0.02)


def test_cubic_titanate_is_unstable_with_chgnet():
    found = compute(TITANATE, PhononOptions(min_length=7.0), "chgnet")
    assert found.verdict == PhononVerdict.UNSTABLE
    assert found.min_frequency < -2
    exact = Crystal.from_structure(TITANATE)
    assert np.abs(make_engine("chgnet").evaluate([exact])[0].stress).max() < 1


def test_what_is_not_relaxed_is_not_computed():
    polar = TITANATE.copy()
    polar.translate_sites([1], [0, 0, 0.05])
    found = compute(polar, engine="chgnet")
    assert found.verdict == PhononVerdict.NOT_CONVERGED
    assert "the structure is not relaxed: a force of" in found.reason
    assert found.residual_force > 0.05
    assert found.force_constants is None


@pytest.mark.parametrize(
    ("structure", "options", "words"),
    [
        (COPPER, PhononOptions(max_atoms=10), "needs 64 atoms, more than max_atoms=10"),
        (COPPER, PhononOptions(min_length=80.0), "no symmetric supercell reaches 80 Angstrom"),
        (Structure(Lattice.cubic(3), [{"Cu": 0.5}], [[0] * 3]), SMALL, "disordered"),
        (Structure(Lattice.cubic(3), ["Cu", "Cu"], [[0] * 3] * 2), SMALL, "no symmetry was found"),
        (Structure(Lattice.cubic(3), ["U"], [[0] * 3]), SMALL, "No EMT-potential for U"),
    ],
)
def test_impossible_crystals_are_data(structure, options, words):
    found = compute(structure, options)
    assert found.verdict == PhononVerdict.NOT_CONVERGED
    assert words in found.reason


def test_progress():
    reports = []
    with listen(lambda progress: reports.append((progress.stage, progress.done, progress.total))):
        compute(COPPER)
    assert reports == [("phonon", 1, 1)]


def test_wrong_engine():
    with pytest.raises(EngineError, match="cannot be used"):
        phonons(COPPER, structure_id="x", device="moon")
