"""The pages as a browser without scripts sees them."""

from html.parser import HTMLParser

import pytest

from dashboard.pages.published import PUBLISHED, comparisons
from screening.checkpoints import read_card

VOID = {"meta", "link", "input", "img", "br", "rect", "polyline"}


class Page(HTMLParser):
    """Texts, links and cells of a page; fails on elements that are not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.texts, self.rows, self.outside = [], [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "a":
            self.links.append(values["href"])
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"} and self.rows:
            self.rows[-1].append("")
        assert not [name for name in values if name.startswith("on")]
        self.outside += [
            values[name] for name in ("src", "action") if values.get(name, "/")[0] != "/"
        ]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if {"td", "th"} & set(self.open) and self.rows:
            self.rows[-1][-1] += data

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    def column(self, n):
        return [" ".join(row[n].split()) for row in self.rows[1:]]


@pytest.fixture
def get(client):
    def visit(address, status=200):
        answer = client.get(address)
        assert answer.status_code == status, answer.text[:500]
        page = Page(answer.text)
        assert page.outside == []
        return page

    return visit


def test_campaigns(get):
    page = get("/")
    assert {"alloys", "silver"} == set(page.column(0))
    assert dict(zip(page.column(0), page.column(2), strict=True)) == {"alloys": "3", "silver": "1"}
    assert "disk full" in page.text


def test_a_campaign(get):
    page = get("/campaigns/camp-a")
    assert "not neutral 2" in page.text
    assert "CuPd" in page.text
    assert "/discoveries?campaign=camp-a" in page.links
    table = [[" ".join(cell.split()) for cell in row] for row in page.rows]
    head = ["Method", "Structures", "On the hull", "Near the hull", "Far above the hull"]
    assert [*head, "Relaxation failed"] in table
    assert ["prototypes", "4", "2", "1", "1", "0"] in table
    assert ["prototypes + random", "1", "0", "0", "0", "1"] in table
    assert ["Different crystals", "", "2", "1", "", ""] in table
    failed = get("/campaigns/silver")
    assert "screening resume silver" in failed.text
    assert "There is nothing" not in get("/campaigns/nothing", 404).text


def test_discoveries_are_sorted_by_the_distance_to_the_hull(get):
    page = get("/discoveries")
    assert page.column(0) == ["AgPd", "CuPd", "CuPd", "AgCu"]
    assert page.column(4) == ["0", "0", "100", "200"]


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ("elements=Cu&elements=Pd", ["CuPd", "CuPd"]),
        ("elements=Cu,Ag&match=any&without=Pd", ["AgCu"]),
        ("elements=Ag&elements=Cu&match=only", ["AgCu"]),
        ("formula=PdCu", ["CuPd", "CuPd"]),
        ("chemsys=Pd-Ag", ["AgPd"]),
        ("stable=true&known=false", ["CuPd"]),
        ("known=true", ["AgPd"]),
        ("phonons=unstable", ["CuPd"]),
        ("phonons=none&e_hull_max=0.15", ["AgPd", "CuPd"]),
        ("campaign=camp-b", ["AgCu"]),
        ("method=random", ["AgPd"]),
        ("space_group=221&atoms_min=2&atoms_max=2&sort=formula", ["AgCu", "AgPd", "CuPd", "CuPd"]),
        ("crystal_system=hexagonal", []),
        ("q=NOT+elements+HAS+%22Pd%22", ["AgCu"]),
        ("e_form_min=&e_form_max=-0.15&formula=", ["CuPd"]),
        ("sort=-e_hull", ["AgCu", "CuPd", "CuPd", "AgPd"]),
    ],
)
def test_the_filter_of_discoveries(get, question, found):
    page = get(f"/discoveries?{question}")
    assert page.column(0) == found
    assert ("No crystal matches" in page.text) == (not found)


def test_pages_follow_each_other(get):
    names, address = [], "/discoveries?limit=1&columns=id&columns=formula"
    while address:
        page = get(address)
        names += page.column(1)
        following = [link for link in page.links if "after=" in link]
        address = following[0] if following else None
    assert len(names) == len(set(names)) == 4


@pytest.mark.parametrize(
    "question",
    [
        "elements[$ne]=1", "elements=Xx", "sort=$where", "e_hull_max=nan", "e_hull_max=1e9",
        "limit=0", "limit=100000", "after=rubbish", "page=2", "q=$where", "q=x" * 2000,
        "campaign[$gt]=", "columns=structure", "space_group=231", "formula=%24", "chemsys=a-b",
    ],
)  # fmt: skip
def test_wrong_questions_are_explained(get, question):
    page = get(f"/discoveries?{question}", 422)
    assert "cannot be answered" in page.text


def test_a_name_with_an_operator_is_only_a_name(get):
    page = get('/discoveries?campaign={"$gt":""}')
    assert "No crystal matches" in page.text


def test_a_material(get):
    page = get("/materials/mat-CuPd3.0")
    for text in ("Pm-3m (221)", "on the hull", "phonons unstable", "prototypes", "emt-1", "CsCl"):
        assert text in page.text
    assert "Lowest frequency on mesh and band path: \N{MINUS SIGN}1.50 THz" in page.text
    assert "/systems/Cu-Pd" in page.links
    get("/materials/mat-nothing", 404)


def test_the_lineage_of_a_material_leads_to_its_documents_and_models(get, client):
    page = get("/materials/mat-CuPd3.0")
    assert "Generated structure" in page.text
    assert "cand-CuPd-cam" in page.text
    assert "/models/energy" in page.links
    assert "/campaigns/camp-a" in page.links
    documents = [link for link in page.links if link.startswith(("/api/v1/doc", "/api/v1/hulls"))]
    assert len(documents) == len(set(documents)) == 4
    for link in documents:
        assert client.get(link).status_code == 200
    assert "#phonons" in page.links


def test_a_material_without_phonons_says_how_to_get_them(get):
    assert "phonon.top" in get("/materials/mat-AgCu3.1").text


def test_a_chemical_system(get):
    page = get("/systems/Pd-Cu")
    assert "Hull by emt-1" in page.text
    assert page.text.count("CuPd") >= 2
    assert "No hull of this system" in get("/systems/Li-O").text
    get("/systems/nonsense", 422)


def test_systems_models_and_health(get):
    assert set(get("/systems").column(0)) == {"Ag-Cu", "Ag-Pd", "Cu-Pd"}
    assert "energy" in get("/models").text
    assert "Held out" in get("/models/energy").text
    get("/models/..%2fenergy", 404)
    assert "indexes" in get("/health").text


def test_a_model_has_its_figures_and_those_of_the_literature(get, client):
    page = get("/models/symmetry")
    assert "Liang et al. 2020" in page.text
    assert "https://doi.org/10.1103/PhysRevMaterials.4.123802" in page.links
    figures = [link for link in page.links if link.endswith(".svg")]
    assert "/models/symmetry/figures/confusion.svg" in figures
    assert any(link.startswith("/models/symmetry/figures/training") for link in figures)
    for link in figures:
        answer = client.get(link)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/svg+xml"
        assert answer.content == client.get(link).content
        assert b"<script" not in answer.content
    assert client.get("/models/symmetry/figures/nothing.svg").status_code == 404
    assert client.get("/models/nothing/figures/confusion.svg").status_code == 404


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_every_published_figure_has_its_counterpart(name):
    card = read_card(name)
    rows = comparisons(card)
    assert len(rows) == len(PUBLISHED[name])
    for row in rows:
        difference = (row.here - row.published.value) * (1 if row.published.higher else -1)
        assert row.better == (difference >= 0)
        assert row.text(row.here).endswith(row.published.unit)


def test_the_api_documents_itself(get):
    page = get("/api")
    assert "GET /api/v1/materials" in page.text
    assert "Largest energy above the hull (eV/atom)" in page.text


def test_pages_of_an_empty_database_say_what_to_do_next(database):
    from fastapi.testclient import TestClient

    from dashboard.app import create_app

    empty = TestClient(create_app(database), base_url="http://localhost")
    for address in ("/", "/discoveries", "/systems", "/systems/Li-O"):
        page = Page(empty.get(address).text)
        assert "screening init" in page.text or "/" in page.links[2:], address
    assert "No task was ever run" in empty.get("/health").text
