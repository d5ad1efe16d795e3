//! holdpoint-engine
