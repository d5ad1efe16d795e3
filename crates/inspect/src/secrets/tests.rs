//! Cases, true and false. Secrets are put together here from parts, so that no scanner finds them in this file.

use super::rules::FORMATS;
use super::*;

/// A random-looking text of a length from an alphabet; the same for the same seed.
fn drawn(alphabet: &str, length: usize, seed: u64) -> String {
    let letters: Vec<char> = alphabet.chars().collect();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            letters[(state >> 20) as usize % letters.len()]
        })
        .collect()
}

const ALPHANUMERIC: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &str = "0123456789abcdef";

fn rules(path: &str, text: &str) -> Vec<&'static str> {
    scan(path, text.as_bytes()).into_iter().map(|leak| leak.rule).collect()
}

fn found(text: &str, rule: &str) {
    assert_eq!(rules("src/main.rs", text), [rule], "{text}");
}

fn clean(text: &str) {
    for path in ["src/main.rs", "config.yaml"] {
        assert_eq!(rules(path, text), [] as [&str; 0], "{path}: {text}");
    }
}

/// A token of a format, as its parts say.
fn token(format: &pattern::Format, seed: u64) -> String {
    use pattern::{Part, Set};
    let draw = |set: Set, length: usize, seed: u64| {
        let all: String = (33u8..127).filter(|byte| set.has(*byte) && byte.is_ascii_alphanumeric()).map(char::from).collect();
        drawn(&all, length, seed)
    };
    let mut text = format.before.map(|(set, least, _)| draw(set, least, seed + 99)).unwrap_or_default();
    text.push_str(format.anchors[0]);
    for (at, part) in format.after.iter().enumerate() {
        match part {
            Part::Is(literal) => text.push_str(literal),
            Part::Run(set, least, _) => text.push_str(&draw(*set, *least, seed + at as u64)),
        }
    }
    text
}

#[test]
fn every_format_without_a_checksum_of_its_own_is_found_and_one_character_less_is_not() {
    let mut tried = 0;
    for format in FORMATS.iter().filter(|format| matches!(format.check, checksum::Check::None)) {
        let token = token(format, 7);
        let text = format!("let key = get(\"{token}\");");
        assert_eq!(rules("src/main.rs", &text), [format.rule], "{text}");
        // Fixed lengths are fixed.
        if let Some(pattern::Part::Run(_, least, most)) = format.after.last()
            && least == most
        {
            let short = format!("get(\"{}\");", &token[..token.len() - 1]);
            assert!(!rules("src/main.rs", &short).contains(&format.rule), "{short}");
            let long = format!("get(\"{token}a\");");
            assert!(!rules("src/main.rs", &long).contains(&format.rule), "{long}");
        }
        let joined = format!("get(\"x{token}\");");
        if format.before.is_none() && format.anchors[0].as_bytes()[0].is_ascii_alphanumeric() {
            assert!(!rules("src/main.rs", &joined).contains(&format.rule), "{joined}");
        }
        tried += 1;
    }
    assert!(tried >= 40, "{tried}");
}

#[test]
fn names_of_rules_are_unique_and_formats_are_many() {
    let mut names: Vec<&str> = FORMATS.iter().map(|format| format.rule).collect();
    assert!(names.len() >= 60, "{}", names.len());
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FORMATS.len());
}

#[test]
fn checksums_decide() {
    // The documented example of GitHub's checksum.
    let github = ["ghp_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"].concat();
    found(&format!("git clone https://x:{github}@github.com/a/b\n"), "github-token");
    clean(&["token ghp_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq18"].concat());
    let npm = ["npm_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ", "0mLq17"].concat();
    found(&format!("//registry.npmjs.org/:_authToken={npm}"), "npm-token");
    // BIP 173: a valid checksum, and one letter changed.
    let age = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
    found(&["# key\n", age].concat(), "age-secret-key");
    clean(&age.replace("FPQ4", "FPQ5"));
    // The mark of OpenAI's keys, and the size of Azure's.
    let half = drawn(ALPHANUMERIC, 24, 6);
    found(&format!("call(\"sk-proj-{half}T3BlbkFJ{half}\")"), "openai-api-key");
    clean(&format!("class=\"sk-{half}-{half}-spinner\""));
    found(&format!("...;AccountKey={}A==;x", drawn(ALPHANUMERIC, 85, 8)), "azure-storage-key");
    // A macaroon for pypi.org.
    use base64::Engine as _;
    let macaroon = [b"\x02\x01\x08pypi.org\x02\x24".as_slice(), drawn(ALPHANUMERIC, 60, 3).as_bytes()].concat();
    let pypi = format!("pypi-{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(macaroon));
    found(&format!("password = {pypi}"), "pypi-token");
    clean(&format!("see pypi-{}", drawn(ALPHANUMERIC, 60, 4)));
}

#[test]
fn json_web_tokens() {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let signature = drawn(ALPHANUMERIC, 43, 5);
    let jwt = |header: &str, payload: &str| format!("Authorization: Bearer {}.{}.{signature}", encode(header), encode(payload));
    found(&jwt(r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"sub":"ada","exp":1700000000}"#), "json-web-token");
    clean(&jwt(r#"{"alg":"none"}"#, r#"{"sub":"ada"}"#));
    clean(&jwt(r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"sub":"1234567890","name":"x"}"#));
    clean(&jwt(r#"{"typ":"JWT"}"#, r#"{"sub":"ada"}"#));
    clean(&format!("eyJhbGciOi.eyJzdWIiOi.{signature}"));
}

#[test]
fn examples_and_placeholders_are_no_secrets() {
    for text in [
        "aws_access_key_id = AKIAIOSFODNN7EXAMPLE",
        "export AWS_ACCESS_KEY_ID=AKIAXXXXXXXXXXXXXXXX",
        "STRIPE=sk_live_xxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "SG.xxxxxxxxxxxxxxxxxxxxxx.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "slack: xoxb-1234567890123-your-token-goes-here",
        "api_key: \"<your api key goes here 1234>\"",
        "password = \"${DATABASE_PASSWORD_2024}\"",
        "secret: {{ .Values.secretKey12345678 }}",
        "token = os.environ[\"MY_SERVICE_TOKEN_01\"]",
    ] {
        clean(text);
    }
}

#[test]
fn private_keys_need_a_body() {
    let body = drawn(ALPHANUMERIC, 200, 11);
    let block = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    for label in ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"] {
        let leaks = scan("key.pem", block(label, &body).as_bytes());
        assert_eq!(
            leaks.iter().map(|leak| (leak.rule, leak.severity, leak.line)).collect::<Vec<_>>(),
            [("private-key", Severity::Critical, 1)],
            "{label}"
        );
    }
    assert_eq!(scan("key.pem", block("ENCRYPTED PRIVATE KEY", &body).as_bytes())[0].severity, Severity::Medium);
    found(&format!(r#"{{"private_key": "-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"}}"#), "private-key");
    found(&format!("PuTTY-User-Key-File-3: ssh-rsa\nPrivate-Lines: 14\n{body}"), "private-key");
    clean(&block("PUBLIC KEY", &body));
    clean(&block("CERTIFICATE", &body));
    clean(&block("PRIVATE KEY", "..."));
    clean(&block("PRIVATE KEY", "MII..."));
    clean("if text.starts_with(\"-----BEGIN PRIVATE KEY-----\") { decode(text) }");
    clean(&block("PRIVATE KEY", &"A".repeat(100)));
}

#[test]
fn passwords_in_connection_strings() {
    let password = drawn(ALPHANUMERIC, 14, 21);
    for text in [
        format!("postgres://app:{password}@db.internal:5432/shop"),
        format!("DATABASE_URL=mysql://root:{password}@10.1.2.3/x"),
        format!("amqps://svc:{password}@queue.prod"),
        format!("mongodb+srv://u:{password}@cluster0.abc.mongodb.net/?retryWrites=true"),
    ] {
        found(&text, "url-with-password");
    }
    found(&format!("\"Server=sql.prod;Database=shop;User Id=app;Password={password};\""), "connection-string-password");
    for text in [
        "postgres://app:password@db.internal/shop",
        "postgres://postgres:postgres@db/x",
        "redis://user:secret123@cache.prod",
        "postgres://app:$PASSWORD@db.internal/shop",
        "postgres://app:{password}@db.internal/shop",
        "https://user:%s@host.example.org",
        "http://localhost/@scope/name",
        "https://github.com/a/b@v1",
        "see https://example.com:443/x?y=a@b.c",
        "mailto://a@b.c",
        "git+ssh://git@github.com/a/b",
    ] {
        clean(text);
    }
    clean(&format!("postgres://app:{password}@localhost/shop"));
    clean(&format!("postgres://app:{password}@db.example.com/shop"));
    clean(&format!("hash(\"Password={password}\")"));
}

#[test]
fn random_values_count_under_names_that_say_secret() {
    let value = drawn(ALPHANUMERIC, 32, 31);
    let hex = drawn(HEX, 40, 32);
    for text in [
        format!("api_key = \"{value}\""),
        format!("const dbPassword = '{value}';"),
        format!("\"clientSecret\": \"{value}\","),
        format!("AUTH_TOKEN := \"{value}\""),
        format!("config[\"secret_key\"] = \"{hex}\""),
        format!("'password' => '{value}',"),
    ] {
        found(&text, "assigned-secret");
    }
    for text in [format!("API_KEY={value}\n"), format!("jwt.secret: {value}\n"), format!("export SERVICE_TOKEN={hex}\n")] {
        assert_eq!(rules("deploy/.env", &text), ["assigned-secret"], "{text}");
        assert_eq!(rules("src/lib.rs", &text), [] as [&str; 0], "{text}");
    }
    for text in [
        // Random, but under another name.
        format!("commit = \"{hex}\""),
        format!("integrity: \"sha512-{value}\""),
        format!("sha256 = \"{hex}\""),
        format!("public_key = \"{value}\""),
        format!("keyId: \"{value}\""),
        format!("nextPageToken: \"{value}\""),
        // The name, but not random.
        "password = \"correct horse battery staple\"".to_owned(),
        "token = \"invalid_token_error_2\"".to_owned(),
        "secret = \"projects/p1/secrets/db-password/versions/2\"".to_owned(),
        "api_key = \"123e4567-e89b-12d3-a456-426614174000\"".to_owned(),
        "token: \"aaaaaaaaaaaaaaaaaaaaaaaa11\"".to_owned(),
        "passphrase = \"short1\"".to_owned(),
        "if token == \"x\" {}".to_owned(),
        "fn token(secret: &str) -> Result<String, Error>".to_owned(),
    ] {
        clean(&text);
    }
}

#[test]
fn the_secret_is_never_shown() {
    let value = drawn(ALPHANUMERIC, 32, 41);
    let key = token(&FORMATS[1], 42);
    for (path, text, shown) in
        [("a.rs", format!("api_key = \"{value}\""), "… (32 characters)"), ("a.rs", format!("x {key} y"), "github_pat_… (93 characters)")]
    {
        let leaks = scan(path, text.as_bytes());
        assert_eq!(leaks[0].masked, shown);
        let told = serde_json::to_string(&leaks[0].finding(path)).unwrap();
        assert!(!told.contains(&value[..8]) && !told.contains(&key[12..20]), "{told}");
    }
}

#[test]
fn fingerprints_stay_with_the_secret() {
    let value = drawn(ALPHANUMERIC, 32, 51);
    let print = |path: &str, text: String| scan(path, text.as_bytes()).remove(0).fingerprint;
    let first = print("a.rs", format!("api_key = \"{value}\""));
    assert_eq!(print("a.rs", format!("\n\n  let api_key =   \"{value}\"; // moved")), first);
    assert_ne!(print("b.rs", format!("api_key = \"{value}\"")), first);
    assert_ne!(print("a.rs", format!("api_key = \"{}\"", drawn(ALPHANUMERIC, 32, 52))), first);
    assert_eq!(first.len(), 32);
}

#[test]
fn pragmas_need_a_reason() {
    let line = format!("api_key = \"{}\"", drawn(ALPHANUMERIC, 32, 61));
    let leaks = |text: String| scan("a.py", text.as_bytes());
    assert_eq!(leaks(format!("{line}  # {PRAGMA}: made up for the test suite\n")), []);
    assert_eq!(leaks(format!("# {PRAGMA} made up for the test suite\n{line}\n")), []);
    let without = leaks(format!("{line}  # {PRAGMA}\n"));
    assert!(without[0].pragma_without_reason && without[0].finding("a.py").message.contains("without a reason"));
    assert_eq!(leaks(format!("# {PRAGMA}: far away\n\n{line}\n")).len(), 1);
}

#[test]
fn a_baseline_needs_reason_person_and_expiry() {
    let entry = "{fingerprint: f1, path: a.py, reason: rotated, by: grace, expires: 1970-01-01}";
    let baseline = Baseline::read(format!("secrets: [{entry}]").as_bytes()).unwrap();
    assert_eq!(baseline.about("f1", 0).map(|(_, holds)| holds), Some(true));
    assert_eq!(baseline.about("f1", 86_400).map(|(_, holds)| holds), Some(false));
    assert_eq!(baseline.about("f2", 0), None);
    for (from, to) in
        [("reason: rotated", "reason: ' '"), ("expires: 1970-01-01", "expires: never"), ("by: grace, ", ""), ("path: a.py", "paths: a.py")]
    {
        assert!(Baseline::read(format!("secrets: [{}]", entry.replace(from, to)).as_bytes()).is_err(), "{to}");
    }
}

#[test]
fn text_and_binary() {
    assert_eq!(readable(b"a\0b"), Err(Skip::Binary));
    let line = format!("api_key = \"{}\"", drawn(ALPHANUMERIC, 32, 71));
    let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(line.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(scan("a.txt", &readable(&wide).unwrap()).len(), 1);
    // Bytes of no encoding around it change nothing.
    let odd = [b"\xff\xfe\xfa caf\xe9\n".as_slice(), line.as_bytes()].concat();
    assert_eq!(scan("a.txt", &odd).len(), 1);
}

#[test]
fn large_lines_take_linear_time() {
    let mut text = "-----BEGIN ".repeat(50_000);
    text.push_str(&"postgres://".repeat(50_000));
    text.push_str(&"eyJ".repeat(50_000));
    text.push_str(&"password=".repeat(50_000));
    assert_eq!(rules("min.js", &text), [] as [&str; 0]);
}
