//! The rows of the namespace, typed.
