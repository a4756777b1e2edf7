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
        "PORT='web' is not a whole number from 0 to 65535",
        "PIXELCOST_KEEP_RUNS='0' is not a whole number from 1 to 1000000",
        "PIXELCOST_LOG_FORMAT='xml' is not one of json, text",
    )


def test_three_mistakes_in_tf_servers_are_all_named() -> None:
    found = problems(TF_SERVERS="GPU:tf-gpu;A:host:8500;A:host:8501;B:host:99999")
    assert [problem.split("`")[1] for problem in found] == ["GPU:tf-gpu", "A:host:8501", "B:host:99999"]


def test_mistakes_in_the_embedded_backends_are_named_beside_all_others() -> None:
    assert problems(PIXELCOST_EMBEDDED="1 CPU:cpus=0;2 CPU", PORT="web") == (
        "PORT='web' is not a whole number from 0 to 65535",
        "PIXELCOST_EMBEDDED entry 1 `1 CPU:cpus=0` has cpus=`0`; cpus is a whole number from 1 to 1024",
        "PIXELCOST_EMBEDDED entry 2 `2 CPU` has no cpus; say how many cores it gets, for example cpus=1",
    )


def test_a_misspelt_setting_is_refused_and_the_right_one_named() -> None:
    assert problems(PIXELCOST_KEEP_RUN="5") == (
        "PIXELCOST_KEEP_RUN is no setting (do you mean PIXELCOST_KEEP_RUNS?)",
    )


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


def test_without_a_database_url_runs_are_kept_in_the_data_folder(tmp_path: Path) -> None:
    assert read(PIXELCOST_DATA_DIR=str(tmp_path)).store_url == f"sqlite:///{tmp_path}/pixelcost.db"


def test_the_environment_comes_before_the_dotenv_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("PORT=1000\nMODEL_NAME=resnet\n")
    settings = read_settings({"PORT": "2000"}, dotenv)
    assert (settings.port, settings.model_name) == (2000, "resnet")
