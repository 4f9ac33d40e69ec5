"""Occlusion: what is computed in parts is what the whole pictures give; positions, and coarse to fine."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import convscope as cs
from convscope.attribution.incremental.coarse_to_fine import survey
from convscope.attribution.occluder import Occluder, Positions
from convscope.objectives.expression import Objective
from convscope.taps.record import record
from tests.networks import MODULES, SPEC, network, noise

KINDS = list(MODULES)


def places(positions: Positions) -> np.ndarray:
    return np.array(list(np.ndindex(positions.shape)))


def one_by_one(
    net: cs.Network, picture: Tensor, objective: Objective, fill: Tensor, positions: Positions
) -> np.ndarray:
    """Each position by itself, on the whole picture."""
    found = []
    for row, column in places(positions).tolist():
        top, bottom, left, right = positions.box(row, column)
        covered = picture.clone()
        covered[:, :, top:bottom, left:right] = fill[:, :, top:bottom, left:right]
        taps = sorted(objective.taps())
        with torch.no_grad():
            found.append(float(objective.value(record(net, covered, taps))[0]))
    return np.array(found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("patch", "stride"), [((5, 5), (5, 5)), ((3, 7), (2, 3)), ((9, 4), (8, 5)), ((1, 1), (7, 7))])
def test_parts_give_what_whole_pictures_give(kind: str, patch: tuple[int, int], stride: tuple[int, int]) -> None:
    net, picture, fill = network(kind), noise(1), noise(2)
    positions = Positions((32, 32), patch, stride)
    objective = cs.logit(2).bind(net)
    occluder = Occluder(net, picture, objective, fill, positions)
    assert occluder.dense is None
    found = occluder.ask(places(positions)).values
    wanted = one_by_one(net, picture, objective, fill, positions)
    assert np.abs(found - wanted).max() <= 1e-4 * np.ptp(wanted) + 1e-7
    assert np.ptp(wanted) > 0


class Odd(nn.Module):
    """Ceil mode, padded pools of both kinds, asymmetric padding, grouped and dilated strides, a gate of the whole."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, (5, 3), stride=(2, 1), padding=(1, 2))
        self.pad = nn.ZeroPad2d((1, 2, 0, 3))
        self.big = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        self.mean = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        self.wide = nn.Conv2d(6, 8, 3, groups=2, dilation=2, stride=2)
        self.gate = nn.Conv2d(8, 8, 1)
        self.up = nn.Upsample(scale_factor=2)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mean(self.big(self.pad(self.stem(x)).relu()))
        x = self.wide(x)
        x = self.up(x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid())
        return self.head(nn.functional.gelu(x).amax((2, 3)))


@pytest.mark.parametrize("size", [32, 37])
def test_what_is_not_known_in_parts_is_done_on_the_whole(size: int) -> None:
    torch.manual_seed(1)
    net = cs.load_model(Odd(), input=cs.InputSpec(size=size, range=(0, 1), mean=0.45, std=0.25))
    picture, fill = noise(1, size=size), noise(2, size=size)
    positions = Positions((size, size), (5, 6), (4, 4))
    objective = cs.logit(1).bind(net)
    occluder = Occluder(net, picture, objective, fill, positions)
    assert occluder.dense is None
    wanted = one_by_one(net, picture, objective, fill, positions)
    assert np.abs(occluder.ask(places(positions)).values - wanted).max() <= 1e-4 * np.ptp(wanted)


class Mixing(nn.Module):
    """Brings the batch and the positions together, and writes into a part of a tensor."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.conv, self.head = how, nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.how == "batch":
            x = x.reshape(-1, *x.shape[2:])[:, None]
            x = x.relu().reshape(-1, 4, *x.shape[2:])
        else:
            x[:, :, 3:9] = x[:, :, 3:9] * 2
        return self.head(x.relu().mean((2, 3)))


@pytest.mark.parametrize("how", ["batch", "write"])
def test_what_cannot_be_followed_is_computed_on_whole_pictures_and_said(how: str) -> None:
    torch.manual_seed(1)
    net = cs.load_model(Mixing(how), input=SPEC)
    picture, fill = noise(1), noise(2)
    positions = Positions((32, 32), (8, 8), (8, 8))
    objective = cs.logit(1).bind(net)
    occluder = Occluder(net, picture, objective, fill, positions)
    assert occluder.dense is not None
    wanted = one_by_one(net, picture, objective, fill, positions)
    assert np.abs(occluder.ask(places(positions)).values - wanted).max() <= 1e-5
    assert any("whole picture" in note for note in cs.explain(net, picture, 1, method="occlusion").notes)


@pytest.mark.parametrize("layer", ["conv1", "conv2", "relu2"])
def test_targets_in_the_middle_of_the_network(layer: str) -> None:
    net, picture, fill = network("inplace"), noise(1), noise(2)
    positions = Positions((32, 32), (5, 5), (6, 6))
    for objective in (
        cs.channel(layer, 3),
        cs.neuron(layer, 2, 7, 9),
        cs.layer(layer),
        cs.channel(layer, 1) - cs.logit(2),
    ):
        bound = objective.bind(net)
        found = Occluder(net, picture, bound, fill, positions).ask(places(positions)).values
        wanted = one_by_one(net, picture, bound, fill, positions)
        assert np.abs(found - wanted).max() <= 1e-4 * np.ptp(wanted) + 1e-7


def test_a_target_that_reads_the_picture_too_sees_the_covered_one() -> None:
    net, picture, fill = network("plain"), noise(1), torch.zeros(1, 3, 32, 32)
    positions = Positions((32, 32), (8, 8), (8, 8))
    objective = (cs.logit(1) - 3 * cs.total_variation()).bind(net)
    found = Occluder(net, picture, objective, fill, positions).ask(places(positions)).values
    wanted = one_by_one(net, picture, objective, fill, positions)
    assert np.abs(found - wanted).max() <= 1e-5 * np.ptp(wanted)


def test_memory_that_runs_out_halves_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    net, picture, fill = network("plain"), noise(1), noise(2)
    positions = Positions((32, 32), (5, 5), (3, 3))
    objective = cs.logit(1).bind(net)
    occluder = Occluder(net, picture, objective, fill, positions)
    wanted = occluder.ask(places(positions)).values
    again = Occluder(net, picture, objective, fill, positions)
    sizes: list[int] = []
    plain = again._in_part

    def short(some: np.ndarray, fill: Tensor) -> object:
        sizes.append(len(some))
        if len(some) > 10:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return plain(some, fill)

    monkeypatch.setattr(again, "_in_part", short)
    assert np.abs(again.ask(places(positions)).values - wanted).max() <= 1e-6
    assert max(sizes) > 10
    assert max(sizes[-3:]) <= 10


def test_positions_cover_every_pixel_and_spread_is_the_mean_over_them() -> None:
    positions = Positions((13, 10), (4, 3), (3, 2))
    assert positions.shape == (4, 5)
    assert positions.box(3, 4) == (9, 13, 8, 10)
    coarse = np.random.default_rng(0).normal(size=positions.shape)
    spread = positions.spread(coarse)
    for y, x in ((0, 0), (12, 9), (5, 5), (9, 2)):
        over = [
            coarse[r, c]
            for r, c in np.ndindex(positions.shape)
            if positions.box(r, c)[0] <= y < positions.box(r, c)[1]
            and positions.box(r, c)[2] <= x < positions.box(r, c)[3]
        ]
        assert spread[y, x] == pytest.approx(np.mean(over))


def test_coarse_to_fine_spends_where_the_map_varies_and_ends_with_the_whole() -> None:
    y, x = np.mgrid[:41, :37]
    truth = np.exp(-((y - 30) ** 2 + (x - 8) ** 2) / 40.0) + 0.02 * x
    asked: list[np.ndarray] = []

    def ask(places: np.ndarray) -> np.ndarray:
        asked.append(places)
        return truth[places[:, 0], places[:, 1]]

    *_, last = survey(ask, truth.shape, share=0.2)
    assert last.computed.sum() == round(0.2 * truth.size) == sum(map(len, asked))
    assert len(np.unique(np.concatenate(asked), axis=0)) == last.computed.sum()  # none twice
    assert np.abs(last.values - truth).max() < 0.02
    near = np.hypot(y - 30, x - 8) < 8
    assert last.computed[near].mean() > 1.5 * last.computed[~near].mean()
    *_, last = survey(ask, truth.shape)
    assert last.computed.all()
    assert (last.values == truth).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (5, 1), (17, 3)])
@pytest.mark.parametrize("share", [0.01, 0.5, 1.0])
def test_surveys_of_any_shape_end(shape: tuple[int, int], share: float) -> None:
    truth = np.arange(shape[0] * shape[1], dtype=float).reshape(shape)
    *_, last = survey(lambda places: truth[places[:, 0], places[:, 1]], shape, share=share)
    assert np.isfinite(last.values).all()
    assert (last.values[last.computed] == truth[last.computed]).all()


def test_ctrl_c_keeps_the_map_as_far_as_it_is() -> None:
    net, picture = network("plain"), noise(1)

    def stop(news: cs.Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(cs.Stopped, match="of 225 positions") as stopped:
        cs.explain(net, picture, 1, method="occlusion", patch=4, stride=2, watch=stop)
    found = stopped.value.result
    assert 0 < found.arrays["computed"].sum() < found.arrays["computed"].size
    assert np.isfinite(found.arrays["map"]).all()
    assert any("the rest interpolated" in note for note in found.notes)
    whole = cs.explain(net, picture, 1, method="occlusion", patch=4, stride=2)
    computed = found.arrays["computed"].astype(bool)
    assert np.abs(found.arrays["coarse"] - whole.arrays["coarse"])[computed].max() <= 1e-6


@pytest.mark.parametrize(
    ("method", "option"),
    [("grad_cam", {"steps": 3}), ("saliency", {"layer": "a"}), ("occlusion", {"samples": 3}), ("rise", {"patch": 3})],
)  # fmt: skip
def test_an_option_of_another_method_is_an_error(method: str, option: dict[str, object]) -> None:
    with pytest.raises(cs.ConvscopeError, match=f"is no option of {method}"):
        cs.explain(network("plain"), noise(1), 1, method=method, **option)  # type: ignore[arg-type]


def test_the_strongest_response_is_found() -> None:
    net, picture = network("plain"), noise(1)
    maps = record(net, picture, ["conv2"])["conv2"][0]
    channel, rest = divmod(int(maps.argmax()), maps.shape[1] * maps.shape[2])
    y, x = divmod(rest, maps.shape[2])
    found = cs.explain(net, picture, "strongest(conv2)", method="deconvnet")
    assert found.facts["target"] == f"conv2:{channel}@{y},{x}"
    found = cs.explain(net, picture, "strongest(conv2:3)", method="saliency")
    y, x = divmod(int(maps[3].argmax()), maps.shape[2])
    assert found.facts["target"] == f"conv2:3@{y},{x}"
    assert cs.explain(net, picture, "strongest(conv2)", method="occlusion").facts["target"] == f"conv2:{channel}"


@pytest.mark.parametrize(("height", "width", "patch", "stride"), [(32, 32, 8, 8), (32, 32, 8, 4), (32, 32, 7, 7)])
def test_which_class_wins_is_drawn_where_the_window_was(
    height: int, width: int, patch: int, stride: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from convscope.results import heatmap as home

    net = network("plain")
    found = cs.explain(net, noise(3), 1, method="occlusion", patch=patch, stride=stride, value="white")
    drawn = []
    plain = home.class_figure
    monkeypatch.setattr(home, "class_figure", lambda *given, **more: drawn.append(given) or plain(*given, **more))
    picture = found.pictures()["winners"]
    assert picture.width > 2 * 336
    _, ranks, legend = drawn[-1]
    winner = found.arrays["winner"]
    names = [name for name, _ in legend]
    assert sum(share for _, share in legend) == pytest.approx(1)
    assert names[0] == net.labels.name(int(np.bincount(winner.astype(int).ravel()).argmax()))
    for row, column in np.ndindex(winner.shape):
        y, x = row * stride + patch // 2, column * stride + patch // 2
        if y < height and x < width:
            assert names[ranks[y, x]] == net.labels.name(int(winner[row, column]))


def test_colours_of_classes_and_a_legend_that_does_not_overflow() -> None:
    from convscope.render.overlay import KINDS, class_figure
    from convscope.render.raster import raster

    picture = np.full((20, 30, 3), 255, dtype=np.uint8)
    ranks = np.arange(20 * 30).reshape(20, 30) % (len(KINDS) + 2) - 1
    legend = [(f"class {i}", 0.1) for i in range(10)]
    drawn = np.asarray(raster(class_figure(picture, ranks, legend, title="t", subtitle="s")))
    for colour in (*KINDS, (150, 150, 150)):
        assert (drawn == colour).all(2).any(), colour
    with pytest.raises(cs.ConvscopeError, match="occlusion of a class alone"):
        cs.explain(network("plain"), noise(1), 1).winners()  # type: ignore[attr-defined]


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_stopped_anywhere_the_map_is_known_everywhere(share: float) -> None:
    """After the coarsest lattice the rest is interpolated; what is computed stands as it is."""
    net = network("plain")
    whole = cs.explain(net, noise(3), 1, method="occlusion", patch=4, stride=1).arrays["coarse"]

    def watch(at: cs.Progress) -> None:
        if at.done >= 130:
            raise KeyboardInterrupt

    with pytest.raises(cs.Stopped, match=r"stopped after \d+ of") as stopped:
        cs.explain(net, noise(3), 1, method="occlusion", patch=4, stride=1, share=share, watch=watch)
    result = stopped.value.result
    coarse, computed = result.arrays["coarse"], result.arrays["computed"].astype(bool)
    assert 130 <= computed.sum() < 300
    assert np.abs(coarse[computed] - whole[computed]).max() <= 1e-5
    assert (coarse[~computed] != 0).mean() > 0.95
    assert np.corrcoef(coarse.ravel(), whole.ravel())[0, 1] > 0.7
    assert any("stopped after" in note for note in result.notes)
    result.image()
    result.winners()


def test_stopped_at_once_nothing_is_claimed() -> None:
    from convscope.attribution.incremental.coarse_to_fine import survey

    first = next(iter(survey(lambda places: np.ones(len(places)), (30, 30), batch=10)))
    assert not first.rough
    steps = list(survey(lambda places: np.ones(len(places)), (30, 30), batch=10))
    assert steps[-1].rough
    assert steps[-1].computed.all()


def test_digits_of_other_scripts_are_no_numbers() -> None:
    with pytest.raises(cs.ConvscopeError, match="expected pixels"):
        cs.explain(network("plain"), noise(1), 1, method="occlusion", patch="²")
