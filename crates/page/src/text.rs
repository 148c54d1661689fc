//! Texts that people read: counts, sizes, times, and names that nobody has vetted.

use std::{borrow::Cow, fmt::Write};

use jiff::{Timestamp, civil::Date};

const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Characters that show nothing, look like a space, or turn the direction of what follows, without those that
/// [`char::is_control`] knows. They are the format characters (`Cf`), separators (`Zl`, `Zp`, `Zs` but the space itself) and
/// blank fillers of Unicode 16.
const UNSEEN: [(char, char); 36] = [
    ('\u{a0}', '\u{a0}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{2000}', '\u{200f}'),
    ('\u{2028}', '\u{202f}'),
    ('\u{205f}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3000}', '\u{3000}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{e000}', '\u{f8ff}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{fffe}', '\u{ffff}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{13455}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d159}', '\u{1d159}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
    ('\u{f0000}', '\u{fffff}'),
    ('\u{1fffe}', '\u{1ffff}'),
    ('\u{2fffe}', '\u{2ffff}'),
    ('\u{100000}', '\u{10ffff}'),
];

/// Whether a character would not be seen as what it is: a control character, or one of format, direction or blank space.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    c.is_control() || UNSEEN.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// A text in which every character that would not be seen stands as its number, `⟨U+202E⟩`. The same for a page and for a
/// terminal, where control characters could do more than mislead.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut seen = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unseen(c) {
            // Writing to a String does not fail.
            let _ = write!(seen, "⟨U+{:04X}⟩", u32::from(c));
        } else {
            seen.push(c);
        }
    }
    Cow::Owned(seen)
}

/// `1,204,331`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 table`, `3 tables`.
#[must_use]
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// Bytes in binary units with three digits, `1.21 TiB`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
pub fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        if value < 1023.5 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    match value {
        _ if unit == "B" => format!("{bytes} B"),
        small if small < 9.995 => format!("{small:.2} {unit}"),
        middle if middle < 99.95 => format!("{middle:.1} {unit}"),
        large => format!("{large:.0} {unit}"),
    }
}

/// Seconds in the two largest units, `3 h 07 min`.
#[must_use]
pub fn duration(seconds: u64) -> String {
    let (days, hours, minutes, rest) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => format!("{minutes} min {rest:02} s"),
        (0, _, _) => format!("{hours} h {minutes:02} min"),
        _ => format!("{days} d {hours:02} h"),
    }
}

/// Seconds from one moment to another, none where the second is earlier.
pub(crate) fn seconds_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or(0)
}

/// `31 Mar 2026`, whatever the locale.
#[must_use]
pub fn day(date: Date) -> String {
    let month = usize::from(date.month().unsigned_abs()).checked_sub(1).and_then(|index| MONTHS.get(index));
    format!("{} {} {}", date.day(), month.copied().unwrap_or("?"), date.year())
}

/// `2026-04-02 01:00:07 UTC`.
#[must_use]
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `2026-04-02 01:00`, of milliseconds since 1970; none where that is no moment between the years 1 and 9999.
#[must_use]
pub fn minute_of(milliseconds: i64) -> Option<String> {
    let at = Timestamp::from_millisecond(milliseconds).ok()?;
    Some(at.strftime("%Y-%m-%d %H:%M").to_string()).filter(|text| !text.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none(0, "0")]
    #[case::three(999, "999")]
    #[case::four(1_000, "1,000")]
    #[case::seven(1_204_331, "1,204,331")]
    #[case::most(u64::MAX, "18,446,744,073,709,551,615")]
    fn count_has_a_comma_each_three_digits(#[case] number: u64, #[case] text: &str) {
        assert_eq!(count(number), text);
    }

    #[rstest]
    #[case::bytes(1023, "1023 B")]
    #[case::unit(1024, "1.00 KiB")]
    #[case::rounds_up_into_the_next_unit(1024 * 1024 - 1, "1.00 MiB")]
    #[case::middle(45 << 30, "45.0 GiB")]
    #[case::large(900 << 30, "900 GiB")]
    #[case::most(u64::MAX, "16.0 EiB")]
    fn size_has_three_digits(#[case] bytes: u64, #[case] text: &str) {
        assert_eq!(size(bytes), text);
    }

    #[rstest]
    #[case::seconds(59, "59 s")]
    #[case::minutes(61, "1 min 01 s")]
    #[case::hours(3 * 3600 + 7 * 60 + 12, "3 h 07 min")]
    #[case::days(2 * 86_400 + 3600, "2 d 01 h")]
    fn duration_has_its_two_largest_units(#[case] seconds: u64, #[case] text: &str) {
        assert_eq!(duration(seconds), text);
    }

    #[rstest]
    #[case::harmless("sales/Größe=3 x/日本/שלום", "sales/Größe=3 x/日本/שלום")]
    #[case::override_of_direction("a\u{202e}txt.exe", "a⟨U+202E⟩txt.exe")]
    #[case::controls("a\u{0}\n\u{1b}[31m\u{7f}", "a⟨U+0000⟩⟨U+000A⟩⟨U+001B⟩[31m⟨U+007F⟩")]
    #[case::separators("a\u{2028}b\u{a0}c", "a⟨U+2028⟩b⟨U+00A0⟩c")]
    #[case::tags("x\u{e0041}\u{feff}", "x⟨U+E0041⟩⟨U+FEFF⟩")]
    fn what_would_not_be_seen_stands_as_its_number(#[case] text: &str, #[case] seen: &str) {
        assert_eq!(visible(text), seen);
    }

    #[rstest]
    #[case::ordinary(1_774_915_200_000, Some("2026-03-31 00:00"))]
    #[case::before_the_common_era(-99_999_999_999_999, None)]
    #[case::out_of_range(i64::MAX, None)]
    fn minute_is_told_only_where_there_is_one(#[case] milliseconds: i64, #[case] text: Option<&str>) {
        assert_eq!(minute_of(milliseconds).as_deref(), text);
    }
}
