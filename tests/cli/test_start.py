"""What the command line imports: start-up stays fast because heavy libraries are not there."""

import os
import subprocess
import sys

import pytest

from cli.commands import COMMANDS, load_command


def modules_after(arguments, **environment):
    code = (
        "import sys\n"
        f"sys.argv = ['screening', *{arguments!r}]\n"
        "from cli.app import main\n"
        "try:\n    main()\n"
        "except SystemExit as error:\n    code = error.code\n"
        "print('CODE', code)\n"
        "print('MODULES', *sorted({name.split('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        check=True,
    )
    assert "CODE 0" in done.stdout, done.stderr
    return set(done.stdout.rpartition("MODULES")[2].split())


def test_help_imports_nothing_heavy():
    heavy = {"torch", "numpy", "pandas", "pymatgen", "pymongo", "maggma", "jobflow", "plotly"}
    assert not modules_after(["--help"]) & heavy


@pytest.mark.parametrize("arguments", [["status"], ["query", "nelements=2"], ["db", "status"]])
def test_looking_things_up_does_not_import_torch(mongo, arguments):
    assert not modules_after(arguments) & {"torch", "chgnet", "sklearn", "lightgbm"}


@pytest.mark.parametrize("name", list(COMMANDS))
def test_the_table_shows_the_help_of_the_command(name):
    command = load_command(name)
    assert command.name == name
    summary = " ".join(command.help.split("\n\n")[0].split())
    assert summary == COMMANDS[name].help


def test_a_command_that_does_not_exist_names_the_nearest(screening):
    code, _, error = screening("predic")
    assert code == 2
    assert "predict" in error
