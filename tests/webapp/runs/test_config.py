"""The settings table: defaults, parsing, and every problem at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiment.errors import ConfigRefused
from webapp.config import Settings, read_settings, rows


def read(**environ: str) -> Settings:
    return read_settings(environ, dotenv=None)


def problems(**environ: str) -> tuple[str, ...]:
    with pytest.raises(ConfigRefused) as refused:
        read(**environ)
    return refused.value.problems


def test_an_empty_environment_gives_the_defaults() -> None:
    assert read() == Settings()


def test_a_blank_value_counts_as_unset() -> None:
    assert read(PORT="  ").port == 30501


def test_every_setting_has_a_key_of_its_own_and_help() -> None:
    keys = [row.key for row in rows()]
    assert len(keys) == len(set(keys))
    assert all(row.help.endswith(".") for row in rows())


def test_all_problems_are_reported_at_once_with_key_and_value() -> None:
    found = problems(
        PORT="web", PIXELCOST_KEEP_RUNS="0", PIXELCOST_LOG_FORMAT="xml", TF_REQUEST_TIMEOUT="soon"
    )
    assert found == (
        "TF_REQUEST_TIMEOUT='soon' is not a number of seconds from 0.1 to 600",
        "PORT='web' is not a whole number from 1 to 65535",
        "PIXELCOST_KEEP_RUNS='0' is not a whole number from 1 to 1000000",
        "PIXELCOST_LOG_FORMAT='xml' is not one of json, text",
    )


def test_three_mistakes_in_tf_servers_are_all_named() -> None:
    found = problems(TF_SERVERS="GPU:tf-gpu;A:host:8500;A:host:8501;B:host:99999")
    assert [problem.split("`")[1] for problem in found] == ["GPU:tf-gpu", "A:host:8501", "B:host:99999"]


def test_mistakes_in_the_embedded_backends_are_named_beside_all_others() -> None:
    assert problems(PIXELCOST_EMBEDDED="1 CPU:cpus=0;2 CPU", PORT="web") == (
        "PORT='web' is not a whole number from 1 to 65535",
        "PIXELCOST_EMBEDDED entry 1 `1 CPU:cpus=0` has cpus=`0`; cpus is a whole number from 1 to 1024",
        "PIXELCOST_EMBEDDED entry 2 `2 CPU` has no cpus; say how many cores it gets, for example cpus=1",
    )


def test_a_misspelt_setting_is_refused_and_the_right_one_named() -> None:
    assert problems(PIXELCOST_KEEP_RUN="5") == (
        "PIXELCOST_KEEP_RUN is not a known setting (did you mean PIXELCOST_KEEP_RUNS?)",
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("PIXELCOST_PORT", "tcp://10.0.0.1:80"),
        ("PIXELCOST_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("PIXELCOST_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("PIXELCOST_PORT_80_TCP_PORT", "80"),
        ("PIXELCOST_SERVICE_HOST", "10.0.0.1"),
        ("PIXELCOST_SERVICE_PORT", "80"),
        ("PIXELCOST_SERVICE_PORT_HTTP", "80"),
        ("PIXELCOST_WEB_PORT", "tcp://[fd00::1]:80"),
        ("PIXELCOST_WEB_PORT_80_TCP_PORT", "80"),
        ("PIXELCOST_TF_1CPU_SERVICE_HOST", "10.0.0.1"),
    ],
)
def test_service_links_of_kubernetes_are_not_misspelt_settings(key: str, value: str) -> None:
    assert read(**{key: value}) == Settings()


def test_a_port_that_a_person_wrote_is_still_a_misspelt_setting() -> None:
    assert problems(PIXELCOST_PORT="80")[0].startswith("PIXELCOST_PORT is not a known setting")


@pytest.mark.parametrize("text", ["²", "1" * 5000, "+-5", "1_000", "१०००"])
def test_a_number_in_other_than_plain_digits_is_refused_in_our_words(text: str) -> None:
    (problem,) = problems(PIXELCOST_MAX_BYTES=text)
    assert problem.endswith("is not a whole number from 1000 to 1000000000")


def test_settings_of_the_tests_are_not_settings_of_the_app() -> None:
    assert read(PIXELCOST_TEST_ANYTHING="1") == Settings()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_may_be_spelt_in_three_ways(scheme: str) -> None:
    settings = read(DATABASE_URL=f"{scheme}://me:secret@db/runs")
    assert settings.store_url == "postgresql+psycopg://me:secret@db/runs"


def test_a_bad_database_url_is_refused_without_showing_its_password() -> None:
    (problem,) = problems(DATABASE_URL="mysql://me:secret@db/runs")
    assert problem.startswith("DATABASE_URL=")
    assert "secret" not in problem


@pytest.mark.parametrize("url", ["sqlite", "sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_sqlite_without_a_file_is_refused(url: str) -> None:
    (problem,) = problems(DATABASE_URL=url)
    assert problem.endswith("is not postgresql://user:password@host/name or sqlite:///file")


def test_without_a_database_url_runs_are_kept_in_the_data_folder(tmp_path: Path) -> None:
    assert read(PIXELCOST_DATA_DIR=str(tmp_path)).store_url == f"sqlite:///{tmp_path}/pixelcost.db"


def test_the_environment_comes_before_the_dotenv_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("PORT=1000\nMODEL_NAME=resnet\n")
    settings = read_settings({"PORT": "2000"}, dotenv)
    assert (settings.port, settings.model_name) == (2000, "resnet")


@pytest.mark.parametrize("key", ["DATABASE_URL", "MODEL_BASE_PATH", "PIXELCOST_DATA_DIR", "PIXELCOST_HOST"])
def test_a_value_that_is_not_utf_8_is_named(key: str) -> None:
    (problem,) = problems(**{key: b"postgresql://Caf\xe9".decode("utf-8", "surrogateescape")})
    assert problem.startswith(f"{key}=")
    assert problem.endswith(" is not UTF-8 text")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_dotenv_file_may_be_saved_as_windows_saves_it(encoding: str, tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    dotenv.write_text(f"{mark}MODEL_NAME=größe\r\nPORT=1000\r\n", encoding)
    settings = read_settings({}, dotenv)
    assert (settings.port, settings.model_name) == (1000, "größe")


def test_a_dotenv_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("MODEL_NAME=größe\n", "cp1252")
    with pytest.raises(ConfigRefused, match=r"\.env can't be read as text; save it as UTF-8"):
        read_settings({}, dotenv)
