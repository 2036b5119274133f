"""The four models as PyTorch modules: peers to measure against, and twins that take this project's weights.

    import torch_models
    tensors, metadata = torch_models.read_safetensors("run/best.safetensors")
    model = torch_models.load_ours("crnn", tensors)

Every size, and the order of everything, is that of train/src/models. Module names are too, so that a state dict
differs from an exported file in three things only, which `state_dict_of_ours` converts: batch norm's gamma and beta are
PyTorch's weight and bias, a dense layer's weight lies [in, out] and not [out, in], and an LSTM has four gates apart.
Needs torch and numpy, no more, so that it runs where nothing can be installed.
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
        # Strided: half of what the kernel exceeds the stride by, on each side. Unstrided: "same", and of an even
        # kernel's odd number of zeros the extra one goes to the end.
        total = kernel - stride
        self.padding = (total // 2, total - total // 2)
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride=stride)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = self.padding
        if x.is_cuda and left == right:
            x = functional.conv1d(x, self.conv.weight, self.conv.bias, self.conv.stride, left)
        else:
            # A copy with zeros on both sides: on a CPU the step is a tenth faster than with a convolution that pads.
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
    """Two 3×3 convolutions and beside them a 1×1 shortcut, all with batch norm."""

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
    """Global maxima and averages, in this order, then three dense layers."""

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
    """The last hidden state of one LSTM over the steps, then one dense layer."""

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


# Per name: the module, its default dropout, and the inputs that `forward` takes.
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
    """What `forward` takes, in order: "waveform" [batch, 1, 2^19], "mel" [batch, 1, 128, 512]."""
    return MODELS[model][2]


def trainable_parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2",
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?",
}


def read_safetensors(path: Union[str, os.PathLike]) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Tensors by name, and the metadata. The format: https://github.com/huggingface/safetensors#format"""
    with open(path, "rb") as file:
        prefix = file.read(8)
        if len(prefix) < 8:
            raise ValueError(f"{path} is not a safetensors file: it ends within its first 8 bytes")
        (length,) = struct.unpack("<Q", prefix)
        if length > os.path.getsize(path) - 8:
            raise ValueError(f"{path} is not a safetensors file: its header would be longer than the file")
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        if entry["dtype"] not in DTYPES:
            raise ValueError(f"{path}: {name} has the type {entry['dtype']}, which numpy does not know")
        values = np.frombuffer(data[begin:end], DTYPES[entry["dtype"]]).reshape(entry["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return tensors, metadata


GATES = ("input_gate", "forget_gate", "cell_gate", "output_gate")
LSTM_PARTS = {"input_transform": "ih", "hidden_transform": "hh"}


def state_dict_of_ours(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """An exported file's tensors under PyTorch's names and in its layout. Nothing is dropped: what is unknown keeps its
    name, so that a strict `load_state_dict` tells of it."""
    state = {}
    for name, tensor in tensors.items():
        module, _, leaf = name.rpartition(".")
        if leaf in ("gamma", "beta"):
            state[f"{module}.{'weight' if leaf == 'gamma' else 'bias'}"] = tensor
        elif leaf == "running_mean":
            state[name] = tensor
            # Exported files do not count batches; PyTorch reads the count only where momentum is None.
            state[f"{module}.num_batches_tracked"] = torch.zeros((), dtype=torch.int64)
        elif ".lstm." in name:
            # Gates are joined below, when all four are known.
            continue
        elif leaf == "weight" and tensor.dim() == 2:
            state[name] = tensor.t().contiguous()
        else:
            state[name] = tensor
    for lstm in sorted({name.partition(".lstm.")[0] + ".lstm" for name in tensors if ".lstm." in name}):
        gates = {f"{lstm}.{gate}.{part}.{leaf}" for gate in GATES for part in LSTM_PARTS for leaf in ("weight", "bias")}
        found = {name for name in tensors if name.startswith(lstm + ".")}
        if found != gates:
            lines = [f"no tensor for {name}" for name in sorted(gates - found)]
            lines += [f"no place for {name}" for name in sorted(found - gates)]
            raise ValueError("; ".join(lines))
        for part, suffix in LSTM_PARTS.items():
            weights = [tensors[f"{lstm}.{gate}.{part}.weight"].t() for gate in GATES]
            biases = [tensors[f"{lstm}.{gate}.{part}.bias"] for gate in GATES]
            state[f"{lstm}.weight_{suffix}_l0"] = torch.cat(weights).contiguous()
            state[f"{lstm}.bias_{suffix}_l0"] = torch.cat(biases)
    return state


def load_ours(model: str, source: Union[str, os.PathLike, dict[str, torch.Tensor]]) -> nn.Module:
    """A model with the weights of an exported file, given as its path or its tensors. Raises when a tensor is missing,
    left over or of another shape. The number of classes is the last layer's."""
    tensors = source if isinstance(source, dict) else read_safetensors(source)[0]
    last = "classifier.linear.bias" if "classifier.linear.bias" in tensors else "classifier.linear2.bias"
    if last not in tensors:
        raise ValueError(f"these are not the weights of {model}: there is no classifier.linear.bias or linear2.bias")
    module = create(model, len(tensors[last]))
    module.load_state_dict(state_dict_of_ours(tensors))
    return module
