"""The examples run through, with a tenth of their steps: `make trials`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/__main__.py"))


@pytest.mark.trial
@pytest.mark.parametrize("name", EXAMPLES)
def test_it_runs_through(name: str, tmp_path: Path) -> None:
    if name in ("strika", "gerretsen"):
        pytest.importorskip("h5py")
    command = [sys.executable, "-m", f"examples.{name}", str(tmp_path / "out"), "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    assert list((tmp_path / "out").glob("*.png"))


def test_each_has_a_page() -> None:
    assert sorted(path.stem for path in (ROOT / "docs" / "examples").glob("*.md")) == EXAMPLES
