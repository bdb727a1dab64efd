import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher

from screening.composition import parse_formula
from screening.crystal.distances import fingerprint
from screening.prototypes.bank import Bank
from screening.prototypes.family import arrangements_of
from screening.prototypes.retrieval import Query, diverse_order, own_rank
from screening.structure.prototypes import PrototypeGenerator
from screening.structure.request import Target

MATCHER = StructureMatcher()


def propose(bank, formula, n=5, **options):
    return PrototypeGenerator(bank).generate(Target(formula, **options), n, seed=0)


@pytest.mark.parametrize(
    ("counts", "number"),
    [((1,), 1), ((1, 1), 2), ((1, 1, 3), 2), ((1, 1, 1), 6), ((1, 1, 2, 2), 4)],
)
def test_arrangements(counts, number):
    arrangements = arrangements_of(counts)
    assert arrangements.shape == (number, len(counts))
    assert arrangements[0].tolist() == list(range(len(counts)))
    for row in arrangements:
        assert [counts[i] for i in row] == list(counts)
    assert len(np.unique(arrangements, axis=0)) == number


@pytest.mark.parametrize(
    ("formula", "group"),
    [("KI", 225), ("NaBr", 225), ("TlBr", 221), ("CdS", 216), ("GaAs", 216),
     ("SrHfO3", 221), ("RbNiF3", 221), ("SnO2", 136), ("MnF2", 136)],
)  # fmt: skip
def test_unseen_compounds_get_the_structure_of_their_kin(small_bank, formula, group):
    best = propose(small_bank.without([formula]), formula)[0]
    assert best.parameters["space_group"] == group
    assert not best.parameters["known"]
    assert best.structure.composition.reduced_formula == formula


def test_perovskite_sites_are_chosen_by_chemistry(small_bank):
    best = propose(small_bank.without(["BaZrO3"]), "BaZrO3")[0].structure
    barium = next(site for site in best if site.specie.symbol == "Ba")
    neighbours = best.get_neighbors(barium, best.volume ** (1 / 3) * 0.75)
    assert sum(site.specie.symbol == "O" for site in neighbours) == 12


def test_known_crystal_comes_first_at_its_own_volume(make, small_bank):
    best = propose(small_bank, "SrTiO3", volume_per_atom=20.0)[0]
    assert best.parameters["known"]
    assert best.structure.volume == pytest.approx(64.0, rel=1e-4)
    assert MATCHER.fit(best.structure, make.perovskite("Sr", "Ti", "O"))


def test_known_polymorphs_come_by_stability(make):
    structures = [make.rock_salt("Zn", "S"), make.zinc_blende("Zn", "S"), *make.textbook()]
    hulls = [0.05, 0.01, *[0.0] * len(make.textbook())]
    bank = Bank.from_structures(structures, hulls=hulls)
    groups = [p.parameters["space_group"] for p in propose(bank, "ZnS") if p.parameters["known"]]
    assert groups[-1] == 225
    assert groups[0] == 216


def test_equal_proposals_are_made_once(small_bank):
    proposals = propose(small_bank, "KBr", n=20)
    assert [p.parameters["space_group"] for p in proposals].count(225) == 1
    for i, first in enumerate(proposals):
        for second in proposals[:i]:
            assert not MATCHER.fit(first.structure, second.structure)


def test_volume_is_the_one_that_was_asked_for(small_bank):
    for proposal in propose(small_bank, "RbAt", volume_per_atom=31.0):
        assert proposal.structure.volume / len(proposal.structure) == pytest.approx(31.0)


def test_own_volume_follows_the_elements(small_bank):
    small, large = (propose(small_bank, f)[0].structure for f in ("LiAt", "RbAt"))
    assert small.volume / len(small) < large.volume / len(large)


def test_impossible_contacts_are_dropped(small_bank):
    assert propose(small_bank, "KBr", volume_per_atom=60.0)
    known = small_bank.without(["KBr"])
    assert propose(known, "KBr", volume_per_atom=2.0) == []


def test_stoichiometry_without_prototype_gives_nothing(small_bank):
    assert propose(small_bank, "Na3Cl7") == []


def test_cell_size_is_respected(make):
    primitive, doubled = make.perovskite("Sr", "Ti", "O"), make.perovskite("Ba", "Zr", "O")
    doubled.make_supercell([1, 1, 2])
    bank = Bank.from_structures([primitive, doubled])
    generator = PrototypeGenerator(bank)
    nearest = {
        cell: [p.parameters["nearest"] for p in generator.generate(Target.of_cell(cell), 5)]
        for cell in ("CaHfO3", "Ca2Hf2O6", "Ca3Hf3O9")
    }
    assert nearest["CaHfO3"]
    assert nearest["Ca2Hf2O6"]
    assert nearest["Ca3Hf3O9"] == []


def test_ranking_is_deterministic(small_bank):
    first, second = (propose(small_bank, "KBr", n=20) for _ in range(2))
    assert [p.structure for p in first] == [p.structure for p in second]
    assert [p.score for p in first] == [p.score for p in second]
    assert [p.score for p in first] == sorted((p.score for p in first), reverse=True)


def test_likelihoods_are_shares(small_bank):
    candidates = Query(small_bank, parse_formula("SrHfO3")).best(1000)
    assert sum(np.exp(c.log_likelihood) for c in candidates) == pytest.approx(1.0)


def test_own_formula_is_left_out(small_bank):
    index = small_bank.formulas.index("KBr")
    assert own_rank(small_bank, index) == 1
    lonely = Bank.from_structures([small_bank.structure(index)])
    assert own_rank(lonely, 0) is None


def test_diverse_order_prefers_what_adds():
    likelihoods = np.array([0.4, 0.35, 0.25])
    fingerprints = np.array([[0.0] * 8, [0.03] * 8, [2.0] * 8])
    order = diverse_order(likelihoods, fingerprints, 3)
    assert [index for index, _ in order] == [0, 2, 1]
    assert sum(gain for _, gain in order) == pytest.approx(1.0, abs=0.02)
    assert [i for i, _ in diverse_order(likelihoods, fingerprints, 3, n_first=2)][:2] == [0, 1]


def test_repetitions_are_skipped():
    order = diverse_order(np.array([0.5, 0.3, 0.2]), np.array([[0.0], [0.001], [1.0]]), 5)
    assert [index for index, _ in order] == [0, 2]


def test_fingerprint_does_not_depend_on_the_cell(make):
    structure = make.rutile("Ti", "O")
    other = structure.copy()
    other.make_supercell([[1, 1, 0], [0, 1, 1], [0, 0, 2]])
    other.translate_sites(range(len(other)), [0.2, 0.3, 0.4])
    other.apply_strain(0.05)
    first, second = (
        fingerprint(s.lattice.matrix, s.frac_coords, np.array(s.atomic_numbers))
        for s in (structure, other)
    )
    assert first == pytest.approx(second, abs=1e-6)
    distances = sorted(site.nn_distance for site in structure.get_neighbors(structure[0], 4.0))
    length = (structure.volume / len(structure)) ** (1 / 3)
    oxygen = [
        site.nn_distance
        for site in structure.get_neighbors(structure[0], 6.0)
        if site.specie.symbol == "O"
    ]
    assert first[1, 0] == pytest.approx(np.sort(oxygen)[:8] / length)
    assert distances


class TestBundledBank:
    @pytest.fixture(scope="class")
    def generator(self):
        generator = PrototypeGenerator()
        generator.generate(Target("NaCl"), 1)
        return generator

    @pytest.mark.parametrize(
        ("formula", "group"), [("NaCl", 225), ("MgAl2O4", 227), ("TiO2", None), ("LiFePO4", None)]
    )
    def test_answers(self, generator, formula, group):
        proposals = generator.generate(Target(formula, max_atoms=28), 20)
        assert proposals
        if group:
            assert proposals[0].parameters["space_group"] == group

    def test_generalises(self):
        bank = Bank.load().without(["RbMgF3", "KMgF3", "CsCaF3", "KNiF3"])
        best = propose(bank, "KNiF3")[0]
        assert best.parameters["space_group"] == 221
