//! CVSS 2.0 (FIRST, "A Complete Guide to the Common Vulnerability Scoring System Version 2.0", section 3.2).

use super::{CvssError, Defined, Metrics, Score, number};

const CIA: &[&str] = &["N", "P", "C"];
const NEED: &[&str] = &["L", "M", "H", "ND"];
const DEFINED: [Defined; 14] = [
    ("AV", &["L", "A", "N"]),
    ("AC", &["H", "M", "L"]),
    ("Au", &["M", "S", "N"]),
    ("C", CIA),
    ("I", CIA),
    ("A", CIA),
    ("E", &["U", "POC", "F", "H", "ND"]),
    ("RL", &["OF", "TF", "W", "U", "ND"]),
    ("RC", &["UC", "UR", "C", "ND"]),
    ("CDP", &["N", "L", "LM", "MH", "H", "ND"]),
    ("TD", &["N", "L", "M", "H", "ND"]),
    ("CR", NEED),
    ("IR", NEED),
    ("AR", NEED),
];

/// Rounded half up to one decimal. Intermediate results may be below zero, and the guide does not cut them off.
fn tenth(value: f64) -> f64 {
    (value * 10.0 + 0.5 + 1e-6).floor() / 10.0
}

pub fn score(text: &str) -> Result<Score, CvssError> {
    let metrics = Metrics::read(text, &DEFINED)?;
    let exploitability = 20.0
        * number(&[("L", 0.395), ("A", 0.646), ("N", 1.0)], metrics.need("AV")?)
        * number(&[("H", 0.35), ("M", 0.61), ("L", 0.71)], metrics.need("AC")?)
        * number(&[("M", 0.45), ("S", 0.56), ("N", 0.704)], metrics.need("Au")?);
    let loss = |name| Ok(number(&[("N", 0.0), ("P", 0.275), ("C", 0.660)], metrics.need(name)?));
    let (c, i, a) = (loss("C")?, loss("I")?, loss("A")?);
    let base = |impact: f64| {
        let factor = if impact == 0.0 { 0.0 } else { 1.176 };
        tenth((0.6 * impact + 0.4 * exploitability - 1.5) * factor)
    };
    let given = |name, table: &[(&str, f64)]| metrics.get(name).map_or(1.0, |value| number(table, value));
    let temporal = |score: f64| {
        let factor = given("E", &[("U", 0.85), ("POC", 0.9), ("F", 0.95)])
            * given("RL", &[("OF", 0.87), ("TF", 0.9), ("W", 0.95)])
            * given("RC", &[("UC", 0.9), ("UR", 0.95)]);
        tenth(score * factor)
    };
    if metrics.any(&["CDP", "TD", "CR", "IR", "AR"]) {
        let needed = |name| given(name, &[("L", 0.5), ("M", 1.0), ("H", 1.51)]);
        let lost = 1.0 - (1.0 - c * needed("CR")) * (1.0 - i * needed("IR")) * (1.0 - a * needed("AR"));
        let adjusted = temporal(base((10.41 * lost).min(10.0)));
        let damage = metrics
            .get("CDP")
            .map_or(0.0, |value| number(&[("N", 0.0), ("L", 0.1), ("LM", 0.3), ("MH", 0.4), ("H", 0.5), ("ND", 0.0)], value));
        let targets = given("TD", &[("N", 0.0), ("L", 0.25), ("M", 0.75)]);
        return Ok(Score::nearest((adjusted + (10.0 - adjusted) * damage) * targets));
    }
    let base = base(10.41 * (1.0 - (1.0 - c) * (1.0 - i) * (1.0 - a)));
    Ok(Score::nearest(if metrics.any(&["E", "RL", "RC"]) { temporal(base) } else { base }))
}
