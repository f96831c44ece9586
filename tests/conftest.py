"""Settings that all tests share; fixtures live beside the tests that use them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import settings

TRAINING_TESTS = Path(__file__).parent / "training"
BROWSER_TESTS = Path(__file__).parent / "browser"

# The tests of the networks need torch; without it, as in the default environment, they are not collected.
collect_ignore = [] if importlib.util.find_spec("torch") else [str(TRAINING_TESTS)]
if not importlib.util.find_spec("playwright"):  # the same, of `make test-browser`
    collect_ignore.append(str(BROWSER_TESTS))

# A property must hold, however slow the machine; the same examples each run, so that a red test stays red.
settings.register_profile("zhiyin", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("zhiyin")


@pytest.fixture(autouse=True)
def no_voices_of_this_user(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the voices that somebody imported on this machine out of the tests."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.getbasetemp() / "no-user-data"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if TRAINING_TESTS in item.path.parents:
            item.add_marker(pytest.mark.training)
