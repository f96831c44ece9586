"""The version of the installed package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def zhiyin_version() -> str:
    """Return the version that the package was installed as; `0+source` when it was not."""
    try:
        return version("zhiyin")
    except PackageNotFoundError:
        return "0+source"
