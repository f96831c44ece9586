"""What a model is told was said."""

from __future__ import annotations

from clients.examples import history
from clients.examples.history import History, heard_chars
from clients.python.wire import Sentence, Word

WORDS = [Word("你好", 0, 100, 0, 2), Word("世界", 100, 200, 2, 4), Word("再见", 300, 400, 5, 7)]
SENTENCES = [Sentence(1, 0, "你好世界。", 0, 5, 0), Sentence(1, 1, "再见。", 5, 8, 250)]


def roles(said: History) -> list[str]:
    return [message["role"] for message in said.messages()]


def test_the_two_take_turns() -> None:
    said = History("be brief")
    said.user("a")
    said.assistant("b")
    said.user("c")
    assert roles(said) == ["system", "user", "assistant", "user"]
    assert said.messages()[2]["content"] == "b"


def test_a_question_without_an_answer_and_the_next_are_one() -> None:
    said = History()
    said.user("a")
    said.assistant(" ")
    said.user("b")
    assert said.messages() == [{"role": "user", "content": "a\nb"}]


def test_a_long_conversation_forgets_its_beginning_but_not_the_system() -> None:
    said = History("be brief")
    for number in range(history.MAX_MESSAGES):
        said.user(f"question {number}")
        said.assistant(f"answer {number}")
    assert len(said.messages()) <= history.MAX_MESSAGES + 2
    assert roles(said)[:2] == ["system", "user"]
    assert said.messages()[-1]["content"] == f"answer {history.MAX_MESSAGES - 1}"


def test_heard_is_what_was_heard_to_the_end_of_a_word() -> None:
    heard = [heard_chars(SENTENCES, WORDS, played) for played in (0, 99, 100, 250, 399, 400)]
    assert heard == [0, 0, 2, 4, 4, 7]


def test_without_words_it_is_the_sentences_that_were_followed_by_another() -> None:
    assert [heard_chars(SENTENCES, [], played) for played in (0, 249, 250, 9999)] == [0, 0, 5, 5]
    assert heard_chars([], [], 100) == 0
