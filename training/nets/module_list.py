"""A `ModuleList` that knows the type of its members, so that a type checker sees into it.

Input, output   modules of one class
State           theirs; parameter names are those of `torch.nn.ModuleList`
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar, cast

from torch import nn

Member = TypeVar("Member", bound=nn.Module)


class ModuleListOf(nn.ModuleList, Generic[Member]):
    """`nn.ModuleList` with typed iteration; `at` and `between` are its typed item and slice access."""

    def __init__(self, modules: Iterable[Member] = ()) -> None:
        super().__init__(modules)

    def __iter__(self) -> Iterator[Member]:
        """Iterate over the members in order."""
        return cast("Iterator[Member]", super().__iter__())

    def at(self, index: int) -> Member:
        """The member at `index`."""
        return cast("Member", self[index])

    def between(self, start: int, stop: int) -> list[Member]:
        """The members from `start` up to, not including, `stop`."""
        return [self.at(index) for index in range(start, stop)]
