"""Writing a file whole or not at all: under another name beside it, which is then given up for its own."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def fresh_file(path: str | Path) -> Iterator[Path]:
    """A path to write to, of the same ending, in the folder of `path`; once all is written it becomes `path`.

    Folders that are missing are made. Of a link, the file it leads to is written. What fails leaves nothing behind, and
    the file as it was. Raises OSError and ValueError, as the system does.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".convscope-", suffix=f".part{target.suffix}")
    os.close(handle)
    try:
        yield Path(name)
        os.chmod(name, 0o666 & ~_UMASK)
        os.replace(name, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _umask()  # asked once: asking sets it for a moment, for all threads
