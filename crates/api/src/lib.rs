//! holdpoint-api
