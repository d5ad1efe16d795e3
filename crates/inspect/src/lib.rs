//! holdpoint-inspect
