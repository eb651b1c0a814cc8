//! What stands before every door: accepting, limits, authentication, routing.
