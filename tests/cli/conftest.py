import sys

import pytest

from stores import close_database


@pytest.fixture
def screening(mongo, monkeypatch, capsys):
    """Run a command in this process; returns (exit code, standard output, standard error)."""
    from cli import app, formatting

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["screening", *map(str, arguments)])
        for console in (formatting.console, formatting.errors):
            monkeypatch.setattr(console, "_width", 220)
        with pytest.raises(SystemExit) as caught:
            app.main()
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    yield run
    close_database()
