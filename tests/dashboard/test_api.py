"""The JSON API: typed, paged, documented."""

import io
import zipfile
from types import SimpleNamespace

import pytest
from pymatgen.core import Lattice, Structure

from dashboard.api.answers import _predicted_maps
from dashboard.api.models import CampaignDetail, ContactMaps, CrystalPage, MaterialDetail
from dashboard.pages.contacts import contact_maps
from screening.schemas import OriginDoc

CUPD = Structure(Lattice.cubic(3.0), ["Cu", "Pd"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_every_address_is_documented_and_answers(client):
    schema = client.get("/api/v1/openapi.json").json()
    values = {"material_id": "mat-CuPd3.0", "campaign_id": "camp-a", "chemsys": "Cu-Pd",
              "hull_id": None, "file_format": "cif", "identifier": "camp-a",
              "task_key": "relax".ljust(40, "-")}  # fmt: skip
    values["hull_id"] = client.get("/api/v1/materials/mat-CuPd3.0/hull").json()["hull_id"]
    assert len(schema["paths"]) >= 18
    for path, methods in schema["paths"].items():
        assert list(methods) == ["get"]
        assert methods["get"]["description"]
        answer = client.get(path.format(**values))
        assert answer.status_code == 200, path
    for name, model in schema["components"]["schemas"].items():
        for field, info in model.get("properties", {}).items():
            assert info.get("description") or "rror" in name, f"{name}.{field}"


def test_pages_of_crystals(client):
    first = CrystalPage.model_validate(client.get("/api/v1/materials?limit=3").json())
    assert (len(first.rows), first.count, first.exact) == (3, 4, True)
    rest = client.get(f"/api/v1/materials?limit=3&after={first.after}").json()
    assert rest["after"] is None
    names = [row.material_id for row in first.rows] + [row["material_id"] for row in rest["rows"]]
    assert len(set(names)) == 4


def test_a_material_has_everything(client):
    answer = client.get("/api/v1/materials/mat-CuPd3.0").json()
    detail = MaterialDetail.model_validate(answer)
    assert detail.material.is_stable
    assert [row.relaxation.engine for row in detail.calculations] == ["emt-1"]
    assert detail.predictions[0].energy.lower90 == -0.3
    assert {entry.formula for entry in detail.competitors} == {"Cu", "Pd"}
    assert [row.material_id for row in detail.polymorphs] == ["mat-CuPd3.2"]


def test_phonons_relaxation_and_pattern(client):
    base = "/api/v1/materials/mat-CuPd3.0"
    phonons = client.get(f"{base}/phonons").json()
    assert phonons["min_frequency"] == min(map(min, phonons["frequencies"])) == -1.5
    assert phonons["reciprocal_lattice"][0][0] == pytest.approx(2 * 3.141593 / 3.0, abs=1e-5)
    steps = client.get(f"{base}/relaxation").json()
    assert steps["energy_per_atom"][-1] == pytest.approx(-1.2)
    assert len(steps["fmax"]) == 6
    assert [frame["step"] for frame in steps["frames"]] == [0, 2, 5]
    assert steps["frames"][-1]["cell"] == [[3, 0, 0], [0, 3, 0], [0, 0, 3]]
    assert len(steps["symbols"]) == len(steps["frames"][0]["positions"]) == 2
    pattern = client.get(f"{base}/xrd").json()
    assert max(pattern["y"]) == 100
    assert pattern["x"] == sorted(pattern["x"])
    assert client.get("/api/v1/materials/mat-AgCu3.1/phonons").status_code == 404


def test_contacts_before_and_after_the_relaxation(client):
    maps = client.get("/api/v1/materials/mat-CuPd3.0/contacts").json()
    assert maps["symbols"] == ["Cu", "Pd"]
    assert maps["relaxed"][0] == pytest.approx([0, 3.0 * 3**0.5 / 2], abs=1e-5)
    assert maps["proposed"][1][0] == pytest.approx(3.1 * 3**0.5 / 2, abs=1e-5)
    assert client.get("/materials/mat-CuPd3.0").text.count("Cu1 to Pd2: 2.60 Å") == 1


def test_the_map_that_a_network_predicted_stands_beside():
    parameters = {
        "atoms": [46, 29],
        "predicted_map": [[0.0, 0.8], [0.8, 0.0]],
        "reconstructed_map": [[0.0, 1.0], [1.0, 0.0]],
    }
    origins = [
        OriginDoc(method="random", version="1", rank=1),
        OriginDoc(method="contact-map", version="2", rank=1, parameters=parameters),
    ]
    maps = _predicted_maps(SimpleNamespace(origins=origins))
    assert maps.symbols == ["Pd", "Cu"]
    assert maps.contacts
    own = [[0.0, 2.6], [2.6, 0.0]]
    drawn = contact_maps(ContactMaps(symbols=["Cu", "Pd"], relaxed=own, maps=maps))
    assert drawn.count("<figure>") == 3
    assert drawn.index("Predicted map") < drawn.index("Reconstructed map") < drawn.index("Relaxed")
    assert 'fill-opacity="0.80"><title>Pd1 to Cu2: 0.80</title>' in drawn
    assert _predicted_maps(SimpleNamespace(origins=origins[:1])) is None


def test_lineage_reaches_the_composition(client):
    node = client.get("/api/v1/materials/mat-CuPd3.0/lineage").json()
    assert [parent["kind"] for parent in node["parents"]] == ["structure", "phonon", "hull"]
    kinds = []
    while node:
        kinds.append(node["kind"])
        node = node["parents"][0] if node["parents"] else None
    assert kinds == ["material", "structure", "structure", "candidate"]


def test_any_document_and_task_by_its_identifier(client):
    material = client.get("/api/v1/materials/mat-CuPd3.0").json()["material"]
    for name in (material["material_id"], material["structure_id"], material["hull_id"]):
        document = client.get(f"/api/v1/documents/{name}").json()
        assert name in document.values()
        assert "_id" not in document
    assert client.get(f"/api/v1/documents/{material['structure_id'][:14]}").json()["formula"]
    task = client.get("/api/v1/tasks/" + "relax".ljust(40, "-")).json()
    assert task["summary"]["n_in"] == 5
    assert "owner" not in task
    for address in ("documents/str-nothing", "documents/$where", "tasks/nothing"):
        assert client.get(f"/api/v1/{address}").status_code == 404


def test_a_campaign(client):
    detail = CampaignDetail.model_validate(client.get("/api/v1/campaigns/camp-a").json())
    assert detail.funnel["validity"].n_out == 5
    assert detail.progress[0].states == {"finished": 1}
    assert client.get("/api/v1/campaigns/nothing").json()["detail"].startswith("no campaign")


def test_candidates(client):
    rows = client.get("/api/v1/candidates?campaign=camp-a&sort=-e_form").json()["rows"]
    assert {row["formula"] for row in rows} == {"CuPd", "AgPd"}
    assert client.get("/api/v1/candidates?campaign[$ne]=x").status_code == 422


def test_a_structure_in_both_cells(client):
    for cell in ("own", "conventional"):
        answer = client.get(f"/api/v1/materials/mat-CuPd3.0/structure?cell={cell}").json()
        assert Structure.from_dict(answer).matches(CUPD)


def test_a_table_as_csv(client):
    text = client.get("/discoveries.csv?elements=Pd&sort=-e_hull&limit=1").text
    lines = text.splitlines()
    assert lines[0].startswith("material_id,formula_pretty,chemsys,space_group_number")
    assert [line.split(",")[1] for line in lines[1:]] == ["CuPd", "CuPd", "AgPd"]  # all pages


def test_cells_of_a_table_are_never_formulas():
    from dashboard.pages.downloads import _text

    assert _text("=HYPERLINK(1)") == "'=HYPERLINK(1)"
    assert _text(-0.5) == -0.5


def test_crystals_as_a_zip_of_cif_files(client):
    content = client.get("/discoveries.zip?stable=true").content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert sorted(archive.namelist()) == ["AgPd_mat-AgPd3.1.cif", "CuPd_mat-CuPd3.0.cif"]
        structure = Structure.from_str(archive.read("CuPd_mat-CuPd3.0.cif").decode(), "cif")
    assert structure.matches(CUPD)


@pytest.mark.parametrize("kind", ["cif", "poscar", "json"])
def test_one_crystal_as_a_file(client, kind):
    answer = client.get(f"/materials/mat-CuPd3.0/file.{kind}")
    assert f"CuPd_mat-CuPd3.0.{kind}" in answer.headers["content-disposition"]
    assert Structure.from_str(answer.text, kind).matches(CUPD)
    assert client.get("/materials/mat-CuPd3.0/file.exe").status_code == 422
