//! A stub of `cubecl-llvm` 0.11.3: the types that `cubecl-cuda` uses, without an implementation.
//!
//! `cubecl-cuda` always depends on `cubecl-llvm`, whose build script downloads LLVM. That fails on cluster nodes
//! without internet access. `train` enables `cubecl/cuda-cpp`, so kernels are compiled with CUDA C++ and NVRTC, and
//! this back end is never selected. If it is selected, the call panics with the reason.
#![forbid(unsafe_code)]

use cubecl_core::ir::{amd::GfxArch, nvidia::SmArch};
use cubecl_core::prelude::KernelDefinition;
use cubecl_runtime::compiler::{CompilationError, Compiler};
use cubecl_runtime::kernel::BufferIOAttr;
use nvptx::ptx_version::PtxVersion;

fn absent(call: &str) -> ! {
    panic!(
        "{call}: the LLVM back end of CubeCL is not part of this build. Build `train` with its feature `cuda`, \
         which selects CUDA C++ (cubecl/cuda-cpp)."
    )
}

/// The code generator's target; `cubecl-cuda` uses only NVPTX.
#[derive(Clone, Copy, Debug, Default)]
pub enum LlvmTarget {
    #[default]
    Nvptx,
}

#[derive(Clone, Debug, Default)]
pub struct PlironCompiler {
    pub target: LlvmTarget,
}

#[derive(Clone, Debug, Default)]
pub struct PlironOptions {
    pub arch: Option<GfxArch>,
    pub sm_arch: Option<SmArch>,
    pub ptx_version: Option<PtxVersion>,
    pub grid_constants: bool,
}

#[derive(Clone, Debug)]
pub struct NvptxModule {
    pub ptx: Vec<core::ffi::c_char>,
    pub ir: String,
    pub shared_memory_size: usize,
    pub io: Vec<BufferIOAttr>,
}

#[derive(Clone, Debug)]
pub enum PlironArtifact {
    NvptxCode(NvptxModule),
    /// `cubecl-cuda` matches with a wildcard arm, which a single variant would make unreachable.
    Other,
}

impl core::fmt::Display for PlironArtifact {
    fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        absent("PlironArtifact::fmt")
    }
}

impl Compiler for PlironCompiler {
    type Representation = PlironArtifact;
    type CompilationOptions = PlironOptions;

    fn buffer_io(_: &PlironArtifact) -> Option<Vec<BufferIOAttr>> {
        absent("PlironCompiler::buffer_io")
    }

    fn compile(&mut self, _: KernelDefinition, _: &PlironOptions) -> Result<PlironArtifact, CompilationError> {
        absent("PlironCompiler::compile")
    }

    fn extension(&self) -> &'static str {
        "ll"
    }

    fn lang_tag(&self) -> &'static str {
        "llvm"
    }
}

pub mod nvptx {
    pub mod ptx_version {
        /// The PTX version that a driver loads; CUDA C++ leaves the choice to NVRTC.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct PtxVersion(());

        impl PtxVersion {
            pub fn for_driver(_: i32) -> Option<Self> {
                None
            }
        }

        impl core::fmt::Display for PtxVersion {
            fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                crate::absent("PtxVersion::fmt")
            }
        }
    }
}

pub mod shared {
    pub mod lowered_features {
        use cubecl_core::ir::DeviceProperties;

        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum GpuTarget {
            Nvptx,
        }

        pub fn restrict_features(_: &mut DeviceProperties, _: GpuTarget) {
            crate::absent("restrict_features")
        }
    }
}
