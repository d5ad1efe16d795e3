//! holdpoint-domain
