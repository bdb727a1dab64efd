"""Bad input: one clear line on standard error, a non-zero exit code."""

import json

import pytest

from db_config import reset_settings
from stores import close_database

SPACE = "generation:\n  chemsys: Li-S\n"


def one_line(result, code, *parts):
    assert result[0] == code, result
    assert result[1] == ""
    assert result[2].startswith("error: ")
    assert len(result[2].strip().splitlines()) == 1
    for part in parts:
        assert part in result[2]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("name: [unclosed", ["line 2", "campaign.yaml"]),
        ("- a\n- list", ["holds no campaign", "screening init"]),
        ("", ["holds no campaign"]),
        ("nome: x", ["unknown name 'nome'", "did you mean 'name'"]),
        ("generation:\n  chemsys: Li-Xx", ["unknown element 'Xx'"]),
        ("generation:\n  max_atom: 3", ["'generation.max_atom'", "did you mean 'max_atoms'"]),
        ("generation:\n  max_atoms: many", ["generation.max_atoms = 'many'", "integer"]),
        ("generation:\n  max_atoms: 0", ["generation.max_atoms = 0"]),
        ("generation:\n  method: magic", ["generation.method = 'magic'", "'enumeration'"]),
        ("generation:\n  chemsys: Li-Na\n  required: [S]", ["S"]),
        ("relax: fast", ["relax. must hold"]),
        ("seed: 9223372036854775808", ["seed = 9223372036854775808", "less than or equal"]),
        ("seed: 100000000000000000000000", ["less than or equal"]),
        ("generation: {formulas: [NO]}", ["generation.formulas = [False]", "in quotes, 'NO'"]),
        ("relax: {fmax: yes}", ["relax.fmax = True", "in quotes"]),
        ("relax: {fmax: .inf}", ["relax.fmax = inf", "finite"]),
        ("relax: {max_steps: 3}\nrelax: {max_steps: 4}", ["line 2", "'relax' is given twice"]),
        (SPACE + "relax:\n  engine: nonsense", ["unknown engine", "chgnet"]),
        (SPACE + "validity:\n  table: nonsense", ["nonsense", "icsd24_filtered"]),
        (SPACE + "energy:\n  checkpoint: nonsense", ["no checkpoint 'nonsense'", "energy"]),
        (SPACE + "structure:\n  methods: {magic: 3}", ["magic", "prototypes"]),
        ("generation:\n  method: formulas\n  formulas: [Li2Q]", ["unknown element 'Q'"]),
    ],
)
def test_bad_campaign_files(screening, tmp_path, text, parts):
    (tmp_path / "campaign.yaml").write_text(text)
    code = 4 if "checkpoint" in parts[0] else 2
    one_line(screening("run", "campaign.yaml", "--quiet"), code, *parts)


def test_a_missing_campaign_file(screening):
    one_line(screening("run", "nothing.yaml"), 2, "no such file: nothing.yaml", "screening init")


def test_an_empty_chemical_space(screening, tmp_path):
    text = "generation:\n  chemsys: He-Ne\n  min_elements: 2\n"
    (tmp_path / "campaign.yaml").write_text(text)
    one_line(screening("run", "campaign.yaml", "--quiet"), 2, "He-Ne")


@pytest.mark.parametrize(
    ("formula", "parts"),
    [
        ("Li3Mn(S4", ["unbalanced brackets"]),
        ("Xx2O", ["unknown element 'Xx'"]),
        ("Li0.5O", ["not a formula with integer amounts"]),
        ("Si500O1", ["501 atoms per formula unit", "--max-atoms"]),
        ("", ["not a formula"]),
    ],
)
def test_bad_formulas(screening, formula, parts):
    one_line(screening("predict", formula, "--quiet"), 2, *parts)


def test_unknown_methods(screening):
    one_line(screening("predict", "Li2S", "--methods", "magic"), 2, "'magic'", "prototypes")


def test_a_database_that_is_not_there(screening, monkeypatch):
    monkeypatch.setenv("SCREENING_MONGO_URI", "mongodb://me:hunter2@127.0.0.1:9/")
    monkeypatch.setattr("stores.database.TIMEOUT_MS", 100)
    reset_settings()
    close_database()
    result = screening("status")
    one_line(result, 3, "no MongoDB answers at 127.0.0.1:9")
    assert "hunter2" not in result[2]


def test_unreadable_structures(screening, tmp_path):
    (tmp_path / "broken.cif").write_text("this is not a CIF")
    code, _, err = screening("references", "import", tmp_path / "broken.cif")
    assert code == 2
    assert "left out" in err
    assert "gave no usable structure" in err
    one_line(screening("references", "import", "nothing.cif"), 2, "no such file")
    (tmp_path / "a.docx").write_text("x")
    one_line(screening("references", "import", "a.docx"), 2, "no known type")
    one_line(screening("references", "import", "mp"), 2, "--chemsys")


def test_identifiers_and_filters(screening):
    one_line(screening("show", "mat-nothing"), 2, "no 'mat-nothing'")
    one_line(screening("lineage", "nothing"), 2, "not an identifier")
    one_line(screening("query", "nothing=1"), 2, "unknown field 'nothing'")
    one_line(screening("query", "--in", "outputs"), 2, "'outputs' must be one of")
    one_line(screening("status", "nothing"), 2, "no campaign 'nothing'")
    one_line(screening("resume"), 2, "no campaign yet")
    one_line(screening("export"), 2, "nothing to export")
    one_line(screening("export", "mat-x", "-f", "docx"), 2, "'docx' must be one of")
    one_line(screening("train", "magic", "--data", "x"), 2, "cannot train 'magic'")
    one_line(screening("evaluate", "magic", "--data", "x"), 2, "cannot evaluate 'magic'")
    one_line(screening("run", "x.yaml", "--nonsense"), 2, "--nonsense")


def test_unknown_settings(screening, monkeypatch):
    monkeypatch.setenv("SCREENING_MONGO_URL", "x")
    reset_settings()
    one_line(screening("config", "show"), 2, "did you mean 'mongo_uri'")


def test_init_writes_a_valid_campaign_and_does_not_overwrite(screening):
    assert screening("init")[0] == 0
    one_line(screening("init"), 2, "--force")
    assert screening("run", "campaign.yaml", "--check")[0] == 0
    assert screening("init", "--full", "--force")[0] == 0
    assert screening("run", "campaign.yaml", "--check")[0] == 0


def test_listings_are_json_and_csv(screening):
    code, out, _ = screening("config", "show", "--json")
    assert code == 0
    assert {row["setting"] for row in json.loads(out)} >= {"mongo_uri", "data_dir"}
    code, out, _ = screening("db", "status", "--csv")
    assert out.splitlines()[0] == "collection,documents"
    for listing in (["status"], ["query"], ["references", "list"]):
        assert json.loads(screening(*listing, "--json")[1]) == []


def test_a_password_is_hidden(screening, monkeypatch):
    monkeypatch.setenv("SCREENING_MONGO_URI", "mongodb://me:hunter2@host/")
    reset_settings()
    code, out, _ = screening("config", "show")
    assert code == 0
    assert "hunter2" not in out
