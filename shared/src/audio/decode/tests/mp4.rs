//! MP4 files written by ffmpeg.

use super::*;

#[test]
fn delay_and_padding_in_an_edit_list_are_trimmed() {
    // A tone of 0.1 s at 8 kHz, in packets of 1024 samples.
    let file = include_bytes!("../../../../../fuzz/seeds/decode_validate/aac.m4a");
    let decoded = decode(file).unwrap();
    assert_eq!((decoded.samples.len(), decoded.report.bad_frames), (800, 0));
    let edits = file.windows(4).position(|kind| kind == b"edts").unwrap();
    let mut without = file.to_vec();
    without[edits..edits + 4].copy_from_slice(b"free");
    assert_eq!(decode(&without).unwrap().samples.len() % 1024, 0);
    assert!(decode(&without).unwrap().samples.len() > 1024);
}

#[test]
fn mpeg_audio_in_mp4_is_decoded_and_unsupported_codecs_are_refused() {
    // A tone of 0.1 s: `ffmpeg -f lavfi -i sine=frequency=440:duration=0.1 -c:a libmp3lame -b:a 64k -bitexact mp3.mp4`.
    let decoded = decode(include_bytes!("../../../../../fuzz/seeds/decode_validate/mp3.mp4")).unwrap();
    assert_eq!(
        (decoded.rate, decoded.channels, decoded.report.bad_frames),
        (44_100, 1, 0)
    );
    assert!(
        (4410..4410 + 2 * 1152).contains(&decoded.samples.len()),
        "{}",
        decoded.samples.len()
    );
    // Layer 2 at 16 kHz. MP4 has one codec name for all layers.
    let decoded = decode(include_bytes!("../../../../../fuzz/seeds/decode_validate/layer2.mp4")).unwrap();
    assert_eq!(
        (decoded.rate, decoded.channels, decoded.report.bad_frames),
        (16_000, 1, 0)
    );
    assert!(
        (1600..1600 + 2 * 1152).contains(&decoded.samples.len()),
        "{}",
        decoded.samples.len()
    );
    // AAC with 5.1 channels, and Opus.
    for (file, what) in [
        (
            &include_bytes!("../../../../../fuzz/seeds/decode_validate/aac_6_channels.m4a")[..],
            "AAC audio with 6 channels",
        ),
        (
            include_bytes!("../../../../../fuzz/seeds/decode_validate/opus.mp4"),
            "Opus audio",
        ),
    ] {
        let rejection = decode(file).unwrap_err();
        assert_eq!(rejection.code(), "unsupported_format");
        assert!(rejection.to_string().contains(what), "{rejection}");
    }
}
