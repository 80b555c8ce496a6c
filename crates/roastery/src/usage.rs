//! Usage errors: one line with what was wrong, what is allowed, and an example.

use std::process::ExitCode;

use clap::{
    Command, Error,
    error::{ContextKind, ContextValue, ErrorKind},
};

use crate::{examples, output};

/// Help is printed as it is; an error is one line.
pub(crate) fn refuse(error: &Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Without a reader the text is lost.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let all = crate::command();
    let words: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let (meant, path) = meant(&all, &words);
    let line = line(error, meant, &path);
    if path.split(' ').next() == Some("hwi") {
        // Bitcoin Core reads an error as an answer, and no answer of a command that fails.
        say!("{}", serde_json::json!({ "error": line }));
        return ExitCode::SUCCESS;
    }
    output::error(&line)
}

/// The command that was meant, as far as its words were recognised.
fn meant<'a>(all: &'a Command, words: &[String]) -> (&'a Command, String) {
    let (mut at, mut path) = (all, Vec::new());
    for word in words {
        if let Some(next) = at.find_subcommand(word) {
            at = next;
            path.push(next.get_name());
        }
    }
    (at, path.join(" "))
}

fn line(error: &Error, meant: &Command, path: &str) -> String {
    let context = |kind| error.get(kind).map(words).unwrap_or_default();
    let (argument, value) = (context(ContextKind::InvalidArg), context(ContextKind::InvalidValue));
    let example = || match examples::first(path) {
        Some(example) => format!("for example: {example}"),
        None => "roastery help describes all commands".to_owned(),
    };
    let like = |kind| match context(kind) {
        like if like.is_empty() => String::new(),
        like => format!("; {like} is the nearest"),
    };
    match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            format!("no command was given; {}; {}", commands(meant), example())
        }
        ErrorKind::InvalidSubcommand => {
            let wrong = context(ContextKind::InvalidSubcommand);
            let like = like(ContextKind::SuggestedSubcommand);
            format!("there is no command {wrong:?}{like}; {}", commands(meant))
        }
        ErrorKind::UnknownArgument => {
            let like = like(ContextKind::SuggestedArg);
            match argument.starts_with('-') {
                true => format!("there is no option {argument} here{like}; {}", options(meant)),
                false => format!("{argument:?} is one word too many here; {}", example()),
            }
        }
        ErrorKind::MissingRequiredArgument => {
            format!("what is missing: {argument}; {}", example())
        }
        ErrorKind::InvalidValue | ErrorKind::NoEquals if value.is_empty() => {
            format!("{argument} has no value; {}", example())
        }
        ErrorKind::InvalidValue => {
            let allowed = context(ContextKind::ValidValue);
            format!("{argument}: {value:?} is not allowed; allowed are {allowed}; {}", example())
        }
        ErrorKind::ValueValidation => {
            let reason = std::error::Error::source(error).map(ToString::to_string);
            let reason = reason.unwrap_or_else(|| "not a value of this option".to_owned());
            format!("{argument}: {value:?} is not allowed: {reason}; {}", example())
        }
        ErrorKind::ArgumentConflict => {
            let other = context(ContextKind::PriorArg);
            match argument == other || other.is_empty() {
                true => format!("{argument} may be given once only; {}", example()),
                false => {
                    // A command conflicts with options of the one before it, and has no name here.
                    let argument = if argument.is_empty() { "a command" } else { &argument };
                    format!(
                        "{argument} and {other} exclude each other: give one of them; {}",
                        example()
                    )
                }
            }
        }
        _ => {
            let text = error.to_string();
            let said = text.split("\n\n").next().unwrap_or(&text).trim_start_matches("error: ");
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            format!("{said}; {}", example())
        }
    }
}

fn words(value: &ContextValue) -> String {
    match value {
        ContextValue::String(one) => one.clone(),
        ContextValue::Strings(all) => all.join(", "),
        ContextValue::StyledStr(text) => text.to_string(),
        ContextValue::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

fn commands(at: &Command) -> String {
    let names: Vec<&str> = at.get_subcommands().map(Command::get_name).collect();
    match names.is_empty() {
        true => "it has no further commands".to_owned(),
        false => format!("allowed are {}", names.join(", ")),
    }
}

fn options(at: &Command) -> String {
    let options: Vec<String> = at
        .get_arguments()
        .filter_map(|argument| argument.get_long())
        .chain(["folder", "help"])
        .map(|long| format!("--{long}"))
        .collect();
    format!("allowed are {}", options.join(", "))
}
