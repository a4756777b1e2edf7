"""Requests that no client library would send, and names that lead here from elsewhere: each is answered."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient

from experiment.errors import ConfigRefused
from tests.support.processes.web_process import WebProcess, web_process
from tests.support.processes.webapp_parts import photo_bytes, serving
from webapp.config import read_settings

FORM = b"Content-Type: multipart/form-data; boundary=x\r\n"
CHUNKED = b"Host: localhost\r\nTransfer-Encoding: chunked\r\n"
URLENCODED = b"Content-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebProcess]:
    with web_process(tmp_path_factory.mktemp("web")) as web:
        yield web


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    with serving(tmp_path_factory.mktemp("app")) as app:
        yield app.test_client()


def asked(web: WebProcess, request: bytes) -> bytes:
    """The answer to these very bytes, read until the server closes."""
    parts = []
    with web.connect() as connection:
        connection.sendall(request)
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def problem(answer: bytes) -> tuple[int, str]:
    """Status and code of an answer that must be a problem."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nContent-Type: application/problem+json\r\n" in head
    return int(head[9:12]), json.loads(body)["code"]


def part(disposition: bytes, data: bytes = b"") -> bytes:
    return b"--x\r\nContent-Disposition: form-data; " + disposition + b"\r\n\r\n" + data + b"\r\n"


PHOTO = part(b'name="file"; filename="refuse-cat.png"', photo_bytes())


def posted(client: FlaskClient, *parts: bytes, path: str = "/api/runs") -> tuple[int, str, str]:
    """Status, code and detail of the refusal of a form of these parts."""
    form = b"".join(parts) + b"--x--\r\n"
    answer = client.post(path, data=form, content_type="multipart/form-data; boundary=x")
    told = json.loads(answer.data)
    return answer.status_code, told["code"], told["detail"]


@pytest.mark.parametrize(
    "chunk", [b"zz\r\nabc\r\n", b'5;a="\r\nabcde\r\n0\r\n\r\n', b"5\r\nabcdefgh\r\n0\r\n\r\n"]
)
@pytest.mark.parametrize(
    ("path", "head"),
    [(b"/api/runs", FORM), (b"/upload", FORM), (b"/login", URLENCODED), (b"/api/runs/import", FORM)],
)
def test_malformed_chunks_are_the_clients_fault(
    web: WebProcess, path: bytes, head: bytes, chunk: bytes
) -> None:
    status, code = problem(asked(web, b"POST " + path + b" HTTP/1.1\r\n" + CHUNKED + head + b"\r\n" + chunk))
    assert (status, code) == (400, "broken_upload")


LENGTH, TWO_WAYS = b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        *(LENGTH + TWO_WAYS, TWO_WAYS + TWO_WAYS, TWO_WAYS + b"Transfer-Encoding: identity\r\n"),
        *(b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding : chunked\r\n", b"X: a\r\n " + TWO_WAYS),
        *(
            b"Transfer-Encoding: \x0bchunked\r\n",
            b"Transfer-Encoding: chunked, gzip\r\n",
            b"X: \0\r\n" + LENGTH,
        ),
        *(LENGTH + b"Content-Length: 4\r\n", b"Content-Length: 3, 3\r\n", b"Content-Length: +3\r\n"),
        *(
            b"Content-Length: 0x3\r\n",
            b"Content-Length: -1\r\n",
            LENGTH + b"X: a\rb\r\n",
            b"Host: evil\r\n" + LENGTH,
        ),
        b"Content-Length: 3\nX: a\r\n",
    ],
)
def test_a_length_that_can_be_read_in_two_ways_ends_the_connection(web: WebProcess, headers: bytes) -> None:
    get = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answer = asked(web, b"POST /login HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n0\r\n\r\n" + get)
    assert problem(answer)[0] in {400, 501}
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_login_form_is_read_to_ten_kilobytes_only(web: WebProcess) -> None:
    web.get("/healthz")
    before_mb, sent_bytes = web.memory_mb(), 0
    with web.connect() as connection:
        connection.sendall(b"POST /login HTTP/1.1\r\n" + CHUNKED + URLENCODED + b"\r\n")
        with pytest.raises(OSError, match=r"(?i)broken pipe|reset"):
            while sent_bytes < 20_000_000:
                connection.sendall(b"10000\r\n" + b"a&" * 32768 + b"\r\n")
                sent_bytes += 65536
    assert sent_bytes < 8_000_000  # what the kernel holds on the way
    assert web.memory_mb() - before_mb < 30


@pytest.mark.parametrize("length", [b"10001", b"19999999"])
def test_a_login_form_or_json_over_ten_kilobytes_is_refused(web: WebProcess, length: bytes) -> None:
    for path in (b"/login", b"/api/runs/0123456789abcdef/repeats"):
        head = b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + URLENCODED
        answer = asked(
            web, head + b"Content-Length: " + length + b"\r\n\r\n" + b"a" * min(int(length), 10001)
        )
        assert problem(answer) in {(413, "too_large"), (404, "no_such_run")}
        assert b"photo" not in answer


def test_a_chunked_json_body_is_read_like_any_other(web: WebProcess) -> None:
    plan = json.dumps({"sizes_px": [32], "repeats": 1})
    run_id = web.post("cat.png", plan).json()["id"]
    web.finished(run_id)
    url = f"{web.url}/api/runs/{run_id}/breaking-point"
    answer = requests.post(url, data=iter([b'{"backend_names": ', b'["none"]}']), timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_query")


def test_what_gunicorn_refuses_is_a_problem_too(web: WebProcess) -> None:
    host = b"Host: localhost\r\n"
    assert problem(asked(web, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + host + b"\r\n")) == (
        414,
        "uri_too_long",
    )
    for size in (9000, 60_000):
        head = b"GET / HTTP/1.1\r\n" + host + b"X-A: " + b"a" * size + b"\r\n\r\n"
        assert problem(asked(web, head)) == (431, "headers_too_large")
    assert problem(asked(web, b"GET / HTTP/1.1\r\nX A: a\r\n\r\n")) == (400, "bad_request")


def test_a_header_can_not_move_the_app(web: WebProcess) -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nSCRIPT_NAME: /x\r\nConnection: close\r\n\r\n"
    assert asked(web, head).startswith(b"HTTP/1.1 200")


def test_what_lies_behind_a_request_is_the_next_request(web: WebProcess) -> None:
    get = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    post = b"POST /login HTTP/1.1\r\n" + CHUNKED + URLENCODED + b"\r\n3\r\na=b\r\n0\r\n\r\n"
    with web.connect() as connection:
        connection.sendall(5 * (get + post) + get[:20])
        time.sleep(0.5)
        connection.sendall(get[20:-2] + b"Connection: close\r\n\r\n")
        answers = connection.makefile("rb").read()
    assert (answers.count(b"HTTP/1.1 200"), answers.count(b"HTTP/1.1 303")) == (6, 5)


def test_a_small_body_that_is_announced_is_asked_for(web: WebProcess) -> None:
    head = b"POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\n"
    with web.connect() as connection:
        connection.sendall(head + URLENCODED + b"Content-Length: 3\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 Continue\r\n")
        connection.sendall(b"a=b")
        assert b"HTTP/1.1 303" in connection.makefile("rb").read()


@pytest.mark.parametrize("path", ["/api/runs", "/upload", "/api/runs/import"])
@pytest.mark.parametrize("disposition", [b'filename="cat.png"', b"x=y"])
def test_a_part_without_a_name_is_refused(client: FlaskClient, path: str, disposition: bytes) -> None:
    status, code, detail = posted(client, PHOTO, part(disposition, b"a"), path=path)
    assert (status, code) == (400, "bad_part")
    assert "has no name" in detail


def test_a_file_name_that_is_not_utf8_is_said_to_be_the_trouble(client: FlaskClient) -> None:
    status, code, detail = posted(client, part(b'name="file"; filename="\xe9t\xe9.png"', photo_bytes()))
    assert (status, code) == (400, "bad_part")
    assert "not UTF-8 text" in detail


def test_a_form_that_breaks_off_is_not_taken_for_an_empty_one(client: FlaskClient) -> None:
    answer = client.post("/api/runs", data=PHOTO, content_type="multipart/form-data; boundary=x")
    assert (answer.status_code, answer.json and answer.json["code"]) == (400, "broken_upload")


@pytest.mark.parametrize("name", [b"plan", b"true_label", b"labels"])
def test_a_field_that_comes_twice_is_refused_not_halved(client: FlaskClient, name: bytes) -> None:
    twice = [part(b'name="' + name + b'"', text) for text in (b'{"repeats": 1}', b'{"repeats": 2}')]
    status, code, detail = posted(client, PHOTO, *twice)
    assert (status, code) == (422, "bad_part")
    assert f"several parts `{name.decode()}`" in detail


def test_a_plan_sent_as_a_file_is_not_ignored(client: FlaskClient) -> None:
    status, code, detail = posted(
        client, PHOTO, part(b'name="plan"; filename="plan.json"', b'{"repeats": 2}')
    )
    assert (status, code) == (422, "bad_part")
    assert "curl -F 'plan=<FILE'" in detail


def test_methods_that_clients_make_up_make_no_series(client: FlaskClient) -> None:
    for number in range(20):
        client.open("/healthz", method=f"MADEUP{number}")
    text = client.get("/metrics").text
    assert "MADEUP" not in text
    assert 'pixelcost_http_requests_total{method="OTHER",route="(none)",status="405"} 20.0' in text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:30501", "localhost.evil.example", "", "a b"])
def test_an_app_for_this_machine_answers_to_no_other_name(client: FlaskClient, host: str) -> None:
    for path in ("/", "/api/runs", "/static/favicon.svg"):
        answer = client.get(path, headers={"Host": host})
        assert (answer.status_code, json.loads(answer.data)["code"]) == (421, "bad_host")
    photo = {"file": (io.BytesIO(photo_bytes()), "cat.png")}
    headers = {"Host": host, "Origin": f"http://{host}"}
    assert client.post("/api/runs", data=photo, headers=headers).status_code == 421


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8080",
        "LOCALHOST",
        "localhost.",
        "localhost.:8080",
        "127.0.0.1:30501",
        "[::1]:1",
        "10.0.0.5",
    ],
)
def test_it_answers_to_its_own_name_and_to_addresses(client: FlaskClient, host: str) -> None:
    assert client.get("/api/runs", headers={"Host": host}).status_code == 200


def test_probes_may_use_any_name(client: FlaskClient) -> None:
    assert client.get("/healthz", headers={"Host": "pixelcost.example"}).status_code == 200
    assert client.get("/readyz", headers={"Host": "pixelcost.example"}).status_code == 503  # no backend


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"host": "0.0.0.0"}, 200),
        ({"host": "::"}, 200),
        ({"host": "::1"}, 421),
        ({"host": "127.0.0.1", "trust_proxy": 1}, 200),
        ({"host": "127.0.0.1", "allowed_hosts": "a.example b.example"}, 200),
        ({"host": "0.0.0.0", "allowed_hosts": "b.example"}, 421),
    ],
)
def test_the_names_follow_from_the_settings(tmp_path: Path, changes: dict[str, object], status: int) -> None:
    with serving(tmp_path, **changes) as app:
        assert app.test_client().get("/api/runs", headers={"Host": "a.example"}).status_code == status


def test_names_are_settings_without_ports() -> None:
    settings = read_settings({"PIXELCOST_ALLOWED_HOSTS": "A.example, b;c"}, None)
    assert settings.allowed_hosts == "a.example b c"
    with pytest.raises(ConfigRefused, match="names without a port"):
        read_settings({"PIXELCOST_ALLOWED_HOSTS": "http://a.example"}, None)


def test_asking_the_backends_anew_is_not_for_other_sites(client: FlaskClient) -> None:
    path = "/api/backends?refresh=1"
    assert client.get(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.get(path, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert client.get(path).status_code == 200
