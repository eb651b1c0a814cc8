//! The one test binary: every door against an in-process server.
