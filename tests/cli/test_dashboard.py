"""`screening dashboard`: starts, serves, stops, and says what is wrong."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

pytest.importorskip("fastapi", reason="needs the extra 'dashboard'")

ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)(?:/\?token=)?(\S*)")


@pytest.fixture
def started(mongo, tmp_path):
    """Start the command with arguments; returns the process and the address that it printed."""
    running = []

    def start(*arguments, **environment):
        output = tmp_path / f"output-{len(running)}.txt"
        code = "from cli.app import main; main()"
        with output.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-c", code, "dashboard", "--port", "0", *arguments],
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
            )
        running.append(process)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            found = re.search(r"(http://127\.0\.0\.1:\d+)(?:/\?token=)?(\S*)", output.read_text())
            if found:
                return process, found[1], found[2]
            time.sleep(0.05)
        raise TimeoutError(output.read_text())

    yield start
    for process in running:
        process.kill()
        process.wait()


def status(address, **headers):
    request = urllib.request.Request(address, headers=headers)
    for _ in range(100):  # the address is printed before the server listens
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(address)


def test_it_serves_pages_and_stops_cleanly(started):
    process, address, _ = started()
    code, text = status(address + "/")
    assert code == 200
    assert "No campaign yet" in text
    assert status(address + "/optimade/v1/info")[0] == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) in {0, 143, -signal.SIGTERM}


def test_a_token_is_made_and_asked_for(started):
    _, address, token = started("--token")
    assert len(token) >= 24
    assert status(address + "/")[0] == 401
    assert status(address + "/", Authorization=f"Bearer {token}")[0] == 200


def test_the_token_of_the_settings_is_never_printed(started, tmp_path):
    secret = "a-secret-of-the-settings"
    _, address, shown = started(SCREENING_DASHBOARD_TOKEN=secret)
    assert shown == ""
    assert secret not in (tmp_path / "output-0.txt").read_text()
    assert status(address + "/")[0] == 401
    assert status(address + "/", Authorization=f"Bearer {secret}")[0] == 200


@pytest.mark.parametrize("option", [("--url", "nonsense"), ("--url", "ftp://x")])
def test_a_wrong_address_is_one_line(screening, option):
    code, _, err = screening("dashboard", *option)
    assert code == 2
    assert "must be an address" in err


def test_a_port_that_is_taken_is_one_line(screening):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, _, err = screening("dashboard", "--port", other.getsockname()[1])
    assert code == 2
    assert "cannot be used" in err
