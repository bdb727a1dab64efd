import pytest
from pymatgen.core import Lattice, Structure

from screening.schemas import SpaceGroupDoc, StructureDoc, StructureStage
from stores.optimade import build_optimade, spaced_symbol


@pytest.mark.parametrize(
    ("symbol", "spaced"),
    [
        ("Fm-3m", "F m -3 m"), ("P2_1/c", "P 21/c"), ("P2_12_12_1", "P 21 21 21"),
        ("P6_3/mmc", "P 63/m m c"), ("P-3m1", "P -3 m 1"), ("P6_322", "P 63 2 2"), ("P1", "P 1"),
        ("I4_1/amd", "I 41/a m d"), ("Cmce", "C m c e"), (None, None),
    ],
)  # fmt: skip
def test_symbols_as_the_standard_writes_them(symbol, spaced):
    assert spaced_symbol(symbol) == spaced


@pytest.fixture
def built(database):
    crystal = Structure.from_spacegroup(
        "R-3c", Lattice.hexagonal(4.76, 12.99), ["Al", "O"], [[0, 0, 0.352], [0.306, 0, 0.25]]
    )
    document = StructureDoc.from_structure(
        crystal,
        stage=StructureStage.GENERATED,
        symmetry=SpaceGroupDoc.from_structure(crystal),
    )
    database.upsert([document])
    assert build_optimade(database) == 1
    return database, document


def test_a_structure_by_the_fields_of_the_standard(built):
    database, document = built
    entry = database.raw("optimade").find_one({"id": document.structure_id})
    assert entry["elements"] == ["Al", "O"]
    assert entry["elements_ratios"] == [0.4, 0.6]
    assert entry["chemical_formula_reduced"] == "Al2O3"
    assert entry["chemical_formula_descriptive"] == "Al12O18"
    assert entry["chemical_formula_anonymous"] == "A3B2"
    assert entry["nsites"] == len(entry["cartesian_site_positions"]) == 30
    assert entry["species_at_sites"].count("Al") == 12
    assert entry["space_group_symbol_hermann_mauguin"] == "R -3 c"
    assert entry["kind"] == "generated"
    assert entry["energy_above_hull"] is None
    assert entry["last_modified"] is not None


def test_building_again_doubles_nothing(built):
    database, _ = built
    build_optimade(database)
    assert database.raw("optimade").count_documents({}) == 1
    indexes = database.raw("optimade").index_information()
    assert indexes["id_1"]["unique"]
    assert database.missing_indexes() == []
