"""Where the files of the demo model lie. Without TensorFlow, so that commands know the paths at once."""

from __future__ import annotations

from pathlib import Path

DEMO_DIR = Path(__file__).parent / "demo"
WEIGHTS = DEMO_DIR / "demo_weights_fp16.npz"  # arr_0, arr_1, ... in the order that models/demo.py reads
IMAGENET_INDEX = DEMO_DIR / "imagenet_index.txt"  # ImageNet's index, 0..999, of each row of the head
