//! XML as WebDAV needs it: bodies read within limits, answers written by hand.

pub(super) mod decode;
pub(super) mod element;
pub(super) mod read;
pub(super) mod write;
