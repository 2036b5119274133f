//! From a data set's shards to a trained and evaluated genre classifier.

pub mod models;
