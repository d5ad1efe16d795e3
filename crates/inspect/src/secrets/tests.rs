//! Cases, true and false. Secrets are put together here, so that this file has none.
