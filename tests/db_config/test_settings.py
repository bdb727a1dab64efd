import pytest
import yaml

from db_config.settings import get_settings, load_settings
from screening.errors import ConfigError


def test_defaults(tmp_path):
    settings, origins = load_settings()
    assert settings.data_dir == tmp_path / "home" / ".screening"
    assert settings.mongo_uri is None
    assert origins["database"] == "default"
    assert origins["processes"] == "SCREENING_PROCESSES"


def test_environment_beats_local_file_beats_home_file(tmp_path, monkeypatch):
    (tmp_path / "home" / ".screening.yaml").write_text("database: home\ndevice: cuda\n")
    (tmp_path / "screening.yaml").write_text("database: local\n")
    settings, origins = load_settings()
    assert (settings.database, settings.device) == ("local", "cuda")
    assert origins["database"].endswith("/screening.yaml")
    assert origins["device"].endswith("/home/.screening.yaml")
    monkeypatch.setenv("SCREENING_DATABASE", "environment")
    settings, origins = load_settings()
    assert settings.database == "environment"
    assert origins["database"] == "SCREENING_DATABASE"


def test_named_file_replaces_the_others(tmp_path, monkeypatch):
    (tmp_path / "screening.yaml").write_text("database: local\n")
    (tmp_path / "other.yaml").write_text("device: cuda:1\n")
    monkeypatch.setenv("SCREENING_CONFIG_FILE", str(tmp_path / "other.yaml"))
    settings, _ = load_settings()
    assert (settings.database, settings.device) == ("screening", "cuda:1")


def test_unknown_names_are_errors_with_a_suggestion(tmp_path, monkeypatch):
    (tmp_path / "screening.yaml").write_text("databse: x\n")
    with pytest.raises(ConfigError, match="'databse' in .*screening.yaml: did you mean 'database'"):
        load_settings()
    (tmp_path / "screening.yaml").unlink()
    monkeypatch.setenv("SCREENING_MONGO_URL", "mongodb://x")
    with pytest.raises(ConfigError, match=r"SCREENING_MONGO_URL.*did you mean 'mongo_uri'"):
        load_settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("database: a/b", "setting 'database'"),
        ("processes: 0", "setting 'processes'"),
        ("- a list", "must hold 'name: value'"),
        ("database: [unclosed", "not valid YAML"),
    ],
)
def test_wrong_values_are_one_line(tmp_path, monkeypatch, text, message):
    monkeypatch.delenv("SCREENING_PROCESSES")
    (tmp_path / "screening.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_settings()
    assert "\n" not in str(caught.value)


def test_a_password_never_shows(monkeypatch):
    monkeypatch.setenv("SCREENING_MONGO_URI", "mongodb://user:hunter2@host/")
    settings = get_settings()
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in str(settings.mongo_uri)
    assert "hunter2" not in yaml.safe_dump({k: str(v) for k, v in settings})


def test_paths_are_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("SCREENING_DATA_DIR", "~/here")
    assert get_settings().data_dir == tmp_path / "home" / "here"


@pytest.mark.parametrize(
    "text",
    [
        "mongo_uri: mongodb://me:hunter2@host\n  other: [",
        "mongo_uri: 'mongodb://me:hunter2@host",
        "mongo_uri mongodb://me:hunter2@host: x",
        "mongo_uri=mongodb://me:hunter2@host",
        "mongo_uri: [mongodb://me:hunter2@host]",
        "dashboard_token: [hunter2]",
        "dashboard_token: hunter2",
        "hunter2: x",
        "? [hunter2]\n: x",
    ],
)
def test_no_line_of_a_settings_file_is_quoted(tmp_path, text):
    """Only names of settings are: every other text may be a secret in the wrong place."""
    (tmp_path / "screening.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    if text != "hunter2: x":  # a plain word in the place of a name is repeated, as a name
        assert "hunter2" not in str(caught.value)


def test_files_that_are_no_text(tmp_path):
    (tmp_path / "screening.yaml").write_bytes(b"\xff\xfed\x00a\x00")
    with pytest.raises(ConfigError, match=r"screening.yaml"):
        load_settings()
