//! The names in the authors' PyTorch checkpoints, and ours. Every pattern is a literal beginning of a name, so `train
//! export` can write the authors' names back.

/// Names of all networks except [`HARMONIC_RENAMES`]' one. No network has two names that become the same.
pub const RENAMES: &[(&str, &str)] = &[
    // `won-crnn`: PyTorch stacks two GRUs in one layer. This precedes the blocks' names.
    (r"^layer5\.weight_ih_l0", "gru0.weight_ih_l0"),
    (r"^layer5\.weight_hh_l0", "gru0.weight_hh_l0"),
    (r"^layer5\.bias_ih_l0", "gru0.bias_ih_l0"),
    (r"^layer5\.bias_hh_l0", "gru0.bias_hh_l0"),
    (r"^layer5\.weight_ih_l1", "gru1.weight_ih_l0"),
    (r"^layer5\.weight_hh_l1", "gru1.weight_hh_l0"),
    (r"^layer5\.bias_ih_l1", "gru1.bias_ih_l0"),
    (r"^layer5\.bias_hh_l1", "gru1.bias_hh_l0"),
    (r"^layer1\.", "blocks.0."),
    (r"^layer2\.", "blocks.1."),
    (r"^layer3\.", "blocks.2."),
    (r"^layer4\.", "blocks.3."),
    (r"^layer5\.", "blocks.4."),
    (r"^layer6\.", "blocks.5."),
    (r"^layer7\.", "blocks.6."),
    (r"^layer8\.", "blocks.7."),
    (r"^layer9\.", "blocks.8."),
    (r"^layer10\.", "blocks.9."),
    (r"^layer11\.", "blocks.10."),
    (r"^dense1\.", "head.dense1."),
    (r"^bn\.", "head.bn."),
    (r"^dense2\.", "head.dense2."),
    // `musicnn`.
    (r"^layers\.0\.", "vertical.0."),
    (r"^layers\.1\.", "vertical.1."),
    (r"^layers\.2\.", "horizontal.0."),
    (r"^layers\.3\.", "horizontal.1."),
    (r"^layers\.4\.", "horizontal.2."),
    // `self-attention`: `self` is a keyword of Rust.
    (
        r"^encoder\.layer\.0\.attention\.self\.",
        "encoder.layer.0.attention.heads.",
    ),
    (
        r"^encoder\.layer\.1\.attention\.self\.",
        "encoder.layer.1.attention.heads.",
    ),
    (
        r"^encoder\.layer\.0\.attention\.output\.LayerNorm\.",
        "encoder.layer.0.attention.output.norm.",
    ),
    (
        r"^encoder\.layer\.1\.attention\.output\.LayerNorm\.",
        "encoder.layer.1.attention.output.norm.",
    ),
    (
        r"^encoder\.layer\.0\.output\.LayerNorm\.",
        "encoder.layer.0.output.norm.",
    ),
    (
        r"^encoder\.layer\.1\.output\.LayerNorm\.",
        "encoder.layer.1.output.norm.",
    ),
];

/// Names of `harmonic-cnn`, whose blocks are not all of one kind.
pub const HARMONIC_RENAMES: &[(&str, &str)] = &[
    (r"^hstft\.bw_Q", "hstft.bw_q"),
    (r"^dense1\.", "head.dense1."),
    (r"^bn\.", "head.bn."),
    (r"^dense2\.", "head.dense2."),
];
