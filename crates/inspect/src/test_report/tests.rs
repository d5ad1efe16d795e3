//! Each format by examples of its runners, what is refused, and properties of any list of outcomes.

use super::*;
use proptest::prelude::*;

fn counts(text: &str) -> (Format, [u32; 5], u32, &'static str) {
    let (format, report) = read(text.as_bytes()).unwrap_or_else(|why| panic!("{why}: {text}"));
    (format, [report.tests, report.passed, report.skipped, report.failed, report.errors], report.outside, report.verdict())
}

fn refusal(text: &str) -> String {
    read(text.as_bytes()).expect_err(text).to_string()
}

#[test]
fn junit_counts_cases_and_names_what_broke() {
    let text = r#"<?xml version="1.0"?><testsuites><testsuite name="a" tests="4" failures="1" errors="1" skipped="1">
<testcase classname="m" name="ok"/><testcase classname="m" name="bad"><failure>4 is not 5
more</failure></testcase>
<testcase name="broken"><error message="no &lt;host&gt;"/></testcase><testcase name="later"><skipped/></testcase></testsuite></testsuites>"#;
    assert_eq!(counts(text), (Format::Junit, [4, 1, 1, 1, 1], 0, "failed"));
    let (_, report) = read(text.as_bytes()).unwrap();
    assert_eq!(report.broken, ["m.bad", "broken"]);
    let findings = report.findings("r.xml");
    assert_eq!(findings[0].place(), "r.xml:2 m.bad");
    assert_eq!(findings[0].message, "4 is not 5");
    assert_eq!(findings[1].message, "no <host>");
}

#[test]
fn junit_of_many_runners() {
    // Node's runner has no suite; GoogleTest and CTest say by attribute what did not run; Surefire's flaky ones passed.
    assert_eq!(counts("<testsuites><testcase name='a'/><testcase name='b'/></testsuites>").1, [2, 2, 0, 0, 0]);
    assert_eq!(
        counts("<testsuite tests='3' disabled='1'><testcase name='a' status='run'/><testcase name='b' status='notrun'/><testcase name='c' result='suppressed'/></testsuite>").1,
        [3, 1, 2, 0, 0]
    );
    assert_eq!(counts("<testsuite><testcase name='a'><flakyFailure message='once'/></testcase></testsuite>").3, "passed");
    // Nested suites whose parents declare the sum.
    let nested = "<testsuites tests='2'><testsuite tests='2'><testsuite tests='1'><testcase name='a'/></testsuite><testsuite tests='1'><testcase name='b'/></testsuite></testsuite></testsuites>";
    assert_eq!(counts(nested).1, [2, 2, 0, 0, 0]);
    // A set-up that broke belongs to no test, and still nothing passed.
    let outside = "<testsuite errors='1' tests='1'><error message='no database'/><testcase name='a'/></testsuite>";
    assert_eq!(counts(outside), (Format::Junit, [1, 1, 0, 0, 0], 1, "failed"));
    assert_eq!(counts("<testsuite tests='0'/>").3, "failed");
}

#[test]
fn trx_counts_the_innermost_and_believes_no_dead_host() {
    let trx = |summary: &str, results: &str| {
        format!(
            "<TestRun xmlns='http://microsoft.com/schemas/VisualStudio/TeamTest/2010'><Results>{results}</Results><ResultSummary {summary}</ResultSummary></TestRun>"
        )
    };
    let four = "<UnitTestResult testName='a' outcome='Passed'/><UnitTestResult testName='b' outcome='Failed'><Output><ErrorInfo><Message>no</Message></ErrorInfo></Output></UnitTestResult><UnitTestResult testName='c' outcome='NotExecuted'/><UnitTestResult testName='d' outcome='Timeout'/>";
    let text = trx("outcome='Failed'><Counters total='4' executed='3' passed='1' failed='1'/>", four);
    assert_eq!(counts(&text), (Format::Trx, [4, 1, 1, 1, 1], 0, "failed"));
    let rows = "<UnitTestResult testName='rows' outcome='Passed'><InnerResults><UnitTestResult testName='rows 1' outcome='Passed'/><UnitTestResult testName='rows 2' outcome='Passed'/></InnerResults></UnitTestResult>";
    for total in [2, 3] {
        let text = trx(&format!("outcome='Completed'><Counters total='{total}' passed='{total}'/>"), rows);
        assert_eq!(counts(&text).1, [2, 2, 0, 0, 0]);
    }
    assert!(refusal(&trx("outcome='Completed'><Counters total='4' passed='4'/>", rows)).contains("total=4, its cases say 2"));
    let died = trx(
        "outcome='Failed'><RunInfos><RunInfo outcome='Error'><Text>The host process crashed</Text></RunInfo></RunInfos>",
        "<UnitTestResult testName='a' outcome='Passed'/>",
    );
    assert_eq!(counts(&died), (Format::Trx, [1, 1, 0, 0, 0], 1, "failed"));
    assert_eq!(counts(&trx("outcome='Aborted'>", "<UnitTestResult testName='a' outcome='Passed'/>")).3, "failed");
    assert_eq!(counts(&trx("outcome='Completed'>", "<UnitTestResult testName='a'/>")).1, [1, 0, 0, 0, 1]);
}

#[test]
fn nunit_3_and_2() {
    let three = "<test-run testcasecount='5' result='Failed' total='5' passed='2' failed='2' inconclusive='0' skipped='1'><test-suite type='Assembly' result='Failed' site='Child'>
<test-case fullname='N.a' result='Passed'/><test-case fullname='N.b' result='Failed'><failure><message><![CDATA[Expected: 4]]></message></failure></test-case>
<test-case fullname='N.c' result='Failed' label='Error'/><test-case fullname='N.d' result='Skipped' label='Ignored'/><test-case fullname='N.e' result='Warning'/></test-suite></test-run>";
    assert_eq!(counts(three), (Format::Nunit3, [5, 2, 1, 2, 0], 0, "failed"));
    assert_eq!(read(three.as_bytes()).unwrap().1.findings("n.xml")[0].message, "Expected: 4");
    let torn = "<test-run total='1' passed='1' failed='0'><test-suite fullname='N' result='Failed' site='TearDown'><failure><message>disk full</message></failure><test-case name='a' result='Passed'/></test-suite></test-run>";
    assert_eq!(counts(torn), (Format::Nunit3, [1, 1, 0, 0, 0], 1, "failed"));
    let two = "<test-results name='x.dll' total='3' errors='1' failures='1' not-run='1'><test-suite name='s'><results><test-case name='a' executed='True' result='Success'/><test-case name='b' executed='True' result='Failure'/><test-case name='c' executed='True' result='Error'/><test-case name='d' executed='False' result='Ignored'/></results></test-suite></test-results>";
    assert_eq!(counts(two), (Format::Nunit2, [4, 1, 1, 1, 1], 0, "failed"));
    let old = "<test-results total='2' failures='1' not-run='1'><test-suite><results><test-case name='a' executed='true' success='true'/><test-case name='b' executed='True'><failure/></test-case><test-case name='c' executed='False'/></results></test-suite></test-results>";
    assert_eq!(counts(old).1, [3, 1, 1, 1, 0]);
    assert!(refusal(&three.replace("total='5'", "total='6'")).contains("test-run says total=6, its cases say 5"));
    assert!(refusal(&three.replace("'Warning'", "'Splendid'")).contains("a result that NUnit knows, found \"Splendid\""));
}

#[test]
fn xunit_1_to_3() {
    let one = "<assembly name='a.dll' total='2' passed='1' failed='1' skipped='0'><class name='C' total='2' passed='1' failed='1' skipped='0'><test name='C.a' result='Pass'/><test name='C.b' result='Fail'><failure><message>no</message></failure></test></class></assembly>";
    assert_eq!(counts(one), (Format::Xunit, [2, 1, 0, 1, 0], 0, "failed"));
    let three = "<assemblies schema-version='3'><assembly name='b.dll' total='3' passed='1' failed='0' skipped='1' not-run='1' errors='0'><errors/><collection name='c' total='3' passed='1' failed='0' skipped='1' not-run='1'><test name='a' result='Pass'/><test name='b' result='Skip'/><test name='c' result='NotRun'/></collection></assembly></assemblies>";
    assert_eq!(counts(three), (Format::Xunit, [3, 1, 2, 0, 0], 0, "passed"));
    let cleanup =
        three.replace("errors='0'><errors/>", "errors='1'><errors><error type='assembly-cleanup' name='b.dll'><failure/></error></errors>");
    assert_eq!(counts(&cleanup), (Format::Xunit, [3, 1, 2, 0, 0], 1, "failed"));
    assert!(refusal(&one.replace("result='Fail'", "result='Pass'")).contains("says passed=1, its cases say 2"));
}

#[test]
fn a_report_that_was_cut_or_edited_is_refused() {
    let lie = "<testsuite name=\"a\" tests=\"2\" failures=\"1\"><testcase name=\"ok\"/><testcase name=\"ok2\"/></testsuite>";
    assert_eq!(refusal(lie), "line 1: testsuite \"a\" says failures=1, its cases say 0");
    assert_eq!(
        refusal("<testsuites tests='3'>\n<testsuite tests='1'><testcase/></testsuite></testsuites>"),
        "line 1: testsuites says tests=3, its cases say 1"
    );
    for (text, why) in [
        ("", "expected an XML document, found no element"),
        ("{}", "expected elements only outside the root, found \"{}\""),
        ("<html/>", "found the root element html"),
        ("<testsuite><testcase></testsuite>", "well-formed XML"),
        ("<testsuite name='a'>\n", "line 2, byte 21: expected the end of testsuite, found the end of the file"),
        ("<testsuite name='a'><testcase/", "well-formed XML"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><testsuite/>", "entities are not expanded"),
        ("<testsuite/><testsuite/>", "one root element"),
        ("<testsuite/>trailing", "elements only outside the root"),
        ("<testsuite><testcase name='&b;'/></testsuite>", "references that XML defines"),
        ("<testsuite><testcase name='a' name='b'/></testsuite>", "well-formed attributes"),
        ("<testsuite><testcase name='a'>\u{1}</testcase></testsuite>", "characters that XML allows, found U+0001"),
        ("<testsuite tests='many'/>", "a count as tests of testsuite, found \"many\""),
        ("<testsuite><testcase><testcase/></testcase></testsuite>", "testcase in testcase"),
    ] {
        let said = refusal(text);
        assert!(said.contains(why), "{text}: {said}");
    }
    assert!(
        read(b"<testsuite>\n<testcase name='\xff'/></testsuite>").unwrap_err().to_string().starts_with("line 2, byte 28: expected UTF-8")
    );
    assert!(refusal(&"<testsuite>".repeat(200_000)).contains("128 elements"));
}

#[test]
fn encodings_that_runners_write() {
    let text = "<?xml version=\"1.0\" encoding=\"utf-16\"?><testsuite><testcase name=\"grün\"><failure/></testcase></testsuite>";
    let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(read(&wide).unwrap().1.broken, ["grün"]);
    assert_eq!(read(format!("\u{feff}{text}").as_bytes()).unwrap().1.broken, ["grün"]);
    let latin = text.replace("utf-16", "ISO-8859-1").chars().map(|c| c as u8).collect::<Vec<u8>>();
    assert_eq!(read(&latin).unwrap().1.broken, ["grün"]);
}

/// A report of any list of outcomes, in each format.
fn written(format: Format, outcomes: &[Outcome]) -> String {
    let n = |wanted: Outcome| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    let (total, passed, failed, skipped, errors) =
        (outcomes.len(), n(Outcome::Passed), n(Outcome::Failed), n(Outcome::Skipped), n(Outcome::Error));
    let each = |one: fn(Outcome) -> &'static str| outcomes.iter().map(|outcome| one(*outcome)).collect::<String>();
    match format {
        Format::Junit => {
            let cases = each(|outcome| match outcome {
                Outcome::Passed => "<testcase name='a'/>",
                Outcome::Skipped => "<testcase name='a'><skipped/></testcase>",
                Outcome::Failed => "<testcase name='a'><failure/></testcase>",
                Outcome::Error => "<testcase name='a'><error/></testcase>",
            });
            format!("<testsuite tests='{total}' failures='{failed}' errors='{errors}' skipped='{skipped}'>{cases}</testsuite>")
        }
        Format::Trx => {
            let cases = each(|outcome| match outcome {
                Outcome::Passed => "<UnitTestResult outcome='Passed'/>",
                Outcome::Skipped => "<UnitTestResult outcome='NotExecuted'/>",
                Outcome::Failed => "<UnitTestResult outcome='Failed'/>",
                Outcome::Error => "<UnitTestResult outcome='Error'/>",
            });
            format!(
                "<TestRun><Results>{cases}</Results><ResultSummary><Counters total='{total}' passed='{passed}' failed='{failed}'/></ResultSummary></TestRun>"
            )
        }
        Format::Nunit2 | Format::Nunit3 => {
            let cases = each(|outcome| match outcome {
                Outcome::Passed => "<test-case result='Success'/>",
                Outcome::Skipped => "<test-case result='Ignored'/>",
                Outcome::Failed => "<test-case result='Failure'/>",
                Outcome::Error => "<test-case result='Error'/>",
            });
            format!("<test-results total='{total}' failures='{failed}' errors='{errors}' not-run='{skipped}'>{cases}</test-results>")
        }
        Format::Xunit => {
            let cases = each(|outcome| match outcome {
                Outcome::Passed => "<test result='Pass'/>",
                Outcome::Skipped => "<test result='Skip'/>",
                Outcome::Failed | Outcome::Error => "<test result='Fail'/>",
            });
            let failed = failed + errors;
            format!(
                "<assembly total='{total}' passed='{passed}' failed='{failed}' skipped='{skipped}'><collection>{cases}</collection></assembly>"
            )
        }
    }
}

fn outcomes() -> impl Strategy<Value = Vec<Outcome>> {
    proptest::collection::vec(prop::sample::select(vec![Outcome::Passed, Outcome::Skipped, Outcome::Failed, Outcome::Error]), 0..30)
}

fn formats() -> impl Strategy<Value = Format> {
    prop::sample::select(vec![Format::Junit, Format::Trx, Format::Nunit2, Format::Xunit])
}

proptest! {
    #[test]
    fn what_is_written_is_counted(outcomes in outcomes(), format in formats()) {
        let (read_as, report) = read(written(format, &outcomes).as_bytes()).unwrap();
        prop_assert_eq!(read_as, format);
        prop_assert_eq!(report.tests as usize, outcomes.len());
        prop_assert_eq!(report.passed + report.skipped + report.failed + report.errors, report.tests);
        prop_assert_eq!(report.passed as usize, outcomes.iter().filter(|o| **o == Outcome::Passed).count());
        let bad = outcomes.iter().any(|o| matches!(o, Outcome::Failed | Outcome::Error));
        prop_assert_eq!(report.verdict() == "passed", !bad && !outcomes.is_empty());
    }

    /// Whatever is cut off the end, it is never a pass.
    #[test]
    fn what_is_cut_is_refused(outcomes in outcomes(), format in formats(), cut in 1usize..2000) {
        let text = written(format, &outcomes);
        let cut = cut.min(text.len());
        prop_assert!(read(&text.as_bytes()[..text.len() - cut]).is_err());
    }
}
