//! Names and locations as engines write them.

use super::Engine;

/// The longest part of a name: that of Unity Catalog and of the Glue Data Catalog.
const NAME_LIMIT: usize = 255;

/// A name of one or more parts, quoted.
pub(super) fn name(engine: Engine, parts: &[&str]) -> Result<String, String> {
    let most = if engine == Engine::AthenaGlue { 2 } else { 3 };
    if parts.is_empty() || parts.len() > most {
        return Err(format!("it has {} parts, and should have one to {most}", parts.len()));
    }
    let quoted = parts.iter().map(|part| {
        check_part(engine, part)?;
        Ok(match engine {
            Engine::DuckDb => format!("\"{}\"", part.replace('"', "\"\"")),
            _ => format!("`{}`", part.replace('`', "``")),
        })
    });
    Ok(quoted.collect::<Result<Vec<String>, String>>()?.join("."))
}

fn check_part(engine: Engine, part: &str) -> Result<(), String> {
    if part.is_empty() || part.chars().count() > NAME_LIMIT {
        return Err(format!("a part of it is empty, or has more than {NAME_LIMIT} characters"));
    }
    if part.contains(char::is_control) {
        return Err("it has a control character".to_owned());
    }
    match engine {
        // Databricks, "Names", securables of Unity Catalog.
        Engine::Databricks if part.contains(['.', ' ', '/']) => Err("it has a dot, a space or a slash".to_owned()),
        // Both put the values of variables in the place of their names before they parse anything.
        Engine::Databricks | Engine::Spark if part.contains("${") => {
            Err("it has the beginning of a variable".to_owned())
        }
        // Athena, "Name databases, tables, and columns".
        Engine::AthenaGlue if !part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') => {
            Err("it has another character than letters, digits and the underscore".to_owned())
        }
        _ => Ok(()),
    }
}

/// A location as a literal.
pub(super) fn location(engine: Engine, location: &str) -> Result<String, String> {
    let Some(path) = location.strip_prefix("s3://") else { return Err("it does not begin with s3://".to_owned()) };
    let bucket = path.split('/').next().unwrap_or_default();
    if bucket.is_empty() || !bucket.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        return Err("it names no bucket".to_owned());
    }
    if location.contains(char::is_control) {
        return Err("it has a control character".to_owned());
    }
    match engine {
        Engine::Databricks => Ok(spark_literal(location)),
        Engine::Spark => Ok(spark_literal(&format!("s3a://{path}"))),
        // How Athena escapes a quote in a location is not written down.
        Engine::AthenaGlue if path.contains(['\'', '\\']) => Err("it has a quote or a backslash".to_owned()),
        // The location is that of a folder.
        Engine::AthenaGlue => Ok(format!("'{}/'", location.trim_end_matches('/'))),
        // `delta_scan` takes a URL: these would be taken for a query, a fragment or an escape.
        Engine::DuckDb if path.contains(['?', '#', '%', '\\']) => {
            Err("it has a character that a URL has for something else".to_owned())
        }
        Engine::DuckDb => Ok(format!("'{}'", location.replace('\'', "''"))),
    }
}

/// A literal of Spark, in which a backslash escapes (`spark.sql.parser.escapedStringLiterals` is off unless somebody turns it on).
/// A dollar sign is written by its number, so that no variable is put in its place.
fn spark_literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('\'');
    for character in text.chars() {
        match character {
            '\'' | '\\' => literal.extend(['\\', character]),
            '$' => literal.push_str("\\u0024"),
            _ => literal.push(character),
        }
    }
    literal.push('\'');
    literal
}
