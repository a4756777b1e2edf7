"""How long, how fast and on what the student learns: everything that a training depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True)
class Recipe:
    """The defaults are for a training from random weights."""

    seed: int = 1
    epochs: int = 30
    batch: int = 128
    peak_rate: float = 2e-3
    warmup_epochs: float = 2.0
    cooldown_share: float = 0.35  # of the epochs; before it nothing depends on how many there will be
    weight_decay: float = 0.05
    held_out_share: float = 0.05
    true_label_share: float = 0.5  # how much the folder's name counts beside the teacher
    mixup: float = 0.2  # Beta(a, a) of Zhang et al. 2018
    # Sides of the crops, multiples of 32, which the strides divide: small first, since they cost less; in the
    # end a thing in a crop is as large as it is in a whole photo of 192 px (Touvron et al. 2019, "Fixing the
    # train-test resolution discrepancy").
    small_px: int = 96
    small_epochs: int = 8
    middle_px: int = 128
    large_px: int = 160
    large_share: float = 0.1  # of the epochs
    bfloat16: bool = False

    @property
    def cooldown_epoch(self) -> float:
        """How many epochs are behind us when the rate begins to sink."""
        return self.epochs * (1 - self.cooldown_share)

    def side_px(self, epochs: float) -> int:
        """`epochs`: how many are behind us, with fraction."""
        if epochs >= self.epochs * (1 - self.large_share):
            return self.large_px
        return self.small_px if epochs < self.small_epochs else self.middle_px

    def rate(self, epochs: float) -> float:
        """Up, level, and down to zero as 1 - sqrt (Hägele et al. 2024, "beyond fixed training durations")."""
        if epochs < self.warmup_epochs:
            return self.peak_rate * epochs / self.warmup_epochs
        sunk = max(0.0, (epochs - self.cooldown_epoch) / (self.epochs - self.cooldown_epoch))
        return self.peak_rate * (1 - math.sqrt(sunk))

    def for_learned_weights(self) -> Recipe:
        """For weights that have learned: a quarter of the rate, which sinks soon, and large crops."""
        return replace(
            self,
            peak_rate=self.peak_rate / 4,
            warmup_epochs=0.2,
            cooldown_share=0.9,
            small_epochs=0,
            middle_px=self.large_px,
        )

    def can_go_on(self, epochs_done: int, planned: int) -> bool:
        """Whether what was trained with `planned` epochs in mind is what this recipe would have done, too."""
        before = replace(self, epochs=planned)
        return epochs_done <= min(self.cooldown_epoch, before.cooldown_epoch) or planned == self.epochs


def has_fast_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor multiplies bfloat16 (Intel's AMX): twice as fast there, slower elsewhere."""
    return cpuinfo.exists() and "amx_bf16" in cpuinfo.read_text(encoding="utf-8")
