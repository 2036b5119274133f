//! Operations without weights.

use super::format::Attribute::{Float, Int, Ints, Text};
use super::graph::{Graph, Value};

impl Graph {
    pub fn relu(&self, x: Value) -> Value {
        self.node("Relu", &[x], vec![])
    }

    /// `x` above zero, `exp(x) - 1` below.
    pub fn elu(&self, x: Value) -> Value {
        self.node("Elu", &[x], vec![])
    }

    pub fn leaky_relu(&self, x: Value, slope: f64) -> Value {
        self.node("LeakyRelu", &[x], vec![("alpha", Float(slope as f32))])
    }

    /// The exact GELU, with the error function.
    pub fn gelu(&self, x: Value) -> Value {
        let erf = self.node("Erf", &[self.scale(x, std::f64::consts::FRAC_1_SQRT_2)], vec![]);
        self.multiply(self.scale(x, 0.5), self.shift(erf, 1.0))
    }

    pub fn sigmoid(&self, x: Value) -> Value {
        self.node("Sigmoid", &[x], vec![])
    }

    pub fn tanh(&self, x: Value) -> Value {
        self.node("Tanh", &[x], vec![])
    }

    pub fn softmax(&self, x: Value, axis: i64) -> Value {
        self.node("Softmax", &[x], vec![("axis", Int(axis))])
    }

    pub fn exp(&self, x: Value) -> Value {
        self.node("Exp", &[x], vec![])
    }

    /// The natural logarithm.
    pub fn log(&self, x: Value) -> Value {
        self.node("Log", &[x], vec![])
    }

    pub fn abs(&self, x: Value) -> Value {
        self.node("Abs", &[x], vec![])
    }

    pub fn add(&self, x: Value, y: Value) -> Value {
        self.node("Add", &[x, y], vec![])
    }

    pub fn multiply(&self, x: Value, y: Value) -> Value {
        self.node("Mul", &[x, y], vec![])
    }

    pub fn divide(&self, x: Value, y: Value) -> Value {
        self.node("Div", &[x, y], vec![])
    }

    pub fn matmul(&self, x: Value, y: Value) -> Value {
        self.node("MatMul", &[x, y], vec![])
    }

    fn scalar(&self, value: f64) -> Value {
        self.constant(&[value as f32], &[])
    }

    /// `x · factor`.
    pub fn scale(&self, x: Value, factor: f64) -> Value {
        self.multiply(x, self.scalar(factor))
    }

    /// `x + term`.
    pub fn shift(&self, x: Value, term: f64) -> Value {
        self.add(x, self.scalar(term))
    }

    /// `x`, or `least` where `x` is smaller.
    pub fn at_least(&self, x: Value, least: f64) -> Value {
        self.node("Max", &[x, self.scalar(least)], vec![])
    }

    /// `x`, or `other` where `x` is zero.
    pub fn unless_zero(&self, x: Value, other: f64) -> Value {
        let zero = self.node("Equal", &[x, self.scalar(0.0)], vec![]);
        self.node("Where", &[zero, self.scalar(other), x], vec![])
    }

    /// The maximum over axes, which are removed.
    pub fn max(&self, x: Value, axes: &[i64]) -> Value {
        self.node("ReduceMax", &[x, self.integers(axes)], vec![("keepdims", Int(0))])
    }

    /// The maximum over an axis, which is kept with size 1.
    pub fn max_dim(&self, x: Value, axis: i64) -> Value {
        self.node("ReduceMax", &[x, self.integers(&[axis])], vec![])
    }

    /// The mean over an axis, which is removed.
    pub fn mean(&self, x: Value, axis: i64) -> Value {
        self.node("ReduceMean", &[x, self.integers(&[axis])], vec![("keepdims", Int(0))])
    }

    pub fn concat(&self, values: &[Value], axis: i64) -> Value {
        self.node("Concat", values, vec![("axis", Int(axis))])
    }

    /// The axes in the order of `axes`.
    pub fn permute(&self, x: Value, axes: &[i64]) -> Value {
        self.node("Transpose", &[x], vec![("perm", Ints(axes.to_vec()))])
    }

    /// All axes after the first as one.
    pub fn flatten(&self, x: Value) -> Value {
        self.node("Flatten", &[x], vec![])
    }

    /// Another shape of the same values. 0 keeps the size of the axis, -1 is the size that is left.
    pub fn reshape(&self, x: Value, shape: &[i64]) -> Value {
        self.node("Reshape", &[x, self.integers(shape)], vec![])
    }

    /// Removes an axis of size 1.
    pub fn squeeze(&self, x: Value, axis: i64) -> Value {
        self.node("Squeeze", &[x, self.integers(&[axis])], vec![])
    }

    /// Adds an axis of size 1.
    pub fn unsqueeze(&self, x: Value, axis: i64) -> Value {
        self.node("Unsqueeze", &[x, self.integers(&[axis])], vec![])
    }

    /// The positions `begin..end` of an axis; the last position is `i64::MAX`.
    pub fn slice(&self, x: Value, axis: i64, begin: i64, end: i64) -> Value {
        let [begin, end, axis] = [begin, end, axis].map(|number| self.integers(&[number]));
        self.node("Slice", &[x, begin, end, axis], vec![])
    }

    /// `x`, `[1, 1, …]`, as often as `other` has clips, `[batch, 1, …]`.
    pub fn repeat_over_batch(&self, x: Value, other: Value) -> Value {
        let batch = self.node("Shape", &[other], vec![("end", Int(1))]);
        let shape = self.concat(&[batch, self.integers(&[1, 1])], 0);
        self.node("Expand", &[x, shape], vec![])
    }

    /// Zeros before and after the positions of each axis.
    pub fn pad(&self, x: Value, before: &[i64], after: &[i64]) -> Value {
        self.node("Pad", &[x, self.integers(&[before, after].concat())], vec![])
    }

    /// Mirrored values before and after the last of two axes, as NumPy's `reflect`.
    pub fn pad_reflect(&self, x: Value, count: i64) -> Value {
        let sides = self.integers(&[0, count, 0, count]);
        self.node("Pad", &[x, sides], vec![("mode", Text("reflect"))])
    }

    /// The reverse order of an axis.
    pub fn flip(&self, x: Value, axis: i64) -> Value {
        let [begin, end, axis, step] = [-1, i64::MIN, axis, -1].map(|number| self.integers(&[number]));
        self.node("Slice", &[x, begin, end, axis, step], vec![])
    }
}
