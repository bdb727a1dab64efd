"""Wrong questions: one line, as the schema declares it, never a 5xx."""

import pytest

from screening.errors import InputError

WRONG_OPTIMADE = [
    ("page_limit=-1", "page_limit='-1'"),
    ("page_offset=-1", "page_offset='-1'"),
    ("page_limit=abc", "page_limit='abc'"),
    ("page_offset=99999999999999999999", "64 bits"),
    ("email_address=nope", "email_address='nope'"),
    ("filter=nelements=99999999999999999999", "64 bits"),
    ("filter=nsites<-99999999999999999999", "64 bits"),
    ('filter=last_modified>"yesterday"', "yesterday"),
    ('filter=last_modified="2026-13-45T00:00:00Z"', "cannot be read"),
    ("sort=structure_features,lattice_vectors", "order"),
    ("filter=" + "(" * 300 + "nelements=2" + ")" * 300, "brackets"),
    ("filter=" + " OR ".join(['elements HAS "Li"'] * 300), "characters"),
]


@pytest.mark.parametrize(("question", "message"), WRONG_OPTIMADE)
def test_optimade_answers_400_and_says_why(client, question, message):
    answer = client.get(f"/optimade/v1/structures?{question}")
    assert answer.status_code == 400
    error = answer.json()["errors"][0]
    assert message in error["detail"]
    assert "/" + "site-packages" not in answer.text
    assert ".py" not in answer.text


@pytest.mark.parametrize(
    ("text", "finds_all"),
    [
        ('type="structures"', True),
        ('type!="structures"', False),
        ('type="references"', False),
        ('NOT type="structures"', False),
        ('NOT type="references"', True),
        ("type IS KNOWN", True),
        ('type STARTS WITH "struct"', True),
        ('type="structures" AND nelements=2', True),
        ('type="references" OR nelements=2', True),
        ('type="references" OR nelements=9', False),
    ],
)
def test_the_type_of_an_entry_can_be_asked_for(client, text, finds_all):
    everything = client.get("/optimade/v1/structures").json()["meta"]["data_available"]
    found = client.get("/optimade/v1/structures", params={"filter": text}).json()
    assert found["meta"]["data_returned"] == (everything if finds_all else 0)


def test_the_page_of_optimade_asks_no_other_host(client):
    page = client.get("/optimade").text
    assert "/optimade/v1/structures" in page
    assert "https://" not in page
    assert "{" + "{" not in page


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/materials?chemsys=Foo",
        "/api/v1/materials?limit=0",
        "/api/v1/materials?q=" + "(" * 200 + "nsites=2" + ")" * 200,
        "/discoveries.csv?chemsys=Foo",
        "/discoveries.csv?q=nothing=1",
        "/discoveries.zip?formula=Xx",
        "/materials/mat-nothing/file.cif",
        "/materials/mat-CuPd3.0/file.exe",
    ],
)
def test_errors_are_what_the_schema_declares(client, path):
    answer = client.get(path)
    assert answer.status_code in {404, 422}
    assert list(answer.json()) == ["detail"]
    assert isinstance(answer.json()["detail"], str)
    schema = client.get("/api/v1/openapi.json").json()
    declared = schema["paths"]["/api/v1/materials"]["get"]["responses"]["422"]
    assert declared["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorAnswer")
    for methods in schema["paths"].values():
        assert {"200", "401", "404", "422", "503"} <= set(methods["get"]["responses"])


def test_a_browser_gets_a_page_of_the_error(client):
    answer = client.get("/discoveries.csv?chemsys=Foo", headers={"accept": "text/html,*/*"})
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "path",
    ["/", "/discoveries?sort=atoms", "/api/v1/materials", "/discoveries.csv", "/optimade/v1/info",
     "/materials/mat-CuPd3.0/file.cif", "/materials/mat-nothing", "/static/site.css"],
)  # fmt: skip
def test_head_is_get_without_the_content(client, path):
    head, got = client.head(path), client.get(path)
    assert head.status_code == got.status_code
    assert head.content == b""
    assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize("path", ["/", "/api/v1/materials", "/optimade/v1/structures"])
def test_other_methods_are_told_which_there_are(client, path):
    answer = client.post(path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://host/sub/", "more than a host"),
        ("https://host/?x=1", "more than a host"),
        ("ftp://host", "must be an address"),
        ("https://user:word@host/", "must be an address"),
    ],
)
def test_the_address_behind_a_proxy_is_checked(url, message):
    from cli.serving import _checked

    with pytest.raises(InputError, match=message) as caught:
        _checked(url)
    assert "word" not in str(caught.value)
    assert _checked("https://host.example:8443/") == "https://host.example:8443"
