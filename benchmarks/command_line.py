"""How long a person waits for help, and for a report."""

import subprocess
import sys
import tempfile

from benchmarks.timing import in_turns

PHOTO = "examples/photographs/cat.jpg"


def rows() -> list[tuple[str, ...]]:
    """One row per command."""

    def run(*arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "convscope", *arguments], check=True, capture_output=True)

    help_s = in_turns({"help": lambda: run("--help")}, rounds=5)["help"]
    with tempfile.TemporaryDirectory() as folder:
        explain_s = in_turns({"explain": lambda: run("explain", PHOTO, "--out", f"{folder}/x.png")}, rounds=3)[
            "explain"
        ]
        report_s = in_turns({"report": lambda: run("report", PHOTO, "--out", folder)}, rounds=1)["report"]
    return [
        ("command", "seconds", "limit"),
        ("--help", f"{help_s:.2f}", "0.5"),
        ("explain", f"{explain_s:.2f}", ""),
        ("report", f"{report_s:.0f}", "90"),
    ]
