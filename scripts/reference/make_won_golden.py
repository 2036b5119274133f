#!/usr/bin/env python3
"""Results of Won et al.'s networks in PyTorch, for the test of `train/src/models/won/tests.rs`.

Run with torch:  make_won_golden.py [tests/golden/won.safetensors]

The layers are written here from the description of the networks, not taken from the authors' code; their names are the
authors'. Weights are not stored. Both sides compute them from their index: `hashed(seed, shape)` is a 32-bit integer hash,
scaled to [-1, 1). The seed is the tensor's number in the sorted list of the state dict's names, without batch norm's
counters. `parameter` shows each kind's range. The input is 3 * hashed for mel spectrograms and 0.5 * hashed for waveforms,
both with seed 1000.

Stored for each network: `NAME/embeddings` and `NAME/logits` of two clips, computed in float64.
"""
import math
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

INPUT_SEED, CLIPS, CLASSES = 1000, 2, 5


def hashed(seed, shape):
    """Uniform in [-1, 1), a function of the seed and of each value's index only."""
    x = np.arange(math.prod(shape), dtype=np.uint32)
    x ^= np.uint32(seed * 0x9E3779B9 % 2**32)
    # The finalizer of MurmurHash3.
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    values = (x >> np.uint32(8)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)
    return torch.from_numpy(values.reshape(shape))


def parameter(name, seed, shape):
    leaf, values = name.split(".")[-1], hashed(seed, shape)
    if leaf == "bw_Q":
        return torch.full(shape, 1.25)
    if leaf == "running_var":
        return 1 + np.float32(0.5) * values
    if leaf == "weight" and len(shape) == 1:
        return 1 + np.float32(0.1) * values
    if leaf.startswith("weight"):
        return np.float32(math.sqrt(6 / math.prod(shape[1:]))) * values
    return np.float32(0.1) * values


class Conv(nn.Module):
    """Convolution, batch norm, ReLU, max pooling."""

    def __init__(self, dimensions, inputs, outputs, kernel, pool, stride=1, padding=None):
        super().__init__()
        conv, norm, mp = ((nn.Conv1d, nn.BatchNorm1d, nn.MaxPool1d), (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d))[dimensions - 1]
        self.conv = conv(inputs, outputs, kernel, stride, kernel // 2 if padding is None else padding)
        self.bn = norm(outputs)
        self.mp = mp(pool) if pool else nn.Identity()

    def forward(self, x):
        return self.mp(self.bn(self.conv(x)).relu())


class Res(nn.Module):
    """A residual block, with squeeze and excitation in 1-D."""

    def __init__(self, dimensions, inputs, outputs, kernel=3, stride=1, pool=None):
        super().__init__()
        conv, norm, mp = ((nn.Conv1d, nn.BatchNorm1d, nn.MaxPool1d), (nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d))[dimensions - 1]
        self.conv_1, self.bn_1 = conv(inputs, outputs, kernel, stride, kernel // 2), norm(outputs)
        self.conv_2, self.bn_2 = conv(outputs, outputs, kernel, 1, kernel // 2), norm(outputs)
        self.shortcut = stride != 1 or inputs != outputs
        if self.shortcut:
            self.conv_3, self.bn_3 = conv(inputs, outputs, kernel, stride, kernel // 2), norm(outputs)
        self.excitation = dimensions == 1
        if self.excitation:
            self.dense1, self.dense2 = nn.Linear(outputs, outputs), nn.Linear(outputs, outputs)
        self.mp = mp(pool) if pool else nn.Identity()

    def forward(self, x):
        y = self.bn_2(self.conv_2(self.bn_1(self.conv_1(x)).relu()))
        if self.excitation:
            y = y * self.dense2(self.dense1(y.mean(2)).relu()).sigmoid()[:, :, None]
        if self.shortcut:
            x = self.bn_3(self.conv_3(x))
        return self.mp((x + y).relu())


class Network(nn.Module):
    def add(self, layers):
        self.count = len(layers)
        for number, layer in enumerate(layers, 1):
            self.add_module(f"layer{number}", layer)

    def layers_in_order(self, x):
        for number in range(1, self.count + 1):
            x = getattr(self, f"layer{number}")(x)
        return x

    def head(self, inputs, width):
        self.dense1, self.bn, self.dense2 = nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.Linear(width, CLASSES)

    def classify(self, embeddings):
        return (self.dense2 if hasattr(self, "dense2") else self.dense)(embeddings)


class Fcn(Network):
    bands, samples = 96, 464_000

    def __init__(self):
        super().__init__()
        self.spec_bn = nn.BatchNorm2d(1)
        channels, pools = [1, 64, 128, 128, 128, 64], [(2, 4), (2, 4), (2, 4), (3, 5), (4, 4)]
        self.add([Conv(2, channels[at], channels[at + 1], 3, pools[at]) for at in range(5)])
        self.dense = nn.Linear(64, CLASSES)

    def forward(self, x):
        return self.layers_in_order(self.spec_bn(x)).flatten(1)


class Crnn(Network):
    bands, samples = 96, 464_000

    def __init__(self):
        super().__init__()
        self.spec_bn = nn.BatchNorm2d(1)
        channels, pools = [1, 64, 128, 128, 128], [(2, 2), (3, 3), (4, 4), (4, 4)]
        self.add([Conv(2, channels[at], channels[at + 1], 3, pools[at]) for at in range(4)])
        self.layer5 = nn.GRU(128, 32, 2, batch_first=True)
        self.dense = nn.Linear(32, CLASSES)

    def forward(self, x):
        states, _ = self.layer5(self.layers_in_order(self.spec_bn(x)).squeeze(2).transpose(1, 2))
        return states[:, -1]


class Musicnn(Network):
    bands, samples = 96, 48_000
    channels, width = 64, 200

    def __init__(self):
        super().__init__()
        self.spec_bn = nn.BatchNorm2d(1)
        tall = [Conv(2, 1, 204, (height, 7), None, padding=(0, 3)) for height in (67, 38)]
        self.layers = nn.ModuleList(tall + [Conv(1, 1, 51, width, None) for width in (129, 65, 33)])
        self.add([Conv(1, inputs, self.channels, 7, None) for inputs in (561, self.channels, self.channels)])
        self.head(2 * (561 + 3 * self.channels), self.width)

    def forward(self, x):
        x = self.spec_bn(x)
        front = [layer(x).amax(2) for layer in self.layers[:2]] + [layer(x.mean(2)) for layer in self.layers[2:]]
        front = torch.cat(front, 1)
        first = self.layer1(front)
        second = self.layer2(first) + first
        third = self.layer3(second) + second
        x = torch.cat([front, first, second, third], 1)
        return self.bn(self.dense1(torch.cat([x.amax(2), x.mean(2)], 1))).relu()


class MusicnnMsd(Musicnn):
    channels, width = 512, 500


class ShortChunk(Network):
    bands, samples = 128, 59_049
    block = staticmethod(lambda inputs, outputs: Conv(2, inputs, outputs, 3, 2))

    def __init__(self):
        super().__init__()
        self.spec_bn = nn.BatchNorm2d(1)
        channels = [1, 128, 128, 256, 256, 256, 256, 512]
        self.add([self.block(*pair) for pair in zip(channels, channels[1:])])
        self.head(512, 512)

    def forward(self, x):
        x = self.layers_in_order(self.spec_bn(x))
        assert x.shape[2] == 1
        return self.bn(self.dense1(x.amax((2, 3)))).relu()


class ShortChunkRes(ShortChunk):
    block = staticmethod(lambda inputs, outputs: Res(2, inputs, outputs, stride=2))


SAMPLE_LEVEL = [1, 128, 128, 128, 256, 256, 256, 256, 256, 256, 512, 512]


class SampleLevel(Network):
    bands, samples = 0, 59_049

    def __init__(self):
        super().__init__()
        sizes = [(3, 3, None)] + 9 * [(3, 1, 3)] + [(1, 1, None)]
        pairs = zip(SAMPLE_LEVEL, SAMPLE_LEVEL[1:], sizes)
        self.add([self.block(inputs, outputs, *size) for inputs, outputs, size in pairs])
        self.last()

    def block(self, inputs, outputs, kernel, stride, pool):
        return Conv(1, inputs, outputs, kernel, pool, stride)

    def last(self):
        self.dense = nn.Linear(512, CLASSES)

    def forward(self, x):
        return self.layers_in_order(x).squeeze(2)


class SampleLevelSe(SampleLevel):
    def block(self, inputs, outputs, kernel, stride, pool):
        return Res(1, inputs, outputs, kernel, stride, pool)

    def last(self):
        self.head(512, 512)

    def forward(self, x):
        return self.bn(self.dense1(super().forward(x))).relu()


class Hstft(nn.Module):
    n_fft = 512

    def __init__(self):
        super().__init__()
        self.bw_Q = nn.Parameter(torch.ones(1))

    def forward(self, x):
        window = torch.hann_window(self.n_fft, dtype=x.dtype)
        power = torch.stft(x[:, 0], self.n_fft, 256, window=window, center=True, return_complex=True).abs().square()
        notes = torch.arange(24, 88, 0.5, dtype=x.dtype)
        centres = torch.cat([(1 + harmonic) * 440 * 2 ** ((notes - 69) / 12) for harmonic in range(6)])
        bins = torch.linspace(0, 8000, power.shape[1], dtype=x.dtype)[:, None]
        bandwidth = (0.1079 * centres + 24.7) / self.bw_Q
        rising, falling = 1 + 2 * (bins - centres) / bandwidth, 1 - 2 * (bins - centres) / bandwidth
        filters = torch.minimum(rising, falling).clamp(min=0)
        bands = (power.transpose(1, 2) @ filters).transpose(1, 2)
        return 10 * bands.clamp(min=1e-10).log10().unflatten(1, (6, 128))


class HarmonicCnn(Network):
    bands, samples = 0, 80_000

    def __init__(self):
        super().__init__()
        self.hstft, self.hstft_bn = Hstft(), nn.BatchNorm2d(6)
        self.add([
            Conv(2, 6, 128, 3, 2), *(Res(2, 128, 128, pool=2) for _ in range(3)),
            Conv(2, 128, 256, 3, 2), *(Res(2, 256, 256, pool=(2, 3)) for _ in range(2)),
        ])
        self.head(256, 256)

    def forward(self, x):
        x = self.layers_in_order(self.hstft_bn(self.hstft(x)))
        assert x.shape[2:] == (1, 1)
        return self.bn(self.dense1(x.flatten(1))).relu()


class Part(nn.Module):
    """A module of named modules."""

    def __init__(self, /, **modules):
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)


class SelfAttention(Network):
    bands, samples = 128, 240_000

    def __init__(self):
        super().__init__()
        self.spec_bn = nn.BatchNorm2d(1)
        channels, across = [1, 128, 128, 256, 256, 256, 256, 256], [2, 2, 2, 1, 1, 1, 1]
        self.add([Res(2, channels[at], channels[at + 1], stride=(2, across[at])) for at in range(7)])
        output = lambda inputs: Part(dense=nn.Linear(inputs, 256), LayerNorm=nn.LayerNorm(256, eps=1e-12))
        heads = lambda: Part(query=nn.Linear(256, 256), key=nn.Linear(256, 256), value=nn.Linear(256, 256))
        layer = lambda: Part(
            attention=Part(self=heads(), output=output(256)),
            intermediate=Part(dense=nn.Linear(256, 1024)), output=output(1024))
        self.encoder = Part(layer=nn.ModuleList([layer(), layer()]))
        self.pooler = Part(dense=nn.Linear(256, 256))
        self.dense = nn.Linear(256, CLASSES)

    def forward(self, x):
        x = self.layers_in_order(self.spec_bn(x)).squeeze(2).transpose(1, 2)
        first = torch.from_numpy(np.random.RandomState(0).random_sample(256).astype(np.float32)).to(x.dtype)
        x = torch.cat([first.expand(len(x), 1, 256), x], 1)
        for layer in self.encoder.layer:
            heads = layer.attention._modules["self"]
            query, key, value = (
                part(x).unflatten(2, (8, 32)).transpose(1, 2) for part in (heads.query, heads.key, heads.value))
            weights = (query @ key.transpose(2, 3) / math.sqrt(32)).softmax(3)
            attended = (weights @ value).transpose(1, 2).flatten(2)
            output = layer.attention.output
            x = output.LayerNorm(output.dense(attended) + x)
            x = layer.output.LayerNorm(layer.output.dense(nn.functional.gelu(layer.intermediate.dense(x))) + x)
        return self.pooler.dense(x[:, 0]).tanh()


NETWORKS = {
    "won-fcn": Fcn, "won-crnn": Crnn, "musicnn": Musicnn, "musicnn-msd": MusicnnMsd, "short-chunk": ShortChunk,
    "short-chunk-res": ShortChunkRes, "sample-level": SampleLevel, "sample-level-se": SampleLevelSe,
    "harmonic-cnn": HarmonicCnn, "self-attention": SelfAttention,
}


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else "tests/golden/won.safetensors"
    results = {}
    for name, network in NETWORKS.items():
        model = network()
        state = model.state_dict()
        names = sorted(key for key in state if not key.endswith("num_batches_tracked"))
        for seed, key in enumerate(names):
            state[key].copy_(parameter(key, seed, tuple(state[key].shape)))
        model = model.double().eval()
        bands, samples = network.bands, network.samples
        shape = (CLIPS, 1, bands, 1 + samples // 256) if bands else (CLIPS, 1, samples)
        clips = np.float32(3 if bands else 0.5) * hashed(INPUT_SEED, shape)
        with torch.no_grad():
            embeddings = model(clips.double())
            logits = model.classify(embeddings)
        count = sum(parameter.numel() for parameter in model.parameters())
        print(name, count, tuple(embeddings.shape), "rms", embeddings.square().mean().sqrt().item(), logits[0].tolist())
        results[f"{name}/embeddings"] = embeddings.float().numpy()
        results[f"{name}/logits"] = logits.float().numpy()
    save_file(results, out)


if __name__ == "__main__":
    main()
