"""The model that chooses among readings: from labelled sentences to the file that ships."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from streaming.text.reading_model import ReadingModel, load
from streaming.text.syllables import is_syllable, split_tone
from training.polyphones import (
    SENTENCES,
    chosen,
    left_out,
    main,
    packed,
    trained,
    trained_with_natural,
)
from training.reading_examples import Example, ExampleReader, labelled, natural_sentences

TESTS = Path(__file__).parents[1] / "data" / "text"
LABELLED = """\
# a comment
孩子[长]高了。\tzhang3
头发[长]得很快。\tzhang3
树[长]高了。\tzhang3
这条路很[长]。\tchang2
他的头发很[长]。\tchang2
那条河很[长]。\tchang2
GPU[得]很快，3[分]钟。\tde5 fen1
"""


@pytest.fixture(scope="module")
def reader() -> ExampleReader:
    return ExampleReader()


@pytest.fixture
def sentences(tmp_path: Path) -> Path:
    (tmp_path / "some.tsv").write_text(LABELLED, "utf-8")
    return tmp_path


def test_labelled_sentences_come_with_places_and_readings(sentences: Path) -> None:
    found = list(labelled(sentences / "some.tsv"))
    assert found[0] == ("孩子长高了。", [(2, "zhang3")])
    assert found[-1] == ("GPU得很快，3分钟。", [(3, "de5"), (8, "fen1")])


def test_examples_are_what_the_frontend_sees(reader: ExampleReader, sentences: Path) -> None:
    examples = reader.labelled(sentences / "some.tsv")
    assert [example.char for example in examples] == [*"长长长长长长得分"]
    assert "xGPU" in examples[-2].features
    assert "l三" in examples[-1].features  # the number as it is read


def test_a_character_that_normalisation_adds_hides_its_like(reader: ExampleReader, tmp_path: Path) -> None:
    (tmp_path / "one.tsv").write_text("二[十]分之一和20。\tshi2\n", "utf-8")
    assert reader.labelled(tmp_path / "one.tsv") == []


def test_what_was_learnt_is_chosen_again_and_survives_packing(reader: ExampleReader, sentences: Path) -> None:
    examples = reader.labelled(sentences / "some.tsv")
    models = trained(examples)
    assert set(models) == {"长"}  # the others have one reading only
    assert [chosen(models, example) for example in examples[:6]] == ["zhang3"] * 3 + ["chang2"] * 3
    unpacked = ReadingModel.unpacked(packed(models)).characters
    assert all(chosen(unpacked, example) == chosen(models, example) for example in examples)


def test_a_reading_that_no_label_has_stays(reader: ExampleReader, sentences: Path) -> None:
    models = trained(reader.labelled(sentences / "some.tsv"))
    assert chosen(models, Example("", "长", "zhang5", "zhang5", (), is_labelled=False)) == "zhang5"


def test_sentences_left_out_were_not_seen(reader: ExampleReader, sentences: Path) -> None:
    examples = reader.labelled(sentences / "some.tsv")
    assert sorted(example.sentence for example, _ in left_out(examples, [])) == sorted(
        example.sentence for example in examples
    )


def test_natural_text_tells_how_common_a_reading_is(
    reader: ExampleReader, sentences: Path, tmp_path: Path
) -> None:
    text = tmp_path / "news.txt"
    bridges = "".join(f"桥长{n}米。" for n in "三四五六七八九")
    text.write_text(f"这/r 条/q 街/n 长/a 三/m 公里/q 。\n{bridges}", "utf-8")
    natural = natural_sentences([text])
    assert "这条街长三公里。" in natural
    examples = reader.labelled(sentences / "some.tsv")
    [wall] = reader.natural(["墙长二米。"], {"长"}, 1)
    known = reader.natural(natural, {"长"}, 100)
    before, after = trained(examples)["长"], trained_with_natural(examples, known)["长"]
    assert after.choose(iter(wall.features)) == "chang2"
    assert after.bias[0] - after.bias[1] > before.bias[0] - before.bias[1]


def test_a_text_gives_no_more_examples_than_are_asked_for(reader: ExampleReader) -> None:
    assert len(reader.natural(["桥长三米。", "路长四米。", "河长五米。"], {"长"}, 2)) == 2


def test_the_command_writes_a_model_and_measures(sentences: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, out = sentences / "news.txt", sentences / "model.xz"
    text.write_text("桥长三米。", "utf-8")
    assert main(["--sentences", str(sentences), "--natural", str(text), "--out", str(out)]) == 0
    assert set(ReadingModel.unpacked(out.read_bytes()).characters) == {"长"}
    assert main(["--sentences", str(sentences), "--natural", str(text)]) == 0
    assert capsys.readouterr().out.startswith("8 characters in sentences left out")


def pieces(sentence: str) -> set[str]:
    """All that is six characters long in a sentence, without its marks."""
    bare = re.sub(r"\W", "", sentence)
    return {bare[start : start + 6] for start in range(max(1, len(bare) - 5))}


def test_the_sentences_that_it_learns_from_are_in_no_test_nor_nearly_so() -> None:
    tested = [pieces(text) for path in TESTS.glob("polyphones*.tsv") for text, _ in labelled(path)]
    where: defaultdict[str, list[int]] = defaultdict(list)
    for number, found in enumerate(tested):
        for piece in found:
            where[piece].append(number)
    for path in sorted(SENTENCES.glob("*.tsv")):
        for text, _ in labelled(path):
            own = pieces(text)
            shared = Counter(number for piece in own for number in where[piece])
            for number, count in shared.items():
                assert 2 * count < min(len(own), len(tested[number])), text


def test_the_sentences_that_it_learns_from_are_labelled_with_syllables() -> None:
    learnt = [sentence for path in sorted(SENTENCES.glob("*.tsv")) for sentence in labelled(path)]
    assert len(learnt) > 15_000
    assert all(is_syllable(split_tone(reading)[0]) for _, labels in learnt for _, reading in labels)
    assert len({text[place] for text, labels in learnt for place, _ in labels}) >= len(load().characters)
