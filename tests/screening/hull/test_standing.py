"""What a newer hull says of crystals that were described before."""

import random
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest

from screening.hull.coverage import n_references, systems_without_reference
from screening.hull.standing import (
    STABLE,
    Crystal,
    HullRef,
    is_stable,
    material_id,
    newest_hull,
    revise,
)
from screening.schemas import HullDoc, HullEntry

START = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = 0.1
ELEMENTS = ("Au", "Cu", "Pd")
SYSTEMS = tuple("-".join(part) for n in (1, 2, 3) for part in combinations(ELEMENTS, n))
SHARES = {f"{a}{n}{b}{m}": {a: n, b: m} for a, b in combinations(ELEMENTS, 2)
          for n, m in ((3, 1), (1, 1), (1, 3))}  # fmt: skip


def system_of(composition):
    return "-".join(sorted(composition))


def floor(composition, lowest):
    """Energy of the hull (eV/atom) at a composition of at most two elements, from its formulas."""
    if len(composition) == 1:
        return lowest[next(iter(composition))]
    first, second = sorted(composition)
    x = composition[second] / sum(composition.values())
    points = [(0.0, lowest[first]), (1.0, lowest[second])] + [
        (shares[second] / sum(shares.values()), lowest[name])
        for name, shares in SHARES.items()
        if set(shares) == {first, second} and name in lowest
    ]
    left = [point for point in points if point[0] <= x]
    right = [point for point in points if point[0] >= x]
    return min(
        low + (high - low) * (x - a) / (b - a) if b > a else low
        for a, low in left
        for b, high in right
    )


class Toy:
    """A database of a ternary system: structures come, rarely go; hulls end out of order."""

    def __init__(self, seed):
        self.draw = random.Random(seed)
        self.pool = {el: (el, {el: 1.0}, 0.0) for el in ELEMENTS}
        self.hulls = {}
        self.floors = {}
        self.materials = {}
        self.crystals = {}
        self.clock = 0

    def find_structures(self):
        for _ in range(self.draw.random() < 0.6):
            formula, shares = self.draw.choice(list(SHARES.items()))
            if self.draw.random() < 0.3 and self.pool:  # a lower or a higher copy of a crystal
                crystal, shares, energy = self.pool[self.draw.choice(list(self.pool))]
                energy += self.draw.uniform(-0.01, 0.01) * (len(shares) > 1)
            else:
                crystal, energy = f"{formula}-{self.draw.random()}", self.draw.uniform(-0.6, 0.3)
            name = f"str-{self.draw.random()}"
            self.pool[name] = (crystal, shares, energy)
            self.crystals[name] = (shares, energy)
        if self.draw.random() < 0.02:
            gone = self.draw.choice(list(self.pool))
            if gone not in ELEMENTS:
                del self.pool[gone]

    def list_entries(self):
        """A hull of what is there now; it may be written later than one that was begun later."""
        self.clock += 1
        system = self.draw.choice(SYSTEMS[3:])
        groups = {}
        for name, (crystal, shares, energy) in sorted(self.pool.items(), key=lambda i: i[1][2]):
            if set(shares) <= set(system.split("-")):
                groups.setdefault(crystal, []).append((name, shares, energy))
        lowest = {}
        for (_, shares, energy), *_ in groups.values():
            formula = next((f for f, s in SHARES.items() if s == shares), next(iter(shares)))
            lowest[formula] = min(energy, lowest.get(formula, energy))
        entries = []
        for (name, shares, energy), *others in groups.values():
            above = energy - floor(shares, lowest)
            entries.append(
                HullEntry.model_construct(
                    entry_id=name, formula="", composition=shares, energy_per_atom=energy,
                    enthalpy_per_atom=None, formation_energy_per_atom=energy,
                    energy_above_hull=0.0 if above < 1e-9 else above, decomposition={},
                    role="candidate" if len(shares) > 1 else "element", outlier=None,
                    members=[name, *(other[0] for other in others)], known_as=[],
                )
            )  # fmt: skip
        hull = HullDoc.model_construct(
            hull_id=f"hull-{self.clock}", chemsys=system, energy_source="toy", pressure=0.0,
            entries=entries, created=START + timedelta(seconds=self.clock),
        )  # fmt: skip
        return hull, lowest

    def build(self, hull_id):
        """Do what the builder does after a hull was written."""
        refs = [HullRef(hull.created, hull.hull_id, hull.chemsys) for hull in self.hulls.values()]
        held = set(self.hulls[hull_id].chemsys.split("-"))
        for system in (s for s in SYSTEMS if set(s.split("-")) <= held):
            hull = self.hulls[newest_hull(refs, system).hull_id]
            described = [
                Crystal(name, *self.crystals[name])
                for name in self.materials
                if system_of(self.crystals[name][0]) == system
            ]
            revision = revise(hull, {system}, described, WINDOW)
            for entry in revision.entries:
                if entry.role == "candidate":
                    above = entry.energy_above_hull
                    self.materials[entry.entry_id] = (above, is_stable(above), hull.hull_id, None)
            for name, standing in revision.standings.items():
                values = (standing.energy_above_hull, False, hull.hull_id, standing.superseded_by)
                self.materials[name] = values

    def check(self, hull_id):
        """Every material of the system has the value of the newest hull that holds it."""
        held = set(self.hulls[hull_id].chemsys.split("-"))
        on_hull = {}
        for name, (above, stable, found, superseded) in self.materials.items():
            shares, energy = self.crystals[name]
            if not set(shares) <= held:
                continue
            newest = max(
                (h for h in self.hulls.values() if set(shares) <= set(h.chemsys.split("-"))),
                key=lambda hull: hull.created,
            )
            assert found == newest.hull_id
            expected = energy - floor(shares, self.floors[newest.hull_id])
            assert above == pytest.approx(expected, abs=2e-8)
            assert stable == (superseded is None and above <= STABLE)
            if superseded is not None and superseded.startswith("mat-"):
                assert any(material_id(e.entry_id) == superseded for e in newest.entries)
            if abs(above) <= STABLE:
                on_hull.setdefault(str(shares), set()).add(round(energy, 6))
        assert all(len(energies) == 1 for energies in on_hull.values())


def test_twenty_thousand_updates_leave_every_value_on_the_newest_hull():
    updates, seed = 0, 0
    while updates < 20_000:
        toy, waiting, seed = Toy(seed), [], seed + 1
        for _ in range(40):
            toy.find_structures()
            waiting.append(toy.list_entries())
            if toy.draw.random() < 0.3:  # another process is slower
                continue
            toy.draw.shuffle(waiting)
            hull, lowest = waiting.pop()
            toy.hulls[hull.hull_id], toy.floors[hull.hull_id] = hull, lowest
            updates += 1
            if toy.draw.random() < 0.1:  # killed before it could build
                continue
            toy.build(hull.hull_id)
            toy.check(hull.hull_id)


def test_the_newest_hull_of_a_system_may_be_one_of_a_larger_system():
    old = HullRef(START, "hull-a", "Cu-Pd")
    wide = HullRef(START + timedelta(hours=1), "hull-b", "Au-Cu-Pd")
    other = HullRef(START + timedelta(hours=2), "hull-c", "Au-Cu")
    hulls = [other, old, wide]
    assert newest_hull(hulls, "Cu-Pd") == wide
    assert newest_hull(hulls, "Cu") == other
    assert newest_hull(hulls, "Ag") is None
    same = HullRef(START, "hull-z", "Cu-Pd")
    assert newest_hull([same, old], "Cu-Pd") == newest_hull([old, same], "Cu-Pd") == same


def entry(composition, known=()):
    return HullEntry(
        entry_id="str-" + "".join(composition), formula="", composition=composition,
        energy_per_atom=0.0, formation_energy_per_atom=0.0, energy_above_hull=0.0,
        known_as=list(known),
    )  # fmt: skip


def test_systems_without_a_reference_compound_are_named():
    entries = [
        entry({"Li": 1.0}, ["str-1"]), entry({"Mn": 1.0}, ["str-2"]), entry({"S": 1.0}, ["str-3"]),
        entry({"Li": 1.0, "S": 4.0}, ["str-4"]), entry({"Mn": 1.0, "S": 1.0}),
    ]  # fmt: skip
    assert systems_without_reference(entries, ["S", "Mn", "Li"]) == ["Li-Mn", "Mn-S", "Li-Mn-S"]
    assert systems_without_reference(entries, ["Li", "S"]) == []
    assert systems_without_reference(entries, ["Mn"]) == []
    assert n_references(entries, ["Li", "Mn", "S"]) == n_references(entries, ["Li", "S"]) == 1
    assert n_references(entries, ["Mn", "S"]) == 0
