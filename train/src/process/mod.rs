//! This process: its memory, the signals it gets, what it prints while it works.

pub mod console;
pub mod mapping_fault;
pub mod memory;
pub mod resume_command;
pub mod stop;
pub(crate) mod text_table;
