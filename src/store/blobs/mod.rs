//! Bodies as manifests of chunks: taken in, deduplicated, read back verified.
