"""The four models in PyTorch, to compare speed with, and to load the weights of this project ("twins").

    import torch_models
    tensors, metadata = torch_models.read_safetensors("run/best.safetensors")
    model = torch_models.load_ours("crnn", tensors)

Sizes, order of layers and module names are those of train/src/models. Our weight files differ from a PyTorch state dict
in three ways, which `to_state_dict` converts: batch norm has gamma and beta instead of weight and bias, dense weights
are [in, out] instead of [out, in], and the four LSTM gates are separate tensors. Needs only torch and numpy.
"""
from __future__ import annotations

import json
import os
import struct
from typing import Union

import numpy as np
import torch
from torch import nn
from torch.nn import functional

CLIP_SAMPLES = 1 << 19
N_MELS = 128
FRAMES = 512
CHANNELS = (16, 32, 64, 128)
KERNELS = (256, 32, 16, 8)
FIRST_STRIDE = 64
POOLS_1D = (8, 4, 4)
POOLS_2D = ((4, 2), (4, 2), (8, 2))
HIDDEN = 128


class Block1d(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int):
        super().__init__()
        # `kernel - stride` zeros, half on each side; an extra one goes to the end. With stride 1 this is "same".
        total = kernel - stride
        self.padding = (total // 2, total - total // 2)
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride=stride)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = self.padding
        if x.is_cuda and left == right:
            x = functional.conv1d(x, self.conv.weight, self.conv.bias, self.conv.stride, left)
        else:
            # On a CPU, padding a copy first makes the step 10 % faster than a padded convolution.
            x = self.conv(functional.pad(x, self.padding))
        return functional.relu(self.norm(x))


class Encoder1d(nn.Module):
    """[batch, 1, 2^19] to [batch, 128, 64]."""

    def __init__(self):
        super().__init__()
        inputs = (1, *CHANNELS[:-1])
        strides = (FIRST_STRIDE, 1, 1, 1)
        self.blocks = nn.ModuleList(Block1d(*sizes) for sizes in zip(inputs, CHANNELS, KERNELS, strides))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for at, block in enumerate(self.blocks):
            x = block(x)
            if at < len(POOLS_1D):
                x = functional.max_pool1d(x, POOLS_1D[at])
        return x


class Block2d(nn.Module):
    """Two 3×3 convolutions with a parallel 1×1 shortcut, all with batch norm."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv0 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm0 = nn.BatchNorm2d(outputs)
        self.conv1 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.shortcut_conv = nn.Conv2d(inputs, outputs, 1)
        self.shortcut_norm = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = self.shortcut_norm(self.shortcut_conv(x))
        x = functional.relu(self.norm0(self.conv0(x)))
        return functional.relu(self.norm1(self.conv1(x)) + shortcut)


class Encoder2d(nn.Module):
    """[batch, 1, 128, 512] to [batch, 128, 64]."""

    def __init__(self):
        super().__init__()
        inputs = (1, *CHANNELS[:-1])
        self.blocks = nn.ModuleList(Block2d(*sizes) for sizes in zip(inputs, CHANNELS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for at, block in enumerate(self.blocks):
            x = block(x)
            if at < len(POOLS_2D):
                x = functional.max_pool2d(x, POOLS_2D[at])
        return x.squeeze(2)


class PooledMlp(nn.Module):
    """Global max and average pooling, concatenated in this order, then three dense layers."""

    def __init__(self, channels: int, classes: int, dropout: float):
        super().__init__()
        self.linear0 = nn.Linear(2 * channels, 128)
        self.linear1 = nn.Linear(128, 64)
        self.linear2 = nn.Linear(64, classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        x = torch.cat((steps.amax(2), steps.mean(2)), 1)
        x = self.dropout(functional.relu(self.linear0(x)))
        x = self.dropout(functional.relu(self.linear1(x)))
        return self.linear2(x)


class Recurrent(nn.Module):
    """The last hidden state of an LSTM over the steps, then a dense layer."""

    def __init__(self, channels: int, classes: int, dropout: float):
        super().__init__()
        self.lstm = nn.LSTM(channels, HIDDEN, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(HIDDEN, classes)

    def forward(self, steps: torch.Tensor) -> torch.Tensor:
        _, (hidden, _) = self.lstm(steps.transpose(1, 2))
        return self.linear(self.dropout(hidden[-1]))


class Cnn1d(nn.Module):
    def __init__(self, classes: int, dropout: float):
        super().__init__()
        self.encoder = Encoder1d()
        self.classifier = PooledMlp(CHANNELS[-1], classes, dropout)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.encoder(waveform))


class Cnn2d(nn.Module):
    def __init__(self, classes: int, dropout: float):
        super().__init__()
        self.encoder = Encoder2d()
        self.classifier = PooledMlp(CHANNELS[-1], classes, dropout)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.encoder(mel))


class Crnn(nn.Module):
    def __init__(self, classes: int, dropout: float):
        super().__init__()
        self.encoder = Encoder2d()
        self.classifier = Recurrent(CHANNELS[-1], classes, dropout)

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.encoder(mel))


class MmCrnn(nn.Module):
    def __init__(self, classes: int, dropout: float):
        super().__init__()
        self.waveform_encoder = Encoder1d()
        self.mel_encoder = Encoder2d()
        self.classifier = Recurrent(2 * CHANNELS[-1], classes, dropout)

    def forward(self, waveform: torch.Tensor, mel: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.cat((self.waveform_encoder(waveform), self.mel_encoder(mel)), 1))


# Model name: module, default dropout and inputs of `forward`.
MODELS = {
    "cnn1d": (Cnn1d, 0.2, ("waveform",)),
    "cnn2d": (Cnn2d, 0.2, ("mel",)),
    "crnn": (Crnn, 0.3, ("mel",)),
    "mm-crnn": (MmCrnn, 0.3, ("waveform", "mel")),
}


def create(model: str, classes: int) -> nn.Module:
    """A model with newly initialized weights."""
    module, dropout, _ = MODELS[model]
    return module(classes, dropout)


def input_names(model: str) -> tuple[str, ...]:
    """The inputs of `forward`, in order: "waveform" [batch, 1, 2^19], "mel" [batch, 1, 128, 512]."""
    return MODELS[model][2]


def trainable_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?",
}


def read_safetensors(path: Union[str, os.PathLike]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Returns tensors by name and the metadata. Format: https://github.com/huggingface/safetensors#format"""
    with open(path, "rb") as file:
        prefix = file.read(8)
        if len(prefix) < 8:
            raise ValueError(f"{path} is not a safetensors file: it has fewer than 8 bytes")
        (length,) = struct.unpack("<Q", prefix)
        if length > os.path.getsize(path) - 8:
            raise ValueError(f"{path} is not a safetensors file: its header is longer than the file")
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        if entry["dtype"] not in DTYPES:
            raise ValueError(f"{path}: tensor {name} has the unsupported type {entry['dtype']}")
        values = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return tensors, metadata


GATES = ("input_gate", "forget_gate", "cell_gate", "output_gate")
LSTM_PARTS = {"input_transform": "ih", "hidden_transform": "hh"}


def to_state_dict(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Converts tensors to PyTorch's names and layouts. Unknown tensors keep their names, so a strict `load_state_dict`
    reports them."""
    state = {}
    for name, tensor in tensors.items():
        module, _, leaf = name.rpartition(".")
        if leaf in ("gamma", "beta"):
            state[f"{module}.{'weight' if leaf == 'gamma' else 'bias'}"] = tensor
        elif leaf == "running_mean":
            state[name] = tensor
            # Our files do not count batches. PyTorch uses the count only with momentum=None.
            state[f"{module}.num_batches_tracked"] = torch.zeros((), dtype=torch.int64)
        elif ".lstm." in name:
            # The gates are joined below.
            continue
        elif leaf == "weight" and tensor.dim() == 2:
            state[name] = tensor.t().contiguous()
        else:
            state[name] = tensor
    for lstm in sorted({name.partition(".lstm.")[0] + ".lstm" for name in tensors if ".lstm." in name}):
        gates = {f"{lstm}.{gate}.{part}.{leaf}" for gate in GATES for part in LSTM_PARTS for leaf in ("weight", "bias")}
        found = {name for name in tensors if name.startswith(lstm + ".")}
        if found != gates:
            lines = [f"missing tensor {name}" for name in sorted(gates - found)]
            lines += [f"unexpected tensor {name}" for name in sorted(found - gates)]
            raise ValueError("; ".join(lines))
        for part, suffix in LSTM_PARTS.items():
            weights = [tensors[f"{lstm}.{gate}.{part}.weight"].t() for gate in GATES]
            biases = [tensors[f"{lstm}.{gate}.{part}.bias"] for gate in GATES]
            state[f"{lstm}.weight_{suffix}_l0"] = torch.cat(weights).contiguous()
            state[f"{lstm}.bias_{suffix}_l0"] = torch.cat(biases)
    return state


def load_ours(model: str, source: Union[str, os.PathLike, dict[str, torch.Tensor]]) -> nn.Module:
    """Returns a model with the weights of a file of ours, given as its path or its tensors. Raises if a tensor is
    missing, unexpected or of another shape. The number of classes is that of the last layer."""
    tensors = source if isinstance(source, dict) else read_safetensors(source)[0]
    last = "classifier.linear.bias" if "classifier.linear.bias" in tensors else "classifier.linear2.bias"
    if last not in tensors:
        raise ValueError(f"these are not weights of {model}: classifier.linear.bias or linear2.bias is missing")
    module = create(model, len(tensors[last]))
    module.load_state_dict(to_state_dict(tensors))
    return module
