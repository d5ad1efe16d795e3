//! M1.3 Windows (first depth): recurring spans in the environment's zone, asked at the instant of every forward step.

use crate::gate::{Atom, Condition, Gate, Question};
use crate::kernel::Timestamp;
use crate::nouns::{Freeze, WindowSpec};
use holdpoint_analysis::calendar::{self, DenialReason, Kind, Window, WindowSpec as Rule, WindowVerdict};
use serde_json::json;

pub const GATE: Gate = Gate { id: "window", title: "Window", ask };

/// Why a declared window cannot be used.
pub fn check(spec: &WindowSpec, zone: &str) -> Result<Window, String> {
    let kind = match spec.kind.as_str() {
        "allow" => Kind::Allow,
        "deny" => Kind::Deny,
        other => return Err(format!("kind: expected allow or deny, found {other:?}")),
    };
    let seconds = u32::try_from(spec.duration.ms() / 1000).map_err(|_| "duration: too long".to_owned())?;
    let rule = Rule {
        name: spec.name.clone(),
        kind,
        rule: spec.rule.clone(),
        start: spec.start.clone(),
        duration: format!("PT{seconds}S"),
        zone: spec.zone.clone().unwrap_or_else(|| zone.to_owned()),
        manual: false,
    };
    Window::parse(&rule).map_err(|why| why.to_string())
}

fn parsed(question: &Question) -> Result<Vec<Window>, (String, String)> {
    let zone = &question.environment.spec.zone;
    question
        .environment
        .spec
        .windows
        .iter()
        .map(|name| {
            let found = question.windows.iter().find(|window| window.spec.name == *name && !window.retired);
            let window = found.ok_or_else(|| (name.clone(), "it is not declared".to_owned()))?;
            check(&window.spec, zone).map_err(|why| (name.clone(), why))
        })
        .collect()
}

fn ask(question: &Question) -> Condition {
    if question.environment.spec.windows.is_empty() {
        return Atom::open("any time").into();
    }
    let windows = match parsed(question) {
        Ok(windows) => windows,
        Err((name, why)) => {
            return Atom::shut("WIN-002", format!("window {name:?} cannot be read: {why}"), "mend it in the organisation folder and apply")
                .into();
        }
    };
    let zone = &question.environment.spec.zone;
    let verdict = calendar::check(&windows, question.now, false, None);
    if verdict.allowed {
        let names = question.environment.spec.windows.join(", ");
        let text = match verdict.open_until {
            Some(until) => format!("\"{names}\" open until {}", local(until, zone)),
            None => format!("\"{names}\" open"),
        };
        return Atom::open(text).with(json!({"open_until": verdict.open_until})).into();
    }
    denied(&verdict, zone)
}

fn denied(verdict: &WindowVerdict, zone: &str) -> Condition {
    let when = verdict.next_open.map_or_else(|| "not within ten years".to_owned(), |at| local(at, zone));
    Condition::All(
        verdict
            .denied_by
            .iter()
            .map(|denial| {
                let why = match &denial.reason {
                    DenialReason::Deny { until: Some(until) } => format!("\"{}\" denies until {}", denial.window, local(*until, zone)),
                    DenialReason::Deny { until: None } => format!("\"{}\" denies, with no end in sight", denial.window),
                    DenialReason::OutsideAllow { .. } => format!("outside \"{}\"", denial.window),
                    DenialReason::Runway { closes } => format!("\"{}\" closes at {}, too soon", denial.window, local(*closes, zone)),
                };
                Atom::waiting("WIN-001", why, format!("wait until {when}"))
                    .with(json!({"window": denial.window, "next_open": verdict.next_open}))
                    .into()
            })
            .collect(),
    )
}

/// The earliest instant from now on at which neither a window nor a declared freeze stands in the way.
pub fn next_start(question: &Question) -> Option<Timestamp> {
    let windows = parsed(question).ok()?;
    let service = &question.service.spec.name;
    let freezes: Vec<&Freeze> =
        question.freezes.iter().filter(|freeze| freeze.scope.covers(service, &question.stage.environment)).collect();
    let mut at = question.now;
    // Each round leaves at least one freeze or closed window behind.
    for _ in 0..64 {
        if let Some(freeze) = freezes.iter().find(|freeze| freeze.holds(at)) {
            at = freeze.until;
            continue;
        }
        let verdict = calendar::check(&windows, at, false, None);
        if windows.is_empty() || verdict.allowed {
            return Some(at);
        }
        at = verdict.next_open?;
    }
    None
}

fn local(at: Timestamp, zone: &str) -> String {
    match at.in_tz(zone) {
        Ok(there) => format!("{} {zone}", there.strftime("%a %Y-%m-%d %H:%M")),
        Err(_) => at.to_string(),
    }
}
