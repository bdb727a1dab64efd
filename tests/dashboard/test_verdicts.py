"""Pages and files say what a verdict rests on: pressure, source, references, newer hulls."""

import csv
from io import StringIO

import pytest

from stores.optimade import build_optimade

PRESSED = {
    "energy_source": "emt-1 at 10 GPa", "pressure": 10.0, "enthalpy_per_atom": -0.5,
    "known_source": "bank X (2026-01-01)", "n_references": 0,
    "systems_without_reference": ["Cu-Pd"],
}  # fmt: skip
REPLACED = {"superseded_by": "mat-AgPd3.1", "is_stable": False}


@pytest.fixture(scope="module")
def client(shared_database, make_crystal, make_campaign):
    """A crystal at 10 GPa without references, a complete one, and one that it has replaced."""
    pytest.importorskip("fastapi", reason="needs the extra 'dashboard'")
    from fastapi.testclient import TestClient

    from dashboard.app import create_app

    complete = {"known": True, "known_source": "bank Y (2026-01-01)", "n_references": 1}
    shared_database.upsert(
        [
            make_campaign(),
            *make_crystal("CuPd", 3.0, -1.2, **PRESSED),
            *make_crystal("AgPd", 3.1, -1.1, **complete),
            *make_crystal("AgPd", 3.12, -1.1, **REPLACED),
        ]
    )
    build_optimade(shared_database)
    return TestClient(create_app(shared_database), base_url="http://localhost")


def formulas(client, question):
    rows = client.get(f"/api/v1/materials?{question}").json()["rows"]
    return sorted(row["material_id"] for row in rows)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("", ["mat-AgPd3.1", "mat-CuPd3.0"]),
        ("superseded=true", ["mat-AgPd3.1", "mat-AgPd3.12", "mat-CuPd3.0"]),
        ("pressure=10", ["mat-CuPd3.0"]),
        ("pressure=0", ["mat-AgPd3.1"]),
        ("source=emt-1", ["mat-AgPd3.1"]),
        ("source=emt-1 at 10 GPa", ["mat-CuPd3.0"]),
        ("references=complete", ["mat-AgPd3.1"]),
        ("references=incomplete", ["mat-CuPd3.0"]),
        ("known=true", ["mat-AgPd3.1"]),
        ("known=false", ["mat-CuPd3.0"]),
        ('q=systems_without_reference HAS "Cu-Pd"', ["mat-CuPd3.0"]),
        ("q=pressure>5", ["mat-CuPd3.0"]),
    ],
)
def test_pressure_source_references_and_standing_are_filters(client, question, expected):
    assert formulas(client, question) == expected


def test_a_list_marks_enthalpies_and_gaps(client):
    page = client.get("/discoveries?columns=formula&columns=e_hull&columns=references").text
    assert 'title="Enthalpies at 10.0 GPa">H</abbr>' in page
    assert 'title="no Cu-Pd compound among the references">Cu-Pd<' in page
    assert "Known, where it is not yes: not in bank X (2026-01-01)." in page
    assert "mat-AgPd3.12" not in page


def test_green_only_with_references_in_every_system(client):
    gap = client.get("/materials/mat-CuPd3.0").text
    assert '<span class="tag marginal">on the hull at 10.0 GPa</span>' in gap
    assert "0 reference compounds, no Cu-Pd compound among the references" in gap
    assert "Known phases: not in bank X (2026-01-01)." in gap
    assert "Formation enthalpy" in gap
    complete = client.get("/materials/mat-AgPd3.1").text
    assert '<span class="tag stable">on the hull</span>' in complete
    assert "Known phases: in bank Y (2026-01-01)." in complete


def test_a_replaced_crystal_says_so_everywhere(client):
    page = client.get("/materials/mat-AgPd3.12").text
    assert '<span class="tag unstable">superseded</span>' in page
    assert '<a href="/materials/mat-AgPd3.1">mat-AgPd3.1</a>' in page
    answer = client.get("/api/v1/materials/mat-AgPd3.12").json()
    assert answer["material"]["superseded_by"] == "mat-AgPd3.1"
    text = client.get("/materials/mat-AgPd3.12/file.cif").text
    assert "# standing: superseded by mat-AgPd3.1" in text
    found = client.get('/optimade/v1/structures?filter=id="mat-AgPd3.12"').json()["data"]
    assert found[0]["attributes"]["_screening_superseded_by"] == "mat-AgPd3.1"
    assert found[0]["attributes"]["_screening_is_stable"] is False


def test_the_table_as_csv_has_the_ground(client):
    text = client.get("/discoveries.csv?superseded=true").text
    rows = {row["material_id"]: row for row in csv.DictReader(StringIO(text))}
    assert rows["mat-CuPd3.0"]["pressure"] == "10.0"
    assert rows["mat-CuPd3.0"]["energy_source"] == "emt-1 at 10 GPa"
    assert rows["mat-CuPd3.0"]["systems_without_reference"] == "Cu-Pd"
    assert rows["mat-CuPd3.0"]["known_source"] == "bank X (2026-01-01)"
    assert rows["mat-AgPd3.12"]["superseded_by"] == "mat-AgPd3.1"
    assert all(row["hull_id"].startswith("hull-") for row in rows.values())


def test_compositions_name_the_rule_of_their_order(client):
    page = client.get("/campaigns/camp-a").text
    assert "Ranked by the predicted formation energy, before any structure was made." in page
