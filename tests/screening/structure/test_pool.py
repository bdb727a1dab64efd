from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from screening.errors import InputError
from screening.schemas import StructureDoc, StructureStage
from screening.structure import Target, build_pool, get_generator
from screening.structure.pool import FUSION, GENERATORS, OTHERS, WEIGHTS
from screening.structure.prototypes import PrototypeGenerator
from screening.structure.random.generator import RandomGenerator
from screening.structure.request import Proposal


@dataclass
class Fixed:
    """A method that proposes what it is told to."""

    name: str
    structures: list[Structure]
    version: str = "7"
    asked: list[tuple[str, int, int]] = field(default_factory=list)

    def generate(self, target, n, seed):
        self.asked.append((target.formula, n, seed))
        return [
            Proposal(structure, score=1.0 / (1 + i), template=f"t{i}", parameters={"i": i})
            for i, structure in enumerate(self.structures[:n])
        ]


@pytest.fixture
def two_methods(make):
    rock, zinc, caesium = (
        make.rock_salt("Zn", "S"),
        make.zinc_blende("Zn", "S"),
        make.caesium_chloride("Zn", "S"),
    )
    again = rock.copy()
    again.perturb(0.01)
    again.make_supercell([1, 1, 2])
    return {"one": Fixed("one", [zinc, rock]), "two": Fixed("two", [caesium, again])}


def pool(generators, seed=0, **methods):
    return build_pool(Target("ZnS"), methods, seed, generators=generators)


def test_duplicates_are_merged_with_all_origins(two_methods):
    documents = pool(two_methods, one=5, two=5)
    assert len(documents) == 3
    groups = [document.symmetry.number for document in documents]
    assert groups[0] == 225  # second in both methods: 2 / 4 beats 1 / 3
    assert {groups[1], groups[2]} == {216, 221}
    assert [(o.method, o.rank) for o in documents[0].origins] == [("one", 2), ("two", 2)]
    assert 2 / (FUSION + 2) > 1 / (FUSION + 1)


CUBIC = Structure.from_spacegroup(
    "Pm-3m", Lattice.cubic(4.0), ["Sr", "Ti", "O"], [[0] * 3, [0.5] * 3, [0.5, 0.5, 0]]
)
TILTED = Structure.from_spacegroup(
    "I4/mcm",
    Lattice.tetragonal(4.0 * 2**0.5, 8.0),
    ["Sr", "Ti", "O", "O"],
    [[0, 0.5, 0.25], [0, 0, 0], [0, 0, 0.25], [0.28, 0.78, 0]],
).get_primitive_structure(0.01)
POLAR = Structure(
    Lattice.rhombohedral(4.0, 89.8),
    ["Sr", "Ti", "O", "O", "O"],
    [[0] * 3, [0.51] * 3, [0.5, 0.5, 0.02], [0.5, 0.02, 0.5], [0.02, 0.5, 0.5]],
)


def sample(structure, noise=0.02):
    """What a network without symmetry draws."""
    steps = np.random.default_rng(4).normal(0, noise / 2, (len(structure), 3))
    positions = structure.cart_coords + steps
    return Structure(structure.lattice, structure.species, positions, coords_are_cartesian=True)


def strontium_titanate(**structures):
    generators = {name: Fixed(name, list(given)) for name, given in structures.items()}
    methods = {name: len(given) for name, given in structures.items()}
    return build_pool(Target("SrTiO3"), methods, 0, generators=generators)


def test_polymorphs_of_other_symmetry_are_not_merged():
    documents = strontium_titanate(prototypes=[TILTED, CUBIC, POLAR], transformer=[CUBIC])
    assert [document.symmetry.number for document in documents] == [
        221,
        140,
        160,
    ]  # two votes, first, third
    assert [len(document.origins) for document in documents] == [2, 1, 1]


def test_a_sample_votes_for_the_symmetric_crystal_that_it_is_close_to():
    """Its method comes first in the alphabet, and it is first of its method."""
    (document,) = strontium_titanate(a_sampler=[sample(CUBIC)], maps=[CUBIC])
    assert document.symmetry.number == 221
    assert [origin.method for origin in document.origins] == ["a_sampler", "maps"]
    found = strontium_titanate(a_sampler=[sample(CUBIC, 0.2)], maps=[POLAR, CUBIC])
    assert {document.symmetry.number for document in found} == {160, 221}


def test_a_sample_alone_gets_the_symmetry_that_it_nearly_has():
    (document,) = strontium_titanate(a_sampler=[sample(CUBIC)])
    assert document.symmetry.number == 221
    (document,) = strontium_titanate(a_sampler=[sample(CUBIC, 0.3)])
    assert document.symmetry.number == 1


def test_ties_go_to_the_more_symmetric_crystal_and_not_to_a_name():
    for names in (("a", "b"), ("b", "a")):
        documents = strontium_titanate(**{names[0]: [POLAR], names[1]: [CUBIC]})
        assert [document.symmetry.number for document in documents] == [221, 160]


def test_the_best_of_a_family_has_the_votes_of_all():
    other = Structure.from_spacegroup(
        "Pm-3m", Lattice.cubic(4.0), ["Sr", "Ti", "O"], [[0] * 3, [0.5] * 3, [0.5, 0, 0]]
    )
    documents = strontium_titanate(x=[other, CUBIC], y=[POLAR])
    assert [document.symmetry.number for document in documents] == [160, 221, 221]
    assert (
        documents[1].structure
        == StructureDoc.from_structure(other, stage=StructureStage.GENERATED).structure
    )


def test_documents_say_where_they_come_from(two_methods):
    document = pool(two_methods, seed=5, one=1)[0]
    assert document.stage is StructureStage.GENERATED
    assert document.parent_id is None
    assert document.formula == "ZnS"
    assert document.origins[0].model_dump() == {
        "method": "one",
        "version": "7",
        "rank": 1,
        "score": 1.0,
        "seed": 5,
        "template": "t0",
        "role": "candidate",
        "parameters": {"i": 0},
    }
    assert two_methods["one"].asked == [("ZnS", 1, 5)]


def test_same_crystal_twice_from_one_method_counts_once(make):
    rock, zinc = make.rock_salt("Zn", "S"), make.zinc_blende("Zn", "S")
    documents = pool({"one": Fixed("one", [rock, rock.copy(), zinc])}, one=3)
    assert [document.symmetry.number for document in documents] == [225, 216]
    assert [origin.rank for origin in documents[0].origins] == [1, 2]


def test_methods_without_scores_count_with_their_mean_rank(two_methods, make):
    class Unscored(Fixed):
        def generate(self, target, n, seed):
            return [replace(p, score=None) for p in super().generate(target, n, seed)]

    others = [make.wurtzite("Zn", "S"), make.rock_salt("Zn", "S"), make.caesium_chloride("Zn", "S")]
    two_methods["two"] = Unscored("two", others)
    documents = pool(two_methods, one=2, two=3)
    groups = [document.symmetry.number for document in documents]
    assert groups[:2] == [225, 216]  # second of one and among two; first of one
    assert set(groups[2:]) == {186, 221}  # each counts as second of two
    ranks = {d.symmetry.number: d.origins[0].rank for d in documents[2:]}
    assert ranks == {186: 1, 221: 3}


def test_votes_of_methods_are_weighted(two_methods):
    two_methods["prototypes"] = replace(two_methods.pop("one"), name="prototypes")
    groups = [doc.symmetry.number for doc in pool(two_methods, prototypes=5, two=5)]
    assert WEIGHTS["prototypes"] > OTHERS
    assert groups == [216, 225, 221]  # first of the heavy one; second of both; first of the other


def test_order_of_the_methods_does_not_matter(two_methods):
    first = pool(two_methods, one=2, two=2)
    second = pool(dict(reversed(two_methods.items())), two=2, one=2)
    assert first == second


def test_methods_that_have_nothing_add_nothing(two_methods):
    two_methods["two"].structures = []
    assert len(pool(two_methods, one=2, two=2)) == 2
    assert pool(two_methods) == []
    assert pool(two_methods, one=0) == []
    assert two_methods["one"].asked == [("ZnS", 2, 0)]


def test_errors(two_methods):
    with pytest.raises(InputError, match=r"'three'.*\['cond-cdvae', 'contact-map', .*'two'\]"):
        pool(two_methods, three=1)
    with pytest.raises(InputError, match=r"methods\['one'\]=-1"):
        pool(two_methods, one=-1)
    with pytest.raises(InputError, match="unknown structure method 'magic'"):
        get_generator("magic")


def test_registered_methods_agree_with_their_names():
    for name in GENERATORS:
        generator = get_generator(name)
        assert generator.name == name
        assert generator.version
        assert get_generator(name) is generator


def test_real_methods_together(small_bank):
    generators = {
        "prototypes": PrototypeGenerator(small_bank.without(["KBr"])),
        "random": RandomGenerator(bank=small_bank),
    }
    target = Target("KBr", max_atoms=8)
    methods = {"prototypes": 3, "random": 8}
    documents = build_pool(target, methods, 1, generators=generators)
    assert documents == build_pool(target, methods, 1, generators=generators)
    assert len({document.structure_id for document in documents}) == len(documents)
    assert {o.method for d in documents for o in d.origins} == {"prototypes", "random"}
    assert documents[0].symmetry.number == 225
    for document in documents:
        assert document.to_structure().composition.reduced_formula == "KBr"
    other = build_pool(target, methods, 2, generators=generators)
    assert {d.structure_id for d in other} != {d.structure_id for d in documents}


@pytest.mark.parametrize("top", [0, 1, 2, 3, 9])
def test_only_the_best_are_kept(two_methods, top):
    everything = pool(two_methods, one=2, two=2)
    kept = build_pool(Target("ZnS"), {"one": 2, "two": 2}, 0, top=top, generators=two_methods)
    assert kept == everything[:top]
