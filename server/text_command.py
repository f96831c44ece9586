"""`zhiyin text`: what will be spoken of a text, and why.

Input   a text, or standard input; flags
Output  a listing for people, or JSON
State   none
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from server.backend import text_policy
from server.flags import add_config_flags, config_of
from server.voices_command import folder_of_voice_or_default
from streaming.frontends import make_frontend
from streaming.text.explanation import explain
from streaming.text.lexicon import Lexicon
from streaming.voice import load_manifest

BREAKS = ("", "", "  #2", "  #3", "  #4")


def add_text(commands: Any) -> None:
    """Add the command to those of `zhiyin`."""
    text = commands.add_parser(
        "text",
        help="show what will be spoken of a text, and why",
        description="Show the segments of a text, what each is normalised to, and every word with its "
        "reading (pinyin as it is spoken: tone sandhi done, 5 is the neutral tone).",
    )
    text.add_argument("text", nargs="?", default="-", help="left out or -: standard input")
    text.add_argument("--json", action="store_true", help="print one JSON object")
    text.add_argument("--ssml", action="store_true", help="the text is SSML")
    text.add_argument("--voice", default="", help="the default voice if left out")
    add_config_flags(text)
    text.set_defaults(run=run_text)


def run_text(parsed: argparse.Namespace) -> int:
    """Run the command; return the exit status: 1 if a segment cannot be spoken.

    Raises:
        SsmlError: The text is not SSML.
        UnknownVoiceError: No such voice.
        VoiceBundleError: The voice is broken.
    """
    config = config_of(parsed)
    text = sys.stdin.read() if parsed.text == "-" else parsed.text
    frontend = make_frontend(load_manifest(folder_of_voice_or_default(config, parsed.voice)))
    policy = text_policy(config.text, config.limits.chars_per_context, None)
    segments = explain(text, frontend, policy.segments, Lexicon(config.text.lexicon), ssml=parsed.ssml)
    if parsed.json:
        sys.stdout.write(json.dumps({"segments": segments}, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("".join(_lines(number, segment) for number, segment in enumerate(segments, 1)))
    return int(any("error" in segment for segment in segments))


def _lines(number: int, segment: dict[str, Any]) -> str:
    lines = [f"{number}  {segment['text']}   [{segment['char_start']}:{segment['char_end']}]"]
    if segment["normalized"] != segment["text"]:
        lines.append(f"   is read as  {segment['normalized'].strip()}")
    if "error" in segment:
        lines.append(f"   cannot be spoken: {segment['error']}")
    lines += [f"     {_word(word)}" for word in segment["words"]]
    return "\n".join(lines) + "\n"


def _word(word: dict[str, Any]) -> str:
    reading = " ".join(word["pinyin"] or word["phones"])
    place = f"[{word['char_start']}:{word['char_end']}]"
    return f"{word['text']}  {reading}  {place}{BREAKS[word.get('break', 0)]}"
