//! RFC 8785 (JSON Canonicalization Scheme): one byte sequence per JSON value, so that values can be hashed and signed.
//!
//! Keys are ordered by UTF-16 code units (section 3.2.3), numbers are printed as ECMAScript prints doubles (3.2.2.3),
//! strings have the shortest escapes (3.2.2.2).
//!
//! Integers: RFC 8785 knows only doubles. An integer is accepted exactly when a double holds it *and* prints it with the
//! same digits; every integer within ±2^53 does. Others (2^53+1, but also 2^63, which a double would print as
//! 9223372036854776000) are refused, because a reader with doubles and a reader with integers would see two values.

use std::cmp::Ordering;

use serde::Serialize;
use serde_json::{Number, Value};

use crate::json::DEPTH_MAX;

/// Why a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// The integer is not exact as a double.
    #[error("the integer {0} is not exact as a double; write it as a string")]
    InexactInteger(String),
    /// NaN or an infinity.
    #[error("a number that is not finite")]
    NotFinite,
    /// Nested deeper than the reader would read.
    #[error("nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// serde could not turn it into JSON.
    #[error("no JSON value: {0}")]
    NoJson(String),
}

/// Canonical bytes of anything that serialises to JSON. A `f64` that is not finite becomes `null` in `serde_json`; do
/// not put such numbers into what is signed.
///
/// # Errors
/// [`CanonicalError`].
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let value = serde_json::to_value(value).map_err(|e| CanonicalError::NoJson(e.to_string()))?;
    value_to_vec(&value)
}

/// Canonical text of anything that serialises to JSON.
///
/// # Errors
/// [`CanonicalError`].
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, CanonicalError> {
    let value = serde_json::to_value(value).map_err(|e| CanonicalError::NoJson(e.to_string()))?;
    let mut out = String::new();
    write(&value, 0, &mut out)?;
    Ok(out)
}

/// Canonical bytes of a JSON value, without the copy that [`to_vec`] makes.
///
/// # Errors
/// [`CanonicalError`].
pub fn value_to_vec(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    let mut out = String::new();
    write(value, 0, &mut out)?;
    Ok(out.into_bytes())
}

fn write(value: &Value, depth: usize, out: &mut String) -> Result<(), CanonicalError> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(number, out)?,
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            let depth = deeper(depth)?;
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, depth, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let depth = deeper(depth)?;
            let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
            sorted.sort_by(|a, b| utf16_order(a.0, b.0));
            out.push('{');
            for (i, (key, value)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_string(key, out);
                out.push(':');
                write(value, depth, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn deeper(depth: usize) -> Result<usize, CanonicalError> {
    if depth >= DEPTH_MAX { Err(CanonicalError::TooDeep) } else { Ok(depth + 1) }
}

/// UTF-16 order differs from byte order only where surrogates meet U+E000..U+FFFF.
fn utf16_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut run = 0;
    for (i, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            0x08 => "\\b",
            b'\t' => "\\t",
            b'\n' => "\\n",
            0x0C => "\\f",
            b'\r' => "\\r",
            0..=0x1F => "",
            _ => continue,
        };
        out.push_str(&text[run..i]);
        run = i + 1;
        if escape.is_empty() {
            out.push_str(&format!("\\u{byte:04x}"));
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[run..]);
    out.push('"');
}

fn write_number(number: &Number, out: &mut String) -> Result<(), CanonicalError> {
    const EXACT: u64 = 1 << 53;
    let integer = number.as_u64().map(|n| (n, n.to_string())).or_else(|| number.as_i64().map(|n| (n.unsigned_abs(), n.to_string())));
    let Some(double) = number.as_f64() else { return Err(CanonicalError::NotFinite) };
    if let Some((magnitude, text)) = integer {
        if magnitude > EXACT && format_f64(double).as_deref() != Some(&text) {
            return Err(CanonicalError::InexactInteger(text));
        }
        out.push_str(&text);
        return Ok(());
    }
    out.push_str(&format_f64(double).ok_or(CanonicalError::NotFinite)?);
    Ok(())
}

/// ECMAScript `Number::toString` (ECMA-262, 6.1.6.1.20) for radix 10; none for NaN and infinities.
pub fn format_f64(value: f64) -> Option<String> {
    if !value.is_finite() {
        return None;
    }
    if value == 0.0 {
        return Some("0".into());
    }
    // Rust prints the shortest digits that read back as the same double, as ECMAScript does. Where two such numbers are
    // equally close, ECMAScript takes the even one; rounding the exact value to as many digits does that.
    let shortest = format!("{:e}", value.abs());
    let fraction = shortest.find('e')?.saturating_sub(2);
    let even = format!("{:.*e}", fraction, value.abs());
    let scientific = if even.parse() == Ok(value.abs()) { even } else { shortest };
    let (mantissa, exponent) = scientific.split_once('e')?;
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let point = exponent.parse::<i32>().ok()? + 1;
    let count = i32::try_from(digits.len()).ok()?;
    let mut out = String::new();
    if value < 0.0 {
        out.push('-');
    }
    if count <= point && point <= 21 {
        out.push_str(&digits);
        out.extend(std::iter::repeat_n('0', usize::try_from(point - count).ok()?));
    } else if 0 < point && point <= 21 {
        let (whole, fraction) = digits.split_at(usize::try_from(point).ok()?);
        out.push_str(&format!("{whole}.{fraction}"));
    } else if -6 < point && point <= 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', usize::try_from(-point).ok()?));
        out.push_str(&digits);
    } else {
        let (first, rest) = digits.split_at(1);
        out.push_str(first);
        if !rest.is_empty() {
            out.push('.');
            out.push_str(rest);
        }
        out.push_str(&format!("e{}{}", if point > 0 { '+' } else { '-' }, (point - 1).abs()));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use serde_json::json;

    /// RFC 8785, appendix B.
    #[test]
    fn numbers_of_rfc_8785() {
        for (bits, text) in [
            (0x0000000000000000, "0"),
            (0x8000000000000000, "0"),
            (0x0000000000000001, "5e-324"),
            (0x8000000000000001, "-5e-324"),
            (0x7fefffffffffffff, "1.7976931348623157e+308"),
            (0xffefffffffffffff, "-1.7976931348623157e+308"),
            (0x4340000000000000, "9007199254740992"),
            (0xc340000000000000, "-9007199254740992"),
            (0x4430000000000000, "295147905179352830000"),
            (0x44b52d02c7e14af5, "9.999999999999997e+22"),
            (0x44b52d02c7e14af6, "1e+23"),
            (0x44b52d02c7e14af7, "1.0000000000000001e+23"),
            (0x444b1ae4d6e2ef4e, "999999999999999700000"),
            (0x444b1ae4d6e2ef4f, "999999999999999900000"),
            (0x444b1ae4d6e2ef50, "1e+21"),
            (0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"),
            (0x3eb0c6f7a0b5ed8d, "0.000001"),
            (0x41b3de4355555553, "333333333.3333332"),
            (0x41b3de4355555554, "333333333.33333325"),
            (0x41b3de4355555555, "333333333.3333333"),
            (0x41b3de4355555556, "333333333.3333334"),
            (0x41b3de4355555557, "333333333.33333343"),
            (0xbecbf647612f3696, "-0.0000033333333333333333"),
            (0x43143ff3c1cb0959, "1424953923781206.2"),
        ] {
            assert_eq!(format_f64(f64::from_bits(bits)).as_deref(), Some(text), "{bits:016x}");
        }
        assert_eq!(format_f64(f64::NAN), None);
        assert_eq!(format_f64(f64::INFINITY), None);
    }

    /// RFC 8785, section 3.2.2 and 3.2.3: the sample object and the sorting sample.
    #[test]
    fn documents_of_rfc_8785() {
        let text = r#"{
          "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
          "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
          "literals": [null, true, false]
        }"#;
        let expected = "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
                        \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
        let value = json::parse(text.as_bytes(), 10_000).unwrap();
        assert_eq!(String::from_utf8(value_to_vec(&value).unwrap()).unwrap(), expected);

        let text = r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",
          "\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#;
        let value = json::parse(text.as_bytes(), 10_000).unwrap();
        let sorted = json::parse(&value_to_vec(&value).unwrap(), 10_000).unwrap();
        let names: Vec<&str> = sorted.as_object().unwrap().values().filter_map(Value::as_str).collect();
        assert_eq!(
            names,
            [
                "Carriage Return",
                "One",
                "Control",
                "Latin Small Letter O With Diaeresis",
                "Euro Sign",
                "Emoji: Grinning Face",
                "Hebrew Letter Dalet With Dagesh"
            ]
        );
    }

    #[test]
    fn integers_are_exact_or_refused() {
        for n in [0u64, 1, (1 << 53) - 1, 1 << 53, (1 << 53) + 2, 1_000_000_000_000_000_000] {
            assert_eq!(to_string(&json!(n)), Ok(n.to_string()));
        }
        for n in [(1u64 << 53) + 1, u64::MAX, 1 << 63] {
            assert_eq!(to_string(&json!(n)), Err(CanonicalError::InexactInteger(n.to_string())));
        }
        assert_eq!(to_string(&json!(i64::MIN)), Err(CanonicalError::InexactInteger(i64::MIN.to_string())));
        assert_eq!(to_string(&json!(-(1i64 << 53))), Ok("-9007199254740992".into()));
        assert_eq!(to_string(&json!(-0.0)), Ok("0".into()));
    }

    #[test]
    fn depth_is_limited() {
        let mut value = json!(1);
        for _ in 0..DEPTH_MAX {
            value = json!([value]);
        }
        assert!(value_to_vec(&value).is_ok());
        assert_eq!(value_to_vec(&json!([value])), Err(CanonicalError::TooDeep));
    }
}
