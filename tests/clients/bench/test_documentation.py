from __future__ import annotations

from pathlib import Path

from clients.bench.arguments import _parser
from clients.bench.slots import SLOTS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "load.md").read_text(encoding="utf-8")


def test_every_flag_is_documented() -> None:
    flags = {flag for action in _parser()._actions for flag in action.option_strings} - {"-h", "--help"}
    assert sorted(flag for flag in flags if flag not in PAGE) == []


def test_every_slot_is_documented() -> None:
    assert sorted(name for name in SLOTS if f"`{{{name}}}`" not in PAGE) == []
