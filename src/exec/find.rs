//! The parser of `find`.

use winnow::combinator::{alt, cut_err, opt, peek, preceded, separated};
use winnow::prelude::*;

use super::lexical::{
    Input, blank, count, dotted_name, end_of_command, fault, field_name, keyword, route, space, wanted,
};
use super::syntax::{Comparison, Condition, Find};
use super::value::scalar;

/// How many conditions, and how many fields to pick, a command may have.
const MAX_PARTS: usize = 32;

/// More parts than a command may have.
#[derive(Debug, thiserror::Error)]
#[error("find has at most {MAX_PARTS} {0}")]
struct TooMany(&'static str);

/// What follows the word `find`.
pub(super) fn find(input: &mut Input<'_>) -> ModalResult<Find> {
    let route = route.parse_next(input)?;
    let mut find = Find { route, conditions: Vec::new(), pick: Vec::new(), sort: None, top: None };
    let mut expected = "where, then or the end of the command";
    if opt(next_keyword("where")).parse_next(input)?.is_some() {
        find.conditions =
            separated(1..=MAX_PARTS, cut_err(condition), next_keyword("and")).parse_next(input)?;
        if opt(peek(next_keyword("and"))).parse_next(input)?.is_some() {
            return fault(input, TooMany("conditions"));
        }
        expected = "and, then or the end of the command";
    }
    while opt(next_keyword("then")).parse_next(input)?.is_some() {
        cut_err(|input: &mut Input<'_>| step(input, &mut find)).parse_next(input)?;
        expected = "then or the end of the command";
    }
    cut_err(end_of_command.context(wanted(expected))).parse_next(input)?;
    Ok(find)
}

/// The word, which may stand on a line of its own.
fn next_keyword<'s>(
    name: &'static str,
) -> impl Parser<Input<'s>, (), winnow::error::ErrMode<winnow::error::ContextError>> {
    preceded(blank, keyword(name))
}

fn step(input: &mut Input<'_>, find: &mut Find) -> ModalResult<()> {
    blank.parse_next(input)?;
    let step = alt(("pick", "sort", "top")).context(wanted("pick, sort or top")).parse_next(input)?;
    match step {
        "pick" => {
            find.pick =
                separated(1..=MAX_PARTS, cut_err(preceded(blank, name)), (space, ',')).parse_next(input)?;
            if opt(peek((space, ','))).parse_next(input)?.is_some() {
                return fault(input, TooMany("fields to pick"));
            }
        }
        "sort" => {
            let field = preceded(space, name).parse_next(input)?;
            let order = alt((keyword("asc").value(false), keyword("desc").value(true)));
            let descending = opt(preceded(space, order)).parse_next(input)?;
            find.sort = Some((field, descending.unwrap_or(false)));
        }
        _ => find.top = Some(count.parse_next(input)?),
    }
    Ok(())
}

fn name(input: &mut Input<'_>) -> ModalResult<String> {
    alt((dotted_name, field_name)).context(wanted("the name of a field")).parse_next(input)
}

fn condition(input: &mut Input<'_>) -> ModalResult<Condition> {
    blank.parse_next(input)?;
    let field = name.parse_next(input)?;
    let comparison = alt((
        "!=".value(Comparison::NotEqual),
        "<=".value(Comparison::AtMost),
        ">=".value(Comparison::AtLeast),
        "=".value(Comparison::Equal),
        "<".value(Comparison::Less),
        ">".value(Comparison::Greater),
    ));
    let comparison =
        preceded(space, comparison.context(wanted("=, !=, <, <=, > or >="))).parse_next(input)?;
    let value = preceded(space, scalar).parse_next(input)?;
    Ok(Condition { field, comparison, value })
}
