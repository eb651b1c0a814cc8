//! WebDAV (RFC 4918): the same files as a network drive.
