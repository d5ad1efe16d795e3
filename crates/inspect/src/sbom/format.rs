//! The few formats and patterns that CycloneDX's schemas use, each as a function: no regular expressions meet hostile text.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    DateTime,
    Date,
    Email,
    Iri,
    IriReference,
}

impl Format {
    pub fn known(word: &str) -> Option<Self> {
        Some(match word {
            "date-time" => Format::DateTime,
            "date" => Format::Date,
            "idn-email" => Format::Email,
            "iri-reference" => Format::IriReference,
            "uri" => Format::Iri,
            _ => return None,
        })
    }
    pub fn words(self) -> &'static str {
        match self {
            Format::DateTime => "a date and time with its offset (RFC 3339)",
            Format::Date => "a date (RFC 3339)",
            Format::Email => "a mail address",
            Format::Iri => "an absolute IRI (RFC 3987)",
            Format::IriReference => "an IRI reference (RFC 3987)",
        }
    }
    pub fn matches(self, text: &str) -> bool {
        match self {
            Format::DateTime => date_time(text),
            Format::Date => date(text),
            Format::Email => text
                .rsplit_once('@')
                .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains(char::is_whitespace)),
            Format::Iri => iri(text, true),
            Format::IriReference => iri(text, false),
        }
    }
}

/// A number of exactly so many digits.
fn digits(text: &str, count: usize) -> Option<u32> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// RFC 3339, full-date.
fn date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let (Some(year), Some(month), Some(day)) = (digits(year, 4), digits(month, 2), digits(day, 2)) else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// RFC 3339, date-time; a leap second may stand only where it can be one.
pub fn date_time(text: &str) -> bool {
    let Some((day, time)) = text.split_once(['T', 't']) else { return false };
    let (time, offset) = match time.find(['Z', 'z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => return false,
    };
    let (whole, fraction) = time.split_once('.').map_or((time, None), |(whole, fraction)| (whole, Some(fraction)));
    if fraction.is_some_and(|fraction| fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit())) {
        return false;
    }
    let clock = |text: &str, parts: usize| {
        let numbers: Vec<u32> = text.split(':').filter_map(|part| digits(part, 2)).collect();
        (numbers.len() == parts && text.split(':').count() == parts).then_some(numbers)
    };
    let Some(numbers) = clock(whole, 3) else { return false };
    let [hour, minute, second] = numbers.as_slice() else { return false };
    let offset_right = offset.eq_ignore_ascii_case("z")
        || clock(offset.get(1..).unwrap_or_default(), 2).is_some_and(|parts| matches!(parts.as_slice(), [0..=23, 0..=59]));
    date(day) && *hour < 24 && *minute < 60 && *second <= 60 && (*second < 60 || *minute == 59) && offset_right
}

/// RFC 3986 with the characters of RFC 3987.
fn iri(text: &str, absolute: bool) -> bool {
    for (at, character) in text.char_indices() {
        match character {
            '%' => {
                let encoded = text.get(at + 1..at + 3).is_some_and(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
                if !encoded {
                    return false;
                }
            }
            '<' | '>' | '"' | '{' | '}' | '|' | '\\' | '^' | '`' => return false,
            other if other.is_whitespace() || other.is_control() => return false,
            _ => {}
        }
    }
    let (before_fragment, fragment) = text.split_once('#').unwrap_or((text, ""));
    let first_segment = before_fragment.split(['/', '?']).next().unwrap_or_default();
    let scheme = first_segment.split_once(':').map(|(scheme, _)| scheme);
    let scheme_right = |scheme: &str| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    };
    !fragment.contains('#') && scheme.map_or(!absolute, scheme_right)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    OneLine,
    Serial,
    MimeType,
    HashContent,
    Locale,
    BomLink,
    BomLinkElement,
    RelatedCrypto,
    Requirement,
    Country,
}

const SERIAL: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";

impl Pattern {
    /// By the schema's own text.
    pub fn known(pattern: &str) -> Option<Self> {
        Some(match pattern {
            "^(.*)$" => Pattern::OneLine,
            r"^[-+a-z0-9.]+/[-+a-z0-9.]+$" => Pattern::MimeType,
            r"^([a-fA-F0-9]{32}|[a-fA-F0-9]{40}|[a-fA-F0-9]{64}|[a-fA-F0-9]{96}|[a-fA-F0-9]{128})$" => Pattern::HashContent,
            "^([a-z]{2})(-[A-Z]{2})?$" => Pattern::Locale,
            r"^[A-Za-z0-9][A-Za-z0-9\-/.()\s]{0,28}[A-Za-z0-9]$" => Pattern::RelatedCrypto,
            "^CRE:[0-9]+-[0-9]+$" => Pattern::Requirement,
            "^[A-Z]{2}$" => Pattern::Country,
            other if other == format!("^urn:uuid:{SERIAL}$") => Pattern::Serial,
            other if other == format!("^urn:cdx:{SERIAL}/[1-9][0-9]*$") => Pattern::BomLink,
            other if other == format!("^urn:cdx:{SERIAL}/[1-9][0-9]*#.+$") => Pattern::BomLinkElement,
            _ => return None,
        })
    }
    pub fn words(self) -> &'static str {
        match self {
            Pattern::OneLine => "one line",
            Pattern::Serial => "urn:uuid: and a UUID in lower case",
            Pattern::MimeType => "a media type in lower case",
            Pattern::HashContent => "hexadecimal of 32, 40, 64, 96 or 128 digits",
            Pattern::Locale => "a language such as en or en-US",
            Pattern::BomLink => "a BOM-Link, urn:cdx:UUID/VERSION",
            Pattern::BomLinkElement => "a BOM-Link to an element, urn:cdx:UUID/VERSION#REF",
            Pattern::RelatedCrypto => "a name of 2 to 30 letters, digits, '-', '/', '.', '(', ')' and spaces",
            Pattern::Requirement => "CRE: and two numbers",
            Pattern::Country => "a country code of two capital letters",
        }
    }
    pub fn matches(self, text: &str) -> bool {
        let all = |text: &str, right: fn(u8) -> bool| !text.is_empty() && text.bytes().all(right);
        let media = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.');
        let lower = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase());
        let upper = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        match self {
            Pattern::OneLine => !text.contains(['\n', '\r', '\u{2028}', '\u{2029}']),
            Pattern::Serial => text.strip_prefix("urn:uuid:").is_some_and(uuid),
            Pattern::MimeType => text.split_once('/').is_some_and(|(kind, sub)| all(kind, media) && all(sub, media)),
            Pattern::HashContent => matches!(text.len(), 32 | 40 | 64 | 96 | 128) && all(text, |byte| byte.is_ascii_hexdigit()),
            Pattern::Locale => text.split_once('-').map_or_else(|| lower(text), |(language, region)| lower(language) && upper(region)),
            Pattern::BomLink => bom_link(text).is_some_and(|rest| rest.is_empty()),
            Pattern::BomLinkElement => bom_link(text)
                .and_then(|rest| rest.strip_prefix('#'))
                .is_some_and(|reference| !reference.is_empty() && !reference.contains(['\n', '\r'])),
            Pattern::RelatedCrypto => {
                let edge = |character: Option<char>| character.is_some_and(|character| character.is_ascii_alphanumeric());
                let inner = |character: char| {
                    character.is_ascii_alphanumeric() || matches!(character, '-' | '/' | '.' | '(' | ')') || character.is_whitespace()
                };
                (2..=30).contains(&text.chars().count())
                    && edge(text.chars().next())
                    && edge(text.chars().last())
                    && text.chars().all(inner)
            }
            Pattern::Requirement => text.strip_prefix("CRE:").and_then(|rest| rest.split_once('-')).is_some_and(|(one, other)| {
                let digits = |byte: u8| byte.is_ascii_digit();
                all(one, digits) && all(other, digits)
            }),
            Pattern::Country => upper(text),
        }
    }
}

fn uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    parts.len() == 5 && parts.iter().zip([8, 4, 4, 4, 12]).all(|(part, length)| part.len() == length && part.bytes().all(hex))
}

/// What follows `urn:cdx:UUID/VERSION`.
fn bom_link(text: &str) -> Option<&str> {
    let (id, rest) = text.strip_prefix("urn:cdx:")?.split_once('/')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    (uuid(id) && digits > 0 && !rest.starts_with('0')).then(|| rest.get(digits..)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let check = |format: Format, right: &[&str], wrong: &[&str]| {
            right.iter().for_each(|text| assert!(format.matches(text), "{format:?} {text:?}"));
            wrong.iter().for_each(|text| assert!(!format.matches(text), "{format:?} {text:?}"));
        };
        check(
            Format::DateTime,
            &["2020-04-13T20:20:39+00:00", "2024-02-29t00:00:00.123z", "2016-12-31T23:59:60Z", "1990-12-31T15:59:60-08:00"],
            &[
                "2020-04-13",
                "2020-04-13T20:20:39",
                "2023-02-29T00:00:00Z",
                "2020-04-13T24:00:00Z",
                "2020-13-01T00:00:00Z",
                "2020-04-13T20:20Z",
            ],
        );
        check(Format::Date, &["2024-02-29"], &["2024-2-29", "2024-02-30"]);
        check(Format::Email, &["a@b.example", "müller@example.org"], &["a", "@b", "a@", "a@b c"]);
        check(
            Format::IriReference,
            &["", "https://example.org/ä?q=1#f", "../a", "urn:uuid:x", "git+ssh://git@host/x.git", "pkg:npm/a"],
            &["https://example.org/a b", "git@host:x/y.git", "http://a/%zz", "a<b", "a#b#c", "http://x/\\"],
        );
        check(Format::Iri, &["https://example.org"], &["example", "/x"]);
    }

    #[test]
    fn patterns() {
        let uuid = "3e671687-395b-41f5-a30f-a58921a69b79";
        assert!(Pattern::Serial.matches(&format!("urn:uuid:{uuid}")));
        assert!(!Pattern::Serial.matches(&format!("urn:uuid:{}", uuid.to_uppercase())));
        assert!(Pattern::BomLink.matches(&format!("urn:cdx:{uuid}/1")));
        assert!(!Pattern::BomLink.matches(&format!("urn:cdx:{uuid}/01")));
        assert!(!Pattern::BomLink.matches(&format!("urn:cdx:{uuid}/1#x")));
        assert!(Pattern::BomLinkElement.matches(&format!("urn:cdx:{uuid}/12#x")));
        assert!(Pattern::MimeType.matches("application/vnd.x+json") && !Pattern::MimeType.matches("text/Plain"));
        assert!(Pattern::Locale.matches("en-US") && !Pattern::Locale.matches("en-us"));
        assert!(Pattern::HashContent.matches(&"a".repeat(40)) && !Pattern::HashContent.matches(&"a".repeat(41)));
        assert!(!Pattern::OneLine.matches("a\nb") && Pattern::OneLine.matches(""));
    }
}
