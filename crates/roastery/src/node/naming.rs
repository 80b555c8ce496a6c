//! Chooses a name for a group if its own name belongs to another group here.

use std::io::IsTerminal as _;

use roastery_service::{
    api::ClientError,
    view::{Problem, ProblemCode},
};

use super::question::ask;
use crate::output::remark;

/// Joins a group under this name, or under its own. If another group has that one, the user is
/// asked for another one until one is free; without a terminal that is an error.
pub(super) fn named<T>(
    mut name: Option<String>,
    mut other: impl FnMut(&Problem) -> anyhow::Result<Option<String>>,
    take_up: impl Fn(Option<String>) -> anyhow::Result<Result<T, ClientError>>,
) -> anyhow::Result<T> {
    loop {
        let error = match take_up(name)? {
            Ok(taken_up) => return Ok(taken_up),
            Err(error) => error,
        };
        name = match &error {
            ClientError::Problem(problem) if problem.code == ProblemCode::NameTaken => {
                other(problem)?
            }
            _ => None,
        };
        if name.is_none() {
            return Err(error.into());
        }
    }
}

/// Asks the user for another name; `None` without a terminal, or without an answer.
pub(super) fn other_name(problem: &Problem) -> anyhow::Result<Option<String>> {
    if !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    remark(&problem.message);
    let answer = ask("What is the group to be called here? ")?;
    Ok((!answer.is_empty()).then_some(answer))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn problem(code: ProblemCode, message: &str) -> ClientError {
        ClientError::Problem(Problem { code, message: message.to_owned(), request: None })
    }

    /// Accepts the name "new" only. Returns the result and the names that were tried.
    fn try_names(
        first: Option<&str>,
        answers: &[Option<&str>],
    ) -> (Result<(), String>, Vec<Option<String>>) {
        let tried = RefCell::new(Vec::new());
        let mut answers = answers.iter();
        let taken_up = named(
            first.map(str::to_owned),
            |_| Ok(answers.next().unwrap().map(str::to_owned)),
            |name| {
                tried.borrow_mut().push(name.clone());
                Ok(match name.as_deref() {
                    Some("new") => Ok(()),
                    Some("bad") => Err(problem(ProblemCode::Invalid, "no name")),
                    _ => Err(problem(ProblemCode::NameTaken, "it is taken")),
                })
            },
        );
        (taken_up.map_err(|error| error.to_string()), tried.into_inner())
    }

    #[test]
    fn a_name_that_is_taken_is_asked_for_again_until_one_is_free_or_there_is_no_answer() {
        let names = |names: &[Option<&str>]| -> Vec<Option<String>> {
            names.iter().map(|name| name.map(str::to_owned)).collect()
        };
        let taken = || Err("it is taken".to_owned());
        assert_eq!(try_names(Some("new"), &[]), (Ok(()), names(&[Some("new")])));
        assert_eq!(try_names(None, &[None]), (taken(), names(&[None])));
        assert_eq!(
            try_names(None, &[Some("old"), Some("new")]),
            (Ok(()), names(&[None, Some("old"), Some("new")]))
        );
        assert_eq!(
            try_names(Some("old"), &[Some("bad")]),
            (Err("no name".to_owned()), names(&[Some("old"), Some("bad")]))
        );
    }
}
