"""`python -m gateway`: options, settings, and what is wrong with them in sentences."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from experiment.errors import ConfigRefused
from gateway.command import settings_of
from gateway.config import Settings, keys, read_settings
from webapp.config import read_settings as read_web_settings

ROOT = Path(__file__).resolve().parents[2]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PIXELCOST_")}
    command = [sys.executable, "-m", "gateway", *options]
    return subprocess.run(
        command, cwd=ROOT, env=clean, capture_output=True, text=True, timeout=60, check=False
    )


def test_all_bad_options_and_settings_are_named_at_once():
    with pytest.raises(ConfigRefused) as refused:
        settings_of(
            {"port": "many", "redis_url": "ftp://x", "max_waiting": "1000"},
            {"PIXELCOST_GATEWAY_MAX_WAIT": "0", "PIXELCOST_GATEWAY_STREEM": "x", "PIXELCOST_MAX_BYTES": "1"},
        )
    message = refused.value.message
    for words in (
        "--port 'many' is not a whole number from 1 to 65535",
        "--redis_url 'ftp://x' is not an address of Redis",
        "PIXELCOST_GATEWAY_MAX_WAIT='0' is not",
        "PIXELCOST_GATEWAY_STREEM is not a known setting (did you mean PIXELCOST_GATEWAY_STREAM?)",
        "PIXELCOST_MAX_BYTES='1' is not",
        "1000 requests may wait, but there are 128 threads",
    ):
        assert words in message


def test_a_password_in_an_address_that_can_not_be_used_is_not_shown():
    with pytest.raises(ConfigRefused, match=r"'redis://host:port' is not an address of Redis") as refused:
        settings_of({}, {"PIXELCOST_GATEWAY_REDIS_URL": "redis://:secret@host:port"})
    assert "secret" not in refused.value.message


def test_an_option_counts_above_the_environment():
    environ = {"PIXELCOST_GATEWAY_STREAM": "a", "PIXELCOST_GATEWAY_REDIS_URL": "redis.example:1"}
    settings = settings_of({"stream": "b"}, environ)
    assert (settings.stream, settings.redis_url) == ("b", "redis://redis.example:1")
    assert settings.queue.stream == "b"


def test_both_ports_can_not_be_one():
    with pytest.raises(ConfigRefused, match="can't both listen on port 4343"):
        read_settings({"PIXELCOST_GATEWAY_FRONTEND_PORT": "4343"}, None)


def test_page_and_gateway_can_share_one_file_of_settings():
    own = {"PIXELCOST_GATEWAY_STREAM": "cats", "PIXELCOST_RUNS_AT_ONCE": "2", "PIXELCOST_MAX_BYTES": "5000"}
    assert read_web_settings(own, None).max_bytes == read_settings(own, None).max_bytes == 5000


def test_what_kubernetes_sets_for_a_service_of_this_name_is_no_mistake():
    environ = {
        "PIXELCOST_GATEWAY_PORT": "tcp://10.0.0.1:4343",
        "PIXELCOST_GATEWAY_SERVICE_HOST": "10.0.0.1",
        "PIXELCOST_GATEWAY_PORT_4343_TCP_ADDR": "10.0.0.1",
    }
    assert read_settings(environ, None) == Settings()


def test_every_setting_has_a_key_of_its_own_and_its_own_ones_have_the_gateways_prefix():
    assert len(set(keys().values())) == len(keys())
    web = {"TF_SERVERS", "PORT"}
    assert all(key.startswith(("PIXELCOST_", "MODEL_", "TF_")) or key in web for key in keys().values())


def test_a_mistake_on_the_command_line_is_a_sentence_and_exit_code_2():
    done = run("--stream", "a b", "--redisPort", "many")
    assert done.returncode == 2
    assert done.stderr.startswith("The gateway can't start. ") and "Traceback" not in done.stderr
    assert "--redisPort 'many' is not a whole number" in done.stderr


def test_a_port_that_is_taken_is_a_sentence_and_old_options_are_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("--port", port, "--frontend_port", port)
        assert done.returncode == 2 and "can't both listen" in done.stderr
        done = run("--port", port, "--countWindow", "56", "--httpsEnabled", "true")
    assert done.returncode == 2
    assert f"Port {port} on 127.0.0.1 can't be used" in done.stderr
    assert "--countWindow has no meaning here: batches are made by the workers" in done.stderr
    assert "--httpsEnabled has no meaning here: TLS ends in a proxy" in done.stderr


def test_help_names_every_option_and_its_setting():
    said = run("--help").stdout
    for name, key in keys().items():
        assert f"--{name} " in said and f"[{key}]" in " ".join(said.split())
