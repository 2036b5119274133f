//! Known results of training from scratch on public data sets, from the manifests in `data-manifests`.

use serde::Deserialize;
use shared::dataset::SourceRecord;

const MANIFESTS: [&str; 1] = [include_str!("../../../data-manifests/fma_small.toml")];

/// The fields of a manifest that are used here.
#[derive(Deserialize)]
struct Manifest {
    name: String,
    from_scratch: FromScratch,
}

/// Known results of training from scratch.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub(super) struct FromScratch {
    /// The usual range of top-1.
    pub top1: [f64; 2],
    /// A higher top-1 is probably due to a leak.
    pub leaked_above: f64,
}

/// `None` if no results are known, also for a data set that has only the layout of a known one or only some of its
/// tracks.
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
    fn results_of_fma_small_do_not_apply_to_data_sets_with_its_layout() {
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
