//! Tests over the room as a whole.

mod fuzz;
