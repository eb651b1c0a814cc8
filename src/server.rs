//! Puts the parts together: opens, listens, drains.
