"""Reference diagrams: equal to pymatgen's hull, without the formula that is judged, one scale."""

import numpy as np
import pandas as pd
import pytest
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition, Element
from scipy.optimize import linprog

from screening.checkpoints import read_card
from screening.composition import CompositionArray
from screening.elements import symbols
from screening.errors import CheckpointError, InputError
from screening.references import (
    Diagram,
    Phase,
    ReferenceTable,
    distances,
    place_compositions,
    reference_table,
)
from screening.references.audit import without_suspects
from screening.references.merge import fit_map, merge
from screening.references.simplex import lowest_mixture
from screening.references.table import pack
from screening.schemas import CheckpointRef
from screening.training.registry import train
from screening.training.request import TrainRequest

REF = CheckpointRef(name="references-test", version="1", sha256="")
LI_O = {"Li2O": -2.0, "Li2O2": -1.62, "LiO3": -0.4, "Li3O": -0.2}


def table(energies, sources=None):
    """Make a table; `sources` has the number of the source of each energy."""
    compositions = CompositionArray.from_formulas(list(energies)).reduced()
    values = np.array(list(energies.values()))
    origins = [sources[name][1] if sources else 0 for name in energies]
    tensors = pack(compositions, values, np.array(origins, dtype=np.uint8))
    arguments = {"sources": ["test"], "scale": "MP2020", "date": "2026"}
    return ReferenceTable.unpack(arguments, tensors, REF)


def random_compounds(elements, n, seed):
    rng = np.random.default_rng(seed)
    compounds = {}
    for _ in range(n):
        chosen = rng.choice(elements, rng.integers(2, len(elements) + 1), replace=False)
        formula = "".join(f"{el}{rng.integers(1, 6)}" for el in sorted(chosen))
        name = CompositionArray.from_formulas([formula]).reduced().formulas()[0]
        compounds[name] = float(np.round(rng.normal(-0.8, 0.6), 3))
    return compounds


@pytest.mark.parametrize("elements", [["Li", "O"], ["Li", "Mn", "O"], list("BCNOF")])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_equals_pymatgen(elements, seed):
    compounds = random_compounds(elements, 30 * len(elements), seed)
    references = table(compounds)
    entries = [PDEntry(Composition(name), energy * Composition(name).num_atoms)
               for name, energy in compounds.items()]  # fmt: skip
    entries += [PDEntry(Composition(el), 0.0) for el in elements]
    whole = PhaseDiagram(entries, elements=[Element(el) for el in elements])
    placed = place_compositions(references, list(compounds))
    for name, place in zip(compounds, placed, strict=True):
        composition = Composition(name)
        expected = whole.get_hull_energy_per_atom(composition)
        assert place.hull_energy == pytest.approx(expected, abs=1e-6)
        assert place.known_energy == pytest.approx(compounds[name], abs=1e-4)
        others = [
            e for e in entries if e.composition.reduced_formula != composition.reduced_formula
        ]
        rest = PhaseDiagram(others, elements=[Element(el) for el in elements])
        competing = rest.get_hull_energy_per_atom(composition)
        assert place.competing_energy == pytest.approx(competing, abs=1e-6)
        assert sum(place.products.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(5))
def test_mixtures_equal_a_general_solver(seed):
    rng = np.random.default_rng(seed)
    d, k = int(rng.integers(2, 7)), int(rng.integers(5, 80))
    fractions = rng.dirichlet(np.full(d, 0.4), size=k)
    energies = rng.normal(-0.3, 0.5, size=k)
    point = rng.dirichlet(np.ones(d))
    energy, phases, shares = lowest_mixture(fractions, energies, point)
    costs, columns = np.r_[np.zeros(d), energies], np.r_[np.eye(d), fractions]
    solved = linprog(costs, A_eq=columns.T, b_eq=point)
    assert energy == pytest.approx(solved.fun, abs=1e-7)
    rows = np.where(phases < 0, -1 - phases, phases + d)
    assert shares @ columns[rows] == pytest.approx(point)


def test_decomposition_of_stable_and_unstable_compounds():
    stable, above, unknown = place_compositions(table(LI_O), ["Li2O", "Li3O", "Li4O"])
    assert stable.known_above_hull == 0.0
    assert stable.products == pytest.approx({"Li": 1 / 3, "LiO": 2 / 3})
    assert stable.decomposition_enthalpy(-2.0) == pytest.approx(-2.0 + 1.62 * 2 / 3)
    assert above.known_above_hull == pytest.approx(1.3)
    assert above.products == pytest.approx({"Li": 0.25, "Li2O": 0.75})
    assert unknown.known_energy is None
    assert unknown.known_above_hull is None
    assert unknown.decomposition_enthalpy(-1.0) == pytest.approx(0.2)


def test_what_is_excluded_is_forgotten():
    references = table(LI_O)
    forgotten = place_compositions(references, ["Li4O2"], exclude_own=True)[0]
    assert (forgotten.known_energy, forgotten.formula) == (None, "Li2O")
    assert forgotten.hull_energy == forgotten.competing_energy
    without = place_compositions(references, ["LiO3"], exclude=["O4Li4"])[0]
    assert set(without.products) == {"Li2O", "O"}
    above, enthalpy = distances(references, ["Li2O", "Li2O2"], [-1.9, -1.7])
    assert above == pytest.approx([0.1, 0.0])
    assert enthalpy == pytest.approx([-1.9 + 1.62 * 2 / 3, -1.7 + 1.5])


def test_relaxed_phases_join_and_other_systems_do_not():
    extra = [Phase("LiO2", -2.5, "str-a"), Phase("NaO2", -9.0, "str-b"), Phase("Li", -1.0)]
    diagram = Diagram(table(LI_O), ["O", "Li"], extra=extra)
    place = diagram.place("Li2O2")
    assert place.products == pytest.approx({"Li2O": 0.5, "str-a": 0.5})
    assert place.hull_energy == place.competing_energy < place.known_energy


def test_elements_and_empty_systems():
    place = place_compositions(table(LI_O), ["O2", "NaKRb"])
    assert place[0].known_energy == 0.0
    assert place[0].known_above_hull == 0.0
    assert place[1].hull_energy == 0.0
    assert place[1].products == pytest.approx({"K": 1 / 3, "Na": 1 / 3, "Rb": 1 / 3})


def test_completeness_counts_subsystems_also_those_without_compounds():
    references = table(LI_O | {"LiMnO2": -2.1, "MnO": -1.9})
    assert references.completeness(["O", "Mn", "Li"]) == {
        "Li-Mn": 0, "Li-O": 4, "Mn-O": 1, "Li-Mn-O": 1,
    }  # fmt: skip
    assert len(references.system_rows(["Li", "Mn", "O"])) == 6
    many = ["Li", "Mn", "O", *symbols()[10:22]]
    assert references.system_rows(many).tolist() == references.system_rows(many[:3]).tolist()


def test_a_formula_is_known_however_it_is_written():
    references = table(LI_O)
    assert references.knows("O2Li4")
    assert references.energy("Li2O") == pytest.approx(-2.0)
    assert references.knows("Li2O2")
    assert not references.knows("LiO2")


def random_scales(n=400):
    """Two tables of the same compounds; the second has other corrections of oxides."""
    rng = np.random.default_rng(0)
    metals = ["Li", "Na", "Mg", "Al", "Ti", "Zn"]
    names = sorted({
        f"{rng.choice(metals)}{rng.integers(1, 9)}{rng.choice(['O', 'S'])}{rng.integers(1, 9)}"
        for _ in range(n)
    })  # fmt: skip
    packed = CompositionArray.from_formulas(names).reduced()
    names = packed.formulas()
    oxygen = (packed.fractions() * (packed.numbers == 8)).sum(axis=1)
    target = dict(zip(names, rng.normal(-2, 0.5, len(names)).tolist(), strict=True))
    return {name: target[name] + 0.2 * share
            for name, share in zip(names, oxygen.tolist(), strict=True)}, target  # fmt: skip


def test_a_map_between_corrections_is_found():
    source, target = random_scales()
    source[next(iter(source))] += 1.0
    found = fit_map(source, target)
    shift = found.shift(CompositionArray.from_formulas(["MgO", "MgS", "O2"]))
    assert shift == pytest.approx([-0.1, 0.0, 0.0], abs=2e-3)
    with pytest.raises(InputError, match="share 50 compounds"):
        fit_map(dict(list(source.items())[:50]), target)


def test_the_target_counts_unless_the_other_found_a_lower_crystal():
    result = merge({"A": -1.0, "B": -1.0, "C": -1.0}, {"A": -1.02, "B": -1.2, "D": -0.5})
    assert result == {"A": (-1.0, 0), "B": (-1.2, 1), "C": (-1.0, 0), "D": (-0.5, 1)}


def test_training_makes_a_table_that_is_read_again(tmp_path):
    source, target = random_scales()
    few = dict(list(target.items())[:250])
    paths = tmp_path / "target.parquet", tmp_path / "source.parquet"
    for path, energies in zip(paths, (few, source), strict=True):
        columns = {"formula": list(energies), "formation_energy_per_atom": list(energies.values())}
        pd.DataFrame(columns).to_parquet(path)
    options = {"scale": "MP2020", "sources": "new,old", "date": "2026"}
    card = train("references", TrainRequest(paths, tmp_path / "mine", options=options))
    assert card.metrics["maps"]["old"]["after"]["mae"] < 2e-3
    assert card.metrics["maps"]["old"]["before"]["mae"] > 0.02
    references = reference_table(str(tmp_path / "mine"))
    assert len(references) == len(target) == card.metrics["compositions"]
    assert [references.energy(name) for name in target] == pytest.approx(
        list(target.values()), abs=2e-3
    )


def test_the_bundled_table_is_whole():
    references = reference_table("bundled")
    card = read_card("references-mp")
    assert len(references) == card.metrics["compositions"] > 80_000
    assert references.scale == "MP2020"
    names = ["Li2S", "MnS", "MnS2", "LiS4", "LiMn2S4"]
    stable = [place.known_above_hull for place in place_compositions(references, names)]
    assert stable == [0.0] * 5
    lithium_sulfide = place_compositions(references, ["LiS"])[0]
    assert lithium_sulfide.known_above_hull == pytest.approx(0.22, abs=0.01)
    assert not references.knows("MnS4")
    with pytest.raises(CheckpointError, match="not a table of reference energies"):
        ReferenceTable.load("energy")


def test_compounds_that_are_too_low_are_replaced_by_the_next_crystal():
    """The neighbours know where their hull is: MnS is 0.9 eV/atom too low, then right."""
    energies = {"MnS": (-2.0, 1), "MnS2": (-0.9, 0), "Mn2S3": (-0.9, 0), "Mn3S4": (-0.95, 0)}
    crystals = [{}, {"MnS": [-2.0, -1.99, -1.1, -0.2]}]
    hull = {"MnS2": -0.9, "Mn2S3": -0.95, "Mn3S4": -1.0}

    def make_table(values):
        return table({name: energy for name, (energy, _) in values.items()}, values)

    result, replaced = without_suspects(energies, crystals, hull, make_table)
    assert replaced == ["MnS"]
    assert result == energies | {"MnS": (-1.1, 1)}
    alone, _ = without_suspects(energies, [{}, {"MnS": [-2.0]}], hull, make_table)
    assert "MnS" not in alone
