//! What the readers and judges of documents say about texts made here.

mod document;
mod openapi_operations;
mod openapi_schemas;
mod openapi_support;
