//! Windows: edges, daylight saving, who beats whom, the runway, and the cost of asking.

use std::time::Instant;

use holdpoint_analysis::calendar::{DenialReason, Kind, Window, WindowSpec, WindowVerdict, check, is_active, next_start};
use jiff::{SignedDuration, Timestamp};

fn spec(name: &str, kind: Kind, rule: &str, start: &str, duration: &str, zone: &str) -> WindowSpec {
    WindowSpec {
        name: name.into(),
        kind,
        rule: rule.into(),
        start: start.into(),
        duration: duration.into(),
        zone: zone.into(),
        manual: false,
    }
}

fn window(name: &str, kind: Kind, rule: &str, start: &str, duration: &str, zone: &str) -> Window {
    Window::parse(&spec(name, kind, rule, start, duration, zone)).unwrap()
}

fn office() -> Window {
    window("office", Kind::Allow, "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "2026-01-01T08:00:00", "PT9H", "Europe/Berlin")
}

fn quarter_close() -> Window {
    let rule = "FREQ=MONTHLY;BYMONTH=3,6,9,12;BYMONTHDAY=-1";
    window("quarter-close", Kind::Deny, rule, "2026-01-01T00:00:00", "P2D", "Europe/Berlin")
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn ask(windows: &[Window], time: &str) -> WindowVerdict {
    check(windows, at(time), false, None)
}

#[test]
fn intervals_are_half_open() {
    let windows = [office()];
    for (time, allowed) in [
        ("2026-11-24T06:59:59.999999999Z", false),
        ("2026-11-24T07:00:00Z", true),
        ("2026-11-24T15:59:59.999999999Z", true),
        ("2026-11-24T16:00:00Z", false),
        ("2026-11-28T12:00:00Z", false),
    ] {
        assert_eq!(ask(&windows, time).allowed, allowed, "{time}");
    }
    let midnight = [window("day", Kind::Deny, "FREQ=YEARLY", "2026-12-31", "P1D", "UTC")];
    assert!(ask(&midnight, "2026-12-30T23:59:59.999Z").allowed);
    assert!(!ask(&midnight, "2026-12-31T00:00:00Z").allowed);
    assert!(!ask(&midnight, "2026-12-31T23:59:59.999Z").allowed);
    assert!(ask(&midnight, "2027-01-01T00:00:00Z").allowed);
}

#[test]
fn the_answer_says_who_and_until_when() {
    let open = ask(&[office(), quarter_close()], "2026-11-24T10:00:00Z");
    assert!(open.allowed && open.denied_by.is_empty());
    assert_eq!(open.open_until, Some(at("2026-11-24T16:00:00Z")));
    let weekend = ask(&[office(), quarter_close()], "2026-11-28T10:00:00Z");
    assert_eq!(weekend.denied_by[0].window, "office");
    assert_eq!(weekend.next_open, Some(at("2026-11-30T07:00:00Z")));
    // 31 December 2026 is a Thursday: denied for two days, and then it is Saturday.
    let closed = ask(&[office(), quarter_close()], "2026-12-31T10:00:00Z");
    assert_eq!(closed.denied_by.len(), 1);
    assert_eq!(closed.denied_by[0].reason, DenialReason::Deny { until: Some(at("2027-01-01T23:00:00Z")) });
    assert_eq!(closed.next_open, Some(at("2027-01-04T07:00:00Z")));
    assert_eq!((closed.open_until, ask(&[], "2026-12-31T10:00:00Z").allowed), (None, true));
}

#[test]
fn deny_beats_allow_and_cuts_the_opening_short() {
    let lunch = window("lunch", Kind::Deny, "FREQ=DAILY", "2026-01-01T12:00:00", "PT1H", "Europe/Berlin");
    let windows = [office(), lunch];
    assert_eq!(ask(&windows, "2026-11-24T10:00:00Z").open_until, Some(at("2026-11-24T11:00:00Z")));
    let denied = ask(&windows, "2026-11-24T11:30:00Z");
    assert_eq!((denied.allowed, denied.next_open), (false, Some(at("2026-11-24T12:00:00Z"))));
}

#[test]
fn a_person_passes_only_where_every_window_in_the_way_says_so() {
    let manual = |mut window: Window, manual: bool| {
        window.manual = manual;
        window
    };
    let noon = "2026-12-31T10:00:00Z";
    let sunday = at("2026-11-29T10:00:00Z");
    for (deny_manual, allow_manual, on_deny, on_sunday) in
        [(true, true, true, true), (true, false, true, false), (false, true, false, true), (false, false, false, false)]
    {
        let windows = [manual(office(), allow_manual), manual(quarter_close(), deny_manual)];
        assert_eq!(check(&windows, at(noon), true, None).allowed, on_deny);
        assert_eq!(check(&windows, sunday, true, None).allowed, on_sunday);
        assert!(!check(&windows, sunday, false, None).allowed);
    }
    // Two active deny windows: both have to let him pass; two allow windows: both, too.
    let other = |kind| window("other", kind, "FREQ=DAILY", "2026-01-01T00:00:00", "PT1H", "Europe/Berlin");
    let both = [manual(quarter_close(), true), window("all", Kind::Deny, "", "2026-12-31", "P1D", "UTC")];
    assert!(!check(&both, at(noon), true, None).allowed);
    assert!(!check(&[manual(office(), true), other(Kind::Allow)], sunday, true, None).allowed);
    let passed = check(&[manual(quarter_close(), true)], at(noon), true, None);
    assert!(passed.allowed && passed.denied_by.len() == 1, "what was passed is said");
}

#[test]
fn the_expected_duration_has_to_fit() {
    let hour = Some(SignedDuration::from_hours(1));
    let fits = check(&[office()], at("2026-11-24T15:00:00Z"), false, hour);
    assert!(fits.allowed);
    let late = check(&[office()], at("2026-11-24T15:00:00.001Z"), false, hour);
    assert!(!late.allowed);
    assert_eq!(late.denied_by[0].reason, DenialReason::Runway { closes: at("2026-11-24T16:00:00Z") });
    assert_eq!(late.next_open, Some(at("2026-11-25T07:00:00Z")));
    // A run of ten hours never fits nine; a freeze ahead shortens the day before it.
    let never = check(&[office()], at("2026-11-24T07:00:00Z"), false, Some(SignedDuration::from_hours(10)));
    assert_eq!((never.allowed, never.next_open), (false, None));
    let freeze = window("freeze", Kind::Deny, "", "2026-11-24T14:00:00", "P30D", "Europe/Berlin");
    let before = check(&[freeze], at("2026-11-24T12:30:00Z"), false, hour);
    assert_eq!((before.allowed, before.next_open), (false, Some(at("2026-12-24T13:00:00Z"))));
}

#[test]
fn daylight_saving_moves_edges_with_the_clock() {
    let night = window("night", Kind::Allow, "FREQ=DAILY", "2026-01-01T01:00:00", "PT3H", "Europe/Berlin");
    // Hours are exact: on 29 March 01:00 + 3 h is 05:00 on the clock, on 25 October 03:00.
    assert_eq!(is_active(&night, at("2026-03-29T02:59:59Z")), Some((at("2026-03-29T00:00:00Z"), at("2026-03-29T03:00:00Z"))));
    assert_eq!(is_active(&night, at("2026-10-25T01:59:59Z")).unwrap().1, at("2026-10-25T02:00:00Z"));
    // Days are nominal: 25 hours in October.
    let day = window("day", Kind::Deny, "", "2026-10-25", "P1D", "Europe/Berlin");
    assert_eq!(is_active(&day, at("2026-10-25T22:59:59Z")).unwrap().1, at("2026-10-25T23:00:00Z"));
    // A start that does not exist is an hour later on the clock, a start that occurs twice is the first.
    let gap = window("gap", Kind::Deny, "FREQ=DAILY", "2026-03-01T02:30:00", "PT10M", "Europe/Berlin");
    assert!(is_active(&gap, at("2026-03-29T01:30:00Z")).is_some() && is_active(&gap, at("2026-03-29T00:30:00Z")).is_none());
    assert!(is_active(&gap, at("2026-10-25T00:30:00Z")).is_some() && is_active(&gap, at("2026-10-25T01:30:00Z")).is_none());
}

#[test]
fn overlapping_and_touching_occurrences_are_one_stretch() {
    let shifts = window("shifts", Kind::Allow, "FREQ=DAILY;COUNT=3", "2026-01-01T00:00:00", "PT36H", "UTC");
    assert_eq!(is_active(&shifts, at("2026-01-02T06:00:00Z")), Some((at("2026-01-02T00:00:00Z"), at("2026-01-04T12:00:00Z"))));
    let day = window("day", Kind::Allow, "FREQ=WEEKLY;BYDAY=MO,TU", "2026-01-01", "P1D", "UTC");
    assert_eq!(ask(&[day], "2026-11-23T12:00:00Z").open_until, Some(at("2026-11-25T00:00:00Z")));
    let halves = [
        window("am", Kind::Allow, "FREQ=DAILY", "2026-01-01T06:00:00", "PT6H", "UTC"),
        window("pm", Kind::Allow, "FREQ=DAILY", "2026-01-01T12:00:00", "PT6H", "UTC"),
    ];
    assert_eq!(ask(&halves, "2026-11-23T08:00:00Z").open_until, Some(at("2026-11-23T18:00:00Z")));
    let always = window("always", Kind::Allow, "FREQ=DAILY", "2026-01-01", "P1D", "UTC");
    assert_eq!(ask(&[always], "2026-11-23T08:00:00Z").open_until, None);
}

#[test]
fn leap_days() {
    let leap = window("leap", Kind::Deny, "FREQ=YEARLY", "2024-02-29T00:00:00", "P1D", "UTC");
    assert_eq!(next_start(&leap, at("2026-01-01T00:00:00Z")), Some(at("2028-02-29T00:00:00Z")));
    assert!(ask(&[leap], "2027-02-28T12:00:00Z").allowed);
}

#[test]
fn what_cannot_be_read_is_an_error_that_names_the_part() {
    let good = spec("w", Kind::Allow, "FREQ=DAILY", "2026-01-01T00:00:00", "PT1H", "Europe/Berlin");
    for (part, spec) in [
        ("rule", WindowSpec { rule: "FREQ=SOMETIMES".into(), ..good.clone() }),
        ("rule", WindowSpec { rule: "FREQ=SECONDLY;COUNT=4000000000".into(), ..good.clone() }),
        ("start", WindowSpec { start: "yesterday".into(), ..good.clone() }),
        ("start", WindowSpec { start: "2026-01-01T00:00:00Z".into(), ..good.clone() }),
        ("start", WindowSpec { rule: "FREQ=HOURLY".into(), start: "2026-01-01".into(), ..good.clone() }),
        ("duration", WindowSpec { duration: "PT0S".into(), ..good.clone() }),
        ("duration", WindowSpec { duration: "1h".into(), ..good.clone() }),
        ("duration", WindowSpec { duration: "-PT1H".into(), ..good.clone() }),
        ("zone", WindowSpec { zone: "Mars/Olympus".into(), ..good.clone() }),
    ] {
        assert_eq!(Window::parse(&spec).unwrap_err().part, part);
    }
    assert!(
        serde_json::from_str::<WindowSpec>(r#"{"name":"w","kind":"allow","start":"20260101","duration":"P1D","zone":"UTC","rul":""}"#)
            .is_err()
    );
}

#[test]
fn asking_is_cheap_however_old_or_dense_the_rule() {
    let windows = [
        window("seconds", Kind::Deny, "FREQ=SECONDLY;INTERVAL=10", "1970-01-01T00:00:00", "PT1S", "Europe/Berlin"),
        window("minutes", Kind::Allow, "FREQ=MINUTELY", "1970-01-01T00:00:00", "P2D", "America/New_York"),
        window("counted", Kind::Deny, "FREQ=DAILY;COUNT=20000", "1970-01-01T00:00:00", "PT1M", "Europe/Berlin"),
        window("never", Kind::Deny, "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "1970-01-01T00:00:00", "PT1M", "UTC"),
        window("sparse", Kind::Deny, "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO", "1970-01-01T00:00:00", "P1D", "UTC"),
    ];
    let clock = Instant::now();
    for minute in 0..10 {
        let time = at("2026-11-24T10:00:03Z") + SignedDuration::from_mins(minute);
        assert!(check(&windows, time, false, None).allowed);
    }
    assert!(clock.elapsed().as_millis() < 6_000, "{:?}", clock.elapsed());
    let weekly = [office(), quarter_close()];
    let clock = Instant::now();
    for hour in 0..1_000 {
        let _ = check(&weekly, at("2036-01-01T00:30:00Z") + SignedDuration::from_hours(hour), false, None);
    }
    assert!(clock.elapsed().as_millis() < 4_000, "{:?}", clock.elapsed());
}
