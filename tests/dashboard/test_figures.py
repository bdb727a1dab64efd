"""Figures: the numbers in them are those of the documents."""

import numpy as np
import plotly.graph_objects as go
import pytest
from pymatgen.core import Lattice, Structure

from dashboard.api.flow import funnel_flow
from dashboard.figures import (
    flow_figure,
    funnel_figure,
    hull_figure,
    parity_figure,
    phonon_figure,
    structure_figure,
)
from dashboard.figures.funnel import LEFT
from dashboard.figures.style import BAD
from screening.hull import HullOptions, PhaseEntry, build_hull
from screening.schemas import FunnelStage, PhononDoc

SOURCE = "emt"


def phase(name, energy, role="candidate", **composition):
    return PhaseEntry(name, {k: float(v) for k, v in composition.items()}, energy, SOURCE, role)


def elements(*symbols):
    return [phase(f"pure-{symbol}", -1.0, "element", **{symbol: 1}) for symbol in symbols]


def hull(chemsys, *entries, **options):
    pure = elements(*chemsys.split("-"))
    return build_hull(chemsys, [*pure, *entries], SOURCE, HullOptions(**options))


def drawn(figure):
    """A figure must survive its way to the page."""
    assert isinstance(figure, go.Figure)
    assert figure.to_json()
    return figure


def traces(figure, mode):
    return [trace for trace in figure.data if mode in (getattr(trace, "mode", "") or "")]


def test_a_hull_of_one_element_shows_distances():
    figure = drawn(hull_figure(hull("Cu", phase("hcp", -0.98, "competing", Cu=2))))
    (bars,) = figure.data
    assert len(set(bars.x)) == 2
    assert list(figure.layout.xaxis.ticktext) == ["Cu", "Cu"]
    assert list(bars.y) == pytest.approx([0.0, 0.02])


def test_a_binary_hull():
    stable = phase("stable", -1.3, Cu=3, Au=1)
    above = phase("above", -1.1, Cu=1, Au=1)
    far = phase("far", -0.1, Cu=1, Au=3)
    known = phase("known", -1.25, "competing", Cu=3, Au=1)
    figure = drawn(hull_figure(hull("Au-Cu", stable, above, far, known)))
    line, *points = figure.data
    assert line.mode == "lines"
    assert list(line.x) == pytest.approx([0.0, 0.75, 1.0])
    assert list(line.y) == pytest.approx([0.0, -0.3, 0.0])
    by_role = {trace.name: trace for trace in points}
    assert list(by_role) == ["candidate", "competing", "element"]
    candidates = by_role["candidate"]
    assert sorted(zip(candidates.x, candidates.y, strict=True)) == [
        pytest.approx((0.5, -0.1)),
        pytest.approx((0.75, -0.3)),
    ]
    colors = dict(zip(candidates.x, candidates.marker.color, strict=True))
    assert colors[0.75] == pytest.approx(0.0, abs=1e-6)
    assert colors[0.5] == pytest.approx(100.0)
    names = dict(zip(candidates.x, candidates.text, strict=True))
    assert names == {0.75: "Cu3Au", 0.5: ""}
    assert "100 meV/atom above the hull" in "".join(candidates.customdata)
    assert "fraction of Cu" in figure.layout.xaxis.title.text
    assert [trace.marker.showscale for trace in points] == [True, False, False]


@pytest.mark.parametrize("chemsys", ["Au-Cu", "Au-Cu-Pd", "Ag-Au-Cu-Pd"])
def test_an_energy_that_is_not_trusted_is_not_drawn(chemsys):
    strange = phase("strange", -9.0, Cu=1, Au=1)
    document = hull(chemsys, strange, phase("good", -1.2, Cu=3, Au=1))
    (outlier,) = [entry for entry in document.entries if entry.outlier]
    assert outlier.energy_above_hull < 0
    text = drawn(hull_figure(document)).to_json()
    assert "Cu3Au" in text
    assert "CuAu" not in text


def test_a_ternary_hull():
    inside = phase("inside", -1.5, Au=1, Cu=1, Pd=1)
    edge = phase("edge", -1.2, Cu=1, Pd=1)
    above = phase("above", -1.25, Au=2, Cu=1, Pd=1)
    figure = drawn(hull_figure(hull("Au-Cu-Pd", inside, edge, above)))
    lines = traces(figure, "lines")
    ends = {
        frozenset((round(a, 3), round(b, 3), round(c, 3)) for a, b, c in zip(*axes, strict=True))
        for axes in ((line.a, line.b, line.c) for line in lines)
    }
    centre, middle = (0.333, 0.333, 0.333), (0.0, 0.5, 0.5)
    corners = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)]
    assert ends == {
        *(frozenset((centre, corner)) for corner in corners),
        frozenset((centre, middle)),
        frozenset((corners[0], corners[1])),
        frozenset((corners[0], corners[2])),
        frozenset((corners[1], middle)),
        frozenset((corners[2], middle)),
    }
    candidates, pure = traces(figure, "markers")
    assert (candidates.name, pure.name) == ("candidate", "element")
    for a, b, c in zip(candidates.a, candidates.b, candidates.c, strict=True):
        assert a + b + c == pytest.approx(1.0)
    assert sorted(candidates.text) == ["", "CuPd", "CuPdAu"]
    assert set(pure.text) == {""}
    assert figure.layout.ternary.aaxis.title.text == "Au"
    assert candidates.marker.showscale
    assert not pure.marker.showscale


def test_a_ternary_hull_of_elements_only():
    figure = drawn(hull_figure(hull("Au-Cu-Pd")))
    assert len(traces(figure, "lines")) == 3
    (pure,) = traces(figure, "markers")
    assert pure.marker.showscale


def test_a_hull_of_four_elements_shows_distances():
    stable = phase("stable", -1.5, Ag=1, Au=1, Cu=1, Pd=1)
    above = phase("above", -1.3, Ag=1, Au=1, Cu=1, Pd=2)
    far = phase("far", 0.0, Ag=1, Au=1)
    figure = drawn(hull_figure(hull("Ag-Au-Cu-Pd", stable, above, far)))
    (bars,) = figure.data
    assert list(bars.y) == pytest.approx([0, 0, 0, 0, 0, 0.1], abs=1e-9)
    names = list(figure.layout.xaxis.ticktext)
    assert sorted(names) == ["Ag", "Au", "Cu", "CuAgPd2Au", "CuAgPdAu", "Pd"]
    assert names[-1] == "CuAgPd2Au"


def test_a_funnel_shows_zero_counts():
    funnel = {
        "generation": FunnelStage(n_in=0, n_out=1200),
        "validity": FunnelStage(n_in=1200, n_out=7, n_failed=3),
        "relax": FunnelStage(n_in=7, n_out=0, unit="structures"),
    }
    figure = drawn(funnel_figure(funnel))
    entered, passed = figure.data
    names = ("generation (compositions)", "validity (compositions)", "relax (structures)")
    assert tuple(entered.y) == tuple(passed.y) == names
    assert list(entered.customdata) == [1200, 1200, 7]
    assert list(passed.customdata) == [1200, 7, 0]
    assert list(passed.text) == ["1,200", "7", "0"]
    assert list(entered.x) == [1200, 1200, 7]
    assert list(passed.x)[:2] == [1200, 7]
    assert LEFT < passed.x[2] < 1
    low, high = figure.layout.xaxis.range
    assert 10**low <= min(passed.x)
    assert 10**high > 1200


@pytest.mark.parametrize("funnel", [{}, {"relax": FunnelStage(unit="structures")}])
def test_a_funnel_of_nothing(funnel):
    figure = drawn(funnel_figure(funnel))
    assert len(figure.data[0].y) == len(funnel)
    assert np.isfinite(figure.layout.xaxis.range).all()


def test_a_flow_has_the_numbers_and_colours_of_its_nodes():
    funnel = {
        "validity": FunnelStage(n_in=1200, n_out=7, reasons={"not_neutral": 1193}),
        "energy": FunnelStage(n_in=7, n_out=7),
    }
    (sankey,) = drawn(flow_figure(funnel_flow(funnel, "compositions"))).data
    names = ("into validity 1,200", "valid 7", "not neutral 1,193", "chosen 7")
    assert set(sankey.node.label) == set(names)
    flows = zip(sankey.link.source, sankey.link.target, sankey.link.value, strict=True)
    labels = sankey.node.label
    assert {(labels[a], labels[b], n) for a, b, n in flows} == {
        (names[0], names[1], 7), (names[0], names[2], 1193), (names[1], names[3], 7),
    }  # fmt: skip
    for target, color in zip(sankey.link.target, sankey.link.color, strict=True):
        assert color.startswith(sankey.node.color[target])


def test_parity():
    figure = drawn(parity_figure([-1.0, -0.2], [-0.8, -0.3], ["Li2S", "MnS"], "emt"))
    diagonal, points = figure.data
    assert list(diagonal.x) == list(diagonal.y) == pytest.approx([-1.1, -0.1])
    assert list(points.x) == [-1.0, -0.2]
    assert list(points.y) == [-0.8, -0.3]
    assert list(points.text) == ["Li2S", "MnS"]
    assert "emt" in figure.layout.xaxis.title.text
    assert figure.layout.xaxis.range == figure.layout.yaxis.range
    assert len(drawn(parity_figure([], [], [], "emt")).data[1].x) == 0


def phonon(frequencies, **fields):
    n = len(frequencies)
    bands = {
        "distances": np.linspace(0, 1, n),
        "frequencies": np.array(frequencies, dtype=float),
        "qpoints": np.zeros((n, 3)),
        "ticks": [0.0, 1.0],
        "labels": ["GAMMA", "S_0"],
    }
    return PhononDoc(
        structure_id="str-a", engine="emt", verdict="unstable", tolerance=0.1,
        marginal_tolerance=0.3, supercell=[[1, 0, 0], [0, 1, 0], [0, 0, 1]], displacement=0.01,
        **{"bands": bands, **fields},
    )  # fmt: skip


def finite(trace):
    pairs = np.column_stack([trace.x, trace.y]).astype(float)
    return pairs[np.isfinite(pairs).all(axis=1)].tolist()


def test_phonon_bands_with_unstable_modes():
    figure = drawn(phonon_figure(phonon([[0.0, 1.0, 2.0], [-1.5, 1.5, 2.5], [-2.0, -0.1, 3.0]])))
    bands, red = figure.data
    assert finite(bands) == [
        [0.0, 0.0], [0.5, -1.5], [1.0, -2.0],
        [0.0, 1.0], [0.5, 1.5], [1.0, -0.1],
        [0.0, 2.0], [0.5, 2.5], [1.0, 3.0],
    ]  # fmt: skip
    assert np.isnan(np.array(bands.y, dtype=float)).sum() == 3
    assert finite(red) == [[0.5, -1.5], [1.0, -2.0], [1.0, -0.1]]
    assert red.line.color == BAD
    assert list(figure.layout.xaxis.ticktext) == ["Γ", "S0"]
    assert list(figure.layout.xaxis.tickvals) == [0.0, 1.0]


def test_phonon_bands_without_unstable_modes_and_with_a_dos():
    dos = {"frequencies": [0.0, 1.0, 2.0], "densities": [0.0, 3.0, 1.0]}
    figure = drawn(phonon_figure(phonon([[0.0, 1.0], [0.5, 2.0]], dos=dos)))
    bands, density = figure.data
    assert bands.line.color != BAD
    assert list(density.x) == [0.0, 3.0, 1.0]
    assert list(density.y) == [0.0, 1.0, 2.0]
    assert density.xaxis == "x2"


def test_phonons_without_bands_have_no_figure():
    assert phonon_figure(phonon([[0.0]], bands=None)) is None


def atoms_of(figure):
    return {trace.name: trace for trace in figure.data if "markers" in trace.mode}


def test_a_structure_repeats_the_atoms_on_its_boundary():
    corners = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    points = np.concatenate([corners, corners + 0.5])
    salt = Structure(Lattice.cubic(5.6), ["Na"] * 4 + ["Cl"] * 4, points)
    figure = drawn(structure_figure(salt))
    atoms = atoms_of(figure)
    assert set(atoms) == {"Na", "Cl"}
    assert len(atoms["Na"].x) == 8 + 6
    assert len(atoms["Cl"].x) == 12 + 1
    assert max(atoms["Na"].x) == pytest.approx(5.6)
    cell, bonds = traces(figure, "lines")
    assert len(finite(cell)) == 2 * 12
    ends = np.array(bonds.x, dtype=float)
    assert len(finite(bonds)) == 2 * 54  # between the 27 drawn atoms of this cell
    assert np.isnan(ends).sum() == 54


def test_metals_are_joined_only_among_themselves():
    square = [[0, 0, 0], [0.5, 0.5, 0.5]]
    alloy = structure_figure(Structure(Lattice.cubic(3.0), ["Cu", "Pd"], square))
    assert len(finite(traces(alloy, "lines")[1])) >= 2 * 8
    far = structure_figure(Structure(Lattice.cubic(12), ["Cs", "Cl"], square))
    assert finite(traces(drawn(far), "lines")[1]) == []
    assert "Cs" in atoms_of(far)


def test_atoms_that_are_almost_on_the_boundary_belong_to_it():
    almost = Structure(Lattice.cubic(4), ["Cu"], [[1 - 1e-6, -1e-6, 0.5]])
    copper = atoms_of(drawn(structure_figure(almost)))["Cu"]
    assert sorted(zip(copper.x, copper.y, copper.z, strict=True)) == [
        pytest.approx((x, y, 2.0)) for x in (0.0, 4.0) for y in (0.0, 4.0)
    ]
