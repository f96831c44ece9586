"""One warm frontend for all text tests: its dictionaries take a second to load."""

from __future__ import annotations

import pytest

from streaming.text.frontend import Frontend
from streaming.text.symbols import SymbolTables


@pytest.fixture(scope="session")
def frontend() -> Frontend:
    warm = Frontend(SymbolTables())
    warm.warm_up()
    return warm
