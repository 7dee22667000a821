//! Statements on tables in memory.

mod hostile;
mod keys;
mod reading;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;

use serde_json::{Value, json};

use super::{Answer, Fields, Parameters, Query, QueryError, SqlError, Table, TableSource, WantedTable};

/// Tables in memory, and what was read of them.
#[derive(Default)]
struct Tables {
    entities: BTreeMap<String, BTreeMap<String, Value>>,
    read: RefCell<Vec<WantedTable>>,
}

impl Tables {
    fn with(mut self, route: &str, entities: &[(&str, Value)]) -> Self {
        let entities = entities.iter().map(|(key, payload)| ((*key).to_owned(), payload.clone()));
        self.entities.insert(route.to_owned(), entities.collect());
        self
    }

    /// The days of the tutorial.
    fn daily() -> Self {
        let day =
            |views: i64| json!({"page_views": views, "requests": 2 * views, "title": "é", "POST /drop": 1});
        let days: Vec<(String, Value)> =
            (1..=9).map(|number| (format!("2026-02-{number:02}"), day(number))).collect();
        let days: Vec<(&str, Value)> = days.iter().map(|(key, day)| (key.as_str(), day.clone())).collect();
        Tables::default().with("analytics/daily", &days)
    }

    async fn ask(&self, statement: &str) -> Result<Answer, SqlError> {
        self.ask_with(statement, &Value::Null).await
    }

    async fn ask_with(&self, statement: &str, parameters: &Value) -> Result<Answer, SqlError> {
        let parameters = match parameters {
            Value::Null => Parameters::default(),
            given => Parameters::from_json(given)?,
        };
        let query = Query::parse(statement, parameters)?;
        query.answer(self).await.map_err(|error| match error {
            QueryError::Statement(error) => error,
            QueryError::Source(never) => match never {},
            QueryError::Busy => panic!("nothing else runs"),
        })
    }

    /// The rows of an answer, as JSON.
    async fn rows(&self, statement: &str) -> Value {
        let answer = self.ask(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        let answer: Value = serde_json::from_str(&answer.json()).expect("JSON");
        answer["rows"].clone()
    }

    /// The refusal of a statement.
    async fn refusal(&self, statement: &str) -> String {
        match self.ask(statement).await {
            Err(error) => error.to_string(),
            Ok(answer) => panic!("{statement} was answered with {} rows", answer.rows.len()),
        }
    }
}

impl TableSource for Tables {
    type Error = Infallible;

    async fn read(&self, wanted: &WantedTable) -> Result<Table, QueryError<Infallible>> {
        self.read.borrow_mut().push(wanted.clone());
        let mut table = Table::new(wanted);
        let entities = self.entities.get(&wanted.name).into_iter().flatten();
        let mut entities: Vec<_> = entities.filter(|(key, _)| wanted.keys.contains(key)).collect();
        if wanted.keys.descending {
            entities.reverse();
        }
        for (key, payload) in entities.into_iter().take(wanted.keys.rows.unwrap_or(usize::MAX)) {
            let fields: Vec<(&String, String)> = payload
                .as_object()
                .into_iter()
                .flatten()
                .filter(|(name, _)| wanted.payload || wanted.fields.includes(name))
                .map(|(name, value)| (name, value.to_string()))
                .collect();
            table.push(key, fields.iter().map(|(name, json)| (name.as_str(), json.as_str())))?;
        }
        Ok(table)
    }

    async fn field_names(&self, table: &str) -> Result<Vec<String>, QueryError<Infallible>> {
        let entities = self.entities.get(table).into_iter().flatten();
        Ok(entities
            .filter_map(|(_, payload)| payload.as_object())
            .flat_map(|fields| fields.keys().cloned())
            .collect())
    }
}

/// The names of fields.
fn named(names: &[&str]) -> Fields {
    Fields::Named(names.iter().map(|name| (*name).to_owned()).collect())
}
