"""Reads the data sets, runs and embeddings of Cratedigger. Needs only numpy and safetensors.

    from cratedigger import Dataset, FrontEnd

    data = Dataset("fma")
    split = data.split()
    front_end = FrontEnd.from_split(data, split)
    clip = front_end.mel_clip(data, split.train[0], 0)    # float32 [n_mels, clip_frames], as the trainer computes it

Everything that cannot be read raises a `CratediggerError` with the file and what to do next.
"""

from .dataset import Dataset, Track
from .errors import CratediggerError
from .features import Features
from .front_end import FrontEnd
from .results import Embeddings, Predictions, embeddings, predictions
from .split import SETS, Normalization, Split

__all__ = [
    "SETS",
    "CratediggerError",
    "Dataset",
    "Embeddings",
    "Features",
    "FrontEnd",
    "Normalization",
    "Predictions",
    "Split",
    "Track",
    "embeddings",
    "predictions",
]
