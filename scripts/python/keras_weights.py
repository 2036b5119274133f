#!/usr/bin/env python3
"""Converts a Keras 1 weights file (HDF5) to safetensors with the arrays under their Keras names.

Needs h5py and safetensors:

    keras_weights.py music_tagger_crnn_weights_tensorflow.h5 music_tagger_crnn.safetensors
    train fit --model music-tagger-crnn --init-from music_tagger_crnn.safetensors ...

The published taggers are in https://github.com/keunwoochoi/music-auto_tagging-keras, directory data. Use the files for
TensorFlow: Theano flips the kernels of its convolutions.
"""
import sys

import h5py
import numpy as np
from safetensors.numpy import save_file


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    arrays = {}

    def visit(path, item):
        if isinstance(item, h5py.Dataset):
            # Newer versions of Keras append ":0".
            arrays["weights/" + path.rsplit("/", 1)[-1].removesuffix(":0")] = np.array(item, dtype=np.float32)

    with h5py.File(sys.argv[1], "r") as file:
        file.visititems(visit)
    save_file(arrays, sys.argv[2])
    print(f"{len(arrays)} arrays written to {sys.argv[2]}")


if __name__ == "__main__":
    main()
