//! Vectors with the scores that FIRST publishes for them, and a few that stand at the edges of the equivalence sets.

use super::{CvssError, score};

fn check(table: &[(&str, &str)]) {
    for (vector, wanted) in table {
        let scored = score(vector).map(|(_, score)| score.to_string());
        assert_eq!(scored.as_deref(), Ok(*wanted), "{vector}");
    }
}

#[test]
fn version_2_guide_section_3_3() {
    check(&[
        // CVE-2002-0392, base, temporal and both environments.
        ("AV:N/AC:L/Au:N/C:N/I:N/A:C", "7.8"),
        ("AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C", "6.4"),
        ("AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C/CDP:N/TD:N/CR:M/IR:M/AR:H", "0.0"),
        ("AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:H", "9.2"),
        // CVE-2003-0818.
        ("AV:N/AC:L/Au:N/C:C/I:C/A:C", "10.0"),
        ("(AV:N/AC:L/Au:N/C:C/I:C/A:C/E:F/RL:OF/RC:C)", "8.3"),
        ("AV:N/AC:L/Au:N/C:C/I:C/A:C/E:F/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:L", "9.0"),
        // CVE-2003-0062.
        ("AV:L/AC:H/Au:N/C:C/I:C/A:C", "6.2"),
        ("AV:L/AC:H/Au:N/C:C/I:C/A:C/E:POC/RL:OF/RC:C", "4.9"),
        ("AV:L/AC:H/Au:N/C:C/I:C/A:C/E:POC/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:M", "7.5"),
    ]);
}

#[test]
fn version_3_examples() {
    check(&[
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "6.1"),
        ("CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", "6.4"),
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", "3.1"),
        ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", "9.9"),
        ("CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", "4.2"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", "7.5"),
        ("CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "6.8"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "9.8"),
        ("CVSS:3.1/AV:A/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:H", "9.3"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", "0.0"),
        // Temporal and environmental.
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:U", "7.8"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/MAV:P/MC:L", "6.4"),
        // The example of 3.1's appendix A, where rounding depended on the machine.
        ("CVSS:3.0/AV:P/AC:H/PR:L/UI:R/S:U/C:L/I:H/A:H/E:H/RL:U/RC:U", "5.4"),
    ]);
}

#[test]
fn version_4_examples() {
    check(&[
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", "10.0"),
        ("CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "7.3"),
        ("CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "7.7"),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U", "6.3"),
        ("CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:L/VA:L/SC:N/SI:N/SA:N/E:A", "8.3"),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:L/VA:L/SC:N/SI:N/SA:N/E:A/CR:H/IR:L/AR:L", "8.7"),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", "0.0"),
        ("CVSS:4.0/AV:L/AC:L/AT:N/PR:H/UI:N/VC:N/VI:N/VA:N/SC:H/SI:N/SA:N", "5.9"),
        ("CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N/MSI:S/S:P/U:Amber", "7.9"),
    ]);
}

#[test]
fn what_is_no_vector_has_no_score() {
    for (vector, wanted) in [
        ("CVSS:3.1/AV:N/AC:L", CvssError::Missing("PR")),
        ("CVSS:3.1/AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", CvssError::Twice("AV".to_owned())),
        ("CVSS:3.1/AV:Z/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", CvssError::Metric("AV:Z".to_owned())),
        ("CVSS:9.9/AV:N", CvssError::Version("9.9".to_owned())),
        ("high", CvssError::Metric("high".to_owned())),
        ("", CvssError::Metric(String::new())),
    ] {
        assert_eq!(score(vector), Err(wanted), "{vector}");
    }
    assert_eq!(score(&"AV:N/".repeat(1000)), Err(CvssError::Size));
}
