//! Problems with scikit-learn's solutions, made by `scripts/reference/make_svc_golden.py`.

use super::TrainingSet;
use safetensors::{SafeTensors, tensor::TensorView};
use std::fs;

pub const PROBLEMS: usize = 20;

pub struct Problem {
    file: Vec<u8>,
    number: usize,
    pub c: f64,
    vectors: Vec<f32>,
    pub dimension: usize,
    labels: Vec<usize>,
    pub classes: usize,
    pub queries: Vec<f32>,
}

impl Problem {
    pub fn read(number: usize) -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/svc.safetensors");
        let mut problem = Self {
            file: fs::read(path).unwrap(),
            number,
            c: 0.0,
            vectors: Vec::new(),
            dimension: 0,
            labels: Vec::new(),
            classes: 0,
            queries: Vec::new(),
        };
        // Stored as f32, which has no exact 0.1.
        problem.c = problem.expected("c")[0].to_string().parse().unwrap();
        problem.vectors = problem.expected("vectors");
        problem.queries = problem.expected("queries");
        problem.labels = problem.expected_classes("labels");
        problem.dimension = problem.vectors.len() / problem.labels.len();
        problem.classes = problem.labels.iter().max().unwrap() + 1;
        problem
    }

    pub fn set(&self) -> TrainingSet<'_> {
        TrainingSet {
            vectors: &self.vectors,
            dimension: self.dimension,
            labels: &self.labels,
            classes: self.classes,
        }
    }

    fn tensor<T>(&self, name: &str, read: impl Fn(&TensorView<'_>) -> T) -> T {
        let file = SafeTensors::deserialize(&self.file).unwrap();
        read(&file.tensor(&format!("{}/{name}", self.number)).unwrap())
    }

    pub fn expected(&self, name: &str) -> Vec<f32> {
        self.tensor(name, |tensor| bytemuck::pod_collect_to_vec(tensor.data()))
    }

    pub fn expected_classes(&self, name: &str) -> Vec<usize> {
        let classes: Vec<i64> = self.tensor(name, |tensor| bytemuck::pod_collect_to_vec(tensor.data()));
        classes.into_iter().map(|class| class as usize).collect()
    }
}

pub fn largest_difference(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let differences = found.iter().zip(expected).map(|(a, b)| f64::from((a - b).abs()));
    differences.fold(0.0, f64::max)
}
