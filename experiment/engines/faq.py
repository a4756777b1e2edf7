"""What engines fail of, in words: the questions of Cluster Serving's FAQ, answered where they come up."""

from __future__ import annotations

import re
from typing import Final

from experiment.engines.base import EngineFailed
from experiment.wording import one_line

# Pattern in what an engine says -> what happened and what to change. The first row that fits counts.
_ROWS: Final = (
    (
        r"executor.*(Java heap space|GC overhead limit)|(Java heap space|GC overhead limit).*executor \d",
        "An executor of Spark has used up its memory (Java heap space). Raise spark.executor_memory, "
        "or lower spark.executor_cores: fewer tasks then share it.",
    ),
    (
        r"Java heap space|GC overhead limit|System memory \d+ must be at least",
        "Spark's driver has used up its memory (Java heap space), or had too little to start "
        "with. Raise spark.driver_memory; its default is 1g.",
    ),
    (
        r"OOM when allocating|ResourceExhausted|OutOfMemory(?!Error)|std::bad_alloc|MemoryError|memory usage",
        "A worker or its model ran out of memory (OutOfMemory). Run fewer at once (--workers, "
        "spark.executor_cores, spark.total_executor_cores), or use smaller batches.",
    ),
    (
        r"ExecutorLostFailure|executor failures|Master removed our application",
        "Spark lost its executors. Mostly the cluster ended them for using too much memory: raise "
        "spark.executor_memory, or lower spark.executor_cores. The executor's own log has the reason.",
    ),
    (
        r"All masters are unresponsive|Failed to connect to master|Could not parse Master URL",
        "The master does not answer. Check spark.master, and that it runs: spark://host:7077, local[*], "
        "yarn, k8s://https://host:6443.",
    ),
    (
        r"HADOOP_CONF_DIR or YARN_CONF_DIR",
        "For spark.master yarn, HADOOP_CONF_DIR must name the folder of the cluster's configuration.",
    ),
    (
        r"spark\.kubernetes\.container\.image",
        "Spark on Kubernetes needs an image with this program: spark.kubernetes.container.image in "
        "$SPARK_CONF_DIR/spark-defaults.conf (docs/scaling.md).",
    ),
    (
        r"different version.*than that in driver|PYTHON_VERSION_MISMATCH|Version mismatch",
        "Both sides must have the same version of Python and of the engine: use the same image "
        "or environment.",
    ),
    (
        r"No module named",
        "The program's code is not on the machine where it was to run. Install Pixelcost there at the same "
        "place, or use the same image (docs/scaling.md).",
    ),
    (
        r"UnsupportedClassVersionError",
        "Java is too old for Spark. Install Java 17 (apt-get install openjdk-17-jre-headless).",
    ),
    (
        r"authentication|auth_token|Unauthenticated",
        "Both sides need the same token: copy ~/.ray/auth_token of the head to this machine, "
        "or set RAY_AUTH_TOKEN.",
    ),
    (
        r"Could not find any running Ray|Failed to connect to GCS|Can't find.*node|ConnectionError|timed out",
        "Start it with `ray start --head`, and join this machine with `ray start --address=HEAD:6379`.",
    ),
)


def failed(beginning: str, error: Exception) -> EngineFailed:
    """The error as a sentence after `beginning`: what to change if that is known, else its own words."""
    text = str(error)
    for pattern, words in _ROWS:
        if re.search(pattern, text, re.DOTALL):
            return EngineFailed(f"{beginning} {words}")
    return EngineFailed(f"{beginning} It says: {one_line(text, 300)}")
