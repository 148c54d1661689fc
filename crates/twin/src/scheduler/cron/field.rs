//! The fields of a cron expression: lists of values, ranges and steps.

use std::ops::RangeInclusive;

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// A field that holds a set of numbers.
#[derive(Clone, Copy)]
pub(super) enum Field {
    Minutes,
    Hours,
    DaysOfMonth,
    Months,
    DaysOfWeek,
    Years,
}

impl Field {
    /// The numbers of a list, in order and each once.
    ///
    /// # Errors
    /// What is wrong, with the field's name.
    pub(super) fn values(self, text: &str) -> Result<Vec<i16>, String> {
        let mut values = Vec::new();
        for item in text.split(',') {
            values.extend(self.item(item)?);
        }
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }

    /// One number or name.
    ///
    /// # Errors
    /// What is wrong, with the field's name.
    pub(super) fn value(self, text: &str) -> Result<i16, String> {
        let (field, range) = (self.name(), self.range());
        let named = self.names().iter().position(|name| name.eq_ignore_ascii_case(text));
        let named = named.and_then(|index| i16::try_from(index + 1).ok());
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = named.or_else(|| text.parse().ok().filter(|_| digits)).filter(|number| range.contains(number));
        number.ok_or_else(|| {
            format!("{text:?} is no {field}: it must be {} to {}{}", range.start(), range.end(), self.hint())
        })
    }

    fn item(self, item: &str) -> Result<Vec<i16>, String> {
        let (span, step) = match item.split_once('/') {
            Some((_, _)) if matches!(self, Self::DaysOfWeek) => {
                return Err(format!("{item}: day-of-week has no steps; list the days"));
            }
            Some((span, step)) => {
                let step = step.parse::<usize>().ok().filter(|step| *step > 0);
                (span, Some(step.ok_or_else(|| format!("{item}: the step of the {} must be 1 or more", self.name()))?))
            }
            None => (item, None),
        };
        let range = match (span, span.split_once('-')) {
            ("*", _) => self.range(),
            (_, Some((first, last))) => self.value(first)?..=self.value(last)?,
            // A start with a step goes on to the end of the field.
            (one, None) if step.is_some() => self.value(one)?..=*self.range().end(),
            (one, None) => self.value(one)?..=self.value(one)?,
        };
        if range.is_empty() {
            return Err(format!("{item}: the range of the {} runs backwards; write it as two", self.name()));
        }
        Ok(range.step_by(step.unwrap_or(1)).collect())
    }

    fn range(self) -> RangeInclusive<i16> {
        match self {
            Self::Minutes => 0..=59,
            Self::Hours => 0..=23,
            Self::DaysOfMonth => 1..=31,
            Self::Months => 1..=12,
            Self::DaysOfWeek => 1..=7,
            Self::Years => 1970..=2199,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Minutes => "minutes",
            Self::Hours => "hours",
            Self::DaysOfMonth => "day-of-month",
            Self::Months => "month",
            Self::DaysOfWeek => "day-of-week",
            Self::Years => "year",
        }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Months => &MONTHS,
            Self::DaysOfWeek => &WEEKDAYS,
            _ => &[],
        }
    }

    fn hint(self) -> &'static str {
        match self {
            Self::Months => " or JAN to DEC",
            Self::DaysOfWeek => " or SUN to SAT",
            _ => "",
        }
    }
}
