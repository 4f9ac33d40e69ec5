"""The hub of Hugging Face, from which timm and transformers fetch: kept from talking while it tries."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Within it the hub's client logs errors alone, and not each try: of what fails, our error says all."""
    loggers = [logging.getLogger(name) for name in ("huggingface_hub", "timm", "transformers")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
