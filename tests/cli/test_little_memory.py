"""Where memory runs out, whatever was being done, a verb says so in one line; so does the command line."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope as cs
from convscope.render.figure import Figure
from convscope.render.style import Style
from tests.contracts.verbs import VERBS
from tests.networks import network

ERRORS = [
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("std::bad_alloc"),
    RuntimeError("could not create a primitive"),
    MemoryError("Unable to allocate 3.00 GiB for an array with shape (1024, 1024, 768) and data type float32"),
    MemoryError(),
    OSError(12, "Cannot allocate memory"),
]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_tells_of_memory_in_one_line(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs out where the recipe is written, outside of all that halves batches."""
    net = network("plain")
    error = ERRORS[list(VERBS).index(verb) % len(ERRORS)]

    def failing(self: cs.Network) -> str:
        raise error

    monkeypatch.setattr(cs.Network, "weights_hash", failing)
    with pytest.raises(cs.ConvscopeError, match=r"^memory ran out \(.*\): take a smaller size, or fewer at once$"):
        VERBS[verb](net, "plain", tmp_path)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: str(error)[:20] or type(error).__name__)
def test_drawing_a_result_tells_of_memory(error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = cs.weights(network("plain"), "conv1")

    def failing(self: object, style: Style) -> Figure:
        raise error

    monkeypatch.setattr(type(result), "figure", failing)
    with pytest.raises(cs.ConvscopeError, match=r"^memory ran out \(drawing the result\)"):
        result.save(tmp_path / "w.png")
    assert not list(tmp_path.iterdir())


COMMANDS = [
    "visualize blocks.4.expand:3 --steps 2 --size 4096 --out {out}/v.png",
    "dream {small} --steps 2 --size 4096 --out {out}/d.png",
    "stylize {large} {small} --size 3000 --out {out}/s.png",
    "explain {large} --out {out}/e.png",
    "explain {small} --method occlusion --stride 2 --out {out}/o.png",
]
LITTLE = """
import contextlib, io, resource, sys
from convscope.cli.main import app

def run(line):
    told = io.StringIO()
    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):
        try:
            app(line.split(), prog_name="convscope")
        except SystemExit as ended:
            code = ended.code
    return code, told.getvalue()

small, *commands = sys.argv[1:]
run(f"explain {small} --out {small}.png")  # all that is loaded once is there
run(f"visualize blocks.4.expand:3 --steps 1 --out {small}.png")
for line in commands:
    for more in (40, 200):  # megabytes
        in_use = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (in_use + more * 2**20, resource.RLIM_INFINITY))
        code, told = run(line)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        errors = [text for text in told.splitlines() if text.startswith("error")]
        print(f"{line.split()[0]} +{more}: {code} {errors}")
"""


@pytest.mark.trial
@pytest.mark.skipif(sys.platform != "linux", reason="the size of a process is limited as Linux does it")
def test_commands_under_a_limit_of_memory(tmp_path: Path) -> None:
    """Each works, or ends with 1 and one line that says what it was; none is unexpected."""
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(small)
    Image.fromarray(pixels).resize((5000, 5000)).save(large)
    (tmp_path / "out").mkdir()
    lines = [line.format(small=small, large=large, out=tmp_path / "out") for line in COMMANDS]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # where memory runs out between several, torch may wait for ever
    ran = subprocess.run(
        [sys.executable, "-c", LITTLE, str(small), *lines], capture_output=True, text=True, env=one_thread, timeout=240
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    told = ran.stdout.splitlines()
    assert len(told) == 2 * len(COMMANDS)
    wrong = [line for line in told if not (": 0 []" in line or ": 1 ['error: memory ran out (" in line)]
    assert not wrong, "\n".join(wrong)
    assert any(": 1 " in line for line in told if line.startswith("visualize"))
    finished = {line.split()[0] for line in told if ": 0 []" in line}
    assert len(list((tmp_path / "out").iterdir())) <= 2 * len(finished)
