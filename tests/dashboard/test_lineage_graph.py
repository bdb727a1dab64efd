"""The lineage as a graph: what is drawn, and where."""

import itertools
import random
from datetime import UTC, datetime

import pytest

from dashboard.pages.graph_layout import BEND, arrange, reduce_edges
from dashboard.pages.lineage_graph import HEIGHT, MOST, WIDTH, lineage_graph
from stores.queries.lineage import LineageNode

FROM = [{"method": "prototypes", "rank": 2}, {"method": "random", "rank": 1},
        {"method": "prototypes", "rank": 4}]  # fmt: skip
WHEN = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)


def some_graph(seed):
    """A random graph without cycles."""
    rng = random.Random(seed)
    nodes = [f"n{i}" for i in range(rng.randint(1, 14))]
    pairs = list(itertools.combinations(nodes, 2))
    return nodes, rng.sample(pairs, min(len(pairs), rng.randint(0, 20)))


@pytest.mark.parametrize("seed", range(25))
def test_arrows_point_down_and_nothing_overlaps(seed):
    nodes, edges = some_graph(seed)
    layout = arrange(nodes, edges)
    assert list(layout.places) == nodes
    for source, target in edges:
        assert layout.places[source][1] < layout.places[target][1]
        route = layout.routes[source, target]
        assert (route[0], route[-1]) == (layout.places[source], layout.places[target])
        assert [layer for _, layer in route] == list(range(route[0][1], route[-1][1] + 1))
    assert min(x for x, _ in layout.places.values()) >= 0
    assert max(x for x, _ in layout.places.values()) <= layout.width
    for (x, layer), (other, beside) in itertools.combinations(layout.places.values(), 2):
        assert layer != beside or abs(x - other) > 1 - 1e-9
    crossing = [point for route in layout.routes.values() for point in route[1:-1]]
    for (x, layer), (other, beside) in itertools.product(crossing, layout.places.values()):
        assert layer != beside or abs(x - other) > (1 + BEND) / 2 - 1e-9


@pytest.mark.parametrize("seed", range(10))
def test_reduced_arrows_reach_the_same(seed):
    nodes, edges = some_graph(seed)
    kept = reduce_edges(edges)
    assert set(kept) <= set(edges)

    def reached(start, arrows):
        found = {target for source, target in arrows if source == start}
        return found.union(*(reached(node, arrows) for node in found))

    for node in nodes:
        assert reached(node, kept) == reached(node, edges)
    for edge in kept:
        assert edge[1] not in reached(edge[0], [other for other in kept if other != edge])


def test_a_chain_is_straight_and_a_fan_is_even():
    chain = arrange("abc", [("a", "b"), ("b", "c")])
    assert list(chain.places.values()) == [(0, 0), (0, 1), (0, 2)]
    fan = arrange("abcd", [("a", "b"), ("a", "c"), ("a", "d")])
    assert fan.places["a"][0] == pytest.approx(1)
    assert sorted(fan.places[name][0] for name in "bcd") == pytest.approx([0, 1, 2])


def structure(name, stage, parents=(), **facts):
    values = {"formula": "CuPd", "stage": stage, "role": "candidate", "space_group": "Pm-3m",
              "energy_per_atom": None, "engine": None, "origins": [], "when": WHEN}  # fmt: skip
    return LineageNode("structure", name, values | facts, list(parents))


def history(n=1, calculations=()):
    """A crystal that `n` structures relaxed to, all from one candidate."""
    drawn_as = {"method": "matgan", "sample": 11, "of": 3000, "generator": "matgan 0123"}
    task = {"made_by": "makers.generation.GenerationMaker", "task_key": "g" * 40, "when": WHEN}
    sample = LineageNode("sample", "bat-1", drawn_as | task)
    chosen = {"formula": "CuPd", "rank": 3, "campaign_id": "camp-1", "energy_model": "energy 4567"}
    candidate = LineageNode("candidate", "cand-1", chosen, [sample])
    guess = LineageNode("symmetry", "sym-1", {"space_groups": ["Pm-3m"], "checkpoint": "mine 89"})
    relaxed = [
        structure(
            f"str-r{i}", "relaxed",
            [*calculations, structure(f"str-g{i}", "generated", [candidate, guess], origins=FROM)],
            made_by="makers.relax.RelaxMaker", task_key="r" * 40, energy_per_atom=-1.25,
            engine="emt-1",
        )
        for i in range(n)
    ]  # fmt: skip
    phonon = LineageNode("phonon", "str-r0", {"verdict": "not_converged", "min_frequency": None})
    hull = LineageNode("hull", "hull-1", {"chemsys": "Cu-Pd", "n_entries": 7, "version": 2})
    facts = {"formula_pretty": "CuPd", "energy_above_hull": 0.0123, "when": WHEN}
    return LineageNode("material", "mat-1", facts, [*relaxed, phonon, hull])


def drawn(root, models=("energy", "matgan")):
    graph = lineage_graph(root, list(models))
    for box in graph.boxes:
        assert 0 <= box.x <= graph.width - WIDTH
        assert 0 <= box.y <= graph.height - HEIGHT
    return graph


def test_each_document_is_one_box_from_the_sample_to_the_crystal():
    graph = drawn(history(2))
    assert [box.title for box in graph.boxes] == [
        "Sample", "Candidate", "Predicted symmetry", "Generated structure",
        "Generated structure", "Relaxed structure", "Relaxed structure", "Phonons", "Convex hull",
        "Crystal",
    ]  # fmt: skip
    # sample, candidate, symmetry; two structures, relaxed, to the hull; one to the phonons
    assert len(graph.arrows) == 1 + 1 + 2 + 2 + 2 + 1 + 2


def test_a_box_names_its_model_task_date_and_document():
    sample, candidate, guess, generated, relaxed, phonon, hull, crystal = drawn(history()).boxes
    assert (sample.task, sample.task_address) == ("generation", "/api/v1/tasks/" + "g" * 40)
    assert sample.facts == "matgan, composition 12"
    assert (sample.maker, sample.model, sample.when) == ("matgan", "matgan", WHEN)
    assert sample.address == "/api/v1/documents/bat-1"
    assert candidate.formula == crystal.formula == "CuPd"
    assert (candidate.model, candidate.campaign_id) == ("energy", "camp-1")
    assert (guess.maker, guess.model) == ("mine", None)  # a model of the user's has no page
    assert generated.address == "/api/v1/documents/str-g0"
    assert generated.facts == "Pm-3m, prototypes rank 2, random rank 1"
    assert (relaxed.task, relaxed.maker) == ("relax", "emt-1")
    assert relaxed.facts == "Pm-3m, \N{MINUS SIGN}1.250 eV/atom"
    assert (phonon.facts, phonon.address) == ("not converged", "#phonons")
    assert hull.address == "/api/v1/hulls/hull-1"
    assert crystal.facts == "12 meV/atom above the hull"


def test_calculations_stand_between_the_structures():
    facts = {"name": "static", "run_type": "GGA", "energy_per_atom": -3.0, "completed": None}
    calculation = LineageNode("calculation", "uuid-1", facts)
    graph = drawn(history(calculations=[calculation]))
    y = {box.title: box.y for box in graph.boxes}
    assert y["Generated structure"] < y["DFT calculation"] < y["Relaxed structure"]
    box = next(box for box in graph.boxes if box.title == "DFT calculation")
    assert box.address is None
    assert box.facts == "static, GGA, \N{MINUS SIGN}3.000 eV/atom"


def test_many_structures_of_one_crystal_are_summed_up():
    graph = drawn(history(30))
    titles = [box.title for box in graph.boxes]
    assert titles.count("Relaxed structure") == titles.count("Generated structure") == MOST
    more = next(box for box in graph.boxes if box.title == f"{30 - MOST} more structures")
    assert more.address == "#lineage-list"
    assert graph.width < 1240
