//! CVSS 4.0 (FIRST, "Specification Document", section 8): six equivalence sets name a macrovector, whose score is then
//! lowered by how far the vector lies from the worst one of its set.

use super::table::{MACROVECTORS, place};
use super::{CvssError, Defined, Metrics, Score};

const CIA: &[&str] = &["H", "L", "N"];
const MODIFIED: &[&str] = &["X", "H", "L", "N"];
const MODIFIED_SAFETY: &[&str] = &["X", "S", "H", "L", "N"];
const NEED: &[&str] = &["X", "H", "M", "L"];
const DEFINED: [Defined; 32] = [
    ("AV", &["N", "A", "L", "P"]),
    ("AC", &["L", "H"]),
    ("AT", &["N", "P"]),
    ("PR", &["N", "L", "H"]),
    ("UI", &["N", "P", "A"]),
    ("VC", CIA),
    ("VI", CIA),
    ("VA", CIA),
    ("SC", CIA),
    ("SI", CIA),
    ("SA", CIA),
    ("E", &["X", "A", "P", "U"]),
    ("CR", NEED),
    ("IR", NEED),
    ("AR", NEED),
    ("MAV", &["X", "N", "A", "L", "P"]),
    ("MAC", &["X", "L", "H"]),
    ("MAT", &["X", "N", "P"]),
    ("MPR", &["X", "N", "L", "H"]),
    ("MUI", &["X", "N", "P", "A"]),
    ("MVC", MODIFIED),
    ("MVI", MODIFIED),
    ("MVA", MODIFIED),
    ("MSC", MODIFIED),
    ("MSI", MODIFIED_SAFETY),
    ("MSA", MODIFIED_SAFETY),
    // Supplemental metrics say something, but score nothing.
    ("S", &["X", "N", "P"]),
    ("AU", &["X", "N", "Y"]),
    ("R", &["X", "A", "U", "I"]),
    ("V", &["X", "D", "C"]),
    ("RE", &["X", "L", "M", "H"]),
    ("U", &["X", "Clear", "Green", "Amber", "Red"]),
];

/// How many steps each metric lies below its worst value, in the groups that the sets are made of.
struct Levels {
    /// AV, PR, UI.
    access: [i32; 3],
    /// AC, AT.
    complexity: [i32; 2],
    /// VC, VI, VA, CR, IR, AR.
    vulnerable: [i32; 6],
    /// SC, SI, SA; 0 is safety, which confidentiality does not have.
    subsequent: [i32; 3],
    exploit: i32,
}

fn level(values: &str, value: &str) -> i32 {
    values.find(value).and_then(|at| i32::try_from(at).ok()).unwrap_or_default()
}

impl Levels {
    fn read(metrics: &Metrics<'_>) -> Result<Self, CvssError> {
        let of = |name: &'static str, modified: &str, values: &str| {
            let base = metrics.need(name)?;
            Ok::<i32, CvssError>(level(values, metrics.get(modified).filter(|value| *value != "X").unwrap_or(base)))
        };
        // What is not defined counts as the worst (section 4.2 for needs, 3 for the exploit).
        let or_worst = |name, values: &str| level(values, metrics.get(name).filter(|value| *value != "X").unwrap_or_default());
        Ok(Self {
            access: [of("AV", "MAV", "NALP")?, of("PR", "MPR", "NLH")?, of("UI", "MUI", "NPA")?],
            complexity: [of("AC", "MAC", "LH")?, of("AT", "MAT", "NP")?],
            vulnerable: [
                of("VC", "MVC", "HLN")?,
                of("VI", "MVI", "HLN")?,
                of("VA", "MVA", "HLN")?,
                or_worst("CR", "HML"),
                or_worst("IR", "HML"),
                or_worst("AR", "HML"),
            ],
            subsequent: [of("SC", "MSC", "SHLN")?, of("SI", "MSI", "SHLN")?, of("SA", "MSA", "SHLN")?],
            exploit: or_worst("E", "APU"),
        })
    }

    /// The six equivalence sets (section 8.2, tables 24 to 29), the third and the sixth joined.
    fn sets(&self) -> Sets {
        let [av, pr, ui] = self.access;
        let eq1 = match (av, pr, ui) {
            (0, 0, 0) => 0,
            (3, _, _) => 2,
            (av, pr, ui) if av == 0 || pr == 0 || ui == 0 => 1,
            _ => 2,
        };
        let [vc, vi, va, cr, ir, ar] = self.vulnerable;
        let eq3 = match (vc, vi, va) {
            (0, 0, _) => 0,
            (vc, vi, va) if vc == 0 || vi == 0 || va == 0 => 1,
            _ => 2,
        };
        let eq6 = usize::from(!((cr == 0 && vc == 0) || (ir == 0 && vi == 0) || (ar == 0 && va == 0)));
        let [sc, si, sa] = self.subsequent;
        let eq4 = if si == 0 || sa == 0 {
            0
        } else if sc == 1 || si == 1 || sa == 1 {
            1
        } else {
            2
        };
        let eq5 = usize::try_from(self.exploit).unwrap_or_default();
        Sets { eq1, eq2: usize::from(self.complexity != [0, 0]), eq3, eq4, eq5, eq6 }
    }
}

#[derive(Clone, Copy)]
struct Sets {
    eq1: usize,
    eq2: usize,
    eq3: usize,
    eq4: usize,
    eq5: usize,
    eq6: usize,
}

impl Sets {
    /// In tenths; `None` where there is no such macrovector.
    fn score(self) -> Option<f64> {
        let at = place(self.eq1, self.eq2, (self.eq3, self.eq6), self.eq4, self.eq5)?;
        MACROVECTORS.get(at).map(|tenths| f64::from(*tenths))
    }
    /// The next lower macrovector of the joined sets three and six.
    fn lower_vulnerable(self) -> Option<f64> {
        let with = |eq3, eq6| Sets { eq3, eq6, ..self }.score();
        match (self.eq3, self.eq6) {
            (0, 0) => [with(0, 1), with(1, 0)].into_iter().flatten().reduce(f64::max),
            (1, 0) => with(1, 1),
            (eq3, eq6) => with(eq3 + 1, eq6),
        }
    }
}

/// The steps from the first of the set's worst vectors that lies above in every metric.
fn distance<const N: usize>(levels: [i32; N], worst: &[[i32; N]]) -> i32 {
    worst
        .iter()
        .map(|worst| levels.iter().zip(worst).map(|(level, worst)| level - worst).collect::<Vec<i32>>())
        .find(|steps| steps.iter().all(|step| *step >= 0))
        .map_or(0, |steps| steps.iter().sum())
}

pub fn score(text: &str) -> Result<Score, CvssError> {
    let metrics = Metrics::read(text, &DEFINED)?;
    let levels = Levels::read(&metrics)?;
    // No impact at all is no severity (section 8.3).
    let [vc, vi, va, ..] = levels.vulnerable;
    if [vc, vi, va] == [2, 2, 2] && levels.subsequent == [3, 3, 3] {
        return Ok(Score { tenths: 0 });
    }
    let sets = levels.sets();
    let Some(value) = sets.score() else { return Ok(Score { tenths: 0 }) };
    // The worst vectors of each set, and how many steps deep the set is (section 8.3, "maximal scoring vectors", "depth").
    let (vulnerable, vulnerable_depth): (&[[i32; 6]], i32) = match (sets.eq3, sets.eq6) {
        (0, 0) => (&[[0, 0, 0, 0, 0, 0]], 7),
        (0, _) => (&[[0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 1, 1]], 6),
        (1, 0) => (&[[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]], 8),
        (1, _) => (&[[1, 0, 1, 0, 1, 0], [1, 0, 0, 0, 1, 1], [0, 1, 0, 1, 0, 1], [0, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 1]], 8),
        _ => (&[[1, 1, 1, 0, 0, 0]], 10),
    };
    let (access, access_depth): (&[[i32; 3]], i32) = match sets.eq1 {
        0 => (&[[0, 0, 0]], 1),
        1 => (&[[1, 0, 0], [0, 1, 0], [0, 0, 1]], 4),
        _ => (&[[3, 0, 0], [1, 1, 1]], 5),
    };
    let (complexity, complexity_depth): (&[[i32; 2]], i32) = if sets.eq2 == 0 { (&[[0, 0]], 1) } else { (&[[1, 0], [0, 1]], 2) };
    let (subsequent, subsequent_depth): (&[[i32; 3]], i32) = match sets.eq4 {
        0 => (&[[1, 0, 0]], 6),
        1 => (&[[1, 1, 1]], 5),
        _ => (&[[2, 2, 2]], 4),
    };
    let parts = [
        (Sets { eq1: sets.eq1 + 1, ..sets }.score(), distance(levels.access, access), access_depth),
        (Sets { eq2: sets.eq2 + 1, ..sets }.score(), distance(levels.complexity, complexity), complexity_depth),
        (sets.lower_vulnerable(), distance(levels.vulnerable, vulnerable), vulnerable_depth),
        (Sets { eq4: sets.eq4 + 1, ..sets }.score(), distance(levels.subsequent, subsequent), subsequent_depth),
        // A change of the exploit's maturity is always a change of the set.
        (Sets { eq5: sets.eq5 + 1, ..sets }.score(), 0, 1),
    ];
    let lowered: Vec<f64> =
        parts.into_iter().filter_map(|(lower, steps, depth)| Some((value - lower?) * f64::from(steps) / f64::from(depth))).collect();
    let count = u32::try_from(lowered.len()).unwrap_or(1).max(1);
    Ok(Score::nearest((value - lowered.iter().sum::<f64>() / f64::from(count)) / 10.0))
}
