"""Tables in pipes and narrow terminals, other encodings, the shell's quoting, the time left."""

import os
import shlex
import subprocess
import sys

import pytest

from cli import formatting
from cli.progress import StageBars, remaining_seconds
from db_config import reset_settings
from db_config.files import config_folder, environment
from screening.progress import Progress as Report

ROW = {
    "material_id": "mat-ci4ajnqwertyuiopasdfgh",
    "formula_pretty": "Li6MnS4",
    "why": "a long reason " * 12,
    "known": True,
}
COLUMNS = {"material_id": "id", "formula_pretty": "formula", "known": "known", "why": "why"}


def in_process(arguments, **environment):
    code = f"import sys; sys.argv = ['screening', *{arguments!r}]; from cli.app import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        check=False,
    )


def test_a_pipe_gets_whole_rows(capsys):
    formatting.show([ROW], COLUMNS)
    line = next(line for line in capsys.readouterr().out.splitlines() if "mat-" in line)
    assert ROW["material_id"] in line
    assert ROW["why"].strip() in line
    assert "yes" in line


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_terminal_keeps_what_can_be_pasted(monkeypatch, capsys, width):
    monkeypatch.setattr(formatting.console, "_force_terminal", True)
    monkeypatch.setattr(formatting.console, "_width", width)
    formatting.show([ROW], COLUMNS)
    assert "mat-ci4ajnqw" in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252", "utf-8"])
def test_any_encoding(mongo, encoding):
    done = in_process(["config", "show"], PYTHONIOENCODING=encoding, FORCE_COLOR="1", COLUMNS="40")
    assert done.returncode == 0, done.stderr
    assert b"data_dir" in done.stdout


def test_variables_survive_the_shell(mongo, monkeypatch, tmp_path):
    """Spaces, quotes and semicolons of the folder's name are no syntax of the shell."""
    folder = tmp_path / "data dir; touch 'gotcha' $(touch gotcha) \"x\""
    monkeypatch.setattr("db_config.settings.Settings.data_dir", folder, raising=False)
    lines = {name: shlex.quote(value) for name, value in environment(mongo).items()}
    script = "\n".join(f"export {name}={value}" for name, value in lines.items())
    done = subprocess.run(
        ["/bin/sh", "-c", f'{script}\nprintf %s "$FW_CONFIG_FILE"'],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout == environment(mongo)["FW_CONFIG_FILE"]


def test_the_command_quotes_and_warns(screening, mongo, monkeypatch, tmp_path):
    code, out, err = screening("config", "env")
    assert (code, err) == (0, "")
    expected = [f"export {k}={shlex.quote(v)}" for k, v in environment(mongo).items()]
    assert out.splitlines() == expected
    (tmp_path / "my_launchpad.yaml").write_text("host: 127.0.0.1\nname: old\n")
    (tmp_path / "FW_config.yaml").write_text(f"CONFIG_FILE_DIR: {tmp_path}\n")
    code, out, err = screening("config", "env")
    assert out.splitlines() == expected
    assert f"FireWorks reads {tmp_path / 'FW_config.yaml'} first" in err
    assert f"-l {config_folder(mongo) / 'my_launchpad.yaml'}" in err
    for name, value in environment(mongo).items():
        monkeypatch.setenv(name, value)
    reset_settings()
    findings = screening("db", "doctor")[1]
    assert f"FireWorks reads {tmp_path / 'FW_config.yaml'} first" in findings


@pytest.mark.parametrize("burst", [1, 32, 100])
def test_time_left_is_right_in_the_second_half(burst):
    """Items of equal cost that finish in bursts: within a factor of 1.5 of the truth."""
    n, cost = 400, 0.7
    for second in range(round(n * cost / 2), round((n - burst) * cost)):
        done = int(second / cost) // burst * burst
        truth = n * cost - second
        estimate = remaining_seconds(done, n, done * cost, second)
        assert truth / 1.5 <= estimate <= truth * 1.5
    assert remaining_seconds(0, 10, 0.0, 5.0) is None
    assert remaining_seconds(3, None, 4.0, 5.0) is None


def test_time_left_of_a_stage_that_hangs_grows():
    assert remaining_seconds(30, 40, 60.0, 65.0) < remaining_seconds(30, 40, 60.0, 200.0)


def test_bars_never_run_backwards():
    """A task of which each item is half done, then done, then reported as a whole."""
    seen = []

    class Recorder:
        def start(self):
            pass

        def add_task(self, *_args, **_fields):
            return 0

        def update(self, _bar, completed, total, **_fields):
            seen.append((completed, total))

    bars = StageBars(Recorder())
    bars(Report("phonon", planned=2))
    for task in "ab":
        for done in (0.25, 0.5, 1.0):
            bars(Report("phonon", done, 1, task=task))
        bars(Report("phonon", 1, 1, task=task))
    assert [total for _, total in seen] == [2] * len(seen)
    completed = [done for done, _ in seen]
    assert completed == sorted(completed)
    assert completed[-1] == 2
