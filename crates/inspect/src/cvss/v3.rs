//! CVSS 3.0 and 3.1 (FIRST, "Specification Document", section 7): they differ in the modified impact and in rounding.

use super::{CvssError, Defined, Metrics, Score, number};

const CIA: &[&str] = &["N", "L", "H"];
const MODIFIED_CIA: &[&str] = &["X", "N", "L", "H"];
const NEED: &[&str] = &["X", "L", "M", "H"];
const DEFINED: [Defined; 22] = [
    ("AV", &["N", "A", "L", "P"]),
    ("AC", &["L", "H"]),
    ("PR", &["N", "L", "H"]),
    ("UI", &["N", "R"]),
    ("S", &["U", "C"]),
    ("C", CIA),
    ("I", CIA),
    ("A", CIA),
    ("E", &["X", "U", "P", "F", "H"]),
    ("RL", &["X", "O", "T", "W", "U"]),
    ("RC", &["X", "U", "R", "C"]),
    ("CR", NEED),
    ("IR", NEED),
    ("AR", NEED),
    ("MAV", &["X", "N", "A", "L", "P"]),
    ("MAC", &["X", "L", "H"]),
    ("MPR", &["X", "N", "L", "H"]),
    ("MUI", &["X", "N", "R"]),
    ("MS", &["X", "U", "C"]),
    ("MC", MODIFIED_CIA),
    ("MI", MODIFIED_CIA),
    ("MA", MODIFIED_CIA),
];
const TEMPORAL: [&str; 3] = ["E", "RL", "RC"];
const ENVIRONMENTAL: [&str; 11] = ["CR", "IR", "AR", "MAV", "MAC", "MPR", "MUI", "MS", "MC", "MI", "MA"];

/// What the exploitability part is made of, base or modified.
struct Access<'a> {
    vector: &'a str,
    complexity: &'a str,
    privileges: &'a str,
    interaction: &'a str,
    changed: bool,
}

impl Access<'_> {
    fn exploitability(&self) -> f64 {
        let privileges = match (self.privileges, self.changed) {
            ("N", _) => 0.85,
            ("L", false) => 0.62,
            ("L", true) => 0.68,
            (_, false) => 0.27,
            (_, true) => 0.5,
        };
        8.22 * number(&[("N", 0.85), ("A", 0.62), ("L", 0.55), ("P", 0.2)], self.vector)
            * number(&[("L", 0.77), ("H", 0.44)], self.complexity)
            * privileges
            * number(&[("N", 0.85), ("R", 0.62)], self.interaction)
    }
    fn total(&self, impact: f64) -> Score {
        if impact <= 0.0 {
            return Score { tenths: 0 };
        }
        let factor = if self.changed { 1.08 } else { 1.0 };
        Score::up((factor * (impact + self.exploitability())).min(10.0))
    }
}

pub fn score(text: &str, v31: bool) -> Result<Score, CvssError> {
    let metrics = Metrics::read(text, &DEFINED)?;
    let mut access = Access {
        vector: metrics.need("AV")?,
        complexity: metrics.need("AC")?,
        privileges: metrics.need("PR")?,
        interaction: metrics.need("UI")?,
        changed: metrics.need("S")? == "C",
    };
    let loss = |value: &str| number(&[("N", 0.0), ("L", 0.22), ("H", 0.56)], value);
    let (c, i, a) = (metrics.need("C")?, metrics.need("I")?, metrics.need("A")?);
    let given = |name, table: &[(&str, f64)]| metrics.get(name).map_or(1.0, |value| number(table, value));
    let temporal = given("E", &[("U", 0.91), ("P", 0.94), ("F", 0.97)])
        * given("RL", &[("O", 0.95), ("T", 0.96), ("W", 0.97)])
        * given("RC", &[("U", 0.92), ("R", 0.96)]);
    if metrics.any(&ENVIRONMENTAL) {
        let modified = |name, base| metrics.get(name).filter(|value| *value != "X").unwrap_or(base);
        access.vector = modified("MAV", access.vector);
        access.complexity = modified("MAC", access.complexity);
        access.privileges = modified("MPR", access.privileges);
        access.interaction = modified("MUI", access.interaction);
        access.changed = modified("MS", if access.changed { "C" } else { "U" }) == "C";
        let weighed = |need, name, base| 1.0 - given(need, &[("L", 0.5), ("M", 1.0), ("H", 1.5)]) * loss(modified(name, base));
        let lost = (1.0 - weighed("CR", "MC", c) * weighed("IR", "MI", i) * weighed("AR", "MA", a)).min(0.915);
        let impact = match (access.changed, v31) {
            (false, _) => 6.42 * lost,
            (true, true) => 7.52 * (lost - 0.029) - 3.25 * (lost * 0.9731 - 0.02).powi(13),
            (true, false) => 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02).powi(15),
        };
        return Ok(Score::up(access.total(impact).value() * temporal));
    }
    let lost = 1.0 - (1.0 - loss(c)) * (1.0 - loss(i)) * (1.0 - loss(a));
    let impact = if access.changed { 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02).powi(15) } else { 6.42 * lost };
    let base = access.total(impact);
    Ok(if metrics.any(&TEMPORAL) { Score::up(base.value() * temporal) } else { base })
}
