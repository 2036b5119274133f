//! The containers of compressed audio.

/// Containers of [`super::probed`]: of WAV files only those with compressed samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Wav,
    Caf,
    Flac,
    Ogg,
    Mp4,
    Matroska,
}

impl Container {
    /// The file in words, for sentences about it.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Wav => "a WAV file",
            Self::Caf => "a CAF file",
            Self::Flac => "a FLAC file",
            Self::Ogg => "an Ogg file",
            Self::Mp4 => "an MP4 file",
            Self::Matroska => "a Matroska file",
        }
    }
}
