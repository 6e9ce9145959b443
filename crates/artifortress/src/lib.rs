//! The program: configuration and commands.

pub mod config;
