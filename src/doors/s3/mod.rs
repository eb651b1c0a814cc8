//! S3: the same files as objects.
