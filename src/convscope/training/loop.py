"""The training loop: one step after the other, and at each of them all that is needed to go on from there."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from convscope.errors import NetworkError
from convscope.progress import unbroken
from convscope.training.learners import Learner
from convscope.training.plan import Plan
from convscope.writing import fresh_file

JUDGED_AT_ONCE = 32


@dataclass
class Epoch:
    """What an epoch came to: the mean loss and the accuracy on the pictures trained by, while they were trained by, and
    on those held out, after it."""

    loss: float
    accuracy: float
    held_loss: float
    held_accuracy: float


@dataclass
class State:
    """Where training is. step: of all, done. loss, correct, seen: sums over the epoch so far. best: the epoch with the
    lowest loss on the pictures held out, -1 before there is one."""

    step: int = 0
    loss: float = 0.0
    correct: int = 0
    seen: int = 0
    history: list[Epoch] = field(default_factory=list)
    best: int = -1
    weights: dict[str, Tensor] = field(default_factory=dict)


class Trainer:
    """Trains. labels, held: the classes of the pictures to train by, and of those held out, by their numbers.

    independent: whether the network tells of each class for itself, by a sigmoid; else one of them is true.
    """

    def __init__(
        self, learner: Learner, labels: Sequence[int], held: Sequence[int], plan: Plan, *, independent: bool = False
    ) -> None:
        self.learner, self.plan, self.independent = learner, plan, independent
        self.labels, self.held = torch.tensor(labels), torch.tensor(held)
        self.state = State()
        self.between = True
        """Whether no step is under way, so that `save` writes what can be gone on from."""
        self.optimiser = torch.optim.AdamW(learner.parameters(), lr=plan.lr, weight_decay=plan.weight_decay)
        self.class_weights = torch.tensor(plan.class_weights)
        self.steps_an_epoch = -(-len(labels) // plan.batch)
        if len(labels) % plan.batch == 1 and len(labels) > 1:
            self.steps_an_epoch -= 1  # one picture alone is no batch to normalise over

    @property
    def total(self) -> int:
        """Steps of all epochs."""
        return self.steps_an_epoch * self.plan.epochs

    @property
    def done(self) -> bool:
        """Whether all epochs are over, or nothing got better for a while."""
        epochs = len(self.state.history)
        return epochs >= self.plan.epochs or (
            self.state.best >= 0 and epochs - 1 - self.state.best >= self.plan.patience
        )

    def run(self) -> Iterator[State]:
        """Step after step, until it is done. Raises NetworkError where the loss is no number."""
        while not self.done:
            with unbroken():
                self.between = False
                self._step()
                self.between = True
            yield self.state

    def finish(self) -> None:
        """Put the weights of the best epoch into the module."""
        if self.state.weights:
            self.learner.module.load_state_dict(self.state.weights)

    def _step(self) -> None:
        state = self.state
        epoch, place = divmod(state.step, self.steps_an_epoch)
        order = self.plan.order(epoch, len(self.labels))
        indices = order[place * self.plan.batch : (place + 1) * self.plan.batch]
        rate = self.plan.rate(state.step, self.total)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.enable_grad():
            logits = self.learner.learn(indices, epoch, state.step)
            wanted = self.labels[indices].to(logits.device)
            loss = self._loss(logits.float(), wanted)
            value = float(loss.detach())
            if not math.isfinite(value):
                raise NetworkError(f"the loss is {value} at step {state.step}: take a lower lr (now {self.plan.lr:g})")
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
        state.loss += value * len(indices)
        state.correct += int((logits.argmax(1) == wanted).sum())
        state.seen += len(indices)
        state.step += 1
        if state.step % self.steps_an_epoch == 0:
            self._end_epoch()

    def _loss(self, logits: Tensor, wanted: Tensor) -> Tensor:
        """The mean loss, each picture weighted by its class."""
        weights = self.class_weights.to(logits.device)
        if not self.independent:
            return F.cross_entropy(logits, wanted, weight=weights)
        true = F.one_hot(wanted, logits.shape[1]).to(logits.dtype)
        each = F.binary_cross_entropy_with_logits(logits, true, reduction="none").sum(1)
        return (weights[wanted] * each).sum() / weights[wanted].sum()

    def _end_epoch(self) -> None:
        state = self.state
        logits = torch.cat(
            [
                self.learner.judge(range(first, min(first + JUDGED_AT_ONCE, len(self.held)))).float().cpu()
                for first in range(0, len(self.held), JUDGED_AT_ONCE)
            ]
        )
        held_loss = float(self._loss(logits, self.held))
        accuracy = float((logits.argmax(1) == self.held).float().mean())
        state.history.append(Epoch(state.loss / state.seen, state.correct / state.seen, held_loss, accuracy))
        state.loss, state.correct, state.seen = 0.0, 0, 0
        if state.best < 0 or held_loss < state.history[state.best].held_loss:
            state.best = len(state.history) - 1
            state.weights = {name: value.clone() for name, value in self.learner.module.state_dict().items()}

    def save(self, path: Path, key: str) -> None:
        """Write down where training is, whole or not at all. key: names what is trained on what, and how."""
        about: dict[str, Any] = {
            "key": key,
            "step": self.state.step,
            "sums": [self.state.loss, self.state.correct, self.state.seen],
            "history": [[e.loss, e.accuracy, e.held_loss, e.held_accuracy] for e in self.state.history],
            "best": self.state.best,
            "weights": self.state.weights,
            "module": self.learner.module.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        with fresh_file(path) as fresh:
            torch.save(about, fresh)

    def resume(self, path: Path, key: str) -> bool:
        """Go on from what `save` wrote, where it is of the same training; returns whether it was."""
        try:
            told = torch.load(path, map_location="cpu", weights_only=True)
            if told["key"] != key:
                return False
            self.learner.module.load_state_dict(told["module"])
            self.optimiser.load_state_dict(told["optimiser"])
            loss, correct, seen = told["sums"]
            self.state = State(
                told["step"],
                loss,
                correct,
                seen,
                [Epoch(*one) for one in told["history"]],
                told["best"],
                told["weights"],
            )
        except Exception:  # what cannot be read is as good as not there
            return False
        return True
