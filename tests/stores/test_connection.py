"""Connection strings: what is refused, and that no message holds a piece of a password."""

import itertools

import pytest
from pymongo.errors import ConfigurationError, OperationFailure

from db_config import reset_settings
from screening.errors import DatabaseError, mask_secrets
from stores import open_database
from stores.connection import describe_server
from stores.errors import translate_errors


@pytest.mark.parametrize(
    ("uri", "described"),
    [
        ("mongodb://127.0.0.1:27777", "127.0.0.1:27777"),
        ("mongodb://me:p%40s%2Fw@a.org,b.org:9/db?replicaSet=rs", "a.org:27017,b.org:9"),
        ("mongodb+srv://me:word@cluster.example/?w=majority", "cluster.example"),
        ("mongodb://%2Ftmp%2Fx%2Fmongod.sock/?authSource=admin", "/tmp/x/mongod.sock"),
    ],
)  # fmt: skip
def test_servers_are_named_without_credentials(uri, described):
    assert describe_server(uri) == described


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("localhost:27017", "write mongodb://"),
        ("mongodb://u:p@h/?w=0", "without acknowledgement"),
        ("mongodb://u:p@h/?authMechanism=SCRAM-SHA-999", "'authMechanism'"),
        ("mongodb://user:to/p@localhost/", "percent-encoded"),
        ("mongodb://user:12/34@localhost", "percent-encoded"),
        ("mongodb+srv://user:se/cret@cluster.example/", "percent-encoded"),
    ],
)
def test_strings_that_cannot_be_used(uri, words):
    with pytest.raises(DatabaseError, match=words):
        describe_server(uri)


@pytest.mark.parametrize("mark", [*":/?#[]@%&=+ '\"<>\\", "%zz", "//", "/@"])
@pytest.mark.parametrize("tail", ["@db.example/", "@db.example:27017/screening?w=1", "@/"])
def test_no_piece_of_a_password_is_said(mark, tail):
    """An unescaped character in any place of the password, in any string."""
    for scheme, place in itertools.product(("mongodb", "mongodb+srv"), range(3)):
        pieces = ["hunter", "secret", "xyzzy"]
        password = mark.join(pieces[: place + 1]) + mark * (place == 0)
        try:
            text = describe_server(f"{scheme}://reader:{password}{tail}")
        except DatabaseError as error:
            text = str(error)
        assert not [piece for piece in pieces if piece in text], text


def test_messages_of_options_say_nothing_else():
    with (
        pytest.raises(DatabaseError, match="'replicaSet' is not accepted") as caught,
        translate_errors("db.example"),
    ):
        raise ConfigurationError("replicaSet of mongodb://u:hunter2@h is wrong")
    assert "hunter2" not in str(caught.value)


def test_missing_rights_are_not_called_a_wrong_password():
    text = 'not authorized on lab_fireworks to execute command { insert: "workflows", x: 1 }'
    with (
        pytest.raises(DatabaseError, match="insert on the database 'lab_fireworks'") as caught,
        translate_errors("db.example"),
    ):
        raise OperationFailure(text, code=13)
    assert "password" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "boom mongodb://user:hunter2@db.example/ went away",
        "https://me:hunter2@files.example/x?y",
        "token=hunter2, retry", "password: 'hunter2'", '{"api_key": "hunter2"}', "MY_TOKEN=hunter2",
        "mongodb://user:a/hunter2@host",
    ],
)  # fmt: skip
def test_secrets_are_masked(text):
    masked = mask_secrets(text)
    assert "hunter2" not in masked
    assert "***" in masked


def test_reading_makes_no_database(monkeypatch, tmp_path):
    monkeypatch.setenv("SCREENING_DATA_DIR", str(tmp_path / "typo"))
    reset_settings()
    with pytest.raises(DatabaseError, match="there is no database in .*typo"):
        open_database(read_only=True)
    assert not (tmp_path / "typo" / "mongodb").exists()
