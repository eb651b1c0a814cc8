//! Append-only files of chunk records.
