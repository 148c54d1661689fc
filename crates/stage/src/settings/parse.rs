//! Reads settings and collects every problem, where clap alone stops at the first.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

use clap::{
    Arg, ArgMatches, Command,
    builder::{OsStringValueParser, Resettable},
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};

/// The beginning of every environment variable of Levee's.
const VARIABLES: &str = "LEVEE_";

/// Why there are no settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Help or version was asked for; the text goes to standard output and the program ends with success.
    #[error("{0}")]
    Help(String),
    /// Everything that is wrong, one entry each.
    #[error("the settings have {} problem(s):\n{}", .0.len(), list(.0))]
    Problems(Vec<String>),
}

fn list(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("  - {problem}")).collect::<Vec<_>>().join("\n")
}

/// Reads the settings `A` of `program` from arguments (without the program's name) and the environment.
///
/// Arguments win over the environment; an empty variable counts as unset. Variables that begin with `LEVEE_` and belong
/// neither to `A` nor to `also_known` are problems, because a mistyped variable would otherwise be ignored in silence.
/// `A` may have options and flags, but no positional arguments and no relations between arguments (`requires`, …): each
/// is checked by itself.
///
/// # Errors
/// See [`SettingsError`]; all problems at once.
pub fn parse_settings<A: clap::Args>(
    program: &'static str,
    about: &'static str,
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    also_known: &[&str],
) -> Result<A, SettingsError> {
    // The texts come last, because a flattened type brings its own doc comment as the description.
    let command = A::augment_args(Command::new(program)).about(about).long_about(None::<&str>);
    let command = command.version(env!("CARGO_PKG_VERSION"));
    let environment: BTreeMap<OsString, OsString> = environment.into_iter().collect();
    let mut problems = Vec::new();
    let given = read_arguments(&command, arguments.into_iter().collect(), &mut problems)?;
    let mut merged = Vec::new();
    for arg in command.get_arguments() {
        let (values, origin) = values_of(arg, given.as_ref(), &environment);
        match check(program, arg, &values) {
            Ok(()) => merged.extend(values),
            Err(problem) => problems.push(format!("{problem}{origin}")),
        }
    }
    problems.extend(unknown_variables(program, &command, &environment, also_known));
    if !problems.is_empty() {
        return Err(SettingsError::Problems(problems));
    }
    let whole = command.mut_args(|arg| arg.env(Resettable::Reset)).no_binary_name(true);
    let matches =
        whole.try_get_matches_from(merged).map_err(|error| SettingsError::Problems(vec![first_lines(&error)]))?;
    A::from_arg_matches(&matches).map_err(|error| SettingsError::Problems(vec![first_lines(&error)]))
}

/// Takes the arguments apart without looking at values. Each argument that is not understood is a problem, and left out.
fn read_arguments(
    command: &Command,
    mut arguments: Vec<OsString>,
    problems: &mut Vec<String>,
) -> Result<Option<ArgMatches>, SettingsError> {
    let lenient = command.clone().no_binary_name(true).mut_args(|arg| {
        let arg = arg.required(false).env(Resettable::Reset);
        if arg.get_action().takes_values() { arg.value_parser(OsStringValueParser::new()) } else { arg }
    });
    loop {
        let error = match lenient.clone().try_get_matches_from(&arguments) {
            Ok(matches) => return Ok(Some(matches)),
            Err(error) => error,
        };
        match error.kind() {
            // Not the lenient command's text, in which nothing is required.
            ErrorKind::DisplayHelp => return Err(SettingsError::Help(command.clone().render_help().to_string())),
            ErrorKind::DisplayVersion => return Err(SettingsError::Help(error.render().to_string())),
            _ => {}
        }
        problems.push(first_lines(&error));
        let unknown = match error.get(ContextKind::InvalidArg) {
            Some(ContextValue::String(argument)) if error.kind() == ErrorKind::UnknownArgument => argument.clone(),
            _ => return Ok(None),
        };
        let before = arguments.len();
        arguments.retain(|argument| !is_argument(argument, &unknown));
        if arguments.len() == before {
            return Ok(None);
        }
    }
}

fn is_argument(argument: &OsStr, name: &str) -> bool {
    let text = argument.to_string_lossy();
    text == name || text.strip_prefix(name).is_some_and(|rest| rest.starts_with('='))
}

/// The arguments that stand for a setting, from the command line or else the environment, and a note where they are from.
fn values_of(
    arg: &Arg,
    given: Option<&ArgMatches>,
    environment: &BTreeMap<OsString, OsString>,
) -> (Vec<OsString>, String) {
    let Some(long) = arg.get_long() else { return (Vec::new(), String::new()) };
    let id = arg.get_id().as_str();
    let as_option = |value: &OsStr| {
        let mut option = OsString::from(format!("--{long}="));
        option.push(value);
        option
    };
    if let Some(matches) = given.filter(|matches| matches.value_source(id) == Some(ValueSource::CommandLine)) {
        if !arg.get_action().takes_values() {
            return (vec![OsString::from(format!("--{long}"))], String::new());
        }
        return (matches.get_raw(id).into_iter().flatten().map(as_option).collect(), String::new());
    }
    let variable = arg.get_env().and_then(|name| Some((name, environment.get(name)?)));
    match variable.filter(|(_, value)| !value.is_empty()) {
        Some((name, value)) if arg.get_action().takes_values() => {
            (vec![as_option(value)], format!(" (from {})", name.to_string_lossy()))
        }
        Some((name, value)) if is_yes(value) => {
            (vec![OsString::from(format!("--{long}"))], format!(" (from {})", name.to_string_lossy()))
        }
        _ => (Vec::new(), String::new()),
    }
}

fn is_yes(value: &OsStr) -> bool {
    ["1", "true", "yes"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
}

/// Checks one setting by itself, as clap would among the others.
fn check(program: &'static str, arg: &Arg, values: &[OsString]) -> Result<(), String> {
    let alone = Command::new(program).no_binary_name(true).disable_help_flag(true).disable_version_flag(true);
    let alone = alone.arg(arg.clone().env(Resettable::Reset));
    match alone.try_get_matches_from(values) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => {
            let variable = arg.get_env().map(|name| format!(", or set {}", name.to_string_lossy()));
            // An argument can only be displayed by clap once its command is built.
            let name = arg.get_long().unwrap_or_default();
            let value = arg.get_value_names().and_then(|names| Some(format!(" <{}>", names.first()?)));
            Err(format!("--{name}{} is missing: give it{}", value.unwrap_or_default(), variable.unwrap_or_default()))
        }
        Err(error) => Err(first_lines(&error)),
    }
}

fn unknown_variables(
    program: &str,
    command: &Command,
    environment: &BTreeMap<OsString, OsString>,
    also_known: &[&str],
) -> Vec<String> {
    let own: Vec<String> =
        command.get_arguments().filter_map(|arg| Some(arg.get_env()?.to_string_lossy().into_owned())).collect();
    let is_known = |name: &str| own.iter().any(|known| known == name) || also_known.contains(&name);
    environment
        .keys()
        .map(|name| name.to_string_lossy())
        .filter(|name| name.starts_with(VARIABLES) && !is_known(name))
        .map(|name| format!("{name} is no setting of {program}, which knows {}", own.join(", ")))
        .collect()
}

/// What an error says, without usage and hints.
fn first_lines(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect::<Vec<_>>().join(" ")
}
