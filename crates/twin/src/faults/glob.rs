//! Patterns of names and keys.

/// Whether `text` fits `pattern`, where `*` is any run of characters and `?` any one.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let (mut rest_p, mut rest_t) = (pattern.chars(), text.chars());
    // Where to go on when the present attempt fails: behind the last `*`, one character further in the text.
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let (mut next_p, mut next_t) = (rest_p.clone(), rest_t.clone());
        match (next_p.next(), next_t.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                retry = Some((next_p.clone(), rest_t.clone()));
                rest_p = next_p;
                continue;
            }
            (Some('?'), Some(_)) => {
                (rest_p, rest_t) = (next_p, next_t);
                continue;
            }
            (Some(wanted), Some(found)) if wanted == found => {
                (rest_p, rest_t) = (next_p, next_t);
                continue;
            }
            _ => {}
        }
        match retry.take() {
            Some((after_star, mut from)) => {
                if from.next().is_none() {
                    return false;
                }
                (rest_p, rest_t) = (after_star.clone(), from.clone());
                retry = Some((after_star, from));
            }
            None => return false,
        }
    }
}

/// Whether `text` fits a pattern that may be absent; then everything does.
pub(crate) fn fits(pattern: Option<&str>, text: &str) -> bool {
    pattern.is_none_or(|pattern| glob(pattern, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("*", "", true)]
    #[case("*", "a/b c", true)]
    #[case("a/*.parquet", "a/x/y.parquet", true)]
    #[case("a/*.parquet", "a/x/y.parquet.crc", false)]
    #[case("*_delta_log*", "t/_delta_log/0.json", true)]
    #[case("a*b*c", "axbxbxc", true)]
    #[case("a?c", "aéc", true)]
    #[case("a?c", "ac", false)]
    #[case("", "a", false)]
    fn a_pattern_fits_the_whole_text(#[case] pattern: &str, #[case] text: &str, #[case] expected: bool) {
        assert_eq!(glob(pattern, text), expected);
    }
}
