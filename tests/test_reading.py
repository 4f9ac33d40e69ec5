"""Regular files up to a limit are read; whatever could hold a program up, or fill its memory, is refused."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from convscope.reading import ReadError, regular_bytes

DATA = bytes(range(256)) * 12_000  # three reads' worth


def why(path: Path, most: int = 1 << 20) -> tuple[str, str]:
    with pytest.raises(ReadError) as caught:
        regular_bytes(path, most)
    assert len(str(caught.value).splitlines()) == 1
    return caught.value.why, str(caught.value)


@pytest.mark.parametrize("size", [0, 1, 1000, len(DATA)])
def test_a_file_is_read_whole(size: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA[:size])
    assert regular_bytes(path, len(DATA)) == DATA[:size]
    assert regular_bytes(path, size) == DATA[:size]
    link = tmp_path / "link"
    link.symlink_to(path)
    assert regular_bytes(link, size) == DATA[:size]


def test_a_file_above_the_limit_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(5 << 30)  # a hole: takes no room
    monkeypatch.setattr(os, "read", lambda *_: pytest.fail("read"))
    assert why(path, 1 << 30) == ("large", "is 5 GB large; the limit is 1 GB")


def test_a_file_that_grows_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10)
    asked: list[int] = []

    def endless(_: int, count: int) -> bytes:
        asked.append(count)
        return bytes(min(count, 1 << 20))

    monkeypatch.setattr(os, "read", endless)
    assert why(path, 3 << 20)[0] == "large"
    assert len(asked) == 4
    assert max(asked) <= 4 << 20


def test_files_of_proc_say_no_size_and_are_read(tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("no /proc")
    assert b"Name:" in regular_bytes(Path("/proc/self/status"), 1 << 20)
    assert why(Path("/proc/self/status"), 10) == (
        "large",
        "is larger than it says, or still growing; the limit is 10 bytes",
    )


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert why(tmp_path / "pipe")[1].startswith("is a pipe; expected a regular file")
    assert why(Path("/dev/zero"))[1].startswith("is a device; expected a regular file")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(".", os.O_RDONLY)
        os.chdir(tmp_path)  # a socket's name may not be long
        try:
            listening.bind("socket")
        finally:
            os.fchdir(here)
            os.close(here)
        assert why(tmp_path / "socket")[1].startswith("is a socket; expected a regular file")
    assert why(tmp_path) == ("folder", "is a folder")


def test_a_pipe_put_in_the_place_of_a_file_does_not_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is looked at once more after it was opened."""
    path = tmp_path / "pipe"
    (tmp_path / "file").write_bytes(b"x")
    os.mkfifo(path)
    sound = os.stat(tmp_path / "file")
    monkeypatch.setattr(os, "stat", lambda *_, **__: sound)
    assert why(path)[0] == "special"


def test_names_that_no_file_has(tmp_path: Path) -> None:
    assert why(tmp_path / "none") == ("missing", "does not exist")
    assert why(tmp_path / "a\0b")[0] == "unreadable"
    assert why(tmp_path / ("a" * 5000))[0] == "unreadable"
    (tmp_path / "file").write_bytes(b"x")
    assert why(tmp_path / "file" / "below")[0] == "unreadable"


def test_reading_loads_no_torch() -> None:
    code = "import sys, convscope.reading; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
