//! Which decoders read audio files.

/// Names and versions of the decoders. A data set records them, because samples may depend on them.
///
/// Raise the number of our layer III decoder (MP3) if its output changes.
pub const DECODERS: &str = "layer3 1, symphonia 0.6.1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_of_symphonia_is_the_one_that_is_used() {
        let lock = include_str!("../../../../Cargo.lock");
        let (_, version) = DECODERS.rsplit_once(", ").unwrap();
        let (name, version) = version.split_once(' ').unwrap();
        assert!(
            lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")),
            "{DECODERS}"
        );
    }
}
