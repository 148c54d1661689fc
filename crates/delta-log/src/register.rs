//! SQL that makes a table known to an engine.

mod comments;
mod quote;

use thiserror::Error;

use crate::described::Described;

/// The engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Databricks: an external table of Unity Catalog or of the Hive metastore.
    Databricks,
    /// Apache Spark with Delta Lake.
    Spark,
    /// Amazon Athena, by a table in the Glue Data Catalog.
    AthenaGlue,
    /// `DuckDB` with its extension `delta`: a view.
    DuckDb,
}

/// Why there is no SQL for a table.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RegisterError {
    /// The engine takes no such name.
    #[error("{engine} cannot have a table of the name {name:?}: {why}; choose another name")]
    Name {
        /// The engine.
        engine: &'static str,
        /// The name, its parts joined by dots.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The engine takes no such location.
    #[error("{engine} cannot read a table at {location:?}: {why}; restore it to another prefix")]
    Location {
        /// The engine.
        engine: &'static str,
        /// The location.
        location: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Engine {
    /// Every engine.
    pub const ALL: [Self; 4] = [Self::Databricks, Self::Spark, Self::AthenaGlue, Self::DuckDb];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Databricks => "Databricks",
            Self::Spark => "Spark",
            Self::AthenaGlue => "Athena",
            Self::DuckDb => "DuckDB",
        }
    }
}

/// The SQL that registers the table at a location, `s3://bucket/prefix`, under a name of one to three parts (two for Athena):
/// comments that say what the table is and what the engine may not be able to do with it, and one statement. It fails where a
/// table of the name is there already. No engine is told the schema: each of them reads it from the log.
///
/// Names and the location are quoted by the rules of the engine, and refused where it has no way to write them; nothing of the
/// table gets out of its comment.
///
/// Sources: Databricks, `CREATE TABLE [USING]` and "Names"; Delta Lake, "Table batch reads and writes" and "Storage configuration"
/// (Spark reads S3 by `s3a`); Athena User Guide, "Query Linux Foundation Delta Lake tables" (a statement with more than `LOCATION`
/// and `table_type` is refused there); `DuckDB`, "Delta Extension".
///
/// # Errors
/// [`RegisterError`] when the engine takes no such name or location.
pub fn register_sql(
    engine: Engine,
    table_name: &[&str],
    location: &str,
    described: &Described,
) -> Result<String, RegisterError> {
    let name = quote::name(engine, table_name).map_err(|why| RegisterError::Name {
        engine: engine.name(),
        name: table_name.join("."),
        why,
    })?;
    let place = quote::location(engine, location).map_err(|why| RegisterError::Location {
        engine: engine.name(),
        location: location.to_owned(),
        why,
    })?;
    let comments = comments::lines(engine, table_name, location, described);
    let statement = match engine {
        Engine::Databricks | Engine::Spark => format!("CREATE TABLE {name}\nUSING DELTA\nLOCATION {place};\n"),
        Engine::AthenaGlue => {
            format!("CREATE EXTERNAL TABLE {name}\nLOCATION {place}\nTBLPROPERTIES ('table_type' = 'DELTA');\n")
        }
        Engine::DuckDb => format!("CREATE VIEW {name} AS\nSELECT * FROM delta_scan({place});\n"),
    };
    Ok(comments + &statement)
}
