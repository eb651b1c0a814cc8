//! The doors: each translates one protocol into verbs of the domain and values back, side by
//! side behind one gate. Holds no rule about files.

pub mod api;
pub mod dav;
pub mod gate;
pub mod s3;
