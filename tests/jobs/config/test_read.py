"""Every form of Cluster Serving's config.yaml, and every way to break it."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiment.errors import PixelcostError
from jobs.config import ServeConfig, read_config

FIRST = """
model:
  name: dogs
  path: net
data:
  src: redis.example:6380
  shape: 3,224,224
params:
  batch_size: 8
  top_n: 3
  engine_type: mklblas
  core_number: 4
spark:
  master: local[*]
  driver_memory: 4g
  executor_memory: 1g
  num_executors: 1
  executor_cores: 4
  total_executor_cores: 4
redis:
  maxmem: 2g
"""
LAST = """
modelPath: net
jobName: cats
postProcessing: topN(5)
imageResize: 224,448
inputAlreadyBatched: true
modelParallelism: 2
threadPerModel: 3
performance_mode: OFF
flinkRestUrl: localhost:8081
queueUsed: redis
kafkaUrl: localhost:9092
redisUrl: localhost:6379
redisMaxmemory: 512m
redisTimeout: 5000
redisSecureEnabled: false
redisSecureTrustStorePath:
redisSecureTrustStorePassword: x
modelEncrypted: false
recordEncrypted: false
"""


def read(folder: Path, text: str | bytes) -> ServeConfig:
    (folder / "net").mkdir(exist_ok=True)
    file = folder / "config.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_config(file)


def test_the_first_form_is_read_in_full(tmp_path):
    config = read(tmp_path, FIRST)
    assert (config.model, config.url, config.stream) == (
        tmp_path / "net",
        "redis://redis.example:6380",
        "dogs",
    )
    assert (config.batch_size, config.top_n, config.cores) == (8, 3, 4)
    assert config.max_memory_bytes == 2 << 30
    assert config.image_size_px is None, "the shape is the model's input, and photos stay as they are sent"
    assert len(config.spark) == 6 and config.spark["spark.master"] == "local[*]"
    assert config.notes == (
        "params.engine_type does nothing here: the model's file decides which runtime computes it.",
    )


def test_the_last_form_is_read_in_full(tmp_path):
    config = read(tmp_path, LAST)
    assert (config.stream, config.top_n, config.image_size_px) == ("cats", 5, (224, 448))
    assert (config.workers, config.cores, config.already_batched) == (2, 6, True)
    assert config.max_memory_bytes == 512 << 20
    assert config.url == "redis://localhost:6379?socket_connect_timeout=5"
    told = {note.split()[0] for note in config.notes}
    assert told == {"performance_mode", "flinkRestUrl", "kafkaUrl", "redisSecureTrustStorePassword"}


def test_only_the_model_has_to_be_named(tmp_path):
    config = read(tmp_path, "modelPath: net\n")
    assert config == ServeConfig(file=tmp_path / "config.yaml", model=tmp_path / "net")


def test_a_secured_redis_is_asked_over_tls_with_its_certificate(tmp_path):
    certificate = tmp_path / "ca.pem"
    certificate.touch()
    text = "modelPath: net\nredisUrl: h:6379\nredisSecureEnabled: true\nredisSecureTrustStorePath: "
    text += f"{certificate}\n"
    assert read(tmp_path, text).url == f"rediss://h:6379?ssl_ca_certs={certificate}"
    with pytest.raises(PixelcostError, match=r"store of Java.*keytool"):
        read(tmp_path, text.replace("ca.pem", "store.jks"))
    with pytest.raises(PixelcostError, match="no certificate at"):
        read(tmp_path, text.replace("ca.pem", "other.pem"))


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("localhost", "redis://localhost"),
        ("10.0.0.7:1234", "redis://10.0.0.7:1234"),
        ('"[::1]:6379"', "redis://[::1]:6379"),
        ("redis://:secret@h:1/3", "redis://:secret@h:1/3"),
        ("rediss://h", "rediss://h"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
    ],
)
def test_redis_may_be_named_in_all_usual_ways(tmp_path, written, url):
    assert read(tmp_path, f"modelPath: net\nredisUrl: {written}\n").url == url


def test_a_key_that_does_not_exist_is_named_with_the_likely_one(tmp_path):
    (note,) = read(tmp_path, "modelPath: net\nmodelParalelism: 3\n").notes
    assert note.startswith("'modelParalelism' is not a key of Cluster Serving, so it does nothing.")
    assert note.endswith("Did you mean modelParallelism?")


def test_all_problems_are_named_at_once(tmp_path):
    text = (
        "modelPath: nowhere\nmodelParallelism: -2\nthreadPerModel: many\nredisUrl: http://x\njobName: a b\n"
        "redisMaxmemory: huge\nrecordEncrypted: true\npostProcessing: [1]\nredisTimeout: 1e99\nparams:\n"
        "  batch_size: 99999999999999999999\nimageResize: banana\nqueueUsed: kafka\n"
        "redisSecureEnabled: maybe\n"
    )
    with pytest.raises(PixelcostError) as refused:
        read(tmp_path, text)
    problems = refused.value.problems
    assert len(problems) == 13
    for key in (
        *(
            "no model at",
            "modelParallelism -2",
            "threadPerModel 'many'",
            "redisUrl 'http://x'",
            "jobName 'a b'",
        ),
        *("redisMaxmemory 'huge'", "recordEncrypted", "postProcessing", "redisTimeout", "params.batch_size"),
        *("imageResize", "queueUsed: kafka", "redisSecureEnabled 'maybe'"),
    ):
        assert sum(key in problem for problem in problems) == 1, key


BOMB = "a: &a {x: 1, y: 1}\n" + "".join(
    f"{new}: &{new} {{p: *{old}, q: *{old}, r: *{old}, s: *{old}}}\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no keys. Set at least modelPath"),
        ("# modelPath: x\n", "holds no keys"),
        ("- a\n- b\n", "no keys, but a list"),
        ("hello", "no keys, but a text"),
        ("modelPath: [", "is not valid YAML"),
        ("model:\n\tpath: net\n", "line 2 begins with a tab. Indent with spaces"),
        ("x: 2001-99-99", "is not valid YAML"),
        ("!!python/object/apply:os.system ['true']", "is not valid YAML"),
        (b"\xff\xfe\xfa", "is not a text in UTF-8"),
        (b"\x00\x01", "is not valid YAML"),
        (BOMB, "more than 500 keys|nested too deeply"),
        ("x: &x\n  y: *x\n", "nested too deeply"),
        ("[" * 600 + "]" * 600, "nested too deeply"),
        ("a: " + "x" * (1 << 20), "larger than 1 MiB"),
        ("model:\n  path:\n", "no keys|names no model"),
        ("modelPath: s3://bucket/net", "is at s3://bucket/net. Copy it to this machine"),
        ("modelPath: hdfs://node/net", "Copy it to this machine"),
        ("modelPath: 7", "must be a text, not 7"),
        ("modelPath: " + "x" * 5000, "there is no model at"),
        ('modelPath: "net\\n\\e[31m"', r"there is no model at [^\n\x1b]+$"),
        (
            "modelPath: .\nredisSecureEnabled: true\nredisSecureTrustStorePath: /" + "x" * 5000,
            "there is no certificate at",
        ),
        ("modelPath: net\nmodelEncrypted: true", "is encrypted"),
        ("modelPath: net\nmodel:\n  path: other", "mean the same and have different values"),
    ],
)
def test_a_broken_file_is_a_sentence(tmp_path, text, said):
    with pytest.raises(PixelcostError, match=said) as refused:
        read(tmp_path, text)
    assert str(tmp_path / "config.yaml") in refused.value.message
    assert len(refused.value.message) < 600


def test_a_file_that_is_not_there_or_is_a_folder_is_a_sentence(tmp_path):
    with pytest.raises(PixelcostError, match="There is no such file"):
        read_config(tmp_path / "nowhere.yaml")
    with pytest.raises(PixelcostError, match=r"It is a folder\. Name the file in it"):
        read_config(tmp_path)
