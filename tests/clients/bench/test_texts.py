from __future__ import annotations

from pathlib import Path

import pytest

from clients.bench.slots import SLOT, SLOTS, VARIANTS, fill
from clients.bench.texts import BUILT_IN, TextError, load_texts
from streaming.text.segmenter import Segmenter


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_built_in_sets_are_large_and_diverse(name: str) -> None:
    templates = BUILT_IN[name]
    assert len(set(templates)) == len(templates) >= 40
    assert load_texts(name, 1).n_distinct >= 10_000
    assert {slot for template in templates for slot in SLOT.findall(template)} <= set(SLOTS)
    lengths = [len(fill(template, 0)) for template in templates]
    assert min(lengths) >= 15
    assert max(lengths) <= (90 if name == "zh" else 200)


@pytest.mark.parametrize("name", BUILT_IN)
def test_no_piece_that_the_server_keeps_comes_back(name: str) -> None:
    """Its own segmenter cuts the texts; each sentence and first clause is new, in 100 variants of each."""
    seen: dict[str, str] = {}
    for template in BUILT_IN[name]:
        for variant in range(0, VARIANTS, VARIANTS // 100):
            segmenter = Segmenter()
            text = fill(template, variant)
            for segment in [*segmenter.push(text), *segmenter.flush()]:
                assert segment.text not in seen, (segment.text, text, seen[segment.text])
                seen[segment.text] = text


def test_a_round_says_everything_once_and_the_next_in_another_order() -> None:
    texts = load_texts("en", 3)
    n = len(texts.templates)
    first, second = ([texts.text(start + place) for place in range(n)] for start in (0, n))
    assert len({*first, *second}) == 2 * n
    assert [text[:9] for text in first] != [text[:9] for text in second]


def test_another_seed_says_something_else() -> None:
    one, two = load_texts("zh", 1), load_texts("zh", 2)
    assert not {one.text(n) for n in range(200)} & {two.text(n) for n in range(200)}


def test_a_file_gives_a_text_per_line(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("# comment\n\n一。\n  二{编号}。\n", encoding="utf-8")
    texts = load_texts(str(path), 1)
    assert texts.templates == ("一。", "二{编号}。")
    assert texts.n_distinct == 1 + VARIANTS


@pytest.mark.parametrize("content", [None, "", "# only\n\n", b"\xff\xfe"])
def test_a_file_without_texts_is_said(tmp_path: Path, content: str | bytes | None) -> None:
    path = tmp_path / "texts.txt"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(TextError, match=r"texts\.txt"):
        load_texts(str(path), 1)
