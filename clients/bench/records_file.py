"""Write every utterance of a run, one JSON object a line.

Input   records
Output  a file
State   none
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from clients.bench.record import Record


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write the file. Texts are not in it, only their lengths."""
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            fields = {**asdict(record), "late_ms": record.late_ms}
            file.write(json.dumps(fields, ensure_ascii=False) + "\n")
