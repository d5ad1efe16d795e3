//! `calendar expand` and `calendar check`.

use holdpoint_testkit::command_line::CommandLine;
use holdpoint_testkit::process::folder;

#[test]
fn expand_gives_local_times_across_a_change_of_the_clock() {
    let folder = folder();
    let args =
        ["--json", "calendar", "expand", "--rule", "FREQ=DAILY;COUNT=3", "--start", "2026-03-28T02:30:00", "--zone", "Europe/Berlin"];
    let said = CommandLine::new(folder.path()).run(args).code(0).json();
    // 02:30 does not exist on the 29th: RFC 5545, 3.3.5, the offset before the gap.
    assert_eq!(
        said["occurrences"],
        serde_json::json!(["2026-03-28T02:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"])
    );
}

#[test]
fn expand_refuses_with_the_place() {
    let folder = folder();
    let ran = CommandLine::new(folder.path()).run(["calendar", "expand", "--rule", "FREQ=OFTEN", "--start", "20260101"]).code(2);
    assert!(ran.stderr.contains("--rule") && ran.stderr.contains("OFTEN"), "{}", ran.stderr);
}

#[test]
fn check_says_which_window_denies_and_when_it_next_opens() {
    let folder = folder();
    let file = "windows:\n  - {name: weekdays, kind: allow, rule: 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR', start: '2026-01-01T06:00:00', duration: PT12H, zone: Europe/Berlin}\n";
    std::fs::write(folder.path().join("windows.yaml"), file).expect("a file");
    let check = |at: &str| CommandLine::new(folder.path()).run(["--json", "calendar", "check", "windows.yaml", "--at", at]);
    let said = check("2026-11-28T12:00:00Z").code(1).json();
    assert_eq!((said["verdict"].as_str(), said["denied_by"][0]["window"].as_str()), (Some("denied"), Some("weekdays")), "{said:#}");
    assert_eq!(said["next_open"], "2026-11-30T05:00:00Z", "{said:#}");
    assert_eq!(check("2026-11-27T12:00:00Z").code(0).json()["verdict"], "allowed");
}

#[test]
fn expand_merges_the_events_of_a_file() {
    let folder = folder();
    let file = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nSUMMARY:Peak\nDTSTART;TZID=Europe/Berlin:20261127T000000\nDURATION:P1D\n\
        RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4FR\nEND:VEVENT\nBEGIN:VEVENT\nUID:b\nSUMMARY:Holiday\nDTSTART;VALUE=DATE:20261225\nEND:VEVENT\nEND:VCALENDAR\n";
    std::fs::write(folder.path().join("peaks.ics"), file).expect("a file");
    let run = |args: &[&str]| CommandLine::new(folder.path()).run([&["--json", "calendar", "expand"][..], args].concat());
    let said = run(&["peaks.ics", "--limit", "3"]).code(0).json();
    let starts: Vec<&str> = said["occurrences"].as_array().into_iter().flatten().filter_map(|one| one["start"].as_str()).collect();
    assert_eq!(starts, ["2026-11-27T00:00:00+01:00", "2026-12-25T00:00:00+00:00", "2027-11-26T00:00:00+01:00"]);
    assert_eq!(said["occurrences"][0]["end"], "2026-11-28T00:00:00+01:00");
    std::fs::write(folder.path().join("cut.ics"), &file[..120]).expect("a file");
    assert!(run(&["cut.ics"]).code(2).stderr.contains("cut.ics: line"));
    run(&[]).code(2);
}
