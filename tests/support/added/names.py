"""Host names whose addresses a test decides."""

from __future__ import annotations

from collections.abc import Sequence


class Names:
    """A resolver whose answers change: the next one of the list at every look-up, the last one for ever."""

    def __init__(self, *answers: Sequence[str]):
        self._answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if not answer:
            raise OSError("Name or service not known")
        return answer
