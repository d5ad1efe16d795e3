//! Local times that daylight saving skips or repeats: RFC 5545, 3.3.5 (skipped: the offset before; repeated: the first).

use crate::rules::recurrence;

fn instants(start: &str, rule: &str, zone: &str, count: usize) -> Vec<String> {
    recurrence(start, rule, zone).occurrences().take(count).map(|occurrence| occurrence.at.to_string()).collect()
}

#[test]
fn a_skipped_time_is_read_with_the_offset_before_the_gap() {
    assert_eq!(
        instants("20260307T023000", "FREQ=DAILY", "America/New_York", 3),
        ["2026-03-07T07:30:00Z", "2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z"]
    );
    // The gap is at midnight: the day is not lost.
    assert_eq!(
        instants("20260905T000000", "FREQ=DAILY", "America/Santiago", 3),
        ["2026-09-05T04:00:00Z", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"]
    );
    assert_eq!(
        instants("20260905", "FREQ=DAILY", "America/Santiago", 3),
        ["2026-09-05T04:00:00Z", "2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"]
    );
}

#[test]
fn a_repeated_time_is_the_first() {
    assert_eq!(
        instants("20261031T013000", "FREQ=DAILY", "America/New_York", 3),
        ["2026-10-31T05:30:00Z", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]
    );
    assert_eq!(instants("20261025T023000", "FREQ=DAILY", "Europe/Berlin", 1), ["2026-10-25T00:30:00Z"]);
}

#[test]
fn frequent_rules_stay_in_order_and_give_no_instant_twice() {
    // 02:00 and 02:30 do not exist; they mean 03:00 and 03:30, which the rule gives anyway.
    assert_eq!(
        instants("20260329T013000", "FREQ=MINUTELY;INTERVAL=30", "Europe/Berlin", 4),
        ["2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:00:00Z"]
    );
    // 02:50 means 03:50, after 03:15 and 03:40.
    assert_eq!(
        instants("20260329T022500", "FREQ=MINUTELY;INTERVAL=25", "Europe/Berlin", 5),
        ["2026-03-29T01:15:00Z", "2026-03-29T01:25:00Z", "2026-03-29T01:40:00Z", "2026-03-29T01:50:00Z", "2026-03-29T02:05:00Z"]
    );
    // COUNT counts occurrences, not local times.
    assert_eq!(instants("20260329T013000", "FREQ=HOURLY;COUNT=3", "Europe/Berlin", 9).len(), 3);
}

#[test]
fn until_in_utc_is_compared_as_an_instant() {
    // 01:30 occurs twice; the first is at 05:30 UTC.
    let rule = "FREQ=DAILY;UNTIL=20261101T053000Z";
    assert_eq!(instants("20261031T013000", rule, "America/New_York", 9).len(), 2);
    let rule = "FREQ=DAILY;UNTIL=20261101T052959Z";
    assert_eq!(instants("20261031T013000", rule, "America/New_York", 9).len(), 1);
}

#[test]
fn half_hour_shifts_and_a_lost_day() {
    assert_eq!(instants("20261003T021500", "FREQ=DAILY", "Australia/Lord_Howe", 2), ["2026-10-02T15:45:00Z", "2026-10-03T15:45:00Z"]);
    // Samoa had no 30 December 2011: it is read with the offset before, which is the 31st.
    assert_eq!(
        instants("20111229T090000", "FREQ=DAILY", "Pacific/Apia", 3),
        ["2011-12-29T19:00:00Z", "2011-12-30T19:00:00Z", "2011-12-31T19:00:00Z"]
    );
}
