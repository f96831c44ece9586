from __future__ import annotations

import pytest

from streaming.errors import UnspeakableTextError
from streaming.text.mandarin import MandarinReader


@pytest.fixture(scope="module")
def reader() -> MandarinReader:
    warm = MandarinReader()
    warm.warm_up()
    return warm


def pinyin(reader: MandarinReader, run: str) -> str:
    return " ".join(reading.pinyin for word in reader.read(run) for reading in word.readings)


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("行长在重庆银行", "hang2 zhang3 zai4 chong2 qing4 yin2 hang2"),
        ("银行行长", "yin2 hang2 hang2 zhang3"),
        ("长大", "zhang3 da4"),
        ("很长", "hen3 chang2"),
        ("还款", "huan2 kuan3"),
        ("还是", "hai2 shi4"),
        ("音乐快乐", "yin1 yve4 kuai4 le4"),
        ("了解为了", "liao3 jie3 wei4 le5"),
        ("睡觉觉得", "shui4 jiao4 jve2 de5"),
        ("绿色旅行", "lv4 se4 lv3 xing2"),
        ("嗯", "en4"),
        ("龢", "he2"),
        ("〇", "ling2"),
        ("一个人不是", "yi1 ge4 ren2 bu4 shi4"),
    ],
)
def test_words_have_their_citation_readings(reader: MandarinReader, run: str, expected: str) -> None:
    assert pinyin(reader, run) == expected


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("花儿", "huar1"),
        ("这儿的", "zher4 de5"),
        ("玩儿", "wanr2"),
        ("一会儿", "yi1 huir4"),
        ("儿子女儿", "er2 zi5 nv3 er2"),
        ("婴儿", "ying1 er2"),
        ("幼儿园", "you4 er2 yvan2"),
        ("儿童", "er2 tong2"),
    ],
)
def test_erhua_is_merged_unless_the_character_means_child(
    reader: MandarinReader, run: str, expected: str
) -> None:
    assert pinyin(reader, run) == expected


@pytest.mark.parametrize(
    ("traditional", "simplified"), [("後來還款給銀行行長", "后来还款给银行行长"), ("慶祝長大", "庆祝长大")]
)
def test_traditional_characters_read_like_simplified_ones(
    reader: MandarinReader, traditional: str, simplified: str
) -> None:
    assert pinyin(reader, traditional) == pinyin(reader, simplified)
    assert "".join(word.text for word in reader.read(traditional)) == traditional


def test_words_stand_where_they_were_written(reader: MandarinReader) -> None:
    run = "花儿与女儿在中国科学院计算技术研究所玩儿"
    words = reader.read(run)
    assert "".join(word.text for word in words) == run
    assert all(run[word.start : word.start + len(word.text)] == word.text for word in words)


def test_long_names_are_cut_into_short_words(reader: MandarinReader) -> None:
    assert max(len(word.text) for word in reader.read("中国科学院计算技术研究所")) <= 4


def test_given_words_are_kept_whole(reader: MandarinReader) -> None:
    texts = [word.text for word in reader.read("在二零二六年里", [slice(1, 6)])]
    assert texts == ["在", "二零二六年", "里"]


def test_a_character_without_reading_is_named(reader: MandarinReader) -> None:
    with pytest.raises(UnspeakableTextError, match="𠮷"):
        reader.read("𠮷野家")


def test_readers_share_one_dictionary_and_warm_up_twice_is_harmless(
    reader: MandarinReader, capfd: pytest.CaptureFixture[str]
) -> None:
    second = MandarinReader()
    assert not second.is_word("银行")
    second.warm_up()
    second.warm_up()
    assert second.is_word("银行")
    assert not second.is_word("行银")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("高兴地笑了", ["高兴", "地", "笑", "了"]),
        ("慢慢地站起来", ["慢慢", "地", "站", "起来"]),
    ],
)
def test_no_word_is_made_up_that_begins_with_a_particle(
    reader: MandarinReader, run: str, words: list[str]
) -> None:
    assert [word.text for word in reader.read(run)] == words


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("轻轻地", "qing1 qing1 de5"),
        ("目的地", "mu4 di4 di4"),
        ("气得", "qi4 de5"),
        ("获得", "huo4 de2"),
    ],
)
def test_particles_at_the_end_of_a_word(reader: MandarinReader, run: str, expected: str) -> None:
    assert pinyin(reader, run) == expected
