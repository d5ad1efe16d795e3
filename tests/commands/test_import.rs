//! `test import`.

use holdpoint_testkit::command_line::{CommandLine, Output};
use holdpoint_testkit::process::folder;
use serde_json::json;

fn run(files: &[(&str, &str)], more: &[&str]) -> Output {
    let folder = folder();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let mut args = vec!["--json", "test", "import"];
    args.extend(files.iter().map(|(name, _)| *name));
    args.extend(more);
    CommandLine::new(folder.path()).run(args)
}

const JUNIT: &str = "<testsuites><testsuite name=\"unit\" tests=\"2\" failures=\"1\">\n<testcase classname=\"cart\" name=\"adds\"/>\n\
    <testcase classname=\"cart\" name=\"removes\"><failure message=\"2 is not 1\"/></testcase></testsuite></testsuites>";
const TRX: &str = "<TestRun xmlns=\"http://microsoft.com/schemas/VisualStudio/TeamTest/2010\"><Results><UnitTestResult testName=\"a\" outcome=\"Passed\"/>\
    <UnitTestResult testName=\"b\" outcome=\"NotExecuted\"/></Results><ResultSummary outcome=\"Completed\"><Counters total=\"2\" passed=\"1\"/></ResultSummary></TestRun>";

#[test]
fn several_formats_are_one_verdict_with_places() {
    let said = run(&[("unit.xml", JUNIT), ("net.trx", TRX)], &[]).code(1).json();
    assert_eq!(said["verdict"], "failed");
    let totals = json!({"tests": 4, "passed": 2, "failed": 1, "errors": 0, "skipped": 1, "broken": ["cart.removes"]});
    assert_eq!(said["totals"], totals);
    let finding = &said["findings"][0];
    assert_eq!((&finding["rule"], &finding["file"], &finding["line"]), (&json!("test-failed"), &json!("unit.xml"), &json!(3)));
    assert_eq!((&finding["path"], &finding["message"]), (&json!("cart.removes"), &json!("2 is not 1")));
    assert_eq!((&said["reports"][0]["format"], &said["reports"][1]["format"]), (&json!("junit"), &json!("trx")));
    assert_eq!(run(&[("net.trx", TRX)], &[]).code(0).json()["verdict"], "passed");
}

#[test]
fn what_is_cut_edited_or_something_else_is_no_report() {
    for (text, why) in [
        (&JUNIT[..JUNIT.len() - 13], "expected the end of testsuites, found the end of the file"),
        (&JUNIT.replace("<failure message=\"2 is not 1\"/>", ""), "says failures=1, its cases say 0"),
        ("<html></html>", "found the root element html"),
        ("", "expected an XML document"),
    ] {
        let ran = run(&[("r.xml", text)], &[]).code(2);
        assert!(ran.stderr.contains("r.xml: line ") && ran.stderr.contains(why), "{}", ran.stderr);
    }
    let none = run(&[("r.xml", "<testsuite tests=\"0\"/>")], &[]).code(1).json();
    assert_eq!((&none["verdict"], &none["findings"][0]["rule"]), (&json!("failed"), &json!("no-tests")));
}
