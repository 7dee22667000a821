//! docs/drops.md, whose examples are run.

use std::path::Path;

use serde_json::Value;

use super::with_key;

/// Commands, and the answer that the document shows.
struct Example {
    line: usize,
    commands: String,
    answer: Value,
}

/// The blocks of a document with their language and their line.
fn blocks(text: &str) -> Vec<(usize, String, String)> {
    let (mut blocks, mut open) = (Vec::new(), None::<(usize, String, String)>);
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => open = Some((number + 1, language.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, _, content))) => content.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    blocks
}

/// Each block of commands, with the block of JSON behind it.
fn examples(text: &str) -> Vec<Example> {
    let (mut examples, mut commands) = (Vec::new(), None);
    for (line, language, content) in blocks(text) {
        match language.as_str() {
            "drops" => {
                assert!(commands.is_none(), "line {line}: the commands before it have no answer");
                commands = Some((line, content));
            }
            "json" => {
                let (line, commands) = commands.take().expect("commands before the answer");
                let answer =
                    serde_json::from_str(&content).unwrap_or_else(|error| panic!("line {line}: {error}"));
                examples.push(Example { line, commands, answer });
            }
            _ => {}
        }
    }
    assert!(commands.is_none(), "the last commands have no answer");
    examples
}

/// Whether the answer is as the document shows it, where `…` stands for any text.
fn fits(shown: &Value, answer: &Value) -> bool {
    match (shown, answer) {
        (Value::String(shown), Value::String(answer)) => match shown.split_once('…') {
            Some((begin, end)) => answer.starts_with(begin) && answer.ends_with(end),
            None => shown == answer,
        },
        (Value::Array(shown), Value::Array(answer)) => {
            shown.len() == answer.len() && shown.iter().zip(answer).all(|(shown, answer)| fits(shown, answer))
        }
        (Value::Object(shown), Value::Object(answer)) => {
            shown.len() == answer.len()
                && shown
                    .iter()
                    .all(|(name, shown)| answer.get(name).is_some_and(|answer| fits(shown, answer)))
        }
        (shown, answer) => shown == answer,
    }
}

#[tokio::test]
async fn every_example_of_the_language_runs_as_the_document_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/drops.md");
    let examples = examples(&std::fs::read_to_string(path).expect("the document"));
    assert!(examples.len() > 12, "{} examples", examples.len());
    with_key(async |service| {
        for Example { line, commands, answer: shown } in &examples {
            let (status, body) = service.run(commands).await;
            let wanted = shown.get("status").and_then(Value::as_u64).unwrap_or(200);
            assert_eq!(u64::from(status), wanted, "line {line}: {body}");
            let is_whole = shown.get("results").is_some() || shown.get("status").is_some();
            let last =
                || body["results"].as_array().and_then(|results| results.last()).map(|last| &last["result"]);
            let part = if is_whole { Some(&body) } else { last() };
            assert!(part.is_some_and(|part| fits(shown, part)), "line {line}: the answer is {body}");
        }
    })
    .await;
}
