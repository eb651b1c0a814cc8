//! Ordered rows in named tables, changed in transactions.

pub mod codec;
pub mod key;
pub mod rows;
pub mod table;
