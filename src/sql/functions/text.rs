//! Values as texts, as SQLite makes them.

use std::borrow::Cow;

use rusqlite::types::ValueRef;

/// The value as a text; `None` for `NULL`.
pub(super) fn text(value: ValueRef<'_>) -> Option<Cow<'_, str>> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(Cow::Owned(number.to_string())),
        ValueRef::Real(number) => Some(Cow::Owned(real(number))),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes)),
    }
}

/// A number as SQLite writes it: `0.5`, `100.0`, `1.0e+20`. It has the fewest digits that tell the number, where SQLite may write 17 digits.
fn real(number: f64) -> String {
    let sign = if number < 0.0 { "-" } else { "" };
    if number.is_infinite() {
        return format!("{sign}Inf");
    }
    let written = format!("{:e}", number.abs());
    let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits = digits.replace('.', "");
    let or_zero = |digits: &str| if digits.is_empty() { "0".to_owned() } else { digits.to_owned() };
    match exponent {
        -4..0 => format!("{sign}0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1)),
        0..17 => {
            let whole = exponent.unsigned_abs() as usize + 1;
            let padded = format!("{digits:0<whole$}");
            format!("{sign}{}.{}", &padded[..whole], or_zero(&padded[whole..]))
        }
        _ => {
            let direction = if exponent < 0 { '-' } else { '+' };
            format!(
                "{sign}{}.{}e{direction}{:02}",
                &digits[..1],
                or_zero(&digits[1..]),
                exponent.unsigned_abs()
            )
        }
    }
}
