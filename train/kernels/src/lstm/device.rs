//! The steps of an LSTM on a GPU.
//!
//! As tensor operations, a step is a dozen launches, each of a few thousand values. Here all steps are one launch. A
//! workgroup takes one sequence through all steps, with a thread for each value of each gate. The states are in its
//! shared memory. Neighbouring threads read neighbouring weights.

use super::backend::{LstmBackend, LstmStates};
use super::{GATES, LstmShape};
use burn::backend::Cube;
use burn::backend::ops::FloatTensorOps;
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::{CubeDevice, tensor::CubeTensor};

impl LstmBackend for Cube {
    fn has_lstm(device: &CubeDevice, shape: &LstmShape) -> bool {
        let client = device.client();
        let hardware = &client.properties().hardware;
        let threads = GATES * shape.hidden;
        shape.states() > 0
            && threads <= hardware.max_units_per_cube as usize
            && threads <= hardware.max_cube_dim.0 as usize
            && shape.batch <= hardware.max_cube_count.0 as usize
            // The kernels' indices.
            && u32::try_from(GATES * shape.states()).is_ok()
    }

    fn lstm_states(inputs: CubeTensor, weight: CubeTensor, shape: &LstmShape) -> (CubeTensor, LstmStates<Self>) {
        let [inputs, weight] = [inputs, weight].map(into_contiguous);
        let LstmShape { steps, batch, hidden } = *shape;
        let out = uninitialized(&inputs, [batch, hidden]);
        let states = LstmStates::<Self> {
            gates: uninitialized(&inputs, [steps * batch, GATES * hidden]),
            cells: uninitialized(&inputs, [steps * batch, hidden]),
            hidden: uninitialized(&inputs, [steps * batch, hidden]),
        };
        forward_kernel::launch(
            &inputs.client.clone(),
            CubeCount::new_1d(batch as u32),
            CubeDim::new_1d((GATES * hidden) as u32),
            inputs.into_buffer_arg(),
            weight.into_buffer_arg(),
            states.gates.clone().into_buffer_arg(),
            states.cells.clone().into_buffer_arg(),
            states.hidden.clone().into_buffer_arg(),
            out.clone().into_buffer_arg(),
            steps,
            batch,
            hidden,
        );
        (out, states)
    }

    fn lstm_backward(
        gradient: CubeTensor,
        weight: CubeTensor,
        [gates, cells]: [CubeTensor; 2],
        shape: &LstmShape,
    ) -> CubeTensor {
        let [gradient, transposed] = [gradient, Self::float_transpose(weight)].map(into_contiguous);
        let LstmShape { steps, batch, hidden } = *shape;
        let out = uninitialized(&gradient, [steps * batch, GATES * hidden]);
        backward_kernel::launch(
            &gradient.client.clone(),
            CubeCount::new_1d(batch as u32),
            CubeDim::new_1d((GATES * hidden) as u32),
            gradient.into_buffer_arg(),
            transposed.into_buffer_arg(),
            gates.into_buffer_arg(),
            cells.into_buffer_arg(),
            out.clone().into_buffer_arg(),
            steps,
            batch,
            hidden,
        );
        out
    }
}

/// A tensor on the device of `like`.
fn uninitialized(like: &CubeTensor, dims: [usize; 2]) -> CubeTensor {
    empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), dims.into(), like.dtype)
}

/// `inputs`, `[steps, batch, gates · hidden]`, and `weight`, `[hidden, gates · hidden]`, to `out`, `[batch, hidden]`, and
/// the tensors of [`LstmStates`]. `size` is the width of the hidden state.
#[cube(launch)]
fn forward_kernel(
    inputs: &[f32],
    weight: &[f32],
    gates: &mut [f32],
    cells: &mut [f32],
    hidden: &mut [f32],
    out: &mut [f32],
    steps: usize,
    batch: usize,
    #[comptime] size: usize,
) {
    let sequence = CUBE_POS;
    let thread = UNIT_POS as usize;
    let width = GATES * size;
    let mut state = Shared::new_slice(size);
    let mut activated = Shared::new_slice(GATES * size);
    let mut cell = 0.0f32;
    if thread < size {
        state[thread] = 0.0f32;
    }
    sync_cube();
    for step in 0..steps {
        let row = step * batch + sequence;
        let mut sum = inputs[row * width + thread];
        for at in 0..size {
            sum += state[at] * weight[at * width + thread];
        }
        let gate = if thread < 3 * size { sigmoid(sum) } else { sum.tanh() };
        gates[row * width + thread] = gate;
        activated[thread] = gate;
        sync_cube();
        if thread < size {
            cells[row * size + thread] = cell;
            hidden[row * size + thread] = state[thread];
            cell = activated[size + thread] * cell + activated[thread] * activated[3 * size + thread];
            state[thread] = activated[2 * size + thread] * cell.tanh();
        }
        sync_cube();
    }
    if thread < size {
        out[sequence * size + thread] = state[thread];
    }
}

/// `gradient`, `[batch, hidden]`, the transposed weights, `[gates · hidden, hidden]`, and the gates and cells of
/// [`LstmStates`] to the gradient of the inputs, `out`, `[steps, batch, gates · hidden]`.
#[cube(launch)]
fn backward_kernel(
    gradient: &[f32],
    transposed: &[f32],
    gates: &[f32],
    cells: &[f32],
    out: &mut [f32],
    steps: usize,
    batch: usize,
    #[comptime] size: usize,
) {
    let sequence = CUBE_POS;
    let thread = UNIT_POS as usize;
    let width = GATES * size;
    // What the thread computes of the product with the weights: the part of one gate in one value.
    let (gate, value) = (thread / size, thread % size);
    let mut gate_gradient = Shared::new_slice(GATES * size);
    // The gradient of the hidden state, in a part for each gate.
    let mut parts = Shared::new_slice(GATES * size);
    let mut cell_gradient = 0.0f32;
    parts[thread] = if thread < size {
        gradient[sequence * size + thread]
    } else {
        0.0f32
    };
    sync_cube();
    for back in 0..steps {
        let row = (steps - 1 - back) * batch + sequence;
        if thread < size {
            let hidden_gradient =
                parts[thread] + parts[size + thread] + parts[2 * size + thread] + parts[3 * size + thread];
            let i = gates[row * width + thread];
            let f = gates[row * width + size + thread];
            let o = gates[row * width + 2 * size + thread];
            let g = gates[row * width + 3 * size + thread];
            let cell = cells[row * size + thread];
            let activated = (f * cell + i * g).tanh();
            let through_cell = hidden_gradient * o * (1.0f32 - activated * activated) + cell_gradient;
            gate_gradient[thread] = through_cell * g * (i - i * i);
            gate_gradient[size + thread] = through_cell * cell * (f - f * f);
            gate_gradient[2 * size + thread] = hidden_gradient * activated * (o - o * o);
            gate_gradient[3 * size + thread] = through_cell * i * (1.0f32 - g * g);
            cell_gradient = through_cell * f;
        }
        sync_cube();
        out[row * width + thread] = gate_gradient[thread];
        let mut sum = 0.0f32;
        for at in 0..size {
            let from = gate * size + at;
            sum += gate_gradient[from] * transposed[from * size + value];
        }
        parts[thread] = sum;
        sync_cube();
    }
}

#[cube]
fn sigmoid(x: f32) -> f32 {
    1.0f32 / (1.0f32 + (-x).exp())
}
