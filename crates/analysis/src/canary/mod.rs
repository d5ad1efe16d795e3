//! Canary comparison: is the new version worse than the old one beside it, asked as often as one likes.
//!
//! A [`Judge`] takes one [`Observation`] per metric and interval and renews its verdict each time: `pass`, `fail`,
//! `undecided` or `no-data`. Declared before the start are alpha (chance that a harmless canary fails, over the whole
//! canary and all its metrics), beta (chance that one worse than the tolerance passes), and the number of intervals.
//! Two tests share the work: `exact` for sparse counts, whose guarantee is a theorem under its assumptions, and
//! `horizon` for everything else, whose rate is held by simulation only; both files state what they assume.
//!
//! Both versions are seen under the same load at the same time, requests are routed at random; versions on machines of
//! different kinds differ without a regression, and no statistics repairs that. A later failure of a series that has
//! passed is not looked for: the first of pass and fail stands.
//!
//! Metrics share alpha by weight; each has the full beta, because for a wrong pass all of them have to be wrong.
//! Further sources: Lindon, Sanden, Shirikian, KDD 2022 (arXiv 2205.14762); Lindon, Malek, NeurIPS 2022 (2011.03567);
//! Waudby-Smith et al. (2103.06476); Howard et al. (1810.08240); Vovk, Wang, merging e-values (1912.06116).
//!
//! Not here: where the numbers come from, and what a verdict does to a rollout.

mod exact;
mod horizon;
mod judge;
mod offline;
mod plan;
mod series;
mod special;

pub use judge::{CanaryReport, Judge, MetricReport, ObserveError, PartReport};
pub use offline::{RecordedKind, RecordedSeries, SeriesError, SeriesOptions, SeriesVerdict, judge_series};
pub use plan::{CanaryPlan, Direction, Exposure, MetricKind, MetricPlan, Observation, PlanError, Tolerance, Verdict};
pub use series::{Evidence, PicturePoint, Seen, Test, Unit};
