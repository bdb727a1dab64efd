"""Competing phases from files and from OPTIMADE providers: a real HTTP server, real JSON."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from pymatgen.core import Lattice, Structure

from flows.imports import import_structures, open_source
from screening.errors import EngineError, InputError, UserInterruptError
from screening.progress import listen
from screening.prototypes.extend_checkpoint import Addition, add_to_bank
from screening.readers.files import ReadStructure, read_structures
from screening.readers.materials_project import from_materials_project
from screening.readers.optimade import from_optimade
from screening.schemas import OriginDoc, StructureDoc, StructureRole, StructureStage
from screening.structure import Bank


def crystal(anion="Cl", a=4.1):
    return Structure(Lattice.cubic(a), ["Cs", anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


def species(name, symbols=None, concentration=None):
    symbols = symbols or [name]
    shares = concentration or [1.0] * len(symbols)
    return {"name": name, "chemical_symbols": symbols, "concentration": shares}


def resource(identifier, structure, **attributes):
    """Describe a structure as a provider does."""
    names = [site.specie.symbol for site in structure]
    return {
        "id": identifier,
        "type": "structures",
        "attributes": {
            "lattice_vectors": structure.lattice.matrix.tolist(),
            "cartesian_site_positions": structure.cart_coords.tolist(),
            "species_at_sites": names,
            "species": [species(name) for name in sorted(set(names))],
            "structure_features": [],
            "nperiodic_dimensions": 3,
            **attributes,
        },
    }


class Provider:
    """Answers /v1/structures page by page, as the OPTIMADE specification says."""

    def __init__(self):
        self.resources, self.requests = [], []
        self.size, self.status, self.body = 2, 200, None
        self.style = "object"
        self.busy = {}  # number of the request -> status, value of Retry-After
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = provider.answer(self.path)
                status, wait = provider.busy.get(len(provider.requests), (status, None))
                self.send_response(status)
                if wait is not None:
                    self.send_header("Retry-After", wait)
                self.send_header("Content-Type", "application/vnd.api+json")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, target):
        self.requests.append(target)
        parts = urlsplit(target)
        query = parse_qs(parts.query)
        if self.body is not None:
            return self.status, self.body
        if parts.path.removeprefix("/base") != "/v1/structures":
            return 404, b"<html>Not here</html>"
        start = int(query.get("page_offset", ["0"])[0])
        stop = start + self.size
        more = stop < len(self.resources)
        content = {
            "data": self.resources[start:stop],
            "meta": {"api_version": "1.1.0", "more_data_available": more},
            "links": {"next": self.link(parts.path, stop) if more else None},
        }
        return 200, json.dumps(content).encode()

    def link(self, path, offset):
        href = f"{path}?page_offset={offset}"
        styles = {"object": {"href": self.url + href}, "text": self.url + href, "relative": href}
        return styles[self.style]


@pytest.fixture
def provider(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    provider = Provider()
    thread = threading.Thread(target=provider.server.serve_forever, args=(0.02,))
    thread.start()
    yield provider
    provider.server.shutdown()
    thread.join()
    provider.server.server_close()


def fetch(provider, chemsys="Br-Cl-Cs", base=""):
    return list(from_optimade(provider.url + base, chemsys.split("-")))


@pytest.mark.parametrize("style", ["object", "text", "relative"])
@pytest.mark.parametrize("base", ["", "/", "/v1", "/base", "/base/v1/"])
def test_optimade_pages_are_followed(provider, style, base):
    provider.style = style
    provider.resources = [resource(f"x-{i}", crystal(a=4 + i / 10)) for i in range(5)]
    found = fetch(provider, base=base)
    assert [item.label for item in found] == [f"x-{i}" for i in range(5)]
    assert [round(item.structure.lattice.a, 3) for item in found] == [4.0, 4.1, 4.2, 4.3, 4.4]
    assert len(provider.requests) == 3


def test_optimade_asks_for_the_system_and_the_needed_fields(provider):
    assert fetch(provider, "Li-Mn-S") == []
    query = parse_qs(urlsplit(provider.requests[0]).query)
    assert query["filter"] == ['elements HAS ONLY "Li","Mn","S"']
    fields = query["response_fields"][0].split(",")
    assert {"lattice_vectors", "species", "cartesian_site_positions"} <= set(fields)


def test_optimade_species_need_not_be_called_like_elements(provider):
    names = {"species_at_sites": ["cation", "anion-2"]}
    kinds = [species("cation", ["Cs"]), species("anion-2", ["Br"])]
    provider.resources = [resource("a", crystal(), **names, species=kinds)]
    (item,) = fetch(provider)
    assert item.structure.reduced_formula == "CsBr"
    assert [site.specie.symbol for site in item.structure] == ["Cs", "Br"]


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"structure_features": ["disorder"]}, "has disorder"),
        ({"structure_features": ["implicit_atoms"]}, "has implicit_atoms"),
        ({"structure_features": ["assemblies", "disorder"]}, "has assemblies, disorder"),
        ({"nperiodic_dimensions": 2}, "three directions"),
        ({"nperiodic_dimensions": None, "dimension_types": [1, 1, 0]}, "three directions"),
        ({"species_at_sites": ["Cs", "Na"], "species": None}, "holds Na: Br-Cl-Cs was asked for"),
        (
            {"species": [species("Cs"), species("Cl") | {"attached": ["H"], "nattached": [1]}]},
            "has H attached to its sites",
        ),
        ({"lattice_vectors": [[4, 0, 0], [0, 4, 0], [None, None, None]]}, "not finite"),
        ({"lattice_vectors": None}, "has no lattice_vectors"),
        ({"species_at_sites": []}, "has no species_at_sites"),
        ({"cartesian_site_positions": [[0, 0, 0]]}, "has 1 positions for 2 sites"),
        ({"cartesian_site_positions": [[0, 0, 0], [0, 0, 0.01]]}, "closer than"),
        ({"species_at_sites": ["Cs", "mystery"]}, "holds mystery"),
        (
            {"species": [species("Cs", ["Cs", "vacancy"], [0.5, 0.5]), species("Cl")]},
            "partly occupied",
        ),
        ({"species": [species("Cs"), species("Cl", ["vacancy"])]}, "partly occupied"),
        ({"species": [species("Cs", ["X"]), species("Cl")]}, "holds X"),
        ({"species": [{"name": "Cs"}, species("Cl")]}, "has no 'chemical_symbols'"),
    ],
)
def test_optimade_structures_that_cannot_be_used(provider, attributes, reason):
    bad = resource("bad", crystal(), **attributes)
    provider.resources = [resource("a", crystal()), bad, resource("z", crystal("Br"))]
    first, item, last = fetch(provider)
    assert first.structure
    assert last.structure
    assert item.structure is None
    assert item.label == "bad"
    assert item.reason
    assert reason in item.reason


@pytest.mark.parametrize("item", [None, "x", {}, {"id": "a", "attributes": None}])
def test_optimade_items_that_are_no_structures(provider, item):
    provider.resources = [item, resource("a", crystal())]
    found = fetch(provider)
    assert [entry.structure is None for entry in found] == [True, False]
    assert found[0].reason == "is not an OPTIMADE structure"


def test_optimade_errors_are_passed_on(provider):
    error = {"status": "501", "title": "Not Implemented", "detail": "HAS ONLY is not supported"}
    provider.status, provider.body = 501, json.dumps({"errors": [error]}).encode()
    with pytest.raises(InputError, match="structures answers 501: HAS ONLY is not supported"):
        fetch(provider)


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (404, b"<html>", "answers 404: Not Found"),
        (500, b'{"errors": []}', "answers 500: Internal Server Error"),
        (200, b"<html>", "does not answer as OPTIMADE"),
        (200, b"[]", "does not answer as OPTIMADE"),
        (200, b'{"data": {"id": 1}}', "does not answer as OPTIMADE"),
        (200, b'{"meta": {}}', "does not answer as OPTIMADE"),
    ],
)
def test_answers_that_are_not_optimade(provider, status, body, message):
    provider.status, provider.body = status, body
    with pytest.raises(InputError, match=message) as caught:
        fetch(provider)
    assert "\n" not in str(caught.value)
    assert "filter=" not in str(caught.value).split(message)[0]


def test_a_page_that_leads_to_itself_ends(provider):
    link = f"{provider.url}/v1/structures?page_offset=0"
    page = {"data": [resource("a", crystal())], "links": {"next": link}}
    provider.body = json.dumps(page).encode()
    assert [item.label for item in fetch(provider)] == ["a"]
    assert len(provider.requests) == 2


@pytest.mark.parametrize("status", [429, 503, 504])
@pytest.mark.parametrize("wait", ["0", "Thu, 01 Jan 2015 00:00:00 GMT", None])
def test_a_busy_provider_is_asked_again_where_it_stopped(provider, monkeypatch, status, wait):
    monkeypatch.setattr("screening.readers.optimade.FIRST_WAIT", 0.001)
    provider.resources = [resource(f"x-{i}", crystal(a=4 + i / 10)) for i in range(5)]
    provider.busy = {1: (status, wait), 3: (status, wait), 4: (status, wait)}
    seen = []
    with listen(seen.append):
        labels = [item.label for item in fetch(provider)]
    assert labels == [f"x-{i}" for i in range(5)]
    assert len(provider.requests) == 6
    assert provider.requests[2] == provider.requests[3] == provider.requests[4]
    assert sum("busy: again in" in one.detail for one in seen) == 3
    assert [one.done for one in seen][-1] == 5


def test_a_provider_that_stays_busy_leaves_what_is_in(database, provider, monkeypatch):
    monkeypatch.setattr("screening.readers.optimade.FIRST_WAIT", 0.001)
    provider.resources = [resource(f"x-{i}", crystal(a=4 + i / 10)) for i in range(5)]
    provider.busy = dict.fromkeys(range(2, 99), (503, None))
    with pytest.raises(InputError, match="answers 503.*6 times; 2 structures are in the database"):
        import_structures(database, from_optimade(provider.url, ["Cl", "Cs"]), "x")
    assert database.raw("structures").count_documents({}) == 2


@pytest.mark.parametrize("n_new", [0, 1])
def test_pages_without_end_are_left(provider, n_new):
    """The same structures again and again, or no structures at all, under ever new addresses."""
    pages = iter(range(1000))
    ordinary = provider.answer

    def endless(target):
        ordinary(target)
        data = [resource("a", crystal())] * n_new
        link = f"{provider.url}/v1/structures?page_offset={next(pages)}"
        return 200, json.dumps({"data": data, "links": {"next": link}}).encode()

    provider.answer = endless
    with pytest.raises(InputError, match="pages without end"):
        fetch(provider)
    assert len(provider.requests) < 10


@pytest.mark.parametrize("link", ["http://10.0.0.1/v1/structures?page=2", "file:///etc/passwd"])
def test_the_next_page_is_on_the_same_server(provider, link):
    page = {"data": [resource("a", crystal())], "links": {"next": link}}
    provider.body = json.dumps(page).encode()
    with pytest.raises(InputError, match="sends to another server"):
        fetch(provider)
    assert len(provider.requests) == 1


def test_an_interrupted_import_says_what_is_in(database):
    def items():
        yield ReadStructure("a", crystal())
        yield ReadStructure("b", crystal("Br"), notes=("read otherwise",))
        raise KeyboardInterrupt

    with pytest.raises(UserInterruptError, match="interrupted: 2 structures are in") as caught:
        import_structures(database, items(), "mine")
    assert caught.value.exit_code == 130
    assert database.raw("structures").count_documents({}) == 2


def test_notes_and_files_that_were_passed_over(database, tmp_path):
    text = crystal().to(fmt="poscar").replace("Cs Cl", "Li D")
    (tmp_path / "POSCAR_1").write_text(text)
    (tmp_path / "readme.txt").write_text("x")
    source = open_source(str(tmp_path))
    report = import_structures(database, source.structures, source.name)
    assert report.notes == [(str(tmp_path / "POSCAR_1"), "D (deuterium) read as H")]
    assert source.passed_over == [tmp_path / "readme.txt"]


def test_a_provider_that_is_down():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match=f"127.0.0.1:{port}/v1/structures does not answer"):
        list(from_optimade(f"http://127.0.0.1:{port}", ["Li", "S"]))
    with pytest.raises(InputError, match="does not answer"):
        list(from_optimade("not a url", ["Li", "S"]))


@pytest.mark.parametrize("source", ["optimade", "mp"])
def test_unknown_elements_are_found_before_asking(source):
    with pytest.raises(InputError, match="unknown element 'Xx'"):
        open_source(source, chemsys="Li-Xx", url="http://127.0.0.1:9")


def test_the_materials_project_needs_a_key(monkeypatch):
    monkeypatch.delenv("MP_API_KEY", raising=False)
    monkeypatch.delenv("PMG_MAPI_KEY", raising=False)
    with pytest.raises(InputError, match="set MP_API_KEY"):
        list(from_materials_project(["Li", "S"]))


def test_the_materials_project_needs_its_package(monkeypatch):
    monkeypatch.setenv("MP_API_KEY", "secret-key")
    monkeypatch.setitem(__import__("sys").modules, "mp_api.client", None)
    with pytest.raises(EngineError, match="mp-api is missing") as caught:
        list(from_materials_project(["Li", "S"]))
    assert "secret-key" not in str(caught.value)


def test_files_become_competing_phases(database, tmp_path):
    for anion in ("Cl", "Br"):
        (tmp_path / f"{anion}.cif").write_text(crystal(anion).to(fmt="cif"))
    (tmp_path / "bad.cif").write_text("nothing")
    report = import_structures(database, read_structures(tmp_path), "mine")
    assert report.n_imported == 2
    assert report.chemsys == {"Cl-Cs", "Br-Cs"}
    assert [label for label, _ in report.rejected] == [str(tmp_path / "bad.cif")]
    documents = list(database.find(StructureDoc))
    assert {document.formula for document in documents} == {"CsCl", "CsBr"}
    for document in documents:
        assert document.role == StructureRole.IMPORTED
        assert document.stage == StructureStage.GENERATED
        assert document.symmetry.number == 221
        (origin,) = document.origins
        assert origin.method == "mine"
        assert origin.template.endswith(".cif")


def test_a_provider_becomes_competing_phases(database, provider):
    provider.resources = [resource(f"x-{i}", crystal(a=4 + i / 10)) for i in range(3)]
    provider.resources[1]["attributes"]["structure_features"] = ["disorder"]
    report = import_structures(database, from_optimade(provider.url, ["Cl", "Cs"]), provider.url)
    assert report.n_imported == 2
    assert report.rejected == [("x-1", "has disorder")]
    rows = list(database.rows("structures", {}, ["origins"]))
    assert {row["origins"][0]["template"] for row in rows} == {"x-0", "x-2"}
    assert {row["origins"][0]["method"] for row in rows} == {provider.url}


def test_importing_twice_doubles_nothing(database, tmp_path):
    texts = [crystal(anion).to(fmt="poscar") for anion in ("Cl", "Br", "Cl")]
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.vasp").write_text(text)
    reports = [import_structures(database, read_structures(tmp_path), "mine") for _ in range(2)]
    assert [report.n_imported for report in reports] == [2, 2]
    assert database.raw("structures").count_documents({}) == 2


def test_an_import_and_a_proposal_of_one_crystal_share_a_document(database):
    candidate = StructureDoc.from_structure(
        crystal(),
        stage=StructureStage.GENERATED,
        origins=[OriginDoc(method="prototypes", version="1", rank=3)],
    )
    items = [ReadStructure("a.json#0", crystal()), ReadStructure("b.json#0", crystal("Br"))]
    documents = []
    for order in (0, 1):
        database.raw("structures").delete_many({})
        if order:
            database.upsert([candidate])
        report = import_structures(database, items, "mine")
        assert (report.n_imported, report.rejected) == (2, [])
        if not order:
            database.upsert([candidate])
        documents.append(database.get(StructureDoc, candidate.structure_id))
    assert documents[0] == documents[1]
    assert documents[0].roles == [StructureRole.CANDIDATE, StructureRole.IMPORTED]
    assert [origin.method for origin in documents[0].origins] == ["mine", "prototypes"]


def test_nothing_to_import(database):
    report = import_structures(database, [], "mine")
    assert report.n_imported == 0
    assert report.rejected == []
    assert report.chemsys == set()


def test_a_provider_extends_a_bank(provider, tmp_path):
    known, new = crystal("Br"), crystal("Cl")  # the bundled bank has TlBr
    known.replace_species({"Cs": "Tl"})
    new.replace_species({"Cs": "Eu"})
    provider.resources = [resource("x-0", known), resource("x-1", new)]
    provider.resources.append(resource("x-2", crystal(), structure_features=["disorder"]))
    out = tmp_path / "mine"
    for added in (1, 0):
        found = open_source("optimade", chemsys="Br-Cl-Eu-Tl", url=provider.url)
        addition = Addition(found.name, found.kind, "CC0", out)
        card, done = add_to_bank(found.structures, addition)
        assert (done.n_read, done.n_added, done.n_known) == (3, added, 2 - added)
        assert done.refused == [("x-2", "has disorder")]
    assert card.data[-1].name == provider.url
    assert "EuCl" in Bank.load(str(out)).formulas


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("mp", {}, "'mp' needs --chemsys"),
        ("optimade", {"url": "http://127.0.0.1:9"}, "'optimade' needs --chemsys"),
        ("optimade", {"chemsys": "Li-S"}, "'optimade' needs --url"),
    ],
)
def test_sources_need_their_options(source, options, message):
    with pytest.raises(InputError, match=message):
        open_source(source, **options)
