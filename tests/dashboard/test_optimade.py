"""OPTIMADE: the validator's verdict, and what a client gets."""

import threading
import time

import pytest

from stores.optimade import PROVIDER_FIELDS, build_optimade


@pytest.fixture(scope="module")
def address(filled):
    import uvicorn

    from dashboard.app import create_app

    config = uvicorn.Config(lambda: None, port=0, log_level="error", lifespan="off")
    config.load()
    listener = config.bind_socket()
    found = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config.loaded_app = create_app(filled, address=found)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield found
    server.should_exit = True
    thread.join()


@pytest.mark.filterwarnings("ignore")
def test_the_validator_finds_no_fault(address):
    from optimade.validator import ImplementationValidator

    validator = ImplementationValidator(base_url=f"{address}/optimade", verbosity=0)
    validator.validate_implementation()
    results = validator.results
    assert validator.valid
    assert results.success_count > 40
    assert results.failure_count == results.internal_failure_count == 0
    assert results.optional_failure_count == 0


def test_a_crystal_as_optimade_tells_it(client):
    def get(question):
        return client.get(f"/optimade/v1/structures?{question}").json()

    found = get('filter=_screening_kind="material" AND elements HAS "Ag"&sort=-nsites')
    assert {row["id"] for row in found["data"]} == {"mat-AgPd3.1", "mat-AgCu3.1"}
    one = client.get("/optimade/v1/structures/mat-CuPd3.0").json()["data"]["attributes"]
    assert one["chemical_formula_reduced"] == "CuPd"
    assert one["space_group_symbol_hermann_mauguin"] == "P m -3 m"
    assert one["_screening_is_stable"] is True
    assert one["lattice_vectors"][0] == [3.0, 0.0, 0.0]
    assert get("filter=$where=1")["errors"]
    assert get("filter=nothing=1")["errors"]
    described = client.get("/optimade/v1/info/structures").json()["data"]["properties"]
    for name, (_kind, text, _unit) in PROVIDER_FIELDS.items():
        assert described[f"_screening_{name}"]["description"] == text


def test_only_what_is_new_is_made_again(filled):
    assert filled.raw("optimade").count_documents({"kind": "material"}) == 4
    filled.raw("optimade").update_many({}, {"$set": {"role": "old"}})
    build_optimade(filled)
    assert filled.raw("optimade").count_documents({"kind": "material"}) == 4
    assert filled.raw("optimade").count_documents({"role": "old"}) == 0  # all are of this hour
