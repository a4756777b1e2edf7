"""Many photos over HTTP: real uploads, the real timing process, a real model server that sees colours."""

from __future__ import annotations

import csv
import io
import json
import resource
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests
from flask.testing import FlaskClient
from PIL import Image

from experiment.export.report_json import SCHEMA
from experiment.file_names import clean_path
from tests.support.photo_sets import (
    COLOURS,
    blind_when_small,
    colour_server,
    packed,
    photo,
    write_folders,
    zipped,
)
from tests.support.processes.web_process import web_process
from tests.support.processes.webapp_parts import eventually, services_of, serving
from webapp.worker.process import WORKER_COMMAND

PLAN = {"sizes_px": [32, 24], "formats": ["png"], "warmups": 1, "seed": 3}


@pytest.fixture
def client(tmp_path):
    with (
        colour_server(blind_when_small) as address,
        serving(tmp_path, WORKER_COMMAND, tf_servers=f"A:{address}", max_photos=40) as app,
    ):
        yield app.test_client()


def photos(count: int = 12, folders: bool = True) -> list[tuple[io.BytesIO, str]]:
    """Parts of a form, as a browser sends a chosen folder."""
    names = list(COLOURS)
    return [
        (
            io.BytesIO(photo(names[at % 3], at % 40)),
            f"set/{names[at % 3]}/{at:04}.jpg" if folders else f"{at:04}.jpg",
        )
        for at in range(count)
    ]


def post(client: FlaskClient, files: Any, plan: Any = PLAN, **fields: Any) -> Any:
    return client.post("/api/runs?photos=many", data={"file": files, "plan": json.dumps(plan), **fields})


def ended(client: FlaskClient, answer: Any) -> dict[str, Any]:
    """The report of the run that the answer tells of, once it has ended."""
    assert answer.status_code == 202, answer.data
    url = answer.json["report_url"]
    eventually(lambda: client.get(url).json["state"] not in {"queued", "running"}, 60)
    report: dict[str, Any] = client.get(url).json
    return report


def cell(report: dict[str, Any], variant_id: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in report["cells"] if each["variant_id"] == variant_id)
    return found


LONG_FIELD = b'file,label\n0000.jpg,"red' + b"\n0001.jpg,red" * 20_000
# Cut at 5 MB, where it is within a label, it would still look whole.
ABOVE_5_MB = b"file,label,notes_of_mine\n" + b"".join(
    b"n01440764/%08d.jpg,tench\n" % at for at in range(190_000)
)


def csv_part(data: bytes) -> tuple[io.BytesIO, str]:
    """A file in the field `labels`."""
    return io.BytesIO(data), "l.csv"


def odd_zip(entries: dict[bytes, bytes], **header: int) -> tuple[io.BytesIO, str]:
    """One photo and what is odd about its ZIP file."""
    with tempfile.NamedTemporaryFile() as file:
        path = packed(Path(file.name), {**entries, b"a.jpg": photo("red", 0)}, **header)
        return io.BytesIO(path.read_bytes()), "set.zip"


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, json.loads(answer.data)["code"]


def test_a_folder_of_photos_gives_accuracy_by_its_folders_names(client, tmp_path):
    report = ended(client, post(client, photos()))
    jsonschema.validate(report, SCHEMA)
    assert (report["photo_set"]["name"], report["photo_set"]["labelled"]) == ("set", 12)
    assert report["plan"]["repeats"] == 1
    assert cell(report, "32-png")["over_photos"]["top1"]["count"] == 12
    requests = client.get("/api/runs").json["runs"][0]["requests"]
    assert requests["planned"] == requests["done"]
    assert cell(report, "24-png")["over_photos"]["difference"]["lost"] == 8
    eventually(lambda: not list((tmp_path / "uploads").iterdir()))


def test_a_zip_file_of_a_folder_gives_the_same_as_its_photos(client, tmp_path):
    packed = zipped(write_folders(tmp_path / "set", 12), tmp_path / "set.zip")
    report = ended(client, post(client, (io.BytesIO(packed.read_bytes()), "set.zip")))
    again = ended(client, post(client, photos()))
    assert report["photo_set"]["name"] == "set.zip"
    assert [each["over_photos"] for each in report["cells"]] == [
        each["over_photos"] for each in again["cells"]
    ]


def test_a_csv_or_one_label_for_all_tells_what_the_photos_show(client):
    rows = "".join(f"{at:04}.jpg,{list(COLOURS)[at % 3]}\n" for at in range(6))
    loose = photos(6, folders=False)
    told = ended(client, post(client, loose, labels=(io.BytesIO(b"file,label\n" + rows.encode()), "l.csv")))
    assert cell(told, "original")["over_photos"]["top1"]["count"] == 6
    as_text = ended(client, post(client, photos(6, folders=False), labels="file,label\n" + rows))
    assert cell(as_text, "original")["over_photos"]["top1"]["count"] == 6
    blue = ended(client, post(client, photos(6, folders=False), true_label="blue"))
    assert cell(blue, "original")["over_photos"]["top1"]["count"] == 2


def test_photos_without_labels_give_agreement(client):
    report = ended(client, post(client, photos(6, folders=False)))
    over = cell(report, "24-png")["over_photos"]
    assert report["photo_set"]["name"] == "6 photos"
    assert (over["top1"], over["agreement"]["count"], over["agreement"]["total"]) == (None, 2, 6)


def test_labels_that_name_no_photo_are_a_warning_and_photos_are_counted_without_their_csv(client):
    files = [*photos(6, folders=False), (io.BytesIO(b"file,label\npink/x.jpg,pink\n"), "labels.csv")]
    report = ended(client, post(client, files))
    assert (report["photo_set"]["name"], report["photo_set"]["labelled"]) == ("6 photos", 0)
    assert [each["level"] for each in report["warnings"] if each["code"] == "W18"] == ["warning"]
    assert client.get("/api/runs").json["runs"][0]["name"] == "6 photos"


def test_a_windows_zip_with_windows_labels_is_understood(client, tmp_path):
    colours = list(COLOURS)
    entries = {f"set\\{colours[at % 3]}\\{at}.jpg".encode(): photo(colours[at % 3], at) for at in range(6)}
    path = packed(tmp_path / "set.zip", entries)
    report = ended(client, post(client, (io.BytesIO(path.read_bytes()), "set.zip")))
    assert report["photo_set"]["labelled"] == 6
    rows = "".join(f"C:\\my\\set\\{colours[at % 3]}\\{at}.jpg,{colours[at % 3]}\n" for at in range(6))
    csv_file = (io.BytesIO(("file,label\n" + rows).encode("utf-16")), "l.csv")
    told = ended(client, post(client, (io.BytesIO(path.read_bytes()), "set.zip"), labels=csv_file))
    assert told["photo_set"]["given_labels"]["photos"] == told["photo_set"]["labelled"] == 6


def test_photos_of_one_name_are_all_measured(client):
    files = [(io.BytesIO(photo("red", at)), "same.jpg") for at in range(3)]
    report = ended(client, post(client, files))
    assert report["photo_set"]["measured"] == 3


def test_a_broken_photo_is_named_and_the_others_are_measured(client):
    files = [*photos(4), (io.BytesIO(b"no photo"), "set/red/odd.jpg"), (io.BytesIO(b"x"), "set/notes.txt")]
    report = ended(client, post(client, files))
    assert (report["photo_set"]["count"], report["photo_set"]["measured"]) == (5, 4)
    assert [each["name"] for each in report["photo_set"]["skipped"]] == ["set/red/odd.jpg"]


def test_followers_hear_of_each_photo_and_of_nothing_heavy(client):
    answer = post(client, photos(6))
    ended(client, answer)
    stream = client.get(answer.json["events_url"]).get_data(as_text=True)
    told = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: ")]
    assert "Photo 6 of 6: " in " ".join(each.get("text", "") for each in told)
    names = [each["name"] for each in told if "index" in each]
    assert len(names) == 6
    assert "measurements" not in stream
    assert told[-1]["state"] == "done"


def test_every_export_of_a_set_is_there(client):
    url = post(client, photos(6)).json["report_url"]
    eventually(lambda: client.get(url).json["state"] == "done", 60)
    answers = client.get(f"{url}/answers.csv")
    rows = list(csv.DictReader(io.StringIO(answers.get_data(as_text=True))))
    assert len(rows) == 6 * 3
    assert sum(row["correct_top1"] == "false" for row in rows) == 4
    with zipfile.ZipFile(io.BytesIO(client.get(f"{url}.zip").data)) as archive:
        assert archive.namelist() == ["report.json", "answers.csv"]
        assert archive.read("answers.csv") == answers.data
    assert client.get(f"{url}.html").status_code == client.get(f"{url}.csv").status_code == 200
    assert client.get(f"{url}/figures").json["agreement_by_size"]["meta"]["title"] == "Accuracy by size"
    (row,) = client.get("/api/runs").json["runs"]
    assert row["name"] == "set"
    for path in ("/repeats", "/load"):
        refused = client.post(url + path, json={"repeats": 1})
        assert (refused.status_code, refused.json["code"]) == (422, "of_many_photos")


def test_a_cancelled_set_keeps_the_photos_measured_so_far(client):
    answer = post(client, photos(40), {**PLAN, "repeats": 60})
    url = answer.json["report_url"]
    eventually(lambda: (client.get(url).json["photo_set"] or {}).get("measured", 0) >= 2, 60)
    client.delete(url)
    report = ended(client, answer)
    assert report["state"] == "cancelled"
    assert 2 <= report["photo_set"]["measured"] < 40
    assert cell(report, "original")["over_photos"]["top1"]["total"] == report["photo_set"]["measured"]


@pytest.mark.parametrize(
    ("files", "fields", "expected"),
    [
        (photos(41), {}, (422, "too_many_files")),
        ([(io.BytesIO(b"a"), "a.txt"), (io.BytesIO(b"b"), "b.txt")], {}, (422, "no_photos")),
        ((io.BytesIO(b"PK\x03\x04 broken"), "a.zip"), {}, (422, "no_photos")),
        (photos(2), {"labels": "a,b\n1,2\n"}, (422, "labels_refused")),
        (photos(2), {"lables": "x"}, (422, "unknown_fields")),
        (photos(2), {"labels": csv_part(LONG_FIELD)}, (422, "labels_refused")),
        (photos(2), {"labels": csv_part(ABOVE_5_MB)}, (422, "labels_refused")),
        (
            photos(2),
            {"labels": csv_part("file,label\n0.jpg,Löwe\n".encode("cp1252"))},
            (422, "labels_refused"),
        ),
        ([*photos(2), (io.BytesIO(LONG_FIELD), "labels.csv")], {}, (422, "labels_refused")),
        ([*photos(2), (io.BytesIO(ABOVE_5_MB), "labels.csv")], {}, (422, "labels_refused")),
        (odd_zip({b"labels.csv": LONG_FIELD}), {}, (422, "labels_refused")),
        (odd_zip({b"labels.csv": ABOVE_5_MB}), {}, (422, "labels_refused")),
        (odd_zip({b"labels.csv": b"x"}, flags=1), {}, (422, "labels_refused")),
        (odd_zip({b"labels.csv": b"x"}, method=93), {}, (422, "labels_refused")),
        (odd_zip({b"L\xf6we/b.jpg": b"x"}, flags=0x800), {}, (422, "no_photos")),
        (odd_zip({f"{at}.txt".encode(): b"" for at in range(401)}), {}, (422, "too_many_files")),
    ],
)
def test_what_is_no_set_is_refused_with_a_reason_and_leaves_nothing(
    client, tmp_path, files, fields, expected
):
    assert code(post(client, files, **fields)) == expected
    assert not list((tmp_path / "uploads").glob("*"))


def test_a_set_that_plans_too_many_requests_is_refused(tmp_path):
    with (
        colour_server() as address,
        serving(tmp_path, WORKER_COMMAND, tf_servers=f"A:{address}", max_requests=20) as app,
    ):
        assert code(post(app.test_client(), photos(12))) == (422, "plan_refused")
        assert not services_of(app).runs.queue.alive()
        assert not list((tmp_path / "uploads").glob("*"))


def test_one_photo_above_its_limit_is_refused_although_a_set_may_be_larger(tmp_path):
    with serving(tmp_path, max_bytes=5_000, max_set_bytes=1_000_000) as app:
        client = app.test_client()
        many = [(io.BytesIO(b"\xff\xd8\xff" + b"x" * 4_000), f"{at}.jpg") for at in range(30)]
        assert code(client.post("/api/runs", data={"file": many})) == (413, "too_large")
        assert code(post(client, (io.BytesIO(b"\xff\xd8\xff" + b"x" * 200_000), "a.jpg"))) == (
            413,
            "too_large",
        )
        files = [*photos(2), (io.BytesIO(b"\xff\xd8\xff" + b"x" * 200_000), "a.jpg")]
        answer = post(client, files)
        assert code(answer) == (413, "too_large")
        assert "a.jpg has 0.2 MB; the limit per image is 0.005 MB." in answer.json["detail"]
        assert code(post(client, (io.BytesIO(b"x" * 2_200_000), "a.jpg"))) == (413, "too_large")
        assert not list((tmp_path / "uploads").glob("*"))


def test_a_set_takes_few_descriptors_and_little_memory_however_many_photos_it_has(tmp_path):
    with web_process(tmp_path) as web:
        web.post()  # everything is loaded
        resource.prlimit(web.worker_pid, resource.RLIMIT_NOFILE, (90, 90))
        before_mb = web.memory_mb()
        files = [("file", (f"{at}.jpg", bytes(400_000))) for at in range(200)]
        answer = requests.post(f"{web.url}/api/runs?photos=many", files=files, timeout=60)
        assert answer.status_code == 202, answer.text
        assert web.memory_mb() < before_mb + 40  # of 80 MB
        eventually(lambda: not list((tmp_path / "uploads").iterdir()))


def test_an_upload_that_breaks_off_leaves_nothing_on_disk(tmp_path):
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="%d.jpg"\r\n\r\n'
    with web_process(tmp_path) as web:
        for path in (b"/api/runs?photos=many", b"/api/runs", b"/upload"):
            with web.connect() as connection:
                connection.sendall(
                    b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n"
                    b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" % path
                )
                connection.sendall(head % 1 + bytes(300_000) + b"\r\n" + head % 2 + bytes(300_000))
                eventually(lambda: len(list(tmp_path.glob("uploads/*/*"))) == 2)
            eventually(lambda: not list((tmp_path / "uploads").iterdir()))


def test_what_a_former_process_left_behind_is_removed_at_the_start(tmp_path):
    left = tmp_path / "uploads" / "photos-abc"
    left.mkdir(parents=True)
    (left / "0").write_bytes(b"x")
    with serving(tmp_path) as app:
        services_of(app).start()
        assert not list((tmp_path / "uploads").iterdir())


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd.jpg", "etc/passwd.jpg"),
        ("C:\\photos\\red\\1.jpg", "C:/photos/red/1.jpg"),
        ("/a//b/./c.jpg", "a/b/c.jpg"),
        ("re\nd/1.jpg", "red/1.jpg"),
        ("", "photo"),
    ],
)
def test_names_of_files_lead_nowhere(sent, kept):
    assert clean_path(sent) == kept


def test_ids_are_understood_where_the_models_card_has_them(tmp_path):
    card = {"name": "inception", "labels": list(COLOURS), "wnids": ["n01", "n02", "n03"]}
    with colour_server() as address, serving(tmp_path, WORKER_COMMAND, tf_servers=f"A:{address}") as app:
        services_of(app).registry.model = lambda: card  # type: ignore[method-assign]
        files = [(io.BytesIO(photo("green", at)), f"n02/{at}.jpg") for at in range(3)]
        report = ended(app.test_client(), post(app.test_client(), files))
        assert cell(report, "original")["over_photos"]["top1"]["count"] == 3


def test_the_photos_of_a_set_are_listed_worst_first_and_by_class(client):
    run_id = ended(client, post(client, photos()))["run_id"]
    url = f"/api/runs/{run_id}/photos"
    flipped = client.get(f"{url}?variant=24-png&backend=A&only=flipped").json
    assert (flipped["photos"], flipped["flipped"], flipped["total"]) == (12, 8, 8)
    row = flipped["rows"][0]
    assert (row["label"], row["reference"]["label"]) in {("red", "red"), ("green", "green")}
    assert row["answers"] == [
        {
            "variant_id": "24-png",
            "backend_name": "A",
            "label": "blue",
            "score": 0.7,
            "kept": False,
            "correct": False,
            "fall_points": row["answers"][0]["fall_points"],
        }
    ]
    assert client.get(f"{url}?variant=32-png&only=flipped").json["total"] == 0
    blue = client.get(f"{url}?label=blue").json
    assert {each["label"] for each in blue["rows"]} == {"blue"}
    assert blue["flipped"] == 0
    (alone,) = client.get(f"{url}?photo={row['index']}").json["rows"]
    assert alone["name"] == row["name"]
    assert {each["variant_id"] for each in alone["answers"]} == {"32-png", "24-png"}
    found = client.get(f"/api/runs/{run_id}/classes?variant=24-png").json
    assert [(each["class"], each["photos"], each["flipped"]) for each in found["rows"]] == [
        ("green", 4, 4),
        ("red", 4, 4),
        ("blue", 4, 0),
    ]
    assert [each["variant_id"] for each in found["rows"][0]["cells"]].count("original") == 1
    share = found["rows"][2]["flipped_share"]
    assert (share["count"], share["total"], round(share["high"], 2)) == (0, 4, 0.49)
    share = next(each for each in found["rows"][2]["cells"] if each["variant_id"] == "24-png")["right"]
    assert (share["count"], share["total"], round(share["low"], 2)) == (4, 4, 0.51)


def test_pages_of_photos_follow_each_other_and_all_processes_give_the_same(client, tmp_path):
    run_id = ended(client, post(client, photos()))["run_id"]
    url = f"/api/runs/{run_id}/photos?limit=5"
    pages = [client.get(f"{url}&page={page}").json["rows"] for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [5, 5, 2, 0]
    assert len({row["index"] for page in pages for row in page}) == 12
    with serving(tmp_path, WORKER_COMMAND) as other:  # another web process on the same store
        assert other.test_client().get(f"{url}&page=2").json["rows"] == pages[1]


@pytest.mark.parametrize(
    ("query", "status", "of"),
    [
        ("only=good", 400, "bad_query"),
        ("page=0", 400, "bad_query"),
        ("page=x", 400, "bad_query"),
        ("photo=-1", 400, "bad_query"),
        ("limit=101", 400, "bad_query"),
        ("variant=9-png", 404, "not_in_set"),
        ("backend=TPU", 404, "not_in_set"),
        ("label=pink", 404, "not_in_set"),
    ],
)
def test_a_question_about_photos_that_has_no_answer_is_refused_with_a_sentence(few, query, status, of):
    client, run_id = few
    answer = client.get(f"/api/runs/{run_id}/photos?{query}")
    assert (answer.status_code, json.loads(answer.data)["code"]) == (status, of)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A client, and the id of a run over three photos."""
    with (
        colour_server() as address,
        serving(tmp_path_factory.mktemp("few"), WORKER_COMMAND, tf_servers=f"A:{address}") as app,
    ):
        client = app.test_client()
        yield (
            client,
            ended(client, post(client, photos(3), plan={"sizes_px": [32], "formats": ["png"]}))["run_id"],
        )


def test_one_photo_has_no_photos_to_list_and_a_removed_set_none_any_more(few):
    client, run_id = few
    one = client.post(
        "/api/runs", data={"file": (io.BytesIO(photo("red", 0)), "a.jpg"), "plan": json.dumps(PLAN)}
    )
    assert code(client.get(f"/api/runs/{one.json['id']}/photos")) == (404, "not_a_set")
    ended(client, one)
    assert client.get(f"/api/runs/{run_id}/photos").json["photos"] == 3
    client.delete(f"/api/runs/{run_id}")
    assert code(client.get(f"/api/runs/{run_id}/photos")) == (404, "no_such_run")


def located(colour: str, number: int) -> bytes:
    """A photo whose file says where it was taken."""
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"  # GPS latitude
    exif[0x010E] = "at home"
    data = io.BytesIO()
    Image.open(io.BytesIO(photo(colour, number, 400))).save(data, "JPEG", exif=exif)
    assert b"at home" in data.getvalue()
    return data.getvalue()


def test_each_photo_of_a_small_set_has_a_small_picture_without_metadata_that_goes_with_the_run(client):
    files = [(io.BytesIO(located("red", at)), f"red/{at}.jpg") for at in range(3)]
    plan = {"sizes_px": [128, 24], "formats": ["jpeg", "png"], "warmups": 0}
    report = ended(client, post(client, [*files, (io.BytesIO(b"x"), "red/broken.jpg")], plan=plan))
    assert report["has_pictures"] == [], "these are of the photos, not of the variants"
    rows = client.get(f"{report_url(report)}/photos").json["rows"]
    assert len(rows) == 3
    store = services_of(client.application).store
    sizes = []
    for row in rows:
        picture = client.get(row["thumb_url"])
        assert (picture.status_code, picture.mimetype) == (200, "image/webp")
        image = Image.open(io.BytesIO(picture.data))
        assert max(image.size) == 96
        assert not image.getexif()
        assert b"at home" not in picture.data
        red, green, _ = image.convert("RGB").resize((1, 1)).getpixel((0, 0))
        assert red > 2 * green
        sizes.append(len(picture.data))
    events = sum(
        len(each.data) + len(each.scores or "") for each in store.events(report["run_id"], with_scores=True)
    )
    assert store.run(report["run_id"]).size_bytes == events + sum(sizes), (
        "they count towards the limit of the store"
    )
    assert client.get(f"{report_url(report)}/photos/9/thumb").status_code == 404
    client.delete(report_url(report))
    assert client.get(rows[0]["thumb_url"]).status_code == 404
    assert not store.thumbs.photo_keys(report["run_id"])


def report_url(report: dict[str, Any]) -> str:
    return f"/api/runs/{report['run_id']}"
