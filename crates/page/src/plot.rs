//! Lengths of pictures. Pictures have no scale of their own: lengths across are shares of the width that a reader has, so that
//! letters keep their size on any.

/// A part of a whole, from 0 to 1; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "a length on a screen")]
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64).min(1.0) }
}

/// `12.34%`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

/// A length in pixels.
pub(crate) fn pixels(length: f64) -> String {
    format!("{length:.1}")
}
