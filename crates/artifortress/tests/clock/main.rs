//! The whole program in the process of the test, with a clock that only the test moves: what takes hours elsewhere.

mod away;
mod program;
