//! What a plain YAML scalar means (YAML 1.2.2, section 10.3, core schema), and numbers of both formats.

use super::Kind;

/// The kind of a plain scalar.
pub(super) fn kind(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => return Kind::Bool,
        _ => {}
    }
    let begins_like_a_number = matches!(text.as_bytes().first(), Some(b'0'..=b'9' | b'-' | b'+' | b'.'));
    if begins_like_a_number && number(text).is_some() { Kind::Number } else { Kind::Text }
}

/// The value of a number as JSON or YAML's core schema spell it.
pub(super) fn number(text: &str) -> Option<f64> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let sign = if negative { -1.0 } else { 1.0 };
    match digits {
        ".inf" | ".Inf" | ".INF" => return Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if digits.len() == text.len() => return Some(f64::NAN),
        _ => {}
    }
    if digits.len() == text.len() {
        if let Some(octal) = digits.strip_prefix("0o") {
            return u64::from_str_radix(octal, 8).ok().map(|value| value as f64);
        }
        if let Some(hexadecimal) = digits.strip_prefix("0x") {
            return u64::from_str_radix(hexadecimal, 16).ok().map(|value| value as f64);
        }
    }
    // Rust's own grammar also takes "inf" and "nan", and the core schema wants a digit somewhere.
    let fits = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    let starts = matches!(digits.as_bytes(), [b'0'..=b'9', ..] | [b'.', b'0'..=b'9', ..]);
    if fits && starts { digits.parse::<f64>().ok().map(|value| sign * value) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_by_the_core_schema() {
        for (text, expected) in [
            ("", Kind::Null),
            ("~", Kind::Null),
            ("null", Kind::Null),
            ("nul", Kind::Text),
            ("true", Kind::Bool),
            ("yes", Kind::Text),
            ("12", Kind::Number),
            ("-1.5e3", Kind::Number),
            ("0x1F", Kind::Number),
            ("0o17", Kind::Number),
            (".5", Kind::Number),
            ("-.inf", Kind::Number),
            ("1.2.3", Kind::Text),
            ("2020-01-01", Kind::Text),
            ("-", Kind::Text),
            ("+", Kind::Text),
            ("e3", Kind::Text),
            ("-inf", Kind::Text),
        ] {
            assert_eq!(kind(text), expected, "{text:?}");
        }
    }
}
