"""`zhiyin voices`: import, optimize, list, show, verify, remove, reload.

Input   command-line arguments, an answer from the terminal
Output  text on the terminal, an exit status
State   none
It does not know how anything is done: voices_command.py and reload_command.py do it.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from server.flags import add_config_flags, config_of
from server.import_command import add_import
from server.optimise_command import add_optimise
from streaming.errors import ConfigError

DEFAULT_URL = "http://127.0.0.1:8080"
RELOAD_HINT = "a running server notices after `zhiyin voices reload`"


def add_voices(commands: Any) -> None:
    """Add `voices` and its actions to the commands of `zhiyin`."""
    voices = commands.add_parser("voices", help="look after the voices on this machine")
    actions = voices.add_subparsers(required=True, metavar="ACTION")

    add_import(actions)
    add_optimise(actions)

    listing = actions.add_parser("list", help="one line per voice")
    listing.set_defaults(run=_list)

    show = actions.add_parser("show", help="everything about one voice")
    show.add_argument("name", nargs="?", default="", help="the default voice if left out")
    show.set_defaults(run=_show)

    verify = actions.add_parser("verify", help="check files, load the networks, speak a sentence")
    verify.add_argument("names", nargs="*", metavar="name", help="all voices if left out")
    verify.set_defaults(run=_verify)

    remove = actions.add_parser("remove", help="delete a voice's folder")
    remove.add_argument("name")
    remove.add_argument("--yes", action="store_true", help="do not ask")
    remove.set_defaults(run=_remove)

    for action in (listing, show, verify, remove):
        add_config_flags(action)

    reload = actions.add_parser("reload", help="have a running server look at its folders again")
    reload.add_argument("--url", default=os.environ.get("ZHIYIN_URL", DEFAULT_URL), help=DEFAULT_URL)
    reload.add_argument("--token", default=os.environ.get("ZHIYIN_TOKEN", ""), help="or ZHIYIN_TOKEN")
    reload.set_defaults(run=_reload)


def _list(parsed: argparse.Namespace) -> int:
    from server.voices_command import list_voices

    sys.stdout.write(list_voices(config_of(parsed)))
    return 0


def _show(parsed: argparse.Namespace) -> int:
    from server.voices_command import show_voice

    sys.stdout.write(show_voice(config_of(parsed), parsed.name))
    return 0


def _verify(parsed: argparse.Namespace) -> int:
    from server.voices_command import verify_voices

    fine = True
    for checked in verify_voices(config_of(parsed), parsed.names):
        fine = fine and not checked.reason
        sys.stdout.write(f"{checked}\n")
        sys.stdout.flush()  # each takes seconds
    return 0 if fine else 1


def _remove(parsed: argparse.Namespace) -> int:
    from server.voices_command import removable_folder, remove_folder

    folder = removable_folder(config_of(parsed), parsed.name)
    if not parsed.yes and not _confirmed(f"delete {folder}?"):
        sys.stdout.write("nothing deleted\n")
        return 1
    remove_folder(folder)
    sys.stdout.write(f"deleted {folder}; {RELOAD_HINT}\n")
    return 0


def _reload(parsed: argparse.Namespace) -> int:
    from server.reload_command import reload_voices

    sys.stdout.write(reload_voices(parsed.url, parsed.token))
    return 0


def _confirmed(question: str) -> bool:
    """Ask on the terminal.

    Raises:
        ConfigError: There is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise ConfigError(f"{question} There is no terminal to ask on; --yes does it without asking")
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
