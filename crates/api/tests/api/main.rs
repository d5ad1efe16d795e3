//! The real router on a real listener over a real store: what a caller sees.

mod accounts;
mod bed;
mod description;
mod doors;
mod hostile;
mod releases;
mod votes;
mod work;
