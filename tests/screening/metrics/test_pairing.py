import pytest
from pymatgen.core import Lattice, Structure

from screening.errors import InputError
from screening.metrics.pairing import compare_targets, read_targets, summarise


def salt(z=0.5, a=4.1):
    return Structure(Lattice.cubic(a), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, z]])


def bromide():
    return Structure(Lattice.cubic(4.3), ["Cs", "Br"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture
def folders(tmp_path):
    true, found = tmp_path / "true", tmp_path / "found"
    for name, structure in {
        "true/salt.cif": salt(),
        "true/salt_b.cif": bromide(),
        "found/salt_10.cif": salt(0.6),
        "found/salt_9.vasp": salt(0.47),
        "found/salt_b/1.cif": bromide(),
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        structure.to(filename=str(path), fmt="poscar" if path.suffix == ".vasp" else "cif")
    (found / "salt_11.cif").write_text("nothing")
    return true, found


def test_names_say_who_belongs_to_whom(folders):
    targets = {target.name: target for target in read_targets(*folders)}
    labels = [read.label.rsplit("/", 1)[1] for read in targets["salt"].predictions]
    assert labels == ["salt_9.vasp", "salt_10.cif", "salt_11.cif"]
    assert [read.structure is None for read in targets["salt"].predictions] == [False, False, True]
    assert len(targets["salt_b"].predictions) == 1


def test_one_reference_takes_all(folders):
    (target,) = read_targets(folders[0] / "salt.cif", folders[1])
    assert len(target.predictions) == 4


def test_summary(folders):
    targets = read_targets(*folders)
    rows = list(compare_targets(targets))
    assert len(rows) == 4
    summary = summarise(targets, rows)
    assert (summary["n_references"], summary["n_predictions"], summary["n_unreadable"]) == (2, 4, 1)
    assert summary["rates"]["loose"] == {"1": 1.0, "3": 1.0}
    assert summary["sets"]["metre"]["loose"] == 1
    assert summary["means"]["match_loose"]["n"] == 3
    assert summary["means"]["volume_ratio"]["mean"] == pytest.approx(1)
    assert "space_group_predicted" not in summary["means"]
    broken = next(row for row in rows if row["prediction"].endswith("salt_11.cif"))
    assert broken["pdd"] is None
    assert broken["reasons"]["pdd"]


def test_an_unreadable_prediction_takes_its_rank(folders):
    (folders[1] / "salt_1.cif").write_text("nothing")
    targets = read_targets(*folders)
    summary = summarise(targets, list(compare_targets(targets)))
    assert summary["rates"]["loose"]["1"] == 0.5


def test_nothing_belongs_together(folders, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    bromide().to(filename=str(other / "x.cif"))
    with pytest.raises(InputError, match="name them alike"):
        read_targets(folders[0], other)


def test_unusable_references(folders, tmp_path):
    bad = tmp_path / "bad.cif"
    bad.write_text("nothing")
    with pytest.raises(InputError, match="the reference .*bad.cif"):
        read_targets(bad, folders[1])
    bromide().to(filename=str(folders[0] / "salt.vasp"), fmt="poscar")
    with pytest.raises(InputError, match="more than one reference is called salt"):
        read_targets(*folders)
