//! The end of a data file: whether it is that of a Parquet file, and how many rows it tells.
//!
//! parquet.thrift and README.md of apache/parquet-format, "File format": a file ends with its footer, the footer's length in four bytes,
//! and `PAR1`; `PARE` where the footer is encrypted.

use parquet::{
    errors::{ParquetError, Result},
    file::metadata::ParquetMetaDataReader,
};

use super::{TAIL, footer::is_sound, guarded};

/// Bytes of a footer above which it is not read.
pub const MOST_OF_A_FOOTER: u64 = 128 << 20;

/// What the end of a data file tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The footer could be read: the rows of the file.
    Rows(u64),
    /// The footer begins before the bytes that were given: so many from the end have it, at most [`MOST_OF_A_FOOTER`] and a little.
    Longer(u64),
}

/// What the last bytes of a Parquet file of `size` bytes tell. The footer must parse, and its row groups must have the rows of the file
/// between them. Pages are not looked at.
///
/// # Errors
/// Why it cannot be a Parquet file, in words that finish "it cannot be used: ".
pub fn rows_by_end(end: &[u8], size: u64) -> std::result::Result<End, String> {
    guarded(|| of_end(end, size)).map_err(|error| error.0)
}

fn of_end(end: &[u8], size: u64) -> Result<End> {
    let broken = |why: &str| ParquetError::General(why.to_owned());
    let no_parquet = || broken("it is no Parquet file, or is cut");
    let (before, tail) = end.split_at_checked(end.len().wrapping_sub(TAIL)).ok_or_else(no_parquet)?;
    let (length, magic) = tail.split_first_chunk::<4>().ok_or_else(no_parquet)?;
    match magic {
        b"PAR1" => {}
        b"PARE" => return Err(broken("its footer is encrypted")),
        _ => return Err(no_parquet()),
    }
    let length = u64::from(u32::from_le_bytes(*length));
    let needed = length + TAIL as u64;
    if needed > size || length > MOST_OF_A_FOOTER {
        return Err(broken("its footer has more bytes than it can have"));
    }
    let Some(start) = usize::try_from(length).ok().and_then(|length| before.len().checked_sub(length)) else {
        return Ok(End::Longer(needed));
    };
    let footer = before.get(start..).ok_or_else(no_parquet)?;
    if !is_sound(footer) {
        return Err(broken("its footer is broken"));
    }
    let metadata = ParquetMetaDataReader::decode_metadata(footer)?;
    let rows =
        u64::try_from(metadata.file_metadata().num_rows()).map_err(|_| broken("it has a negative number of rows"))?;
    let of_groups = metadata
        .row_groups()
        .iter()
        .try_fold(0_u64, |sum, group| sum.checked_add(u64::try_from(group.num_rows()).ok()?));
    if of_groups == Some(rows) {
        return Ok(End::Rows(rows));
    }
    Err(broken("its row groups do not have its rows between them"))
}
