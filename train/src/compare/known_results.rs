//! What trainings from scratch reach on well-known data sets, as their manifests in `data-manifests` have it.

use serde::Deserialize;
use shared::dataset::SourceRecord;

const MANIFESTS: [&str; 1] = [include_str!("../../../data-manifests/fma_small.toml")];

/// The fields of a manifest that are used here.
#[derive(Deserialize)]
struct Manifest {
    name: String,
    from_scratch: FromScratch,
}

/// What trainings from scratch reach.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub(super) struct FromScratch {
    /// The usual range of top-1.
    pub top1: [f64; 2],
    /// Top-1 above this is more likely leaked than earned.
    pub leaked_above: f64,
}

/// The known results of a data set; `None` for one that is only laid out like a well-known one, or is a part of it.
pub(super) fn from_scratch(source: &SourceRecord) -> Option<FromScratch> {
    let name = source
        .preset
        .as_deref()
        .filter(|_| source.preset_differences.is_empty())?;
    let mut manifests = MANIFESTS.iter().map(|text| {
        let manifest: Manifest = toml::from_str(text).expect("manifests are compiled in and complete");
        manifest
    });
    Some(manifests.find(|manifest| manifest.name == name)?.from_scratch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_set_laid_out_like_fma_small_is_not_taken_for_it() {
        let real = SourceRecord {
            name: "fma".into(),
            subset: "small".into(),
            preset: Some("fma_small".into()),
            preset_differences: Vec::new(),
            audio: "fma_small".into(),
            part: None,
        };
        assert!(from_scratch(&real).is_some());
        let without_preset = SourceRecord {
            preset: None,
            ..real.clone()
        };
        let fewer_tracks = SourceRecord {
            preset_differences: vec!["64 tracks were found, and fma_small has 8000".into()],
            ..real
        };
        assert_eq!(
            (from_scratch(&without_preset), from_scratch(&fewer_tracks)),
            (None, None)
        );
    }
}
