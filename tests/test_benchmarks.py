"""Benchmarks run on a few items, agree with their peers, and write what they promise."""

import json
from contextlib import redirect_stdout
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from ase.build import bulk

from benchmarks import maps, peers, potentials
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.harness import race
from benchmarks.inputs import crystals, matgan, mixed_compositions
from benchmarks.peers import REQUIREMENTS, interpreter
from benchmarks.resume import read

PEERS = {
    "validity": "smact",
    "features": "matminer",
    "relax": "chgnet",
    "random": "pyxtal",
    "hull": "pymatgen",
}
REPORT = {
    "items", "seed", "repeats", "title", "peer", "rows", "checks", "figures", "versions", "passed",
}  # fmt: skip
ROW = {"name", "unit", "count", "repeats", "ours", "peer", "ratio"}
MACHINE = {"system", "python", "processor", "cores", "threads", "load", "load_after"}


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Status, printed text and figures of a run of all benchmarks."""
    path = tmp_path_factory.mktemp("benchmarks") / "figures.json"
    text = StringIO()
    with redirect_stdout(text):
        status = main(["--items", "2", "--seed", "3", "--repeats", "1", "--json", str(path)])
    return status, text.getvalue(), json.loads(path.read_text())


def test_those_with_a_peer_run_without_a_name(everything):
    _, text, figures = everything
    assert list(figures["benchmarks"]) == list(PEERS)
    assert list(PEERS) == [name for name, each in BENCHMARKS.items() if each.unasked]
    assert all(f"  {name}" in text for name in BENCHMARKS)
    assert set(figures["machine"]) == MACHINE
    assert figures["machine"]["cores"] >= 1


def test_status_tells_whether_all_passed(everything):
    status, _, figures = everything
    assert status == int(not all(each["passed"] for each in figures["benchmarks"].values()))


@pytest.mark.parametrize("name", PEERS)
def test_figures_of_a_benchmark(name, everything):
    if PEERS[name] in REQUIREMENTS:
        if not interpreter(PEERS[name]).exists():
            pytest.skip(f"{PEERS[name]} has no environment: python -m benchmarks --install-peers")
    else:
        pytest.importorskip(PEERS[name])
    _, text, figures = everything
    figure = figures["benchmarks"][name]
    assert set(figure) == REPORT
    assert (figure["items"], figure["seed"], figure["repeats"]) == (2, 3, 1)
    assert figure["passed"], figure["checks"]
    assert figure["checks"]
    assert {"crystal-screening", "numpy", PEERS[name]} <= set(figure["versions"])
    for row in figure["rows"]:
        assert set(row) == ROW
        assert row["repeats"] == 1
        assert row["count"] >= 2
        assert row["name"] in text
        for side in ("ours", "peer", "ratio"):
            assert 0 < row[side]["low"] <= row[side]["median"] <= row[side]["high"]
        assert row["ratio"]["median"] == pytest.approx(
            row["ours"]["median"] / row["peer"]["median"]
        )
    assert len(figure["rows"]) == (1 if name in {"relax", "random"} else 2)


def test_relaxation_tells_the_energy_differences(everything):
    figures = everything[2]["benchmarks"]["relax"]["figures"]
    assert figures["ours, s/structure"] > 0
    assert figures["peer, s/structure"] > 0
    assert any("ours - peer, meV/atom" in label for label in figures)


def test_without_a_peer_the_others_run_and_the_status_is_1(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(peers, "FOLDER", tmp_path / "peers")
    path = tmp_path / "figures.json"
    arguments = ["--items", "2", "--repeats", "1", "--json", str(path)]
    assert main(["features", "hull", *arguments]) == 1
    lines = [line for line in capsys.readouterr().out.splitlines() if "no environment" in line]
    (line,) = lines
    assert line.startswith("features: matminer has no environment: make benchmarks, or python -m")
    figures = json.loads(path.read_text())["benchmarks"]
    assert figures["hull"]["passed"]
    assert not figures["features"]["passed"]


def test_another_verdict_than_the_peers_fails(monkeypatch, capsys):
    screening = pytest.importorskip("smact.screening")
    theirs = screening.smact_validity
    monkeypatch.setattr(screening, "smact_validity", lambda each: not theirs(each))
    assert main(["validity", "--items", "3", "--repeats", "1"]) == 1
    assert "3 of 3 differ" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["speed"], "unknown benchmark 'speed'"),
        (["hull", "--items", "0"], "--items 0 must be at least 1"),
        (["hull", "--repeats", "0"], "--repeats 0 must be at least 1"),
        (["hull", "--json", "nowhere/figures.json"], "its folder does not exist"),
    ],
)
def test_wrong_arguments(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_rates_are_medians_of_turns():
    turns = []

    def work(name, size):
        turns.append(name)
        return range(size)

    row, ours, peer = race(
        "nothing", "1/s", lambda: work("a", 10**6), lambda: work("b", 5), repeats=3
    )
    assert (len(ours), len(peer), row.count) == (10**6, 5, 10**6)
    changes = [a for a, b in zip(turns, [None, *turns], strict=False) if a != b]
    assert changes == ["a", "b"] * 3
    assert row.ratio.low <= row.ratio.median <= row.ratio.high


def test_resume_reads_its_own_database_whatever_the_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("SCREENING_DATA_DIR", str(tmp_path / "users"))
    assert read(tmp_path, "materials") == []
    assert (tmp_path / "data").is_dir()
    assert not (tmp_path / "users").exists()


def test_inputs_repeat():
    for make in (matgan, mixed_compositions):
        first, again, other = make(20, 0), make(20, 0), make(20, 1)
        assert len(first) == 20
        assert first.formulas() == again.formulas() != other.formulas()
    assert matgan(20, 0, max_atoms=5).n_atoms().max() <= 5
    methods, first = crystals(4, 0)
    assert methods == ["prototypes", "random"] * 2
    for one, same in zip(first, crystals(4, 0)[1], strict=True):
        assert np.array_equal(one.lattice.matrix, same.lattice.matrix)
        assert np.array_equal(one.frac_coords, same.frac_coords)


def test_maps_have_the_fitness_of_the_authors_way():
    report = maps.run(2, seed=4, repeats=1)
    agree = [check for check in report.checks if check.name.endswith("fitness")]
    assert len(agree) == len(maps.CRYSTALS) == len(report.rows)
    assert all(check.passed for check in agree), agree
    assert all(row.ratio.median > 100 for row in report.rows)


def test_potentials_that_are_here_are_timed_and_measured(monkeypatch, tmp_path):
    crystal = bulk("Cu", "fcc", 3.6)
    row = {
        "material_id": "copper",
        "formula": "Cu",
        "atomic_numbers": crystal.numbers,
        "lattice": crystal.cell.array.ravel(),
        "frac_coords": np.zeros(3),
        "bulk_modulus_vrh": 140.0,
    }
    pd.DataFrame([row]).to_parquet(tmp_path / "moduli.parquet")
    monkeypatch.setenv("SCREENING_BENCHMARK_FILES", str(tmp_path / "moduli.parquet"))
    monkeypatch.setattr(potentials, "engine_names", lambda: ("chgnet", "emt"))
    monkeypatch.setattr(potentials, "JUDGES", ("nequix-oam-1", "chgnet"))
    monkeypatch.setattr(potentials, "BATCH", 4)
    report = potentials.run(1, seed=0, repeats=1)
    assert report.passed
    assert report.figures["chgnet, ms of an evaluation"] > 0
    assert report.figures["moduli.parquet: chgnet, elastic.n"] == 1
    assert not any("emt" in name or "nequix" in name for name in report.figures)
