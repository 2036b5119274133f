//! The supported sample rates and channel counts.

use super::rejection::Rejection;

/// Returns the sample rate, or a rejection if no music is recorded with this format and the header is probably broken.
pub fn check_format(rate: Option<u32>, channels: usize) -> Result<u32, Rejection> {
    const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;
    let rate = rate.unwrap_or(0);
    if !RATES.contains(&rate) {
        return Err(Rejection::UnsupportedFormat(format!(
            "its sample rate is {rate} Hz; {} to {} Hz are supported",
            RATES.start(),
            RATES.end()
        )));
    }
    if !(1..=8).contains(&channels) {
        return Err(Rejection::UnsupportedFormat(format!(
            "it has {channels} channels; 1 to 8 are supported"
        )));
    }
    Ok(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn implausible_formats_are_rejected() {
        assert_eq!(check_format(Some(44_100), 2), Ok(44_100));
        assert_eq!(check_format(Some(192_000), 8), Ok(192_000));
        for (rate, channels) in [
            (None, 2),
            (Some(0), 2),
            (Some(384_000), 1),
            (Some(44_100), 0),
            (Some(44_100), 9),
        ] {
            assert_eq!(check_format(rate, channels).unwrap_err().code(), "unsupported_format");
        }
    }
}
