//! The orders service: prices, payment and the durable record of what was ordered.
//!
//! An order is acknowledged only after its transaction is on disk. The service knows nothing of
//! the storefront, and it never changes the schema while serving: `orders migrate` does that.

pub mod catalogue;
pub mod clock;
pub mod migrations;
pub mod pay;
pub mod price;
pub mod store;
pub mod web;
