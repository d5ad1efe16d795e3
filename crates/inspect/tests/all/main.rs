//! What the readers and judges of documents say about texts made here.

mod document;
mod openapi_consumers;
mod openapi_fuzz;
mod openapi_operations;
mod openapi_schemas;
mod openapi_support;
mod scan_fuzz;
