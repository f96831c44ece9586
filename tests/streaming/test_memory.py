from __future__ import annotations

import ctypes

import pytest

from streaming.memory import return_freed_memory


def test_returning_memory_harms_nothing():
    return_freed_memory()


@pytest.mark.parametrize("error", [AttributeError, OSError, TypeError])
def test_other_systems_go_without(monkeypatch: pytest.MonkeyPatch, error: type[Exception]):
    def missing(name: str | None) -> object:
        raise error(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    return_freed_memory()
