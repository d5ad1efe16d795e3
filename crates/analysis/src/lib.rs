//! holdpoint-analysis
