//! The kernels as differentiable operations of Burn's autodiff graph: the state each saves for its backward pass, and
//! the gradients it registers.

use super::convolution::{self, ConvShape};
use super::lstm::backend::{LstmBackend, LstmStates};
use super::lstm::{GATES, LstmShape};
use super::max_pool::{self, PoolShape};
use super::normalize::pooled;
use super::normalize::{self, Activation, Affine};
use super::{Plain, Tracked, primitive, values};
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex, TensorMetadata};
use std::sync::Arc;

/// A batch norm layer's input and parameters in [`normalize()`], which sums over several of them.
pub struct Term {
    /// `[batch, channels, …]`.
    pub x: Tracked,
    /// `[channels]`.
    pub gamma: Tracked,
    /// `[channels]`.
    pub beta: Tracked,
    /// Added to the variance.
    pub epsilon: f64,
}

/// `[batch, inputs, …]` to `[batch, outputs, …]`.
pub fn convolve(x: Tracked, weight: Tracked, bias: Tracked, shape: ConvShape) -> Tracked {
    let nodes = [x.node(), weight.node(), bias.node()];
    let [x, weight, bias] = [x, weight, bias].map(|tensor| tensor.into_primitive().to_contiguous());
    let out = convolution::forward(values(&x), values(&weight), values(&bias), &shape);
    let out = primitive(out, [shape.batch, shape.outputs, shape.to[0], shape.to[1]]);
    match Convolution.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((x, weight, shape), out),
        OpsKind::UnTracked(prepared) => prepared.finish(out),
    }
}

#[derive(Debug)]
struct Convolution;

impl Backward<Flex, 3> for Convolution {
    type State = (Plain, Plain, ConvShape);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let (x, weight, shape) = ops.state;
        let [x_node, weight_node, bias_node] = ops.parents;
        if weight_node.is_some() || bias_node.is_some() {
            let (weights, bias) = convolution::weight_gradient(values(&x), values(&gradient), &shape);
            if let Some(node) = weight_node {
                grads.register::<Flex>(node.id, primitive(weights, weight.shape()));
            }
            if let Some(node) = bias_node {
                grads.register::<Flex>(node.id, primitive(bias, [shape.outputs]));
            }
        }
        if let Some(node) = x_node {
            let gradient = convolution::input_gradient(values(&gradient), values(&weight), &shape);
            grads.register::<Flex>(node.id, primitive(gradient, x.shape()));
        }
    }
}

/// Mean and biased variance of each channel.
pub type Moments = (Vec<f32>, Vec<f32>);

/// The normalized sum after its activation and, with `pool`, its maxima; and each term's mean and biased variance.
pub fn normalize<const N: usize>(
    terms: [Term; N],
    activation: Activation,
    pool: Option<PoolShape>,
) -> (Tracked, [Moments; N]) {
    const { assert!(N == 1 || N == 2, "one image, or one and its shortcut") };
    let mut shape = terms[0].x.shape();
    let (channels, plane) = (shape[1], shape[2..].iter().product());
    let mut nodes = Vec::new();
    let terms = terms.map(|term| {
        nodes.extend([term.x.node(), term.gamma.node(), term.beta.node()]);
        let [x, gamma, beta] = [term.x, term.gamma, term.beta].map(|tensor| tensor.into_primitive().to_contiguous());
        let (mean, variance) = normalize::moments(values(&x), channels, plane);
        let [gamma, beta] = [gamma, beta].map(|parameter| values(&parameter).to_vec());
        let affine = Affine::new(mean, &variance, term.epsilon, gamma, beta);
        (x, affine, variance)
    });
    let inputs = terms.each_ref().map(|(x, affine, _)| (values(x), affine));
    let (out, pooled) = match pool {
        None => {
            let out = normalize::forward(inputs, activation, channels, plane);
            (primitive(out, shape), None)
        }
        Some(pool) => {
            let pooled = pooled::forward(inputs, activation, channels, &pool);
            [shape[2], shape[3]] = pool.pooled();
            let inputs = pooled.inputs.map(|input| primitive(input, shape.clone()));
            (
                primitive(pooled.maxima, shape),
                Some((inputs, Arc::new(pooled.indices), pool)),
            )
        }
    };
    let moments = terms
        .each_ref()
        .map(|(_, affine, variance)| (affine.mean.clone(), variance.clone()));
    let state = Normalized {
        terms: terms.map(|(x, affine, _)| (x, affine)),
        activation,
        pooled,
    };
    // Three parents per term. Burn's autodiff operations have a number of parents that is fixed at compile time.
    let out = match N {
        1 => record::<N, 3>(nodes.try_into().expect("three nodes"), state, out),
        _ => record::<N, 6>(nodes.try_into().expect("six nodes"), state, out),
    };
    (out, moments)
}

/// What [`normalize()`] keeps for its backward pass.
#[derive(Clone, Debug)]
struct Normalized<const N: usize> {
    terms: [(Plain, Affine); N],
    activation: Activation,
    /// Each input at the maxima, and the maxima's indices.
    pooled: Option<([Plain; N], Arc<Vec<u8>>, PoolShape)>,
}

fn record<const N: usize, const P: usize>(nodes: [NodeGuard; P], state: Normalized<N>, out: Plain) -> Tracked {
    match Normalize::<N>
        .prepare::<NoCheckpointing>(nodes)
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prepared) => prepared.finish(state, out),
        OpsKind::UnTracked(prepared) => prepared.finish(out),
    }
}

#[derive(Debug)]
struct Normalize<const N: usize>;

impl<const N: usize, const P: usize> Backward<Flex, P> for Normalize<N> {
    type State = Normalized<N>;

    fn backward(self, ops: Ops<Self::State, P>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let Normalized {
            terms,
            activation,
            pooled,
        } = &ops.state;
        let shape = terms[0].0.shape();
        let (channels, plane) = (shape[1], shape[2..].iter().product());
        let inputs = terms.each_ref().map(|(x, affine)| (values(x), affine));
        let all = match pooled {
            None => normalize::backward(inputs, *activation, values(&gradient), plane),
            Some((maxima, indices, shape)) => {
                let maxima = maxima.each_ref().map(values);
                pooled::backward(inputs, *activation, (maxima, indices, shape), values(&gradient))
            }
        };
        for (gradients, nodes) in all.into_iter().zip(ops.parents.chunks_exact(3)) {
            let [x, gamma, beta] = [
                primitive(gradients.x, shape.clone()),
                primitive(gradients.gamma, [channels]),
                primitive(gradients.beta, [channels]),
            ];
            for (node, gradient) in nodes.iter().zip([x, gamma, beta]) {
                if let Some(node) = node {
                    grads.register::<Flex>(node.id, gradient);
                }
            }
        }
    }
}

/// `[batch, channels, height, width]` to `pooled`.
pub fn max_pool2d(x: Tracked, shape: PoolShape, pooled: [usize; 4]) -> Tracked {
    let nodes = [x.node()];
    let x = x.into_primitive().to_contiguous();
    let (maxima, indices) = max_pool::forward(values(&x), &shape);
    let out = primitive(maxima, pooled);
    match MaxPool.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish((Arc::new(indices), shape), out),
        OpsKind::UnTracked(prepared) => prepared.finish(out),
    }
}

#[derive(Debug)]
struct MaxPool;

impl Backward<Flex, 1> for MaxPool {
    type State = (Arc<Vec<u8>>, PoolShape);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let (indices, shape) = ops.state;
        let [node] = ops.parents;
        if let Some(node) = node {
            let [batch, channels, ..] = gradient.shape().dims::<4>();
            let x = max_pool::backward(values(&gradient), &indices, &shape);
            grads.register::<Flex>(node.id, primitive(x, [batch, channels, shape.height, shape.width]));
        }
    }
}

/// `[steps, batch, gates · hidden]` and `[hidden, gates · hidden]` to `[batch, hidden]`.
pub fn lstm<B: LstmBackend>(
    inputs: FloatTensor<Autodiff<B>>,
    weight: FloatTensor<Autodiff<B>>,
    shape: LstmShape,
) -> FloatTensor<Autodiff<B>> {
    let nodes = [inputs.node(), weight.node()];
    let (inputs, weight) = (inputs.into_primitive(), weight.into_primitive());
    match Lstm.prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let (out, states) = B::lstm_states(inputs, weight.clone(), &shape);
            prepared.finish((weight, states, shape), out)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(B::lstm(inputs, weight, &shape)),
    }
}

#[derive(Debug)]
struct Lstm;

impl<B: LstmBackend> Backward<B, 2> for Lstm {
    type State = (FloatTensor<B>, LstmStates<B>, LstmShape);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (weight, LstmStates { gates, cells, hidden }, shape) = ops.state;
        let input_gradient = B::lstm_backward(gradient, weight, [gates, cells], &shape);
        let [inputs_node, weight_node] = ops.parents;
        if let Some(node) = weight_node {
            let weight_gradient = B::float_matmul(B::float_transpose(hidden), input_gradient.clone());
            grads.register::<B>(node.id, weight_gradient);
        }
        if let Some(node) = inputs_node {
            let shape = [shape.steps, shape.batch, GATES * shape.hidden];
            grads.register::<B>(node.id, B::float_reshape(input_gradient, shape.into()));
        }
    }
}
