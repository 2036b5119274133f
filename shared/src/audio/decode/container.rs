//! The containers of compressed audio.

/// Containers that [`super::probed`] reads. WAV files only if their samples are compressed.
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
    /// The name of the file type with its article, for messages.
    pub(super) fn name_with_article(self) -> &'static str {
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
