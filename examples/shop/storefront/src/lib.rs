//! What customers see. It keeps nothing: every price and every order comes from the orders service.

pub mod pages;
pub mod upstream;
