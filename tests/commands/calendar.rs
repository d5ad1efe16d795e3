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
