//! holdpoint-seal
