//! Go/no-go governance: who may say yes, and when nobody may.
pub mod approvals;
pub mod attempts;
pub mod freezes;
