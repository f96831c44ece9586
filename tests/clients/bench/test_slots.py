from __future__ import annotations

from clients.bench.slots import SLOTS, VARIANTS, fill, has_slots


def test_every_slot_has_more_values_than_there_are_variants_and_none_twice() -> None:
    for name, slot in SLOTS.items():
        values = {slot.value(index) for index in range(slot.size)}
        assert len(values) == slot.size >= VARIANTS, name


def test_no_variant_of_a_text_shares_the_value_of_a_slot_with_another() -> None:
    for name in SLOTS:
        assert len({fill(f"{{{name}}}", variant) for variant in range(VARIANTS)}) == VARIANTS, name


def test_two_slots_of_one_kind_differ() -> None:
    first, _, second = fill("{人}|{人}", 7).partition("|")
    assert first != second


def test_braces_that_name_no_slot_stay() -> None:
    assert fill("{x} {} {person", 3) == "{x} {} {person"
    assert not has_slots("{x}")
    assert has_slots("你好{人}")
