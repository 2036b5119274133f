//! A trained classifier as a safetensors file. Its content is checked when it is read, because the file may come from
//! anywhere.

use super::classifier::{ClassifierKind, Machine, VectorClassifier};
use super::knn::KNearest;
use super::linear_svm::LinearSvm;
use super::logistic::Logistic;
use super::rbf_svm::RbfSvm;
use super::training_set::TrainingSet;
use crate::frontend::VectorScaler;
use bytemuck::{Pod, cast_slice, pod_collect_to_vec};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

impl VectorClassifier {
    pub fn kind(&self) -> ClassifierKind {
        match self.machine {
            Machine::Knn(_) => ClassifierKind::Knn,
            Machine::Svm(_) => ClassifierKind::Svm,
            Machine::RbfSvm(_) => ClassifierKind::RbfSvm,
            Machine::Logistic(_) => ClassifierKind::Logistic,
        }
    }

    /// The tensors: `present` (classes with training vectors), `shift`, `scale`, `temperature`, `c`, and those of the
    /// machine.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, SafeTensorError> {
        let integers = |values: &[usize]| values.iter().map(|&value| value as i64).collect::<Vec<_>>();
        let present = integers(&self.present);
        let (temperature, c) = ([self.temperature], [self.c.unwrap_or(f64::NAN)]);
        let dimension = self.dimension();
        let (scale, shift) = (self.scaler.scale(), self.scaler.shift());
        let mut tensors: Vec<(&str, Dtype, Vec<usize>, &[u8])> = vec![
            ("present", Dtype::I64, vec![present.len()], cast_slice(&present)),
            ("shift", Dtype::F64, vec![dimension], cast_slice(shift)),
            ("scale", Dtype::F64, vec![dimension], cast_slice(scale)),
            ("temperature", Dtype::F64, vec![1], cast_slice(&temperature)),
            ("c", Dtype::F64, vec![1], cast_slice(&c)),
        ];
        let (labels, number, gamma);
        match &self.machine {
            Machine::Knn(knn) => {
                (labels, number) = (integers(&knn.labels), integers(&[knn.k]));
                tensors.push((
                    "vectors",
                    Dtype::F32,
                    vec![labels.len(), dimension],
                    cast_slice(&knn.vectors),
                ));
                tensors.push(("labels", Dtype::I64, vec![labels.len()], cast_slice(&labels)));
                tensors.push(("n_neighbors", Dtype::I64, vec![1], cast_slice(&number)));
            }
            Machine::Svm(LinearSvm { weights, .. }) | Machine::Logistic(Logistic { weights, .. }) => {
                tensors.push((
                    "weights",
                    Dtype::F64,
                    vec![present.len(), dimension + 1],
                    cast_slice(weights),
                ));
            }
            Machine::RbfSvm(svm) => {
                labels = integers(&svm.labels);
                gamma = [svm.gamma];
                let count = labels.len();
                let vectors = cast_slice(&svm.support_vectors);
                let coefficients = cast_slice(&svm.coefficients);
                tensors.push(("support_vectors", Dtype::F32, vec![count, dimension], vectors));
                tensors.push(("labels", Dtype::I64, vec![count], cast_slice(&labels)));
                tensors.push(("dual_coef", Dtype::F64, vec![present.len() - 1, count], coefficients));
                tensors.push(("intercept", Dtype::F64, vec![svm.biases.len()], cast_slice(&svm.biases)));
                tensors.push(("gamma", Dtype::F64, vec![1], cast_slice(&gamma)));
            }
        }
        let views = tensors
            .into_iter()
            .map(|(name, dtype, shape, bytes)| TensorView::new(dtype, shape, bytes).map(|view| (name, view)))
            .collect::<Result<Vec<_>, _>>()?;
        safetensors::serialize(views, None)
    }

    /// Reads a classifier of `kind` for `classes` classes. The error says what is wrong with the file.
    pub fn from_safetensors(bytes: &[u8], kind: ClassifierKind, classes: usize) -> Result<Self, String> {
        let file = Tensors(SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?);
        let present = file.indices("present", None, classes)?;
        if present.len() < 2 || !present.is_sorted_by(|a, b| a < b) {
            return Err("`present` does not list two classes or more in order".into());
        }
        let shift = file.floats("shift", None)?;
        let dimension = shift.len();
        let scaler = VectorScaler::from_parts(shift, file.floats("scale", Some(dimension))?)
            .filter(|scaler| scaler.dimension() > 0)
            .ok_or("`shift` and `scale` are empty or have values that are not finite")?;
        let temperature = file.floats("temperature", Some(1))?[0];
        if temperature <= 0.0 {
            return Err("`temperature` is not above 0".into());
        }
        let machine = file.machine(kind, present.len(), dimension)?;
        let c = file.values::<f64>("c", Dtype::F64, Some(1))?[0];
        Ok(Self {
            classes,
            present,
            scaler,
            machine,
            c: (!c.is_nan()).then_some(c),
            temperature,
        })
    }
}

struct Tensors<'a>(SafeTensors<'a>);

impl Tensors<'_> {
    /// The values of a tensor of any shape with `count` values.
    fn values<T: Pod>(&self, name: &str, dtype: Dtype, count: Option<usize>) -> Result<Vec<T>, String> {
        let tensor = self.0.tensor(name).map_err(|error| error.to_string())?;
        let values: Vec<T> = match tensor.dtype() == dtype {
            true => pod_collect_to_vec(tensor.data()),
            false => return Err(format!("`{name}` is {:?} instead of {dtype:?}", tensor.dtype())),
        };
        match count {
            Some(count) if values.len() != count => {
                Err(format!("`{name}` has {} values instead of {count}", values.len()))
            }
            _ => Ok(values),
        }
    }

    fn floats(&self, name: &str, count: Option<usize>) -> Result<Vec<f64>, String> {
        let values: Vec<f64> = self.values(name, Dtype::F64, count)?;
        let finite = values.iter().all(|value| value.is_finite());
        finite
            .then_some(values)
            .ok_or_else(|| format!("`{name}` has a value that is not finite"))
    }

    /// Integers below `limit`.
    fn indices(&self, name: &str, count: Option<usize>, limit: usize) -> Result<Vec<usize>, String> {
        let values: Vec<i64> = self.values(name, Dtype::I64, count)?;
        let index = |&value: &i64| usize::try_from(value).ok().filter(|&value| value < limit);
        let indices: Option<Vec<usize>> = values.iter().map(index).collect();
        indices.ok_or_else(|| format!("`{name}` has a value that is not below {limit}"))
    }

    fn machine(&self, kind: ClassifierKind, classes: usize, dimension: usize) -> Result<Machine, String> {
        let planes = || self.floats("weights", Some(classes * (dimension + 1)));
        Ok(match kind {
            ClassifierKind::Knn => {
                let labels = self.indices("labels", None, classes)?;
                let vectors: Vec<f32> = self.values("vectors", Dtype::F32, Some(labels.len() * dimension))?;
                let k = self.indices("n_neighbors", Some(1), labels.len() + 1)?[0];
                if k == 0 {
                    return Err("`n_neighbors` is 0".into());
                }
                let set = TrainingSet {
                    vectors: &vectors,
                    dimension,
                    labels: &labels,
                    classes,
                };
                Machine::Knn(KNearest::fit(&set, k).map_err(|error| error.to_string())?)
            }
            ClassifierKind::Svm => Machine::Svm(LinearSvm::from_weights(planes()?, dimension)),
            ClassifierKind::Logistic => Machine::Logistic(Logistic::from_weights(planes()?, dimension)),
            ClassifierKind::RbfSvm => {
                let labels = self.indices("labels", None, classes)?;
                let count = labels.len();
                let support_vectors: Vec<f32> = self.values("support_vectors", Dtype::F32, Some(count * dimension))?;
                if !support_vectors.iter().all(|value| value.is_finite()) {
                    return Err("`support_vectors` has a value that is not finite".into());
                }
                Machine::RbfSvm(RbfSvm {
                    gamma: self.floats("gamma", Some(1))?[0],
                    dimension,
                    classes,
                    support_vectors,
                    labels,
                    coefficients: self.floats("dual_coef", Some((classes - 1) * count))?,
                    biases: self.floats("intercept", Some(classes * (classes - 1) / 2))?,
                })
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classical::classifier::tests::{KINDS, fit, rings};

    #[test]
    fn classifier_is_read_back_and_gives_the_same_probabilities() {
        let (queries, _) = rings(10, 0.3);
        for kind in KINDS {
            let classifier = fit(kind, None);
            let bytes = classifier.to_safetensors().unwrap();
            let read = VectorClassifier::from_safetensors(&bytes, kind, 4).unwrap();
            assert_eq!((read.kind(), read.c()), (kind, classifier.c()));
            assert_eq!(
                read.probabilities(&queries).unwrap(),
                classifier.probabilities(&queries).unwrap(),
                "{kind}"
            );
        }
    }

    #[test]
    fn files_that_do_not_fit_are_refused() {
        let bytes = fit(ClassifierKind::RbfSvm, None).to_safetensors().unwrap();
        let read = |bytes: &[u8], kind, classes| VectorClassifier::from_safetensors(bytes, kind, classes).unwrap_err();
        assert!(read(&bytes, ClassifierKind::Svm, 4).contains("weights"));
        assert!(read(&bytes, ClassifierKind::RbfSvm, 3).contains("`present` has a value that is not below 3"));
        for length in [0, 7, 100, bytes.len() - 1] {
            read(&bytes[..length], ClassifierKind::RbfSvm, 4);
        }
        let knn = fit(ClassifierKind::Knn, None);
        let mut damaged = knn.clone();
        damaged.temperature = 0.0;
        assert!(read(&damaged.to_safetensors().unwrap(), ClassifierKind::Knn, 4).contains("temperature"));
        let mut damaged = knn;
        damaged.present.pop();
        assert!(read(&damaged.to_safetensors().unwrap(), ClassifierKind::Knn, 4).contains("two classes"));
    }
}
