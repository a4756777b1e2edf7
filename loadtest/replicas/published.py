"""What the swarm benchmark published, which this one takes the place of: seconds for all requests to end.

BMW-InnovationLab/BMW-TensorFlow-Inference-API-CPU, README, section on Docker swarm; read off its charts, the
last figures of 40 requests from its text. Model, picture, processor and client are not named there, and each
figure is one run.
"""

from __future__ import annotations

SOURCE = "BMW-InnovationLab/BMW-TensorFlow-Inference-API-CPU, README (Docker swarm)"
# (requests, hosts) -> replicas on each host -> seconds
MAKESPANS_S = {
    (20, 1): {1: 9.0, 2: 8.5, 4: 8.57, 8: 8.65, 20: 8.8},
    (20, 2): {1: 4.53, 2: 4.35, 4: 4.34, 8: 4.36, 20: 4.40},
    (40, 1): {1: 18.1, 2: 16.9, 4: 17.0, 8: 17.25, 20: 17.5},
    (40, 2): {1: 9.05, 2: 8.55, 4: 8.57, 8: 8.7, 20: 8.8},
}


def published_s(requests: int, hosts: int, replicas: int | None) -> float | None:
    """The published figure; None: there is none."""
    return MAKESPANS_S.get((requests, hosts), {}).get(replicas or 0)
