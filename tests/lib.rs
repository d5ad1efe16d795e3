//! Nothing: the tests are four binaries beside this file (`rows`, `day_one`, `abuse`, `faults`), and cargo wants a target.
