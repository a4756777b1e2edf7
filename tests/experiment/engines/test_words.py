"""What engines say when they are not there, or give up; no engine is needed for it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from experiment.engines import java
from experiment.engines.base import EngineFailed
from experiment.engines.choose import engine
from experiment.engines.faq import failed
from experiment.engines.leash import Leash, held
from experiment.engines.spark import SparkEngine
from tests.support.engines.rules import wait_until


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("java.lang.OutOfMemoryError: Java heap space", "Raise spark.driver_memory"),
        (
            "Lost task 0.3 in stage 1.0 (TID 3) (host executor 4): OutOfMemoryError: Java heap space",
            "Raise spark.executor_memory, or lower spark.executor_cores",
        ),
        (
            "ExecutorLostFailure (executor 2 exited caused by one of the running tasks)",
            "raise spark.executor_memory, or lower spark.executor_cores",
        ),
        (
            "System memory 100 must be at least 471859200. Please increase heap size",
            "Raise spark.driver_memory",
        ),
        ("OOM when allocating tensor with shape[64,299,299,3]", "Run fewer at once"),
        ("All masters are unresponsive! Giving up.", "Check spark.master"),
        (
            "When running with master 'yarn' either HADOOP_CONF_DIR or YARN_CONF_DIR must be set",
            "HADOOP_CONF_DIR",
        ),
        (
            "[PYTHON_VERSION_MISMATCH] Python in worker has different version: 3.9",
            "the same version of Python",
        ),
        ("System error: No module named 'experiment'", "Install Pixelcost there"),
        ("UnsupportedClassVersionError: class file version 61.0", "Install Java 17"),
        ("Could not find any running Ray instance.", "ray start --head"),
        ("Could not parse Master URL: 'spork://x'", "Check spark.master"),
        ("something nobody has seen", "It says: something nobody has seen"),
    ],
)
def test_what_an_engine_fails_of_is_said_with_what_to_change(said, advice):
    assert advice in failed("Spark gave up.", RuntimeError(said)).message


def java_that_says(folder: Path, text: str) -> str:
    """A JAVA_HOME."""
    program = folder / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{text}' >&2\n")
    program.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    "said", ['openjdk version "17.0.15" 2025-04-15', 'java version "21"', 'version "25.0.1"']
)
def test_java_17_and_newer_will_do(tmp_path, monkeypatch, said):
    monkeypatch.setenv("JAVA_HOME", java_that_says(tmp_path, said))
    java.check_java()


@pytest.mark.parametrize(
    ("said", "is_what"),
    [
        ('java version "1.8.0_392"', "version 8"),
        ('openjdk version "11.0.2"', "version 11"),
        ("mocha", "not Java: mocha"),
    ],
)
def test_an_older_java_is_named_with_what_to_install(tmp_path, monkeypatch, said, is_what):
    monkeypatch.setenv("JAVA_HOME", java_that_says(tmp_path, said))
    with pytest.raises(
        EngineFailed, match=f"needs Java 17 or newer; .* is {is_what}. .*openjdk-17-jre-headless"
    ):
        java.check_java()


def test_without_java_spark_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        EngineFailed, match=r"there is none on the PATH. Install it .*openjdk-17-jre-headless"
    ):
        java.check_java()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(EngineFailed, match=f"there is none at JAVA_HOME, {tmp_path}"):
        java.check_java()


@pytest.mark.parametrize(("name", "module", "file"), [("ray", "ray", "ray"), ("spark", "pyspark", "spark")])
def test_an_engine_that_is_not_installed_says_the_command_that_installs_it(monkeypatch, name, module, file):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        EngineFailed, match=rf"{name} is not installed.*pip install -r requirements/{file}\.txt"
    ):
        engine(name)


def test_all_six_keys_of_cluster_servings_file_reach_spark(monkeypatch):
    monkeypatch.setitem(
        sys.modules, "pyspark", ModuleType("pyspark")
    )  # make() only looks whether it is there
    made = engine(
        "spark",
        {
            "spark.master": "spark://host:7077",
            "spark.driver_memory": "4g",
            "spark.executor_memory": "1g",
            "spark.num_executors": "3",
            "spark.executor_cores": "4",
            "spark.total_executor_cores": "12",
        },
    )
    conf = dict(made._conf(4))
    assert conf["spark.master"] == "spark://host:7077"
    assert conf["spark.driver.memory"] == "4g"
    assert conf["spark.executor.memory"] == "1g"
    assert conf["spark.executor.instances"] == "3"
    assert conf["spark.executor.cores"] == "4"
    assert conf["spark.cores.max"] == "12"


@pytest.mark.parametrize(
    ("master", "is_set"),
    [
        ("local", "local[1,3]"),
        ("local[2]", "local[2,3]"),
        ("local[2,1]", "local[2,3]"),
        ("local[*]", f"local[{max(os.cpu_count() or 1, 9)},3]"),
        ("spark://host:7077", "spark://host:7077"),
        ("yarn", "yarn"),
        ("k8s://https://host:6443", "k8s://https://host:6443"),
    ],
)
def test_a_master_is_taken_as_it_stands_and_a_local_one_retries(master, is_set):
    assert dict(SparkEngine(master)._conf(9))["spark.master"] == is_set


@pytest.fixture
def told() -> Iterator[threading.Event]:
    """Set when this process gets SIGTERM, which it survives here."""
    event = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: event.set())
    yield event
    signal.signal(signal.SIGTERM, before)


def test_who_holds_the_leash_is_told_when_it_ends(told):
    with Leash("127.0.0.1", print) as leash, held(leash.address, leash.token, "w-0", 0) as is_held:
        assert is_held
        wait_until(lambda: leash.begun == {"w-0"})
        assert not told.is_set()
        leash.let_go()
        wait_until(told.is_set)


def test_a_worker_that_ends_by_itself_gets_no_signal_and_a_second_attempt_is_said(told):
    said: list[str] = []
    with Leash("127.0.0.1", said.append) as leash:
        for attempt in (0, 1):
            with held(leash.address, leash.token, "w-0", attempt):
                wait_until(lambda: len(said) == attempt and leash.begun)  # noqa: B023
    assert not told.is_set()
    assert said == ["Worker w-0 was killed. It has been started again."]


def test_who_does_not_know_the_token_is_not_taken_for_a_worker(told):
    with Leash("127.0.0.1", print) as leash:
        with held(leash.address, "guessed", "w-0", 0):
            wait_until(told.is_set)  # the other side has let go
        assert not leash.begun


def test_a_command_that_can_not_be_reached_is_no_leash():
    with Leash("127.0.0.1", print) as leash:
        address = leash.address
    with held(address, "token", "w-0", 0) as is_held:
        assert not is_held
