//! Administration over JSON: the verbs of the command line, for a running server.
