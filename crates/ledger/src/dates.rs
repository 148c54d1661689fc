//! The day that a snapshot stands for, and the moment from which an inventory may stand for it.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use levee_stage::StageError;

use crate::state::Run;

/// The backup date of a run: the explicit one, or the day of `scheduled_time` in the run's zone less the settle days.
///
/// # Errors
/// `Levee.InputInvalid`: neither is given, the zone is unknown, or the date is out of range.
pub fn backup_date(run: &Run) -> Result<Date, StageError> {
    if let Some(date) = run.backup_date {
        return Ok(date);
    }
    let Some(scheduled) = run.scheduled_time else {
        return Err(invalid(
            "the run has neither `backup_date` nor `scheduled_time`: give `backup_date` when you start an execution by hand, and let the schedule's input carry `<aws.scheduler.scheduled-time>`",
        ));
    };
    let day = scheduled.to_zoned_datetime(zone(&run.time_zone)?).date();
    day.checked_sub(i64::from(run.settle_days).days())
        .map_err(|error| invalid(format!("{day} less {} settle days is no date: {error}", run.settle_days)))
}

/// The earliest scan start of an inventory that may stand for `backup_date`: the first moment of the day
/// `backup_date + settle_days` in the zone. Where clocks skip midnight, the day begins later than 00:00.
///
/// # Errors
/// `Levee.InputInvalid`: the zone is unknown or the date is out of range.
pub fn threshold(backup_date: Date, settle_days: u8, time_zone: &str) -> Result<Timestamp, StageError> {
    let zone = zone(time_zone)?;
    backup_date
        .checked_add(i64::from(settle_days).days())
        .and_then(|day| day.to_zoned_datetime(zone))
        .and_then(|midnight| midnight.start_of_day())
        .map(|start| start.timestamp())
        .map_err(|error| invalid(format!("{backup_date} plus {settle_days} settle days is no date: {error}")))
}

/// The zone of an IANA name.
///
/// # Errors
/// `Levee.InputInvalid`: there is no such zone.
pub fn zone(name: &str) -> Result<TimeZone, StageError> {
    TimeZone::get(name).map_err(|_| {
        invalid(format!("there is no time zone {name:?}: use an IANA name such as `UTC` or `Europe/Berlin`"))
    })
}

fn invalid(cause: impl Into<String>) -> StageError {
    StageError::permanent(StageError::INPUT_INVALID, cause)
}
