"""Who may ask, what every answer carries, and what never leaves."""

import pytest

TOKEN = "a-long-token-for-tests"


@pytest.fixture
def guarded(filled):
    from fastapi.testclient import TestClient

    from dashboard.app import create_app

    app = create_app(filled, token=TOKEN, address="https://screening.example.org")
    return TestClient(app, base_url="https://127.0.0.1", follow_redirects=False)


@pytest.mark.parametrize(
    "path",
    ["/", "/discoveries", "/static/site.css", "/api/v1/materials", "/nothing",
     "/optimade/v1/info", "/discoveries.csv"],
)  # fmt: skip
def test_every_answer_forbids_what_it_does_not_need(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';")
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("path", ["/", "/api/v1/materials", "/materials/mat-CuPd3.0"])
def test_nothing_can_be_written(client, method, path):
    assert getattr(client, method)(path).status_code == 405


def test_a_foreign_name_is_refused(client):
    answer = client.get("/", headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert "alloys" not in answer.text


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2f..%2fpyproject.toml"]
)
def test_only_static_files_are_served(client, path):
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "path", ["/", "/api/v1/materials", "/optimade/v1/info", "/static/site.css"]
)
def test_without_the_token_nothing_is_told(guarded, path):
    assert guarded.get(path).status_code == 401
    assert guarded.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401
    assert guarded.get(f"{path}?token=wrong").status_code == 401
    assert guarded.get(path, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_the_token_in_the_address_becomes_a_cookie(guarded):
    answer = guarded.get(f"/discoveries?sort=atoms&token={TOKEN}")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/discoveries?sort=atoms"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert guarded.get("/discoveries?sort=atoms").status_code == 200  # the client keeps it


def test_the_redirect_stays_on_this_host(guarded):
    answer = guarded.get(f"http://127.0.0.1//evil.example/?token={TOKEN}")
    assert answer.headers["location"].startswith("/evil.example")


def test_a_proxy_may_use_its_name(guarded):
    headers = {"host": "screening.example.org", "authorization": f"Bearer {TOKEN}"}
    answer = guarded.get("/optimade/v1/structures?page_limit=1", headers=headers)
    assert answer.status_code == 200
    following = answer.json()["links"]["next"]
    assert following.startswith("https://screening.example.org/optimade/v1/structures")


def test_errors_do_not_tell_where_the_database_is(filled, monkeypatch):
    from fastapi.testclient import TestClient

    from dashboard.app import create_app
    from screening.errors import DatabaseError
    from stores.read_only import ReadingDoor

    def broken(*_arguments, **_options):
        raise DatabaseError("no MongoDB answers at secret-host:27017")

    monkeypatch.setattr(ReadingDoor, "find", broken)
    client = TestClient(create_app(filled), base_url="http://localhost")
    answer = client.get("/optimade/v1/structures")
    assert answer.status_code == 503
    assert "secret-host" not in answer.text


def test_the_cookie_is_of_one_dashboard_and_needs_tls_where_there_is_tls(filled):
    from fastapi.testclient import TestClient

    from dashboard.app import create_app

    cookies = {}
    for address in ("https://screening.example.org", "http://127.0.0.1:1", "http://127.0.0.1:2"):
        app = create_app(filled, token=TOKEN, address=address)
        browser = TestClient(app, base_url=address, follow_redirects=False)
        cookies[address] = browser.get(f"/?token={TOKEN}").headers["set-cookie"]
        assert browser.get("/").status_code == 200
    assert len({text.partition("=")[0] for text in cookies.values()}) == 3
    assert ["Secure" in text for text in cookies.values()] == [True, False, False]
