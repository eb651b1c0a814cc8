//! The world Holdall calls, each part a small trait with a real one and a fake.

pub mod clock;
pub mod random;
