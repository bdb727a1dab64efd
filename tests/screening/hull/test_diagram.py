"""Hulls: equal to pymatgen's, whatever the order, from one source, robust to bad energies."""

import numpy as np
import pytest
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

from screening.errors import InputError
from screening.hull import HullOptions, PhaseEntry, build_hull, energies_above
from screening.hull.plausible import implausible, lowest_known

SOURCE = "chgnet-0.3.0"
TRUST = HullOptions(outlier_margin=100.0)


def entry(name, energy, source=SOURCE, role="candidate", **composition):
    return PhaseEntry(name, {k: float(v) for k, v in composition.items()}, energy, source, role)


def random_entries(elements, n, seed):
    rng = np.random.default_rng(seed)
    pure = {element: float(rng.normal(-3, 1)) for element in elements}
    found = [entry(f"pure-{el}", energy, role="element", **{el: 2}) for el, energy in pure.items()]
    for index in range(n):
        size = rng.integers(1, len(elements) + 1)
        amounts = {el: int(rng.integers(1, 5)) for el in rng.choice(elements, size, replace=False)}
        rest = sum(pure[el] * m for el, m in amounts.items()) / sum(amounts.values())
        shift = 0.5 if size == 1 else float(rng.normal(-0.3, 0.4))
        found.append(entry(f"c{index}", rest + shift, **amounts))
    return found


LI_O = [
    entry("li", -1.9, role="element", Li=1),
    entry("o", -4.9, role="element", O=2),
    entry("li2o", -4.76, Li=2, O=1),
    entry("li2o2", -4.90, Li=2, O=2),
    entry("lio3", -4.6, Li=1, O=3),
]


@pytest.mark.parametrize("elements", [["Li"], ["Li", "O"], ["Li", "Mn", "O"], list("LBCNO")[1:]])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_pymatgen(elements, seed):
    entries = random_entries(elements, 40 * len(elements), seed)
    hull = build_hull("-".join(elements), entries, SOURCE, TRUST)
    diagram = PhaseDiagram(
        [
            PDEntry(
                Composition(e.composition),
                e.energy_per_atom * sum(e.composition.values()),
                e.entry_id,
            )
            for e in entries
        ]
    )
    expected = {e.name: e for e in diagram.all_entries}
    assert hull.n_entries == len(entries)
    for ours in hull.entries:
        theirs = expected[ours.entry_id]
        decomposition, above = diagram.get_decomp_and_e_above_hull(theirs)
        assert ours.energy_above_hull == pytest.approx(above, abs=1e-9)
        formation = diagram.get_form_energy_per_atom(theirs)
        assert ours.formation_energy_per_atom == pytest.approx(formation, abs=1e-9)
        phases = {e.name: share for e, share in decomposition.items() if share > 1e-7}
        assert ours.decomposition == pytest.approx(phases, abs=1e-6)


def test_a_known_hull():
    hull = build_hull("O-Li", LI_O, SOURCE)
    place = {e.entry_id: e for e in hull.entries}
    assert hull.chemsys == "Li-O"
    assert [e.entry_id for e in hull.entries if e.energy_above_hull == 0] == [
        "li",
        "li2o",
        "li2o2",
        "o",
    ]
    assert place["li2o"].formation_energy_per_atom == pytest.approx(-4.76 + (2 * 1.9 + 4.9) / 3)
    assert place["li2o2"].decomposition == {"li2o2": 1.0}
    # LiO3 = half Li2O2 (4 atoms of 8 in 2 LiO3), half O
    assert place["lio3"].decomposition == pytest.approx({"li2o2": 0.5, "o": 0.5})
    assert place["lio3"].energy_above_hull == pytest.approx(-4.6 + (4.90 + 4.9) / 2)
    assert place["li"].role == "element"


def test_order_and_cell_size_do_not_matter():
    entries = random_entries(["Li", "Mn", "O"], 60, 3)
    first = build_hull("Li-Mn-O", entries, SOURCE, TRUST)
    for seed in range(3):
        shuffled = [entries[i] for i in np.random.default_rng(seed).permutation(len(entries))]
        again = build_hull("O-Mn-Li", shuffled, SOURCE, TRUST)
        assert again.entries == first.entries
        assert again.hull_id == first.hull_id
    other = build_hull("Li-Mn-O", entries[:-1], SOURCE, TRUST)
    assert other.hull_id != first.hull_id


def test_ties():
    twins = [entry("b", -4.76, Li=2, O=1), entry("a", -4.76, Li=4, O=2)]
    rest = [e for e in LI_O if e.entry_id != "li2o"]
    for order in (twins, twins[::-1]):
        hull = build_hull("Li-O", [*rest, *order], SOURCE)
        place = {e.entry_id: e for e in hull.entries}
        assert place["a"].energy_above_hull == place["b"].energy_above_hull == 0.0
        assert place["b"].decomposition == {"a": 1.0}
    near = [entry("b", -4.76, Li=2, O=1), entry("a", -4.76 + 1e-6, Li=2, O=1)]
    hull = build_hull("Li-O", [*rest, *near], SOURCE)
    place = {e.entry_id: e for e in hull.entries}
    assert place["b"].energy_above_hull == 0.0
    assert place["a"].energy_above_hull == pytest.approx(1e-6)


def test_new_entries_without_rebuilding():
    entries = random_entries(["Li", "Mn", "O"], 60, 5)
    hull = build_hull("Li-Mn-O", entries, SOURCE, TRUST)
    again = energies_above(hull, entries)
    place = {e.entry_id: e for e in hull.entries}
    for ours in again:
        assert ours.energy_above_hull == place[ours.entry_id].energy_above_hull
        assert ours.decomposition == place[ours.entry_id].decomposition
    (new,) = energies_above(build_hull("Li-O", LI_O, SOURCE), [entry("new", -4.95, Li=1, O=1)])
    assert new.energy_above_hull == pytest.approx(-0.05)
    assert energies_above(hull, []) == []


def test_many_entries_are_placed_in_parts(monkeypatch):
    entries = random_entries(["Li", "O"], 30, 1)
    hull = build_hull("Li-O", entries, SOURCE, TRUST)
    whole = energies_above(hull, entries)
    monkeypatch.setattr("screening.hull.facets.CHUNK", 7)
    assert energies_above(hull, entries) == whole


def test_sources_are_never_mixed():
    with pytest.raises(InputError, match=r"'li2o2' has energies from 'vasp'.*never mixed"):
        build_hull("Li-O", [*LI_O[:3], entry("li2o2", -5, "vasp", Li=1, O=1)], SOURCE)
    with pytest.raises(InputError, match="never mixed"):
        energies_above(build_hull("Li-O", LI_O, SOURCE), [entry("x", -5, "vasp", Li=1, O=1)])


def test_wrong_input():
    with pytest.raises(InputError, match=r"no elemental reference for \['O'\]"):
        build_hull("Li-O", [e for e in LI_O if e.entry_id != "o"], SOURCE)
    with pytest.raises(InputError, match="'c' \\(NaCl\\) is not of the system Li-O"):
        build_hull("Li-O", [*LI_O, entry("c", -3, Na=1, Cl=1)], SOURCE)
    with pytest.raises(InputError, match="'li' comes 2 times"):
        build_hull("Li-O", [*LI_O, LI_O[0]], SOURCE)
    with pytest.raises(InputError, match="names an element twice"):
        build_hull("Li-Li", LI_O, SOURCE)
    with pytest.raises(InputError, match="unknown element 'Qq'"):
        build_hull("Li-Qq", LI_O, SOURCE)
    with pytest.raises(InputError, match="'x' has energy nan"):
        entry("x", float("nan"), Li=1)
    with pytest.raises(InputError, match="'x' has composition"):
        entry("x", -1.0, Li=0)
    with pytest.raises(InputError, match="'x' has composition"):
        entry("x", -1.0, Zz=1)


def test_an_impossible_energy_does_not_shape_the_hull():
    hole = entry("hole", -40.0, Li=1, O=1)
    hull = build_hull("Li-O", [*LI_O, hole], SOURCE)
    place = {e.entry_id: e for e in hull.entries}
    assert "no known compound" in place["hole"].outlier
    assert place["hole"].energy_above_hull == pytest.approx(-40 + 4.90)
    assert place["li2o2"].outlier is None
    assert place["li2o2"].energy_above_hull == 0.0
    (again,) = energies_above(hull, [LI_O[3]])
    assert again.energy_above_hull == 0.0
    trusting = build_hull("Li-O", [*LI_O, hole], SOURCE, TRUST)
    assert trusting.hull_id != hull.hull_id
    assert {e.entry_id: e for e in trusting.entries}["li2o2"].energy_above_hull > 1


def test_the_bound_lies_below_the_most_stable_compounds():
    # formation energies of the Materials Project, eV/atom
    known = [(-4.51, "La F"), (-3.28, "Si O"), (-1.26, "W S"), (-4.52, "Th F"), (-3.01, "B O")]
    for energy, elements in known:
        pair = elements.split()
        assert implausible(energy, pair, 0.0) is None
        assert implausible(lowest_known(pair) - 0.11, pair, 0.1) is not None
    assert lowest_known(["Fe"]) > lowest_known(["Fe", "Ni"]) > lowest_known(["Fe", "O"])
    assert lowest_known(["Ar", "Li"]) == pytest.approx(-4.6)
