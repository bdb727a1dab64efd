"""The commands on one small finished campaign: what they print is what the database holds."""

import csv
import json
import os
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from html.parser import HTMLParser
from io import StringIO
from types import SimpleNamespace

import ase.io
import pytest
import yaml
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from benchmarks.resume import CAMPAIGN
from cli import app
from cli.formatting import plain
from db_config import reset_settings
from flows.config import load_campaign
from screening.readers.files import read_structures
from screening.schemas import CampaignDoc
from stores import close_database, open_database

NAME = "small [one]"
LISTINGS = [
    ["status"],
    ["query"],
    ["query", "energy_above_hull<0.2", "--sort", "-energy_above_hull"],
    ["query", "nelements=2", "--in", "candidates"],
    ["query", "--in", "structures", "--limit", "5"],
    ["references", "list"],
    ["db", "status"],
    ["db", "doctor"],
    ["config", "show"],
]


def command(*arguments):
    """Run a command outside of a test; returns (exit code, standard output, standard error)."""
    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["screening", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            app.main()
    return caught.value.code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def finished(server_dir, tmp_path_factory):
    """A finished campaign of three compositions, and two imported structures."""
    folder = tmp_path_factory.mktemp("finished")
    content = yaml.safe_load(CAMPAIGN)
    content["name"] = NAME
    content["generation"]["formulas"] = ["CuAu", "Cu3Au", "CuPd"]
    content["phonon"]["top"] = 1
    content["structure"]["methods"] = {"prototypes": 3, "random": 1}
    file = folder / "campaign.yaml"
    file.write_text(yaml.safe_dump(content))
    (folder / "phases").mkdir()
    for anion in ("Cl", "Br"):
        crystal = Structure(Lattice.cubic(4.1), ["Cs", anion], [[0, 0, 0], [0.5, 0.5, 0.5]])
        (folder / "phases" / f"[b{anion}].cif").write_text(crystal.to(fmt="cif"))
    database = f"test-commands-{os.getpid()}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCREENING_DATA_DIR", str(server_dir))
        patch.setenv("SCREENING_DATABASE", database)
        patch.setenv("SCREENING_PROCESSES", "1")
        reset_settings()
        close_database()
        first = command("run", file)
        imported = command("references", "import", folder / "phases")
        yield SimpleNamespace(file=file, database=database, first=first, imported=imported)
        patch.setenv("SCREENING_DATABASE", database)
        reset_settings()
        close_database()
        opened = open_database()
        opened._client.drop_database(database)
        close_database()
    reset_settings()


@pytest.fixture
def here(finished, screening, monkeypatch):
    """Run a command on the finished campaign; returns standard output and error."""
    monkeypatch.setenv("SCREENING_DATABASE", finished.database)
    reset_settings()
    close_database()

    def run(*arguments):
        code, out, err = screening(*arguments)
        assert code == 0, err
        assert "\x1b" not in out
        assert not re.search(r"\[/\]|\[/?(bold|dim)\b", out)
        return out, err

    return run


def rows_of(here, *arguments):
    return json.loads(here(*arguments, "--json")[0])


def test_the_first_run(finished):
    code, out, err = finished.first
    assert code == 0, err
    assert f"funnel of {NAME}" in out
    assert f"screening report {NAME}" in out
    assert "Cu3Au" in out
    assert "relax" in err
    code, out, err = finished.imported
    assert code == 0
    assert [line.split()[0] for line in err.splitlines()] == ["import"]  # the bar, nothing else
    assert "imported 2 structures of 2 chemical systems, left out 0" in out


def contents():
    """What the database holds, without the dates of its last changes."""
    database = open_database()
    rows = {name: plain(list(database.rows(name))) for name in ("tasks", "structures", "materials")}
    for row in rows["materials"]:
        del row["last_updated"]
    return rows


@pytest.mark.parametrize("again", ["run", "resume"])
def test_the_same_again_does_nothing(here, finished, again):
    before = contents()
    out, err = here(*(("run", finished.file) if again == "run" else ("resume", NAME)))
    assert f"funnel of {NAME}" in out
    assert "error" not in err
    assert contents() == before


@pytest.mark.parametrize("arguments", LISTINGS, ids=" ".join)
def test_listings_say_the_same_as_table_json_and_csv(here, arguments):
    table, _ = here(*arguments)
    rows = rows_of(here, *arguments)
    text, _ = here(*arguments, "--csv")
    assert rows
    assert table.strip()
    reader = csv.DictReader(StringIO(text))
    lines = list(reader)
    assert reader.fieldnames == list(rows[0])
    assert len(lines) == len(rows)
    for row, line in zip(rows, lines, strict=True):
        row.pop("finding", None)  # free disk space
        for name, value in row.items():
            assert line[name] == ("" if value is None else str(value))
        first = str(next(iter(row.values())))
        assert first[: first.find("-") + 8] in table


def test_status_of_one_campaign(here):
    table, _ = here("status", NAME)
    state = rows_of(here, "status", NAME)
    lines = list(csv.DictReader(StringIO(here("status", NAME, "--csv")[0])))
    assert f"{NAME}: finished" in table
    assert (state["name"], state["state"], state["failed"]) == (NAME, "finished", [])
    assert list(state["funnel"]) == [line["stage"] for line in lines]
    for line in lines:
        stage = state["funnel"][line["stage"]]
        assert (line["in"], line["out"]) == (str(stage["n_in"]), str(stage["n_out"]))
        assert line["tasks"] == f"{state['tasks'][line['stage']]['finished']} finished"
    assert rows_of(here, "status", state["campaign_id"]) == state


def test_a_list_of_materials_says_what_it_rests_on(here):
    table, _ = here("query")
    assert "distances to the newest hull of each system" in table
    assert "not in prototype bank 'prototypes'" in table
    for row in rows_of(here, "query"):
        assert row["hull_id"].startswith("hull-")
        assert row["pressure"] == 0.0
        assert row["known_source"]
        assert row["n_references"] is not None
        assert row["superseded_by"] is None


def test_query_filters_and_sorts(here):
    everything = rows_of(here, "query")
    assert [row["energy_above_hull"] for row in everything] == sorted(
        row["energy_above_hull"] for row in everything
    )
    text = 'elements HAS "Pd" AND energy_above_hull<0.1'
    found = rows_of(here, "query", text)
    expected = {"chemsys": "Cu-Pd", "energy_above_hull": {"$lt": 0.1}}
    ids = {row["material_id"] for row in open_database().rows("materials", expected)}
    assert {row["material_id"] for row in found} == ids
    assert 0 < len(found) < len(everything)
    ranks = [row["rank"] for row in rows_of(here, "query", "--in", "candidates")]
    assert ranks == [1, 2, 3]
    relaxed = rows_of(here, "query", 'stage="relaxed"', "--in", "structures")
    assert {row["stage"] for row in relaxed} == {"relaxed"}


@pytest.mark.parametrize("collection", ["materials", "structures"])
@pytest.mark.parametrize("machine", [[], ["--json"], ["--csv"]], ids=["table", "json", "csv"])
def test_pages_follow_each_other(here, collection, machine):
    key = collection.rstrip("s") + "_id"
    everything = [row[key] for row in rows_of(here, "query", "--in", collection)]
    seen, token = [], []
    for _ in range(len(everything)):
        page = ["query", "--in", collection, "--limit", "3", *token]
        seen += [row[key] for row in rows_of(here, *page)]
        out, err = here(*page, *machine)
        found = re.search(r"^more: --after (\S+)$", err if machine else out, re.MULTILINE)
        if found is None:
            break
        token = ["--after", found[1]]
    assert len(everything) > 3
    assert seen == everything


@pytest.mark.parametrize(
    "name", ["materials", "structures", "candidates", "campaigns", "batches", "hulls", "symmetries"]
)
def test_show_prints_any_document(here, name):
    database = open_database()
    key = database.store(name).key
    row = next(database.rows(name, {}, [key]))
    shown = json.loads(here("show", row[key])[0])
    assert shown[key] == row[key]
    assert "_id" not in shown
    assert json.loads(here("show", row[key][:13])[0])[key] == row[key]


def test_lineage_leads_back_to_the_generated_batch(here):
    for row in rows_of(here, "query"):
        node = rows_of(here, "lineage", row["material_id"])
        kinds = []
        while node["parents"]:
            kinds.append(node["kind"])
            node = node["parents"][0]
        assert kinds == ["material", "structure", "structure", "candidate"]
        assert node["kind"] == "sample"
        batch = json.loads(here("show", node["id"])[0])
        assert 0 <= node["sample"] < batch["n_samples"]
        tree, _ = here("lineage", row["material_id"])
        assert node["id"] in tree
        assert "proposed by" in tree


def test_lineage_of_an_imported_structure(here):
    (row, _) = rows_of(here, "references", "list")
    assert {row["source"], row["space group"]} == {"phases", "Pm-3m"}
    tree, _ = here("lineage", row["structure_id"])
    assert f"template {row['label']}" in tree.replace("\n", "")
    assert row["label"].endswith("].cif")


READERS = {
    "cif": lambda text: Structure.from_str(text, fmt="cif"),
    "poscar": lambda text: Structure.from_str(text, fmt="poscar"),
    "json": lambda text: Structure.from_str(text, fmt="json"),
    "extxyz": lambda text: AseAtomsAdaptor.get_structure(
        ase.io.read(StringIO(text), format="extxyz")
    ),
}


@pytest.mark.parametrize("file_format", READERS)
def test_export_can_be_read_by_others(here, tmp_path, file_format):
    rows = rows_of(here, "query")
    ids = [row["material_id"] for row in rows[:3]]
    out, _ = here("export", *ids, ids[0], "-f", file_format, "-o", tmp_path / "out")
    assert "wrote 3 files" in out
    files = {path.name: path for path in (tmp_path / "out").iterdir()}
    for row in rows[:3]:
        path = files.pop(f"{row['formula_pretty']}_{row['material_id']}.{file_format}")
        document = json.loads(here("show", row["material_id"])[0])
        expected = Structure.from_dict(document["structure"])
        assert READERS[file_format](path.read_text()).matches(expected, scale=False)
        (own,) = read_structures(path)
        assert own.structure.matches(expected, scale=False)
    assert not files


def test_extxyz_carries_the_energies(here, tmp_path):
    (row, *_) = rows_of(here, "query")
    here("export", row["material_id"], "-f", "extxyz")
    (path,) = (tmp_path / "export").iterdir()
    info = ase.io.read(path).info
    assert info["material_id"] == row["material_id"]
    assert info["energy_above_hull"] == pytest.approx(row["energy_above_hull"])


def test_export_by_filter_and_of_abbreviated_identifiers(here, tmp_path):
    everything = rows_of(here, "query")
    here("export", "--filter", 'elements HAS "Pd"', "-o", tmp_path / "pd")
    names = {path.stem.rpartition("_")[2] for path in (tmp_path / "pd").iterdir()}
    assert names == {row["material_id"] for row in everything if "Pd" in row["formula_pretty"]}
    name = rows_of(here, "query", "--in", "structures")[0]["structure_id"]
    here("export", name[:12], "-o", tmp_path / "one")
    (path,) = (tmp_path / "one").iterdir()
    assert path.stem.endswith(name)


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.loaded, self.linked = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = [value for name, value in attrs if name in {"src", "href"}]
        (self.linked if tag == "a" else self.loaded).extend(found)


def test_report_is_complete_in_itself(here, tmp_path):
    out, _ = here("report", NAME, "--top", "2")
    folder = tmp_path / "report-small-one-"
    assert str(folder.name) in out
    text = (folder / "report.html").read_text(encoding="utf-8")
    links = Links(text)
    assert links.loaded == []
    assert all((folder / link).is_file() for link in links.linked)
    materials = open_database().raw("materials").count_documents({})
    assert len(list((folder / "cif").glob("*.cif"))) == len(set(links.linked)) == materials
    assert text.count('class="card"') == 2
    for part in (NAME, "Hull of Au-Cu", "Hull of Cu-Pd", "<td>relax</td>"):
        assert part in text
    here("report", "-o", tmp_path / "other")
    assert (tmp_path / "other" / "report.html").is_file()


def test_db_status_counts_documents(here):
    counts = {row["collection"]: row["documents"] for row in rows_of(here, "db", "status")}
    database = open_database()
    for name in ("materials", "structures", "tasks", "campaigns"):
        assert counts[name] == database.raw(name).count_documents({}) > 0


def test_db_doctor_finds_nothing_bad(here):
    states = {row["check"]: row["state"] for row in rows_of(here, "db", "doctor")}
    assert set(states.values()) <= {"ok", "warning"}
    for check in ("database", "indexes", "memory", "tasks", "campaigns", "large fields", "engine"):
        assert states[check] == "ok"


def test_db_doctor_tells_a_database_that_has_outgrown_its_memory(here, monkeypatch):
    monkeypatch.setattr("stores.doctor.CROWDED", 0.0)
    finding = {row["check"]: row for row in rows_of(here, "db", "doctor")}["memory"]
    assert finding["state"] == "warning"
    assert "0.25 GB to keep them in" in finding["finding"]
    assert finding["fix"].startswith("SCREENING_CACHE_GB=")


def test_secrets_are_hidden_in_every_form(screening, monkeypatch):
    monkeypatch.setenv("SCREENING_MONGO_URI", "mongodb://me:hunter2@host/")
    reset_settings()
    for form in ([], ["--json"], ["--csv"]):
        code, out, err = screening("config", "show", *form)
        assert code == 0
        assert "hunter2" not in out + err
        assert "SCREENING_MONGO_URI" in out


def test_init_writes_the_same_campaign_short_and_in_full(screening, tmp_path):
    assert screening("init", "short")[0] == 0
    assert screening("init", "full[b]", "--full")[0] == 0
    short, full = (tmp_path / name / "campaign.yaml" for name in ("short", "full[b]"))
    assert load_campaign(short).campaign_id == load_campaign(full).campaign_id
    assert set(yaml.safe_load(full.read_text())) > set(yaml.safe_load(short.read_text()))
    code, out, _ = screening("run", full, "--check")
    assert code == 0
    assert f"{full} is a valid campaign" in out


def test_predict_structures_only(screening, tmp_path):
    arguments = ["predict", "Cu3Au", "--no-relax", "--methods", "prototypes=3,random=1"]
    code, out, err = screening(*arguments, "--json", "--out", tmp_path / "out")
    assert code == 0, err
    rows = json.loads(out)
    assert 1 <= len(rows) <= 4
    assert {row["state"] for row in rows} == {"generated"}
    files = sorted(path.stem.rpartition("_")[2] for path in (tmp_path / "out").iterdir())
    assert files == sorted(row["structure_id"] for row in rows)
    code, out, err = screening(*arguments, "--csv")
    lines = list(csv.DictReader(StringIO(out)))
    assert [line["structure_id"] for line in lines] == [row["structure_id"] for row in rows]
    code, out, err = screening(*arguments, "--quiet")
    assert code == 0, err
    assert "crystals of Cu3Au" in out
    assert rows[0]["structure_id"][:12] in out


def test_texts_that_look_like_markup_are_shown_as_they_are(screening):
    failed = CampaignDoc(
        campaign_id="camp-a", name="[bold]x[/bold]", seed=0, config={}, state="failed",
        error="'magic' must be one of [emt, chgnet]",
    )  # fmt: skip
    open_database().upsert([failed])
    for arguments in (["status"], ["status", failed.name]):
        code, out, err = screening(*arguments)
        assert code == 0, err
        assert failed.name in out
        assert failed.error in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mp", "--chemsys", "Li-S"], "set MP_API_KEY"),
        (["mp", "--chemsys", "Li-Xx"], "unknown element 'Xx'"),
        (["optimade", "--chemsys", "Li-S"], "--url"),
        (["optimade", "--chemsys", "Li-S", "--url", "http://127.0.0.1:9"], "does not answer"),
    ],
)
def test_imports_that_cannot_work_say_so_in_one_line(screening, monkeypatch, arguments, message):
    for name in ("MP_API_KEY", "PMG_MAPI_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    code, out, err = screening("references", "import", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    assert message in err
