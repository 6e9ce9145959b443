//! Bad input: each gets its refusal in the common shape, leaves nothing behind, and the next valid request works.

mod json;
mod pages;
mod parameters;
mod quota;
mod slow;
mod wire;
mod words;
