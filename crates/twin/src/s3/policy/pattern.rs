//! Wildcards of policies.

/// Whether `text` fits `pattern`, where `*` stands for any run of characters and `?` for one.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // Where to go on after the last star: the pattern behind it and the text that it has not eaten yet.
    let mut retry = None;
    loop {
        let (ahead, rest) = (pattern.clone().next(), text.clone().next());
        match (ahead, rest) {
            (None, None) => return true,
            (Some('*'), _) => {
                pattern.next();
                retry = Some((pattern.clone(), text.clone()));
                continue;
            }
            (Some(expected), Some(found)) if expected == '?' || expected == found => {
                pattern.next();
                text.next();
                continue;
            }
            _ => {}
        }
        let Some((star_pattern, mut star_text)) = retry.take() else { return false };
        if star_text.next().is_none() {
            return false;
        }
        pattern = star_pattern.clone();
        text = star_text.clone();
        retry = Some((star_pattern, star_text));
    }
}

/// Whether an ARN fits a pattern: each of the six parts by itself, so that a wildcard does not cross a colon.
#[must_use]
pub fn matches_arn(pattern: &str, arn: &str) -> bool {
    let (patterns, parts): (Vec<_>, Vec<_>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    patterns.len() == parts.len() && patterns.iter().zip(parts).all(|(pattern, part)| matches(pattern, part))
}

#[cfg(test)]
mod tests {
    use super::{matches, matches_arn};

    #[test]
    fn wildcards_stand_for_any_run_or_one_character() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("s3:Get*", "s3:GetObject", true),
            ("s3:Get*", "s3:PutObject", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b/x/y", true),
            ("arn:aws:s3:::b", "arn:aws:s3:::b/x", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn arn_wildcards_stay_within_a_part() {
        assert!(matches_arn("arn:aws:iam::111111111111:role/*", "arn:aws:iam::111111111111:role/a/b"));
        assert!(!matches_arn("arn:*:role/x", "arn:aws:iam::111111111111:role/x"));
    }
}
