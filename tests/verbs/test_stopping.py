"""Stopping is ordinary: Cancel and Ctrl-C keep what is done, whatever the verb and the moment; a server survives it."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import convscope as cs
from convscope.progress import keeping
from tests.contracts.verbs import CALLS
from tests.networks import network, noise

LONG = [name for name in CALLS if name not in ("activations", "weights", "predict")]


class After:
    """A watch that raises at the n-th news."""

    def __init__(self, news: int, error: type[BaseException]) -> None:
        self.left, self.error = news, error

    def __call__(self, news: cs.Progress) -> None:
        self.left -= 1
        if self.left < 0:
            raise self.error


def news_of(verb: str, folder: Path) -> int:
    """How often a call tells of its progress."""
    count = After(10**9, cs.Cancel)
    CALLS[verb](network("plain"), "plain", folder, watch=count)
    return 10**9 - count.left


@pytest.mark.parametrize("error", [cs.Cancel, KeyboardInterrupt])
@pytest.mark.parametrize("verb", [name for name in LONG if name not in ("explain",)])
def test_at_whatever_moment_it_is_stopped_it_ends_as_stopped(
    verb: str, error: type[BaseException], tmp_path: Path
) -> None:
    total = news_of(verb, tmp_path)
    assert total > 0, f"{verb} tells nothing of its progress"
    kept = 0
    for moment in sorted({round(i * (total - 1) / 5) for i in range(6)}):
        with pytest.raises(cs.Stopped) as told:
            CALLS[verb](network("plain"), "plain", tmp_path, watch=After(moment, error))
        assert isinstance(told.value, cs.ConvscopeError)
        assert not isinstance(told.value, KeyboardInterrupt)
        assert "\n" not in str(told.value)
        result = told.value.result
        if result is not None:
            assert isinstance(result, cs.Result)
            result.image()
            kept += 1
    if verb != "assess":  # whose words are of the whole
        assert kept > 0


@pytest.mark.parametrize("method", ["occlusion", "rise", "smooth_grad"])
def test_methods_that_get_better_keep_what_they_have(method: str) -> None:
    options = {"occlusion": {"patch": 4, "stride": 1}, "rise": {"samples": 200}, "smooth_grad": {"samples": 100}}[
        method
    ]
    with pytest.raises(cs.Stopped, match="stopped after") as told:
        cs.explain(network("plain"), noise(), 1, method=method, watch=After(4, cs.Cancel), **options)
    result = told.value.result
    assert result is not None
    assert result.recipe.stopped
    assert any("replay makes all of them" in note for note in result.notes)
    whole = cs.explain(network("plain"), noise(), 1, method=method, **options)
    assert not whole.recipe.stopped
    assert whole.recipe.call == result.recipe.call
    assert abs(whole.arrays["map"] - result.arrays["map"]).max() > 0


def test_an_asyncio_server_goes_on_serving_after_work_was_stopped() -> None:
    """Work in a thread of its executor, stopped by a Cancel button; KeyboardInterrupt would end the loop."""

    async def serve() -> list[str]:
        loop, answers = asyncio.get_running_loop(), []
        button = threading.Event()

        def watch(news: cs.Progress) -> None:
            if button.is_set():
                raise cs.Cancel

        def work() -> Any:
            return cs.visualize(network("plain"), "conv2:1", steps=10_000, size=32, watch=watch)

        job = asyncio.ensure_future(loop.run_in_executor(None, work))
        await asyncio.sleep(0.3)
        button.set()
        try:
            await job
        except cs.Stopped as stopped:
            answers.append(type(stopped.result).__name__)
        again = await loop.run_in_executor(None, lambda: cs.explain(network("plain"), noise()))
        answers.append(again.recipe.verb)
        return answers

    assert asyncio.run(serve()) == ["Pictures", "explain"]


def test_keeping_lets_other_errors_through_and_asks_for_nothing_without_need() -> None:
    asked: list[str] = []

    def told() -> str:
        asked.append("told")
        return "stopped"

    with keeping(told):
        pass
    with pytest.raises(ValueError, match="other"), keeping(told):
        raise ValueError("other")
    assert asked == []


SCRIPTS = {
    "visualize": "visualize class:tiger stem.conv:0-3 --steps 40 --out OUT.png",
    "dream": "dream PHOTO --steps 30 --out OUT.png",
    "stylize": "stylize PHOTO PHOTO --size 128 --steps 60 --out OUT.png",
    "invert": "invert PHOTO --steps 60 --out OUT.png",
    "occlusion": "explain PHOTO --method occlusion --patch 32 --stride 8 --out OUT.png",
    "rise": "explain PHOTO --method rise --samples 600 --out OUT.png",
    "compare": "compare PHOTO --out OUT.png",
    "report": "report PHOTO --out OUT.html",
    "many": "explain PHOTO PHOTO PHOTO PHOTO --method occlusion --out OUT --table OUT.csv",
}


@pytest.mark.trial
@pytest.mark.parametrize("name", SCRIPTS)
def test_sigint_at_twenty_moments_leaves_nothing_half_written(name: str, tmp_path: Path, photograph: str) -> None:
    command = [sys.executable, "-m", "convscope", *SCRIPTS[name].replace("PHOTO", photograph).split()]
    arguments = [part.replace("OUT", str(tmp_path / "out")) for part in command]
    begun = time.monotonic()
    subprocess.run(arguments, check=True, capture_output=True)
    took = time.monotonic() - begun
    codes = []
    for moment in range(20):
        for file in tmp_path.iterdir():
            subprocess.run(["rm", "-r", str(file)], check=True)
        work = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(took * (moment + 0.5) / 20)
        work.send_signal(signal.SIGINT)
        _, errors = work.communicate(timeout=120)
        codes.append(work.returncode)
        assert work.returncode in (0, 130, -signal.SIGINT), errors
        assert "Traceback" not in errors
        assert not [file for file in os.listdir(tmp_path) if file.startswith(".convscope-")]
        for file in tmp_path.rglob("*.png"):
            cs.load_result(file).image()
    assert 130 in codes
