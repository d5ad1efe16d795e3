//! Tables from each standard's own text; `a < b < c` lines are chains, `a = b` equalities.

use super::Scheme;
use std::cmp::Ordering;

fn check(scheme: Scheme, table: &str) {
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split_whitespace().collect();
        for three in words.windows(3).step_by(2) {
            let [a, sign, b] = three else { panic!("{line}") };
            let wanted = match *sign {
                "<" => Ordering::Less,
                "=" => Ordering::Equal,
                ">" => Ordering::Greater,
                other => panic!("{other} in {line}"),
            };
            assert_eq!(scheme.compare(a, b), Ok(wanted), "{scheme}: {a} {sign} {b}");
            assert_eq!(scheme.compare(b, a), Ok(wanted.reverse()), "{scheme}: {b} against {a}");
        }
    }
}

fn unreadable(scheme: Scheme, texts: &[&str]) {
    for text in texts {
        assert!(scheme.read(text).is_err(), "{scheme} reads {text:?}");
    }
}

#[test]
fn semver_section_11() {
    check(
        Scheme::SemVer,
        "1.0.0 < 2.0.0 < 2.1.0 < 2.1.1
         1.0.0-alpha < 1.0.0-alpha.1 < 1.0.0-alpha.beta < 1.0.0-beta < 1.0.0-beta.2 < 1.0.0-beta.11 < 1.0.0-rc.1 < 1.0.0
         1.0.0+a = 1.0.0+b
         1.0.0--- < 1.0.0-a
         v1.2 = 1.2.0
         18446744073709551616.0.0 > 18446744073709551615.0.0",
    );
    unreadable(Scheme::SemVer, &["", "workspace:*", "1.0.0-", "1..0", "^1.0.0", "1.0.0-a..b", "latest", "1.0.0-é"]);
}

#[test]
fn go_modules_and_tool_chain() {
    check(
        Scheme::Go,
        "v0.0.0-20190101000000-abcdefabcdef < v0.0.0-20200101000000-aaaaaaaaaaaa < v0.0.1
         v1.2.2 < v1.2.3-0.20191109021931-daa7c04131f5 < v1.2.3-pre < v1.2.3-pre.0.20191109021931-daa7c04131f5 < v1.2.3
         v2.0.0+incompatible = v2.0.0
         go1.20rc1 < go1.20 < go1.20.1
         go1.19beta1 < go1.19rc1 < 1.19.0
         go1.21.3-asan = go1.21.3",
    );
}

#[test]
fn dart_counts_build_metadata() {
    check(Scheme::Pub, "1.0.0-alpha < 1.0.0 < 1.0.0+1 < 1.0.0+2 < 1.0.0+build < 1.0.1");
}

#[test]
fn pep_440_summary_of_permitted_suffixes() {
    check(
        Scheme::Pep440,
        "1.dev0 < 1.0.dev456 < 1.0a1 < 1.0a2.dev456 < 1.0a12.dev456 < 1.0a12 < 1.0b1.dev456 < 1.0b2 < 1.0b2.post345.dev456 < 1.0b2.post345 < 1.0rc1.dev456 < 1.0rc1 < 1.0 < 1.0+abc.5 < 1.0+abc.7 < 1.0+5 < 1.0.post456.dev34 < 1.0.post456 < 1.0.15 < 1.1.dev1
         1.0 = 1.0.0
         1.1RC1 = 1.1rc1
         1.1.a1 = 1.1a1
         1.0alpha-2 = 1.0a2
         1.0-1 = 1.0.post1
         1.0c3 = 1.0rc3
         1.0preview3 = 1.0rc3
         1.0-r4 = 1.0.post4
         1.2a = 1.2a0
         1.0+ubuntu-1 = 1.0+ubuntu.1
         v1.0 = 1.0
         2013.10 < 2014.04 < 1!1.0",
    );
    unreadable(Scheme::Pep440, &["", "french toast", "1.0+", "1.0+a++b", "1.0dev0x", "==1.0", "1.0a1b2"]);
}

#[test]
fn maven_version_order_specification() {
    check(
        Scheme::Maven,
        "1 < 1.1 < 1.2
         1-snapshot < 1 < 1-sp
         1-foo2 < 1-foo10
         1.foo = 1-foo
         1-foo < 1-1 < 1.1
         1.ga = 1
         1-ga = 1
         1-0 = 1
         1.0 = 1
         1-sp > 1-ga
         1-sp.1 > 1-ga.1
         1-sp-1 > 1-ga-1
         1-a1 = 1-alpha-1
         1.0-alpha1 = 1.0-ALPHA1
         1.0-alpha < 1.0-beta < 1.0-milestone < 1.0-rc < 1.0-snapshot < 1.0 < 1.0-sp < 1.0-whatever < 1.0-1 < 1.0.1
         1.0cr = 1.0rc
         2.0.1 < 2.0.1-klm < 2.0.1-lmn
         2.0.1-xyz < 2.0.1-123
         20190126.230843 < 20190126230843.1
         1-1.foo-bar-1-baz-0.1 = 1-1.foo-bar-1-baz-0.1",
    );
    unreadable(Scheme::Maven, &["", "1 2", "[1.0,2.0) x"]);
}

#[test]
fn ruby_gems() {
    check(
        Scheme::RubyGems,
        "1.0.a.2 < 1.0.b1 < 1.0
         0.9 < 1.0 < 1.0.1
         1.0 = 1.0.0 = 1
         1.0.0.rc1 < 1.0.0
         1.8.2.a < 1.8.2.a10 < 1.8.2.b < 1.8.2
         1.0-1 = 1.0.pre.1
         1.0.0-x < 1.0.0",
    );
    unreadable(Scheme::RubyGems, &["junk", "1.2.3;", "1..2", "-1"]);
}

#[test]
fn nuget() {
    check(
        Scheme::NuGet,
        "1.0.0-alpha < 1.0.0-alpha.2 < 1.0.0-alpha.10 < 1.0.0-BETA < 1.0.0 < 1.0.0.1
         1.0.0-Beta = 1.0.0-beta
         1.0 = 1.0.0.0
         1.0.0+x = 1.0.0+y",
    );
    unreadable(Scheme::NuGet, &["", "1.0.0.0.0", "1.*", "1.0-"]);
}

#[test]
fn composer_through_version_compare() {
    check(
        Scheme::Packagist,
        "1.0.0-dev < 1.0.0-alpha1 < 1.0.0-alpha2 < 1.0.0-beta1 < 1.0.0-RC1 < 1.0.0 < 1.0.0-p1 < 1.0.0.1 < 1.0.1
         v1.2 = 1.2.0.0
         1.0.0b2 = 1.0.0-beta2
         1.0.0-stable = 1.0.0
         1.9.9 < 1.x-dev < 2.0.0
         20240101 < 20240201",
    );
    unreadable(Scheme::Packagist, &["", "dev-main", "dev-feature/1", "1.0.0-foo bar"]);
}

#[test]
fn dpkg_policy_5_6_12() {
    check(
        Scheme::Debian,
        "~~ = ~~
         1.0~~ < 1.0~~a < 1.0~ < 1.0 < 1.0a
         1.0~beta1~svn1245 < 1.0~beta1 < 1.0
         1.2.3 < 1.2.3-1 < 1.2.3-1+b1 < 1.2.3-10
         0:1.0 = 1.0
         9.9 < 1:0.1
         1.0-0 = 1.0
         1.0.4-2 < 1.0.4-2+deb12u1 < 1.0.4-2.1
         2:1.19.2-1+deb12u1 < 2:1.19.2-1+deb12u10",
    );
    unreadable(Scheme::Debian, &["", "a:1", "1_0", "1.0 2", "1:"]);
}

#[test]
fn apk() {
    check(
        Scheme::Alpine,
        "1.0_alpha < 1.0_alpha2 < 1.0_beta < 1.0_pre < 1.0_rc < 1.0 < 1.0_git20200101 < 1.0_p1 < 1.0.1
         1.0 < 1.0-r0 < 1.0-r1
         2.3.0b-r1 < 2.3.0b-r2 < 2.3.0c
         1.0 < 1.0a < 1.0.1
         1.01 < 1.1
         1.010 < 1.02
         1.2~0123abc-r1 < 1.2~1123abc-r0
         0.1.0_alpha_pre2 < 0.1.0_alpha",
    );
    unreadable(Scheme::Alpine, &["", "1.0bc", "23_foo", "1.0-1", "1."]);
}

#[test]
fn rpm() {
    check(
        Scheme::Rpm,
        "1.0 < 2.0 < 2.0.1 < 2.0.1a
         1.0~rc1 < 1.0 < 1.0^git1 < 1.0^git2 < 1.0.1
         1.0^20160101~1 < 1.0^20160101
         5.5p1 < 5.5p2 < 5.5p10
         10xyz < 10.1xyz
         1.0010 > 1.9
         2a < 2.0
         0:1.0-1.el8 = 1.0-1.el8
         9-1 < 1:1-1
         1.1.1-2.el8_6.3 < 1.1.1-2.el8_6.10",
    );
    unreadable(Scheme::Rpm, &["", "x:1", "1 0"]);
}

#[test]
fn dotted_numbers() {
    check(Scheme::Dotted, "1.0 < 1.0.0 < 1.0-1 < 1.2 < 1.10");
    unreadable(Scheme::Dotted, &["", "1.a", "1."]);
}

#[test]
fn every_ecosystem_of_the_schema_that_has_an_order() {
    for (ecosystem, scheme) in [
        ("npm", Scheme::SemVer),
        ("crates.io", Scheme::SemVer),
        ("Go", Scheme::Go),
        ("PyPI", Scheme::Pep440),
        ("Maven", Scheme::Maven),
        ("Maven:https://repo.example/maven2", Scheme::Maven),
        ("Debian:12", Scheme::Debian),
        ("Ubuntu:Pro:22.04:LTS", Scheme::Debian),
        ("Alpine:v3.20", Scheme::Alpine),
        ("Rocky Linux:9", Scheme::Rpm),
        ("Pub", Scheme::Pub),
    ] {
        assert_eq!(Scheme::of_ecosystem(ecosystem), Some(scheme), "{ecosystem}");
    }
    assert_eq!(Scheme::of_ecosystem("GIT"), None);
    assert_eq!(Scheme::of_ecosystem("NoSuch"), None);
}

#[test]
fn long_texts_are_no_versions() {
    let long = "1.".repeat(400) + "1";
    for scheme in [Scheme::SemVer, Scheme::Maven, Scheme::Rpm, Scheme::Debian, Scheme::RubyGems] {
        assert!(scheme.read(&long).is_err());
        let deep = "1-".repeat(250) + "1";
        _ = scheme.compare(&deep, &deep);
    }
}
