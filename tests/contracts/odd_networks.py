"""Odd networks that have a pass, or a module, of their own."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.contracts.odd_parts import Odd


class Joined(Odd):
    """Two views of each picture as one batch."""

    def forward(self, x: Tensor) -> Tensor:
        both = self.features(torch.cat([x, x.flip(3)])).mean((2, 3))
        return self.head(both[: len(x)] + both[len(x) :])  # type: ignore[no-any-return]


class Alone(Odd):
    """Takes one picture at once, as it loses the axis of the batch."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)).view(1, 8))  # type: ignore[no-any-return]


class Segmenting(Odd):
    def forward(self, x: Tensor) -> Tensor:
        return self.features(x)


class OneDimensional(Odd):
    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Conv1d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.relu(self.line(self.features(x).flatten(2))).mean(2))  # type: ignore[no-any-return]


class Sorted(Odd):
    """Reads the highest positions, wherever they are."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).flatten(2).topk(4).values.sort(2).values.mean(2))  # type: ignore[no-any-return]


class Split(Odd):
    """Meant for pictures of half the size: of larger ones it makes several rows."""

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).reshape(-1, 8, 16).mean(2))  # type: ignore[no-any-return]


class Frames(Odd):
    """Four frames of three channels, side by side as channels."""

    def forward(self, x: Tensor) -> Tensor:
        frames = x.reshape(-1, 3, *x.shape[2:])
        return self.head(self.features(frames).mean((2, 3)).view(len(x), -1, 8).mean(1))  # type: ignore[no-any-return]


class TwoInputs(Odd):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x + y)  # type: ignore[no-any-return]


class KeywordOnly(Odd):
    def forward(self, *, x: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(x)  # type: ignore[no-any-return]


class FromDict(Odd):
    def forward(self, x: Any) -> Tensor:
        return super().forward(x["image"])  # type: ignore[no-any-return]


class Parameterless(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x).mean((2, 3))


class Reused(Odd):
    def features(self, x: Tensor) -> Tensor:
        x = self.last(F.relu(self.first(x)))
        return self.last(self.pool(F.relu(self.deep(x))))  # type: ignore[no-any-return]


class ClassToken(nn.Module):
    """Positions as tokens with one more in front, mixed by attention; the first token is what goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x = F.avg_pool2d(x, 4)  # attention is dear on large pictures
        tokens = torch.cat([self.token.expand(len(x), -1, -1), x.flatten(2).transpose(1, 2)], 1)
        return self.attention(tokens, tokens, tokens)[0][:, 0, :, None, None]  # type: ignore[no-any-return]


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 8, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x.flatten(2).transpose(1, 2))[0].transpose(1, 2)[..., None]  # type: ignore[no-any-return]
