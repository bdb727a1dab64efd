import os
import socket
import subprocess
import sys
import threading
from datetime import timedelta

from screening.schemas import Provenance, Stage, TaskRecord, TaskState, utc_now
from stores.ledger import LEASE, Ledger, stale_tasks


def claim(database, key="key", campaign="camp-1"):
    return Ledger(database).claim(key, stage=Stage.RELAX, campaign_id=campaign, n_inputs=2)


def provenance(key="key"):
    return Provenance(
        task_key=key,
        stage=Stage.RELAX,
        stage_version=1,
        maker="m",
        parameters={},
        started=utc_now(),
    )


def test_a_finished_task_is_never_done_again(database):
    first = claim(database)
    assert first.summary is None
    Ledger(database).finish(first, {"n": 1}, provenance())
    assert claim(database, campaign="camp-2").summary == {"n": 1}
    record = database.get(TaskRecord, "key")
    assert record.state == TaskState.FINISHED
    assert record.campaign_ids == ["camp-1", "camp-2"]
    assert record.provenance.stage == Stage.RELAX
    assert len(record.attempts) == 1


def test_every_attempt_is_kept(database):
    ledger = Ledger(database)
    ledger.fail(claim(database), ValueError("no\nluck"))
    ledger.fail(claim(database), KeyboardInterrupt())
    ledger.finish(claim(database), {}, provenance())
    attempts = database.get(TaskRecord, "key").attempts
    assert [attempt.state for attempt in attempts] == ["failed", "failed", "finished"]
    assert attempts[0].error == "ValueError: no luck"
    assert all(attempt.ended >= attempt.started for attempt in attempts)
    assert attempts[0].host == socket.gethostname()


def test_a_task_of_a_dead_process_is_taken_over_at_once(database):
    code = (
        "from stores import open_database; from stores.ledger import Ledger\n"
        "from screening.schemas import Stage; import os, signal\n"
        "Ledger(open_database()).claim('key', stage=Stage.RELAX, campaign_id=None, n_inputs=0)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert database.get(TaskRecord, "key").state == TaskState.RUNNING
    assert stale_tasks(database) == ["key"]
    assert claim(database).summary is None
    assert stale_tasks(database) == []
    assert len(database.get(TaskRecord, "key").attempts) == 2


def test_a_task_of_another_machine_is_taken_over_when_its_lease_ends(database):
    claim(database)
    tasks = database.raw("tasks")
    tasks.update_one({}, {"$set": {"owner": "elsewhere:1-1:abc", "heartbeat": utc_now()}})
    assert not Ledger._free(tasks.find_one())
    tasks.update_one({}, {"$set": {"heartbeat": utc_now() - LEASE - timedelta(seconds=1)}})
    assert Ledger._free(tasks.find_one())
    assert claim(database).summary is None


def test_a_second_process_waits_for_the_first(database):
    first = claim(database)
    found = []
    waiting = threading.Thread(target=lambda: found.append(claim(database)))
    waiting.start()
    waiting.join(1.0)
    assert waiting.is_alive()
    Ledger(database).finish(first, {"by": "first"}, provenance())
    waiting.join(5.0)
    assert found[0].summary == {"by": "first"}


CONTEND = """
from screening.schemas import Provenance, Stage, utc_now
from stores import open_database
from stores.ledger import Ledger
ledger = Ledger(open_database())
taken = ledger.claim("contested", stage=Stage.RELAX, campaign_id=None, n_inputs=0)
if taken.summary is None:
    made = Provenance(task_key="contested", stage=Stage.RELAX, stage_version=1, maker="m",
                      parameters={}, started=utc_now())
    ledger.finish(taken, {}, made)
    print("done here")
"""


def test_many_processes_do_a_task_once(database):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CONTEND], stdout=subprocess.PIPE, text=True, env=environment
        )
        for _ in range(4)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert "".join(outputs).count("done here") == 1
    assert len(database.get(TaskRecord, "contested").attempts) == 1


def test_heartbeats_are_sent_while_the_work_runs(database, monkeypatch):
    monkeypatch.setattr("stores.ledger.HEARTBEAT", 0.05)
    ledger = Ledger(database)
    taken = claim(database)
    old = database.get(TaskRecord, "key").heartbeat
    with ledger.alive(taken):
        threading.Event().wait(0.3)
    assert database.get(TaskRecord, "key").heartbeat > old
