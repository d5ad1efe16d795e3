//! Traps of recurrence rules beyond the standard's examples: week numbers, set positions, forbidden combinations,
//! sparse and dense rules, errors.

use std::time::Instant;

use holdpoint_analysis::calendar::{End, Exclusion, Occurrences, Recurrence, Rule, Start, Warning, zone};
use jiff::civil::{DateTime, date};

pub fn recurrence(start: &str, rule: &str, in_zone: &str) -> Recurrence {
    let (start, own_zone) = Start::parse(start).unwrap();
    let rule: Rule = rule.parse().unwrap_or_else(|error| panic!("{rule}: {error}"));
    Recurrence::new(start, own_zone.unwrap_or_else(|| zone(in_zone).unwrap()), Some(rule)).unwrap()
}

/// The first local times as text; whole hours of the start are left out when all are at 09:00.
fn first(start: &str, rule: &str, count: usize) -> Vec<String> {
    let recurrence = recurrence(start, rule, "UTC");
    recurrence.occurrences().take(count).map(|o| o.local.to_string().replace("T09:00:00", "")).collect()
}

fn end(mut occurrences: Occurrences<'_>) -> Option<End> {
    assert_eq!(occurrences.next(), None);
    occurrences.end()
}

#[test]
fn week_numbers() {
    // Without a weekday: the weekday of the start, not the whole week.
    assert_eq!(first("19970901T090000", "FREQ=YEARLY;BYWEEKNO=20", 3), ["1998-05-11", "1999-05-17", "2000-05-15"]);
    // Week 1 of 1998 begins in 1997, week 53 of 1998 ends in 1999: both belong to the week-numbering year.
    assert_eq!(first("19970902T090000", "FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO,SU", 4), ["1997-12-29", "1998-01-04", "1999-01-04", "1999-01-10"]);
    assert_eq!(first("19970902T090000", "FREQ=YEARLY;BYWEEKNO=53;BYDAY=SA", 2), ["1999-01-02", "2005-01-01"]);
    assert_eq!(first("19970902T090000", "FREQ=YEARLY;BYWEEKNO=-1;BYDAY=SU", 2), ["1997-12-28", "1999-01-03"]);
    assert_eq!(first("19971229T090000", "FREQ=YEARLY;INTERVAL=2;BYWEEKNO=1;BYDAY=MO", 3), ["1997-12-29", "2000-01-03", "2001-12-31"]);
    // The first days of a year may belong to the last week of the year before.
    assert_eq!(first("19990101T090000", "FREQ=YEARLY;BYWEEKNO=53;BYDAY=SA", 2), ["1999-01-02", "2005-01-01"]);
    assert_eq!(first("19970902T090000", "FREQ=YEARLY;BYWEEKNO=1;BYDAY=SU;WKST=SU", 2), ["1998-01-04", "1999-01-03"]);
}

#[test]
fn set_positions_count_in_whole_periods() {
    // The period of the start is cut by the start, its positions are not.
    assert_eq!(first("19970910T090000", "FREQ=MONTHLY;BYMONTHDAY=1,5,15,20;BYSETPOS=2,3", 3), ["1997-09-15", "1997-10-05", "1997-10-15"]);
    assert_eq!(first("19970902T090000", "FREQ=YEARLY;BYDAY=MO,TU;BYSETPOS=-1", 2), ["1997-12-30", "1998-12-29"]);
    assert_eq!(
        first("19970902T090000", "FREQ=DAILY;BYSETPOS=3,-3;BYHOUR=6,18;BYMINUTE=15,45", 3),
        ["1997-09-02T18:15:00", "1997-09-03T06:45:00", "1997-09-03T18:15:00"]
    );
    assert_eq!(
        first("19970902T090000", "FREQ=WEEKLY;BYDAY=TU,TH;BYHOUR=6,18;BYSETPOS=3,-3,3", 3),
        ["1997-09-02T18:00:00", "1997-09-04T06:00:00", "1997-09-09T18:00:00"]
    );
}

#[test]
fn what_the_standard_forbids_filters_and_warns() {
    for (rule, expected, warning) in [
        ("FREQ=MONTHLY;BYWEEKNO=20", ["1998-05-11", "1998-05-12"], Warning::WeekNumberNotYearly),
        ("FREQ=DAILY;BYYEARDAY=1,-1", ["1997-12-31", "1998-01-01"], Warning::YearDayTooFrequent),
        ("FREQ=WEEKLY;BYMONTHDAY=1,3", ["1997-09-03", "1997-10-01"], Warning::MonthDayWeekly),
        ("FREQ=WEEKLY;BYDAY=2WE", ["1997-09-03", "1997-09-10"], Warning::OrdinalWeekday),
        ("FREQ=WEEKLY;BYSETPOS=1", ["1997-09-02", "1997-09-09"], Warning::SetPositionAlone),
    ] {
        assert_eq!(first("19970902T090000", rule, 2), expected, "{rule}");
        assert!(rule.parse::<Rule>().unwrap().warnings().contains(&warning), "{rule}");
    }
    let dates = recurrence("19970902", "FREQ=DAILY;BYHOUR=6;UNTIL=19970903T120000", "UTC");
    assert_eq!(dates.occurrences().count(), 2);
    let warnings = dates.warnings(&"FREQ=DAILY;BYHOUR=6;UNTIL=19970903T120000".parse().unwrap());
    assert_eq!(warnings, [Warning::UntilTimeForDate, Warning::TimeOfDayOnDate]);
    assert_eq!(first("19970902T090000", "FREQ=MINUTELY;BYSECOND=60,59;COUNT=1", 2), ["1997-09-02T09:00:59"]);
}

#[test]
fn leap_days_and_short_months() {
    assert_eq!(first("20240229T090000", "FREQ=YEARLY", 3), ["2024-02-29", "2028-02-29", "2032-02-29"]);
    assert_eq!(first("18960229T090000", "FREQ=YEARLY", 2), ["1896-02-29", "1904-02-29"]);
    assert_eq!(first("20250131T090000", "FREQ=MONTHLY", 3), ["2025-01-31", "2025-03-31", "2025-05-31"]);
    assert_eq!(first("20250101T090000", "FREQ=YEARLY;BYYEARDAY=366,-366", 3), ["2028-01-01", "2028-12-31", "2032-01-01"]);
}

#[test]
fn until_is_inclusive_in_all_its_forms() {
    let count = |rule: &str, zone: &str| recurrence("20260101T090000", rule, zone).occurrences().count();
    assert_eq!(count("FREQ=DAILY;UNTIL=20260103T090000", "Europe/Berlin"), 3);
    assert_eq!(count("FREQ=DAILY;UNTIL=20260103T085959", "Europe/Berlin"), 2);
    assert_eq!(count("FREQ=DAILY;UNTIL=20260103T080000Z", "Europe/Berlin"), 3);
    assert_eq!(count("FREQ=DAILY;UNTIL=20260103T075959Z", "Europe/Berlin"), 2);
    assert_eq!(count("FREQ=DAILY;UNTIL=20260103", "Europe/Berlin"), 3);
    assert_eq!(count("FREQ=DAILY;UNTIL=20251231", "Europe/Berlin"), 0);
    // Far from UTC: 09:00 on Kiritimati is 19:00 UTC the day before.
    assert_eq!(count("FREQ=DAILY;UNTIL=20260101T190000Z", "Pacific/Kiritimati"), 2);
    assert_eq!(count("FREQ=DAILY;UNTIL=20260101T190000Z", "Pacific/Pago_Pago"), 0);
}

#[test]
fn extra_dates_and_exceptions() {
    let mut set = recurrence("20260101T090000", "FREQ=WEEKLY;COUNT=3", "Europe/Berlin");
    set.add_local(date(2026, 1, 3).at(9, 0, 0, 0));
    set.add_local(date(2026, 1, 8).at(9, 0, 0, 0));
    set.add_instant("2026-01-10T08:00:00Z".parse().unwrap());
    set.exclude(Exclusion::Day(date(2026, 1, 15)));
    set.exclude(Exclusion::At("2026-01-03T08:00:00Z".parse().unwrap()));
    let found: Vec<String> = set.occurrences().map(|o| o.local.date().to_string()).collect();
    assert_eq!(found, ["2026-01-01", "2026-01-08", "2026-01-10"]);
    set.add_rule("FREQ=DAILY;COUNT=2".parse().unwrap()).unwrap();
    assert_eq!(set.occurrences().count(), 4);
    let once = Recurrence::new(Start::Local(date(2026, 1, 1).at(9, 0, 0, 0)), zone("UTC").unwrap(), None).unwrap();
    assert_eq!(once.occurrences().count(), 1);
}

#[test]
fn rules_without_occurrences_say_so_at_once() {
    let clock = Instant::now();
    let last = Some(End::NeverWithin(date(9999, 12, 31)));
    for rule in [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=SECONDLY;INTERVAL=86400;BYHOUR=5",
        "FREQ=MINUTELY;INTERVAL=60;BYMINUTE=7",
        "FREQ=HOURLY;INTERVAL=24;BYHOUR=3",
        "FREQ=DAILY;BYSETPOS=2",
    ] {
        assert_eq!(end(recurrence("19970902T090000", rule, "UTC").occurrences()), last, "{rule}");
    }
    for rule in [
        "FREQ=DAILY;BYMONTH=4;BYMONTHDAY=31",
        "FREQ=DAILY;INTERVAL=7;BYDAY=WE",
        "FREQ=WEEKLY;BYDAY=TU;BYMONTHDAY=1;BYMONTH=2;BYYEARDAY=200",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=SECONDLY;BYSETPOS=2",
        "FREQ=YEARLY;BYWEEKNO=10;BYMONTH=12;BYSETPOS=1",
    ] {
        let end = end(recurrence("19970902T090000", rule, "UTC").occurrences());
        assert!(matches!(end, Some(End::NeverWithin(_))), "{rule}: {end:?}");
    }
    assert!(clock.elapsed().as_millis() < 4_000, "{:?}", clock.elapsed());
}

#[test]
fn dense_rules_are_lazy_and_seek() {
    let clock = Instant::now();
    let set = recurrence("19700101T000000", "FREQ=SECONDLY", "Europe/Berlin");
    let from = "2026-11-24T12:00:00.5Z".parse().unwrap();
    let found: Vec<String> = set.occurrences_from(from).take(2).map(|o| o.at.to_string()).collect();
    assert_eq!(found, ["2026-11-24T12:00:01Z", "2026-11-24T12:00:02Z"]);
    let all = recurrence("19700101T000000", "FREQ=DAILY;BYHOUR=0,12;BYMINUTE=30;BYSECOND=1,2", "UTC");
    assert_eq!(all.occurrences().nth(3).unwrap().local.to_string(), "1970-01-01T12:30:02");
    assert_eq!(recurrence("20260101T000000", "FREQ=SECONDLY;COUNT=4294967295", "UTC").occurrences().take(3).count(), 3);
    assert!(clock.elapsed().as_millis() < 1_500, "{:?}", clock.elapsed());
}

#[test]
fn seeking_finds_what_walking_finds() {
    for (rule, zone) in [
        ("FREQ=HOURLY;INTERVAL=5;BYMINUTE=15,45", "America/New_York"),
        ("FREQ=DAILY;INTERVAL=3;BYHOUR=2,3;BYMINUTE=0,30", "Europe/Berlin"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,WE;WKST=WE", "America/Santiago"),
        ("FREQ=MONTHLY;INTERVAL=5;BYDAY=-1SU,2MO", "Australia/Lord_Howe"),
        ("FREQ=YEARLY;INTERVAL=2;BYWEEKNO=1,53;BYDAY=MO,SU", "UTC"),
        ("FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3,10", "Europe/Berlin"),
        ("FREQ=WEEKLY;COUNT=40;BYDAY=SU", "Europe/Berlin"),
        ("FREQ=MINUTELY;INTERVAL=1441", "Pacific/Apia"),
    ] {
        let set = recurrence("2011-03-06T02:30:00", rule, zone);
        let all: Vec<_> = set.occurrences().take(400).collect();
        assert!(all.windows(2).all(|pair| pair[0].at < pair[1].at), "{rule}");
        for (index, occurrence) in all.iter().enumerate().step_by(7) {
            assert_eq!(set.occurrences_from(occurrence.at).next(), Some(*occurrence), "{rule}");
            let after = occurrence.at + jiff::SignedDuration::from_nanos(1);
            assert_eq!(set.occurrences_from(after).next(), all.get(index + 1).copied().or(set.occurrences_from(after).next()));
        }
    }
}

#[test]
fn starts_are_read_in_both_notations() {
    let at = |text: &str| Start::parse(text).map(|(start, zone)| (start.local(), zone.is_some()));
    let nine: DateTime = date(1997, 9, 2).at(9, 0, 0, 0);
    assert_eq!(at("19970902T090000"), Ok((nine, false)));
    assert_eq!(at("1997-09-02T09:00:00"), Ok((nine, false)));
    assert_eq!(at("1997-09-02T09:00"), Ok((nine, false)));
    assert_eq!(at("19970902T090000Z"), Ok((nine, true)));
    assert_eq!(at("1997-09-02T09:00:00+02:00"), Ok((nine, true)));
    assert_eq!(at("19970902"), Ok((date(1997, 9, 2).at(0, 0, 0, 0), false)));
    for text in
        ["", "1997", "19970902T", "19970231", "1997-09-02T25:00:00", "1997-09-02T09:00:00.5", "next monday", "1997-09-02T09:00:00+2:xx"]
    {
        assert!(at(text).is_err(), "{text}");
    }
    assert!(zone("Europe/Atlantis").is_err() && zone("").is_err() && zone(":UTC").is_err());
}
