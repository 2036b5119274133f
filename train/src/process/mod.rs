//! The running process: its memory, its signals and its progress output.

pub mod console;
pub mod mapping_fault;
pub mod memory;
pub mod resume_command;
pub mod stop;
pub(crate) mod text_table;
