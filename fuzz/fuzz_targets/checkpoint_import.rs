//! Reads arbitrary bytes as initial weights or as the checkpoint of a run. The first byte selects the format: `s` for
//! safetensors, `p` for a PyTorch file, any other byte for a checkpoint.

#![no_main]

use burn::tensor::Device;
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::fs;
use tempfile::TempDir;
use train::models::{Blueprint, InputShape, Model, ModelKind, import_weights, transfer_weights};
use train::step::optimization::adam;
use train::training::checkpoint;

thread_local! {
    static STATE: RefCell<(TempDir, Model)> = RefCell::new((fuzz::directory(), model()));
}

fn model() -> Model {
    let blueprint = Blueprint {
        shape: InputShape {
            samples: 32 << 10,
            spectrogram: [128, 32],
            statistics: 10,
        },
        classes: 3,
        dropout: 0.1,
    };
    ModelKind::MfccDense.init(&blueprint, &Device::flex().autodiff())
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else {
        return;
    };
    STATE.with_borrow(|(directory, model)| {
        let extension = match kind {
            b's' => "safetensors",
            b'p' => "pt",
            _ => {
                let _ = checkpoint::from_bytes(bytes, model.clone(), adam(0.0));
                return;
            }
        };
        let path = directory.path().join("weights").with_extension(extension);
        fs::write(&path, bytes).expect("the temporary directory has space");
        for replace_classifier in [false, true] {
            let _ = transfer_weights(model.clone(), &path, replace_classifier);
        }
        let _ = import_weights(model.clone(), &path);
    });
});
