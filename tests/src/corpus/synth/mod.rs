//! Sound from numbers: oscillators, filters, plucked strings, bells, drums and rooms.
//!
//! Times are in seconds, frequencies in Hz, gains linear. A voice is a mono `Vec<f32>` at the rate it was asked for, and
//! the [`bus::Bus`] is what voices are mixed on. Nothing here knows of genres, files or random seeds other than the
//! generators it is lent.

pub mod bell;
pub mod bus;
pub mod drums;
pub mod envelope;
pub mod filter;
pub mod oscillator;
pub mod pluck;
pub mod space;
