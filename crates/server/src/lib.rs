//! HTTP: the edge that every request crosses, the operations listener, and the shape of errors.

pub mod edge;
pub mod ops;
pub mod problem;

pub use problem::{Code, Explain, FieldError, Problem};
