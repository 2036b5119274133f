//! The files of a library whose embeddings are nearest to those of songs.

use super::file_embeddings::FileEmbeddings;

/// A file of the library.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor {
    /// Its row.
    pub file: usize,
    /// From -1 to 1.
    pub similarity: f64,
}

/// All files of the library, the most similar first. The similarity is the cosine of the embeddings. With several
/// networks or several songs it is the mean.
pub fn nearest(library: &FileEmbeddings, songs: &FileEmbeddings) -> Vec<Neighbor> {
    let mut query = vec![0.0; songs.dimension()];
    for song in 0..songs.paths.len() {
        query
            .iter_mut()
            .zip(directions(songs, song))
            .for_each(|(sum, value)| *sum += value);
    }
    let terms = (songs.paths.len() * songs.networks.len()) as f64;
    let similarity = |file: usize| {
        let products = directions(library, file).into_iter().zip(&query);
        // Rounding can make the cosine of a vector with itself larger than 1.
        (products.map(|(a, b)| a * b).sum::<f64>() / terms).clamp(-1.0, 1.0)
    };
    let files = 0..library.paths.len();
    let mut neighbors: Vec<Neighbor> = files
        .map(|file| Neighbor {
            file,
            similarity: similarity(file),
        })
        .collect();
    neighbors.sort_by(|a, b| b.similarity.total_cmp(&a.similarity));
    neighbors
}

/// The embedding of each network divided by its length, which is then 1, or 0 if all values are.
fn directions(table: &FileEmbeddings, file: usize) -> Vec<f64> {
    let mut values = Vec::new();
    let mut rest = table.row(file);
    for network in &table.networks {
        let (embedding, others) = rest.split_at(network.dimension);
        rest = others;
        let length = embedding
            .iter()
            .map(|&value| f64::from(value).powi(2))
            .sum::<f64>()
            .sqrt();
        let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
        values.extend(embedding.iter().map(|&value| scale * f64::from(value)));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::super::file_embeddings::NetworkRecord;
    use super::*;

    fn table(dimensions: &[usize], rows: &[&[f32]]) -> FileEmbeddings {
        let network = |&dimension| NetworkRecord {
            blake3: String::new(),
            dimension,
        };
        FileEmbeddings {
            networks: dimensions.iter().map(network).collect(),
            paths: (0..rows.len()).map(|row| row.to_string()).collect(),
            values: rows.concat(),
        }
    }

    fn ranked(library: &FileEmbeddings, songs: &FileEmbeddings) -> Vec<(usize, f64)> {
        let neighbors = nearest(library, songs).into_iter();
        neighbors
            .map(|neighbor| (neighbor.file, (1e9 * neighbor.similarity).round() / 1e9))
            .collect()
    }

    #[test]
    fn files_are_sorted_by_the_cosine() {
        let library = table(
            &[2],
            &[&[0.0, 3.0], &[4.0, 3.0], &[0.0, 0.0], &[-2.0, 0.0], &[8.0, 6.0]],
        );
        let song = table(&[2], &[&[5.0, 0.0]]);
        // Files with the same similarity keep their order.
        let expected = [(1, 0.8), (4, 0.8), (0, 0.0), (2, 0.0), (3, -1.0)];
        assert_eq!(ranked(&library, &song), expected);
    }

    #[test]
    fn networks_and_songs_count_the_same_whatever_the_length_of_their_vectors() {
        let library = table(&[1, 2], &[&[1.0, 0.0, 100.0], &[-1.0, 300.0, 0.0]]);
        let song = table(&[1, 2], &[&[0.5, 1e4, 0.0]]);
        // The means of 1 and 0, and of -1 and 1.
        assert_eq!(ranked(&library, &song), [(0, 0.5), (1, 0.0)]);
        let songs = table(&[2], &[&[1.0, 0.0], &[0.0, 900.0]]);
        let library = table(&[2], &[&[1.0, 0.0], &[3.0, 4.0]]);
        // The means of 0.6 and 0.8, and of 1 and 0.
        assert_eq!(ranked(&library, &songs), [(1, 0.7), (0, 0.5)]);
    }
}
